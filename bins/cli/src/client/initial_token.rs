//! `sealstone client initial-token ...`: what lets programs register themselves.

use std::time::Duration;

use clap::{Args, Subcommand};
use http::Method;
use rustls_pki_types::UnixTime;
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
    remote::{Remote, WhereArguments, unintelligible},
    store::{self, parse_domain},
};

const EXAMPLES: &str = "\
Examples:
  For one application, within a day:
    sealstone client initial-token create --config sealstoned.toml --domain demo

  For a rollout:
    sealstone client initial-token create --config sealstoned.toml --uses 50 --expires-in 7d

  From elsewhere, as an administrator of the issuer's domain:
    sealstone client initial-token create --url https://id.example.org/v4/oauth2/demo --cloud prod

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
    place: WhereArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only this domain [default: all]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    domain: Option<DomainId>,
    #[command(flatten)]
    place: WhereArguments,
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
    place: WhereArguments,
}

const COLUMNS: [&str; 4] = ["ID", "DOMAIN", "USES LEFT", "ENDS"];

fn revoked(id: &InitialTokenId) {
    output::note(&format!("Revoked {id}: it registers nothing more."));
}

impl CreateArguments {
    fn fits(&self) -> Outcome {
        if (MIN_INITIAL_TOKEN_LIFETIME..=MAX_INITIAL_TOKEN_LIFETIME).contains(&self.expires_in) {
            return Ok(());
        }
        Err(Failure::usage("--expires-in: give 1m to 90d"))
    }
}

fn parse_id(text: &str) -> Result<InitialTokenId, String> {
    InitialTokenId::parse(text).ok_or_else(|| {
        "an id is 16 hexadecimal digits: `sealstone client initial-token list` shows it".to_owned()
    })
}

pub(super) async fn run(command: InitialTokenCommand) -> Outcome {
    match command {
        InitialTokenCommand::Create(arguments) => match arguments.place.remote() {
            Some(remote) => Tokens(remote).create(&arguments).await,
            None => create(arguments).await,
        },
        InitialTokenCommand::List(arguments) => match arguments.place.remote() {
            Some(remote) => Tokens(remote).list(&arguments).await,
            None => list(arguments).await,
        },
        InitialTokenCommand::Revoke(arguments) => match arguments.place.remote() {
            Some(remote) => Tokens(remote).revoke(&arguments).await,
            None => revoke(arguments).await,
        },
    }
}

async fn create(arguments: CreateArguments) -> Outcome {
    arguments.fits()?;
    let places = arguments.place.places()?;
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
    print_new(&members, arguments.output.output)
}

fn print_new(members: &Map<String, Value>, form: Form) -> Outcome {
    match form {
        Form::Json => output::json(members)?,
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
    let opened = arguments.place.places()?.store().await?;
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
            output::table(&COLUMNS, &rows)
        }
    }
}

async fn revoke(arguments: RevokeArguments) -> Outcome {
    let places = arguments.place.places()?;
    let opened = places.store().await?;
    let domain = store::domain(&opened, arguments.domain.as_ref()).await?;
    let trail = places.trail()?;
    let change = trail.change(Action::DeleteInitialToken, Target::Issuer(domain.as_str().into()));
    let removed = change.stored(opened.remove_initial_token(&domain, &arguments.id).await)?;
    opened.close().await;
    match removed {
        Removal::Removed => {
            change.done()?;
            revoked(&arguments.id);
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

/// The tokens of an issuer that is asked.
#[derive(Clone, Copy)]
struct Tokens<'a>(Remote<'a>);

impl Tokens<'_> {
    async fn create(self, arguments: &CreateArguments) -> Outcome {
        of_the_issuer(arguments.domain.as_ref())?;
        arguments.fits()?;
        let wishes = json!({ "uses": arguments.uses, "expires_in_s": arguments.expires_in.as_secs() });
        let server = self.0.open().await?;
        let answer = server
            .send(Method::POST, "initial-access-tokens", None, Some(&wishes))
            .await?;
        let mut members = Map::new();
        let text = answer.members.get("initial_access_token");
        let text = text.ok_or_else(|| unintelligible(self.0.url()))?;
        members.insert("initial_access_token".to_owned(), text.clone());
        members.extend(as_here(&answer.members));
        print_new(&members, arguments.output.output)
    }

    async fn list(self, arguments: &ListArguments) -> Outcome {
        of_the_issuer(arguments.domain.as_ref())?;
        let server = self.0.open().await?;
        let answer = server
            .send(Method::GET, "initial-access-tokens", None, None)
            .await?;
        let tokens = answer.members.get("initial_access_tokens");
        let tokens = tokens.and_then(Value::as_array);
        let tokens = tokens.ok_or_else(|| unintelligible(self.0.url()))?;
        let tokens: Vec<&Map<String, Value>> = tokens.iter().filter_map(Value::as_object).collect();
        match arguments.output.output {
            Form::Json => output::json(&tokens.iter().map(|token| as_here(token)).collect::<Vec<_>>()),
            Form::Table => {
                let now = clock::now();
                let row = |token: &&Map<String, Value>| {
                    let mut row: Vec<String> = ["id", "domain_id", "uses_left"]
                        .iter()
                        .map(|name| token.get(*name).map(plain).unwrap_or_default())
                        .collect();
                    row.push(clock::date_and_relative(time(token, "expires_at"), now));
                    row
                };
                output::table(&COLUMNS, &tokens.iter().map(row).collect::<Vec<_>>())
            }
        }
    }

    async fn revoke(self, arguments: &RevokeArguments) -> Outcome {
        of_the_issuer(arguments.domain.as_ref())?;
        let server = self.0.open().await?;
        let place = format!("initial-access-tokens/{}", arguments.id);
        server.send(Method::DELETE, &place, None, None).await?;
        revoked(&arguments.id);
        Ok(())
    }
}

fn of_the_issuer(domain: Option<&DomainId>) -> Outcome {
    if domain.is_some() {
        return Err(Failure::usage(
            "--domain is for the server's own machine: with --url the issuer says the domain",
        ));
    }
    Ok(())
}

fn time(token: &Map<String, Value>, name: &str) -> UnixTime {
    clock::at(token.get(name).and_then(Value::as_u64).unwrap_or_default())
}

/// As `document` has one of this machine.
fn as_here(token: &Map<String, Value>) -> Map<String, Value> {
    let same = |name: &str| token.get(name).cloned().unwrap_or_default();
    let date = |name: &str| Value::from(clock::date(time(token, name)));
    Map::from_iter([
        ("id".to_owned(), same("id")),
        ("domain".to_owned(), same("domain_id")),
        ("uses_left".to_owned(), same("uses_left")),
        ("created_at".to_owned(), date("created_at")),
        ("expires_at".to_owned(), date("expires_at")),
    ])
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
