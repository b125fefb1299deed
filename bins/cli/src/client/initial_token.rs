//! `sealstone client initial-token ...`: what lets programs register themselves.

use std::time::Duration;

use clap::{Args, Subcommand};
use sealstone_audit::{Action, Reason, Target};
use sealstone_identity::DomainId;
use sealstone_oauth_types::OpaqueToken;
use sealstone_registry::{
    InitialToken, InitialTokenId, Insertion, MAX_INITIAL_TOKEN_LIFETIME, MAX_INITIAL_TOKEN_USES,
    MIN_INITIAL_TOKEN_LIFETIME, RegistrationStore as _, Removal,
};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::{
    clock,
    failure::{Failure, Outcome},
    output::{self, Form, OutputArguments},
    random,
    store::{self, StoreArguments, parse_domain},
};

const EXAMPLES: &str = "\
Examples:
  For one application, within a day:
    sealstone client initial-token create --config sealstoned.toml --domain demo

  For a rollout:
    sealstone client initial-token create --config sealstoned.toml --uses 50 --expires-in 7d

Whoever has the token registers clients at ISSUER/register (RFC 7591), within what
[registration] of the server's configuration allows.";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum InitialTokenCommand {
    /// Make a token by which programs register themselves; it is printed once
    #[command(after_help = EXAMPLES)]
    Create(CreateArguments),
    /// List tokens
    List(ListArguments),
    /// Take a token back; what it registered stays
    Revoke(RevokeArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    /// The domain [default: the only one]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    domain: Option<DomainId>,
    /// How many clients it registers: 1 to 1000
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_INITIAL_TOKEN_USES)))]
    uses: u32,
    /// For how long: 1m to 90d
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = clock::parse_span)]
    expires_in: Duration,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only this domain [default: all]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    domain: Option<DomainId>,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArguments {
    /// The token's id, as `list` shows it
    #[arg(value_name = "ID", value_parser = parse_id)]
    id: InitialTokenId,
    /// The domain [default: the only one]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    domain: Option<DomainId>,
    #[command(flatten)]
    store: StoreArguments,
}

fn parse_id(text: &str) -> Result<InitialTokenId, String> {
    InitialTokenId::parse(text).ok_or_else(|| {
        "an id is 16 hexadecimal digits: `sealstone client initial-token list` shows it".to_owned()
    })
}

pub(super) async fn run(command: InitialTokenCommand) -> Outcome {
    match command {
        InitialTokenCommand::Create(arguments) => create(arguments).await,
        InitialTokenCommand::List(arguments) => list(arguments).await,
        InitialTokenCommand::Revoke(arguments) => revoke(arguments).await,
    }
}

async fn create(arguments: CreateArguments) -> Outcome {
    if !(MIN_INITIAL_TOKEN_LIFETIME..=MAX_INITIAL_TOKEN_LIFETIME).contains(&arguments.expires_in) {
        return Err(Failure::usage("--expires-in: give 1m to 90d"));
    }
    let places = arguments.store.places()?;
    let opened = places.store().await?;
    let domain = store::domain(&opened, arguments.domain.as_ref()).await?;
    let trail = places.trail()?;
    let text = OpaqueToken::from_octets(*Zeroizing::new(random::octets()?));
    let now = clock::now();
    let token = InitialToken {
        id: InitialTokenId::from_random(random::octets()?),
        domain: domain.clone(),
        hash: text.hash(),
        created_at: now,
        expires_at: clock::at(now.as_secs().saturating_add(arguments.expires_in.as_secs())),
        uses_left: arguments.uses,
    };
    let change = trail.change(Action::CreateInitialToken, Target::Issuer(domain.as_str().into()));
    let inserted = change.stored(opened.insert_initial_token(&token).await)?;
    opened.close().await;
    match inserted {
        Insertion::Inserted => change.done()?,
        Insertion::Exists => {
            return Err(change.refused(
                Reason::new(409, "too_many_initial_tokens"),
                Failure::failed(format!(
                    "the domain {domain} has 500 tokens already: revoke those that nobody needs"
                )),
            ));
        }
        Insertion::UnknownDomain => {
            return Err(change.refused(
                Reason::new(404, "unknown_domain"),
                Failure::failed(format!(
                    "there is no domain {domain}: `sealstone client list` shows which"
                )),
            ));
        }
    }
    let mut members = Map::new();
    members.insert("initial_access_token".to_owned(), text.expose().into());
    members.extend(document(&token));
    match arguments.output.output {
        Form::Json => output::json(&members)?,
        Form::Table => {
            let pairs: Vec<(&str, String)> = members
                .iter()
                .map(|(name, value)| (name.as_str(), plain(value)))
                .collect();
            output::pairs(&pairs)?;
        }
    }
    output::note("Keep the token now: it is not shown again.");
    Ok(())
}

async fn list(arguments: ListArguments) -> Outcome {
    let opened = arguments.store.places()?.store().await?;
    let mut tokens = Vec::new();
    for domain in store::domains(&opened, arguments.domain.as_ref()).await? {
        tokens.extend(opened.initial_tokens(&domain).await?);
    }
    opened.close().await;
    match arguments.output.output {
        Form::Json => {
            let all: Vec<Value> = tokens
                .iter()
                .map(|token| Value::Object(Map::from_iter(document(token))))
                .collect();
            output::json(&all)
        }
        Form::Table => {
            let now = clock::now();
            let rows: Vec<Vec<String>> = tokens
                .iter()
                .map(|token| {
                    vec![
                        token.id.to_string(),
                        token.domain.to_string(),
                        token.uses_left.to_string(),
                        clock::date_and_relative(token.expires_at, now),
                    ]
                })
                .collect();
            output::table(&["ID", "DOMAIN", "USES LEFT", "ENDS"], &rows)
        }
    }
}

async fn revoke(arguments: RevokeArguments) -> Outcome {
    let places = arguments.store.places()?;
    let opened = places.store().await?;
    let domain = store::domain(&opened, arguments.domain.as_ref()).await?;
    let trail = places.trail()?;
    let change = trail.change(Action::DeleteInitialToken, Target::Issuer(domain.as_str().into()));
    let removed = change.stored(opened.remove_initial_token(&domain, &arguments.id).await)?;
    opened.close().await;
    match removed {
        Removal::Removed => {
            change.done()?;
            output::note(&format!("Revoked {}: it registers nothing more.", arguments.id));
            Ok(())
        }
        Removal::Missing => Err(change.refused(
            Reason::new(404, "unknown_initial_token"),
            Failure::failed(format!(
                "there is no token {} in the domain {domain}: `sealstone client initial-token list` names them",
                arguments.id
            )),
        )),
    }
}

fn document(token: &InitialToken) -> [(String, Value); 5] {
    [
        ("id".to_owned(), token.id.as_str().into()),
        ("domain".to_owned(), token.domain.as_str().into()),
        ("uses_left".to_owned(), json!(token.uses_left)),
        ("created_at".to_owned(), clock::date(token.created_at).into()),
        ("expires_at".to_owned(), clock::date(token.expires_at).into()),
    ]
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
