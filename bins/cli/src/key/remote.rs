//! Signing keys over HTTP: for administrators of the cloud who have no shell on the server.

use std::time::Duration;

use http::Method;
use rustls_pki_types::UnixTime;
use sealstone_keyring::KeyStatement;
use serde_json::{Map, Value, json};

use super::{
    COLUMNS, KeyArguments,
    confirm::{self, ConfirmArguments, RequestsArguments},
    revoke::{RevokeArguments, key_id, tell},
};
use crate::{
    clock,
    failure::{Failure, Outcome},
    output::{self, Form},
    remote::{Administration, Remote, unintelligible},
};

/// The keys of an issuer that is asked.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a>(pub(super) Remote<'a>);

/// What the server says of the keys of its issuer's domain.
struct Told {
    domain: String,
    keys: Vec<Map<String, Value>>,
    /// The rest of it.
    members: Map<String, Value>,
}

impl Keys<'_> {
    pub(super) async fn list(self, arguments: &KeyArguments) -> Outcome {
        arguments.is_for_http()?;
        let server = self.0.open().await?;
        let told = self.ask(&server, Method::GET, "keys", None).await?;
        print(&told, arguments.output.output)
    }

    pub(super) async fn rotate(self, arguments: &KeyArguments) -> Outcome {
        arguments.is_for_http()?;
        let server = self.0.open().await?;
        let told = self.ask(&server, Method::POST, "keys", None).await?;
        let made: Vec<&str> = texts(told.members.get("published"));
        let waiting = told.keys.iter().filter(|key| text(key, "state") == "published");
        for key in waiting {
            let kid = text(key, "kid");
            let new = if made.contains(&kid) {
                "published"
            } else {
                "was published already"
            };
            let start = clock::date_and_relative(time(key, "next_change_at"), clock::now());
            output::note(&format!("{}: {kid} {new}; it signs from {start}.", told.domain));
        }
        print(&told, arguments.output.output)
    }

    /// At once where one administrator is enough; else it is asked for, as on the server's machine.
    pub(super) async fn revoke(self, arguments: &RevokeArguments) -> Outcome {
        if arguments.domain.is_some() {
            return Err(no_domain());
        }
        if arguments.software_key {
            return Err(no_software_key());
        }
        let kid = key_id(&arguments.kid)?;
        let form = arguments.output.output;
        let server = self.0.open().await?;
        let known = self.ask(&server, Method::GET, "keys", None).await?;
        let is_for_two = known.members.get("administrators_to_revoke") != Some(&json!(1));
        let place = format!("keys/{}/revoke", kid.as_str());
        if !is_for_two {
            if arguments.administrator.is_given() {
                return Err(Failure::usage(
                    "one administrator is enough there: leave --as and --administrator-key out, and it is revoked at once",
                ));
            }
            let told = self.ask(&server, Method::POST, &place, None).await?;
            return revoked(&told, kid.as_str(), form);
        }
        let id = confirm::drawn_id()?;
        let statement = KeyStatement {
            request: &id,
            domain: &known.domain,
            kid: kid.as_str(),
        };
        let signed = arguments.administrator.signed(statement, clock::now())?;
        let body = json!({ "request": id, "statement": signed });
        let answer = server.send(Method::POST, &place, None, Some(&body)).await?;
        print_requests(&[answer.members], form)?;
        Err(confirm::not_yet(kid.as_str(), &id))
    }

    pub(super) async fn confirm(self, arguments: &ConfirmArguments) -> Outcome {
        if arguments.software_key {
            return Err(no_software_key());
        }
        let server = self.0.open().await?;
        let known = self.ask(&server, Method::GET, "keys", None).await?;
        let waiting = requests(&known);
        let request = waiting
            .iter()
            .find(|request| text(request, "request") == arguments.request);
        let request = request.ok_or_else(|| {
            Failure::failed(format!(
                "{}: no such request waits there: it was confirmed before, its 15 minutes are over, or it is another \
                 issuer's; `sealstone key requests` with the same --url shows those that wait",
                arguments.request
            ))
        })?;
        let kid = key_id(text(request, "kid"))?;
        let statement = KeyStatement {
            request: &arguments.request,
            domain: &known.domain,
            kid: kid.as_str(),
        };
        let signed = arguments.administrator.signed(statement, clock::now())?;
        let body = json!({ "request": arguments.request, "statement": signed });
        let place = format!("keys/{}/confirm", kid.as_str());
        let told = self.ask(&server, Method::POST, &place, Some(&body)).await?;
        revoked(&told, kid.as_str(), arguments.output.output)
    }

    pub(super) async fn requests(self, arguments: &RequestsArguments) -> Outcome {
        let server = self.0.open().await?;
        let told = self.ask(&server, Method::GET, "keys", None).await?;
        print_requests(&requests(&told), arguments.output.output)
    }

    async fn ask(
        self,
        server: &Administration,
        method: Method,
        place: &str,
        body: Option<&Value>,
    ) -> Outcome<Told> {
        let answer = server.send(method, place, None, body).await?;
        let mut members = answer.members;
        let strange = || unintelligible(self.0.url());
        let domain = members.get("domain_id").and_then(Value::as_str);
        let domain = domain.ok_or_else(strange)?.to_owned();
        let Some(Value::Array(keys)) = members.remove("keys") else {
            return Err(strange());
        };
        let keys = keys
            .iter()
            .map(|key| key.as_object().cloned().ok_or_else(strange));
        Ok(Told {
            domain,
            keys: keys.collect::<Result<_, _>>()?,
            members,
        })
    }
}

impl KeyArguments {
    fn is_for_http(&self) -> Outcome {
        if self.domain.is_some() {
            return Err(no_domain());
        }
        Ok(())
    }
}

fn no_domain() -> Failure {
    Failure::usage("--domain is for the server's own machine: with --url the issuer says the domain")
}

fn no_software_key() -> Failure {
    Failure::usage(
        "--software-key is for the server's own machine: where the PKCS#11 token is out, revoke the key there",
    )
}

fn revoked(told: &Told, kid: &str, form: Form) -> Outcome {
    let fresh = told.members.get("signs_now").and_then(Value::as_str);
    tell(&told.domain, kid, fresh);
    print(told, form)
}

fn requests(told: &Told) -> Vec<Map<String, Value>> {
    let all = told.members.get("requests").and_then(Value::as_array);
    let all = all.into_iter().flatten().filter_map(Value::as_object);
    all.cloned().collect()
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> &'a str {
    members.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    let all = value.and_then(Value::as_array);
    all.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn time(members: &Map<String, Value>, name: &str) -> UnixTime {
    let seconds = members.get(name).and_then(Value::as_u64).unwrap_or_default();
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// What happens to a key in this state, in the words of the list of the server's machine.
fn next(state: &str) -> &'static str {
    match state {
        "published" => "signs",
        "active" => "is replaced",
        "retiring" => "goes",
        "revoked" => "leaves the revocation list",
        _ => "changes",
    }
}

fn print(told: &Told, form: Form) -> Outcome {
    let now = clock::now();
    match form {
        Form::Json => {
            let documents = told.keys.iter().map(|key| {
                json!({
                    "domain": told.domain,
                    "kid": text(key, "kid"),
                    "alg": text(key, "alg"),
                    "state": text(key, "state"),
                    "since": clock::date(time(key, "since")),
                    "published_at": clock::date(time(key, "published_at")),
                    "next_change": next(text(key, "state")),
                    "next_change_at": clock::date(time(key, "next_change_at")),
                })
            });
            output::json(&documents.collect::<Vec<_>>())
        }
        Form::Table => {
            let row = |key: &Map<String, Value>| {
                vec![
                    told.domain.clone(),
                    text(key, "kid").to_owned(),
                    text(key, "alg").to_owned(),
                    text(key, "state").to_owned(),
                    clock::date(time(key, "since")),
                    format!(
                        "{} {}",
                        next(text(key, "state")),
                        clock::relative(time(key, "next_change_at"), now)
                    ),
                ]
            };
            output::table(&COLUMNS, &told.keys.iter().map(row).collect::<Vec<_>>())
        }
    }
}

fn print_requests(requests: &[Map<String, Value>], form: Form) -> Outcome {
    let now = clock::now();
    match form {
        Form::Json => {
            let documents = requests.iter().map(|request| {
                json!({
                    "request": text(request, "request"),
                    "action": text(request, "action"),
                    "domain": text(request, "domain_id"),
                    "kid": text(request, "kid"),
                    "requested_by": text(request, "requested_by"),
                    "requested_at": clock::date(time(request, "requested_at")),
                    "lapses_at": clock::date(time(request, "lapses_at")),
                })
            });
            output::json(&documents.collect::<Vec<_>>())
        }
        Form::Table => {
            let row = |request: &Map<String, Value>| {
                let mut row: Vec<String> = ["request", "action", "domain_id", "kid", "requested_by"]
                    .map(|name| text(request, name).to_owned())
                    .to_vec();
                row.push(clock::relative(time(request, "lapses_at"), now));
                row
            };
            output::table(&confirm::COLUMNS, &requests.iter().map(row).collect::<Vec<_>>())
        }
    }
}
