//! Clients over HTTP: for administrators who have no shell on the server.

mod call;
mod credential;
mod shown;

use std::path::PathBuf;

use clap::Args;
use http::Method;
use sealstone_oauth_types::ClientId;
use sealstone_registry::ClientRegistration;
use serde_json::{Map, Value};

use super::{
    CreateArguments, DeleteArguments, ListArguments, OneArguments, RotateArguments, UpdateArguments,
    show::print_members,
};
use crate::{
    failure::{Failure, Outcome},
    output::{self, Form},
    store::{Places, StoreArguments},
};
use call::{Administration, Answer};

/// Where the clients are, and who asks for them.
#[derive(Debug, Clone, Args)]
pub(super) struct WhereArguments {
    #[command(flatten)]
    place: PlaceArguments,
    #[command(flatten)]
    credential: CredentialArguments,
}

/// In a database of this machine, or behind an issuer's address.
#[derive(Debug, Clone, Args)]
#[group(id = "place", required = true, multiple = false)]
struct PlaceArguments {
    /// The data folder of `sealstoned dev`
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file of `sealstoned serve`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The issuer, as the server writes it: it is asked over HTTP, and its domain is the one that is meant
    #[arg(long, value_name = "ISSUER", help_heading = "Over HTTP")]
    url: Option<String>,
}

/// Who asks, over HTTP.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Over HTTP")]
pub(super) struct CredentialArguments {
    /// CA certificates that vouch for the server, PEM [default: those of the system]
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
    /// An access token with the scope sealstone:clients (- for standard input); else the variable `SEALSTONE_ACCESS_TOKEN`
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
    /// A certificate that the server knows as an administrator's, or that the token is bound to, PEM
    #[arg(long, value_name = "FILE", requires_all = ["url", "key"])]
    cert: Option<PathBuf>,
    /// The private key of --cert, PEM
    #[arg(long, value_name = "FILE", requires_all = ["url", "cert"])]
    key: Option<PathBuf>,
    /// A cloud of clouds.yaml whose Keystone says who you are [default: `OS_CLOUD`, else the variables OS_*]
    #[arg(long, value_name = "NAME", requires = "url", conflicts_with = "token_file")]
    cloud: Option<String>,
}

impl WhereArguments {
    /// The issuer's address; `None` for a database of this machine.
    pub(super) fn remote(&self) -> Option<Remote<'_>> {
        self.place.url.as_deref().map(|url| Remote {
            url,
            credential: &self.credential,
        })
    }

    /// The server's data on this machine.
    pub(super) fn places(&self) -> Outcome<Places> {
        let store = StoreArguments::named(self.place.data.as_ref(), self.place.config.as_ref());
        let store =
            store.ok_or_else(|| Failure::usage("name the server's data: --data DIR or --config FILE"))?;
        store.places()
    }
}

/// An issuer, and who asks it.
#[derive(Clone, Copy)]
pub(super) struct Remote<'a> {
    url: &'a str,
    credential: &'a CredentialArguments,
}

/// What is said under a secret.
pub(super) const SHOWN_ONCE: &str = "Keep the secret now: it is not shown again.";

impl Remote<'_> {
    async fn open(&self) -> Outcome<Administration> {
        Administration::open(self.url, self.credential).await
    }

    pub(super) async fn create(self, arguments: &CreateArguments) -> Outcome {
        if arguments.new_domain || arguments.domain.is_some() {
            return Err(Failure::usage(
                "--domain and --new-domain are for the server's own machine: with --url the issuer says the domain",
            ));
        }
        arguments.tie.is_for_http()?;
        let members =
            arguments
                .registration
                .members(Map::new(), arguments.tie.members()?, &arguments.people)?;
        let body = checked(members)?;
        let server = self.open().await?;
        let answer = match &arguments.id {
            Some(id) => server.only_new(&one(id, ""), &body).await?,
            None => server.send(Method::POST, "clients", None, Some(&body)).await?,
        };
        print(answer, arguments.output.output)
    }

    pub(super) async fn list(self, arguments: &ListArguments) -> Outcome {
        if arguments.domain.is_some() {
            return Err(Failure::usage(
                "--domain is for the server's own machine: with --url the issuer says the domain",
            ));
        }
        let server = self.open().await?;
        let mut clients: Vec<Map<String, Value>> = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let query = after.map_or_else(String::new, |id| format!("?after={id}"));
            let answer = server
                .send(Method::GET, &format!("clients{query}"), None, None)
                .await?;
            let mut page = answer.members;
            let Some(Value::Array(found)) = page.remove("clients") else {
                return Err(call::unintelligible(self.url));
            };
            for client in found {
                let Value::Object(members) = client else {
                    return Err(call::unintelligible(self.url));
                };
                clients.push(shown::as_here(members));
            }
            let next = page.get("next_after").and_then(Value::as_str);
            // Ids that are none would go on for ever, or lead elsewhere.
            after = match next.map(ClientId::parse) {
                None => break,
                Some(Ok(id)) => Some(id.as_str().to_owned()),
                Some(Err(_)) => return Err(call::unintelligible(self.url)),
            };
        }
        match arguments.output.output {
            Form::Json => output::json(&clients),
            Form::Table => {
                let rows: Vec<Vec<String>> = clients.iter().map(shown::row).collect();
                output::table(&super::show::COLUMNS, &rows)
            }
        }
    }

    pub(super) async fn show(self, arguments: &OneArguments) -> Outcome {
        let server = self.open().await?;
        let answer = server
            .send(Method::GET, &one(&arguments.id, ""), None, None)
            .await?;
        print(answer, arguments.output.output)
    }

    /// The registration as it is, with these wishes over it, if nobody changes it meanwhile.
    pub(super) async fn update(self, arguments: &UpdateArguments) -> Outcome {
        arguments.tie.is_for_http()?;
        let server = self.open().await?;
        let place = one(&arguments.id, "");
        let before = server.send(Method::GET, &place, None, None).await?;
        let tag = before.tag.ok_or_else(|| call::unintelligible(self.url))?;
        let shown = shown::registration(before.members);
        let members = arguments
            .registration
            .members(shown, arguments.tie.members()?, &arguments.people)?;
        let body = checked(members)?;
        let answer = server.send(Method::PUT, &place, Some(&tag), Some(&body)).await?;
        print(answer, arguments.output.output)
    }

    pub(super) async fn rotate_secret(self, arguments: &RotateArguments) -> Outcome {
        let mut wishes = Map::new();
        wishes.insert("overlap_s".to_owned(), arguments.overlap.as_secs().into());
        if let Some(span) = arguments.expires_in {
            wishes.insert("expires_in_s".to_owned(), span.as_secs().into());
        }
        let server = self.open().await?;
        let place = one(&arguments.id, "/secret");
        let answer = server
            .send(Method::POST, &place, None, Some(&Value::Object(wishes)))
            .await?;
        print(answer, arguments.output.output)
    }

    pub(super) async fn enable(self, arguments: &OneArguments, enabled: bool) -> Outcome {
        let verb = if enabled { "/enable" } else { "/disable" };
        let server = self.open().await?;
        let answer = server
            .send(Method::POST, &one(&arguments.id, verb), None, None)
            .await?;
        if !enabled {
            output::note(super::change::ENDED);
        }
        print(answer, arguments.output.output)
    }

    pub(super) async fn delete(self, arguments: &DeleteArguments) -> Outcome {
        let server = self.open().await?;
        server
            .send(Method::DELETE, &one(&arguments.id, ""), None, None)
            .await?;
        output::note(&format!("Deleted {}.", arguments.id));
        Ok(())
    }
}

fn one(id: &ClientId, end: &str) -> String {
    format!("clients/{id}{end}")
}

/// Read as the server reads it, so that what is misspelt is named here; nothing that it leaves out is sent.
fn checked(members: Map<String, Value>) -> Outcome<Value> {
    let body = Value::Object(members);
    ClientRegistration::from_json(body.to_string().as_bytes())?;
    Ok(body)
}

fn print(answer: Answer, form: Form) -> Outcome {
    let members = shown::as_here(answer.members);
    let has_secret = members.contains_key("client_secret");
    print_members(&members, form)?;
    if has_secret {
        output::note(SHOWN_ONCE);
    }
    if let Some(end) = members.get("previous_secret_expires_at").and_then(Value::as_str)
        && has_secret
    {
        output::note(&format!("The old secret stays good until {end}."));
    }
    Ok(())
}
