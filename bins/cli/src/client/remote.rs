//! Clients over HTTP: for administrators who have no shell on the server.

mod shown;

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
    remote::{Answer, Remote, unintelligible},
};

/// What is said under a secret.
pub(super) const SHOWN_ONCE: &str = "Keep the secret now: it is not shown again.";

/// The clients of an issuer that is asked.
#[derive(Clone, Copy)]
pub(super) struct Clients<'a>(pub(super) Remote<'a>);

impl Clients<'_> {
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
        let server = self.0.open().await?;
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
        let server = self.0.open().await?;
        let mut clients: Vec<Map<String, Value>> = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let query = after.map_or_else(String::new, |id| format!("?after={id}"));
            let answer = server
                .send(Method::GET, &format!("clients{query}"), None, None)
                .await?;
            let mut page = answer.members;
            let Some(Value::Array(found)) = page.remove("clients") else {
                return Err(unintelligible(self.0.url()));
            };
            for client in found {
                let Value::Object(members) = client else {
                    return Err(unintelligible(self.0.url()));
                };
                clients.push(shown::as_here(members));
            }
            let next = page.get("next_after").and_then(Value::as_str);
            // Ids that are none would go on for ever, or lead elsewhere.
            after = match next.map(ClientId::parse) {
                None => break,
                Some(Ok(id)) => Some(id.as_str().to_owned()),
                Some(Err(_)) => return Err(unintelligible(self.0.url())),
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
        let server = self.0.open().await?;
        let answer = server
            .send(Method::GET, &one(&arguments.id, ""), None, None)
            .await?;
        print(answer, arguments.output.output)
    }

    /// The registration as it is, with these wishes over it, if nobody changes it meanwhile.
    pub(super) async fn update(self, arguments: &UpdateArguments) -> Outcome {
        arguments.tie.is_for_http()?;
        let server = self.0.open().await?;
        let place = one(&arguments.id, "");
        let before = server.send(Method::GET, &place, None, None).await?;
        let tag = before.tag.ok_or_else(|| unintelligible(self.0.url()))?;
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
        let server = self.0.open().await?;
        let place = one(&arguments.id, "/secret");
        let answer = server
            .send(Method::POST, &place, None, Some(&Value::Object(wishes)))
            .await?;
        print(answer, arguments.output.output)
    }

    pub(super) async fn enable(self, arguments: &OneArguments, enabled: bool) -> Outcome {
        let verb = if enabled { "/enable" } else { "/disable" };
        let server = self.0.open().await?;
        let answer = server
            .send(Method::POST, &one(&arguments.id, verb), None, None)
            .await?;
        if !enabled {
            output::note(super::change::ENDED);
        }
        print(answer, arguments.output.output)
    }

    pub(super) async fn delete(self, arguments: &DeleteArguments) -> Outcome {
        let server = self.0.open().await?;
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
