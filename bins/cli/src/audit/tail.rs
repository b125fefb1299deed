//! `sealstone audit tail`.

use std::{collections::VecDeque, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use sealstone_trail::{Follower, Read, rotated};
use serde_json::Value;

use crate::{
    clock,
    failure::{Failure, Outcome},
    output::{self, Form, OutputArguments},
};

use super::command::ServerArguments;

#[derive(Debug, Args)]
pub(crate) struct TailArguments {
    /// The file that is written on [default: the server's, by --data or --config]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// How many events to show
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20)]
    number: usize,
    /// Go on with what comes, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Look into rotated files too
    #[arg(long)]
    all: bool,
    /// Only of this client, or this initiator
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Only of this person
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Only of this request
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Only this action, such as authenticate/token, or all that begin with it, such as revoke/
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only what ended so
    #[arg(long, value_enum, value_name = "OUTCOME")]
    outcome: Option<Ended>,
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Ended {
    /// It was done
    Success,
    /// It was refused, or could not be done
    Failure,
}

/// How often a file that is followed is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(crate) fn run(arguments: &TailArguments) -> Outcome {
    let path = match (&arguments.file, arguments.server.places()?) {
        (Some(path), _) => path.clone(),
        (None, Some(places)) => places.audit_file().to_owned(),
        (None, None) => {
            return Err(Failure::usage(
                "name the file, or the server's data: FILE, --data DIR or --config FILE",
            ));
        }
    };
    let told = || format!("{} can't be read", path.display());
    drop(std::fs::File::open(&path).with_context(told)?);
    let newest = rotated(&path)
        .with_context(told)?
        .last()
        .map_or(0, |(first, _)| *first);
    // What is in the newest rotated file is older than what is written now, whatever its number.
    let mut follower = Follower::new(&path, if arguments.all { 1 } else { newest });
    let mut last = VecDeque::new();
    while let Some(read) = follower.read().with_context(told)? {
        if let Some(event) = wanted(arguments, &read) {
            last.push_back((read.text, event));
            if last.len() > arguments.number {
                last.pop_front();
            }
        }
    }
    for (text, event) in last {
        show(arguments, &text, &event)?;
    }
    if !arguments.follow {
        return Ok(());
    }
    loop {
        match follower.read() {
            Ok(Some(read)) => {
                if let Some(event) = wanted(arguments, &read) {
                    show(arguments, &read.text, &event)?;
                }
            }
            // Between the steps of a rotation there is no file.
            Ok(None) => clock::pause(LOOK_EVERY),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => clock::pause(LOOK_EVERY),
            Err(error) => return Err(error.into()),
        }
    }
}

fn text<'a>(event: &'a Value, path: &str) -> &'a str {
    event.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// The event, if it is asked for.
fn wanted(arguments: &TailArguments, read: &Read) -> Option<Value> {
    let event: Value = serde_json::from_slice(&read.text).ok()?;
    let is =
        |asked: &Option<String>, path: &str| asked.as_deref().is_none_or(|asked| text(&event, path) == asked);
    let action = arguments.action.as_deref().is_none_or(|asked| {
        let action = text(&event, "/action");
        action == asked || (asked.ends_with('/') && action.starts_with(asked))
    });
    let outcome = arguments.outcome.is_none_or(|asked| {
        let asked = match asked {
            Ended::Success => "success",
            Ended::Failure => "failure",
        };
        text(&event, "/outcome") == asked
    });
    let all = action
        && outcome
        && is(&arguments.client, "/initiator/id")
        && is(&arguments.user, "/initiator/user_id")
        && is(&arguments.request, "/initiator/request_id");
    all.then_some(event)
}

fn show(arguments: &TailArguments, line: &[u8], event: &Value) -> Outcome {
    if arguments.output.output == Form::Json {
        return output::line(&String::from_utf8_lossy(line));
    }
    let mut words = vec![
        text(event, "/eventTime")
            .split('.')
            .next()
            .unwrap_or_default()
            .to_owned()
            + "Z",
        format!("{:<7}", text(event, "/outcome")),
        text(event, "/action").to_owned(),
        text(event, "/initiator/id").to_owned(),
    ];
    for (name, path) in [
        ("user", "/initiator/user_id"),
        ("from", "/initiator/host/address"),
        ("target", "/target/id"),
        ("because", "/reason/policyId"),
        ("request", "/initiator/request_id"),
    ] {
        let value = text(event, path);
        if !value.is_empty() {
            words.push(format!("{name}={value}"));
        }
    }
    output::line(&output::visible(&words.join("  ")))
}
