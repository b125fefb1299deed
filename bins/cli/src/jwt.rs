//! `sealstone jwt ...`: what a token says, and whether it holds.

mod verify;

use std::{io::IsTerminal as _, path::Path};

use clap::{Args, Subcommand};
use sealstone_jose::{base64url, json};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::{
    clock,
    failure::{Failure, Outcome},
    input,
    output::{self, Form, OutputArguments},
};
use verify::VerifyArguments;

#[derive(Debug, Subcommand)]
pub(crate) enum JwtCommand {
    /// Show a token's header and claims, without verifying anything
    #[command(
        after_help = "Example:\n  sealstone token --dev sealstone-dev --client machine | sealstone jwt inspect"
    )]
    Inspect(InspectArguments),
    /// Verify an access token as a resource server does
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// The token; - or nothing reads it from standard input
    #[arg(value_name = "TOKEN", default_value = "-")]
    token: String,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn run(command: JwtCommand) -> Outcome {
    match command {
        JwtCommand::Inspect(arguments) => inspect(&arguments),
        JwtCommand::Verify(arguments) => verify::run(arguments).await,
    }
}

/// The token itself, from the command line or standard input, with or without the header around it.
fn read(argument: &str) -> Outcome<Zeroizing<String>> {
    let text = if argument == "-" {
        if std::io::stdin().is_terminal() {
            output::note("Paste the token, then end with Ctrl-D.");
        }
        Zeroizing::new(input::text(Path::new("-"))?)
    } else {
        Zeroizing::new(argument.to_owned())
    };
    let token = text.trim();
    let token = token.strip_prefix("Authorization:").unwrap_or(token).trim_start();
    let token = token.strip_prefix("Bearer ").unwrap_or(token).trim();
    if token.is_empty() {
        return Err(Failure::usage(
            "there is no token: give it as argument or on standard input",
        ));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

fn inspect(arguments: &InspectArguments) -> Outcome {
    let token = read(&arguments.token)?;
    let [header, claims] = parts(&token)?;
    output::note(
        "UNVERIFIED: anybody can write this. `sealstone jwt verify` checks the signature and the claims.",
    );
    if arguments.output.output == Form::Json {
        return output::json(&json!({"verified": false, "header": header, "claims": claims}));
    }
    let mut pairs = vec![("UNVERIFIED", String::new())];
    pairs.extend(
        header
            .iter()
            .map(|(name, value)| (name.as_str(), text(name, value))),
    );
    pairs.push(("", String::new()));
    pairs.extend(
        claims
            .iter()
            .map(|(name, value)| (name.as_str(), text(name, value))),
    );
    output::pairs(&pairs)
}

fn parts(token: &str) -> Outcome<[Map<String, Value>; 2]> {
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Failure::failed(
            "this is no signed JWT, which has three parts with a dot between: give an access token of an issuer that \
             makes JWTs; others can be introspected (RFC 7662)",
        ));
    };
    let part = |text: &str, name: &str| {
        let bytes = base64url::decode(text).map_err(|_| {
            Failure::failed(format!(
                "the token's {name} is not base64url: it was cut or changed"
            ))
        })?;
        json::from_slice(&bytes).map_err(|error| {
            Failure::failed(format!(
                "the token's {name} is no JSON object ({error}): it is no JWT"
            ))
        })
    };
    Ok([part(header, "header")?, part(claims, "payload")?])
}

/// A claim as people read it: times with their distance from now.
fn text(name: &str, value: &Value) -> String {
    let time = matches!(name, "exp" | "iat" | "nbf" | "auth_time");
    match (value, value.as_u64()) {
        (_, Some(seconds)) if time => {
            format!(
                "{seconds}  {}",
                clock::date_and_relative(clock::at(seconds), clock::now())
            )
        }
        (Value::String(text), _) => text.clone(),
        (other, _) => other.to_string(),
    }
}
