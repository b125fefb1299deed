//! Two administrators for the revocation of a key: one asks, another confirms within 15 minutes.

use std::path::PathBuf;

use clap::Args;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Reason, Target};
use sealstone_jose::KeyId;
use sealstone_keyring::{
    Administrators, CONFIRM_WITHIN, Confirmation, KeyRequest, KeyRequestStore as _, KeyStatement, Requested,
};
use serde_json::json;

use super::{Rings, private_file, revoke::carry_out};
use crate::{
    clock,
    failure::{Failure, Outcome},
    output::{self, Form, OutputArguments},
    random,
    remote::WhereArguments,
    store::StoreArguments,
};

#[derive(Debug, Args)]
pub(crate) struct AdministratorArguments {
    /// Who you are, as the file of administrators has it; where two must agree
    #[arg(long = "as", value_name = "NAME", requires = "administrator_key")]
    name: Option<String>,
    /// Your private key, in a file that only you can read
    #[arg(long, value_name = "FILE", requires = "name")]
    administrator_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfirmArguments {
    /// The request, as `sealstone key requests` shows it
    #[arg(value_name = "REQUEST")]
    pub(super) request: String,
    /// Let the key that takes over be sealed in the database, where the PKCS#11 token cannot make one
    #[arg(long)]
    pub(super) software_key: bool,
    #[command(flatten)]
    pub(super) administrator: AdministratorArguments,
    #[command(flatten)]
    pub(super) place: WhereArguments,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RequestsArguments {
    #[command(flatten)]
    pub(super) place: WhereArguments,
    #[command(flatten)]
    pub(super) output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PublicArguments {
    /// Who this is: the name that `--as` gives later
    #[arg(long = "as", value_name = "NAME")]
    name: String,
    /// The administrator's private key, in a file that only its owner can read
    #[arg(long, value_name = "FILE")]
    administrator_key: PathBuf,
}

/// What the file of administrators has of one: it is made on this machine, and the private key stays here.
pub(super) fn print_public(arguments: &PublicArguments) -> Outcome {
    let key = private_file::read(&arguments.administrator_key, None)?;
    let public = key.public_jwk().clone().with_kid(&arguments.name)?;
    output::line(&public.to_json())
}

impl AdministratorArguments {
    /// Whether somebody is named.
    pub(super) const fn is_given(&self) -> bool {
        self.name.is_some()
    }

    /// What this administrator signs.
    pub(super) fn signed(&self, statement: KeyStatement<'_>, now: UnixTime) -> Outcome<String> {
        let (Some(name), Some(path)) = (&self.name, &self.administrator_key) else {
            return Err(Failure::usage(
                "two administrators must agree here (keys.administrators_file): add --as NAME and \
                 --administrator-key FILE",
            ));
        };
        let key = private_file::read(path, None)?;
        Ok(statement.sign(&key, name, now)?)
    }

    /// The same, checked against the file: a key that is not there signs nothing.
    fn sign(
        &self,
        administrators: &Administrators,
        statement: KeyStatement<'_>,
        now: UnixTime,
    ) -> Outcome<(String, String)> {
        let signed = self.signed(statement, now)?;
        let name = administrators.verify(&signed, statement, now)?;
        Ok((name, signed))
    }
}

/// Asks for a revocation that another must confirm.
pub(super) async fn request(
    rings: &Rings,
    administrators: &Administrators,
    who: &AdministratorArguments,
    (domain, kid): (&str, &KeyId),
    store: &StoreArguments,
    form: Form,
) -> Outcome {
    let now = clock::now();
    let id = drawn_id()?;
    let statement = KeyStatement {
        request: &id,
        domain,
        kid: kid.as_str(),
    };
    let trail = store.places()?.trail()?;
    let change = trail.change(Action::RequestKeyChange, Target::Key(kid.as_str().into()));
    let signed = who.sign(administrators, statement, now);
    let (name, signed) = signed.map_err(|failure| change.refused(NOT_PROVED, failure))?;
    let request = KeyRequest {
        id: id.clone(),
        domain: domain.to_owned(),
        kid: kid.as_str().to_owned(),
        requested_by: name.clone(),
        requested_at: now,
        expires_at: clock::at(now.as_secs().saturating_add(CONFIRM_WITHIN.as_secs())),
        statement: signed,
    };
    if change.stored(rings.store.insert_key_request(&request).await)? == Requested::Taken {
        let failure = Failure::failed("a request of this name is there already: ask anew");
        return Err(change.refused(Reason::new(409, "request_exists"), failure));
    }
    change.by(&name).done()?;
    print(std::slice::from_ref(&request), form)?;
    Err(not_yet(kid.as_str(), &id))
}

/// What a request is called.
pub(super) fn drawn_id() -> Outcome<String> {
    Ok(format!("{:016x}", u64::from_be_bytes(random::octets()?)))
}

/// A request is no revocation.
pub(super) fn not_yet(kid: &str, id: &str) -> Failure {
    Failure::failed(format!(
        "{kid} is NOT revoked yet: another administrator must confirm within 15 minutes, by `sealstone key confirm {id}`"
    ))
}

pub(super) const COLUMNS: [&str; 6] = ["REQUEST", "ACTION", "DOMAIN", "KID", "ASKED BY", "LAPSES"];
const NOT_PROVED: Reason = Reason::new(403, "administrator_not_proved");

pub(crate) async fn confirm(arguments: ConfirmArguments) -> Outcome {
    let store = arguments.place.store()?;
    let places = store.places()?;
    let administrators = places.custody().administrators()?.ok_or_else(|| {
        Failure::failed(
            "one administrator is enough here: keys.administrators_file is not set, nothing waits",
        )
    })?;
    let mut rings = Rings::open(&store, None).await?;
    if arguments.software_key {
        rings.policy = places.policy()?;
    }
    let now = clock::now();
    let trail = places.trail()?;
    let waiting = rings.store.key_requests(now).await?;
    let waiting = waiting.iter().find(|request| request.id == arguments.request);
    let target = waiting.map_or(arguments.request.as_str(), |request| request.kid.as_str());
    let change = trail.change(Action::ConfirmKeyChange, Target::Key(target.into()));
    // Only what waits can be signed for; anything else is refused by the store below, with its reason.
    let (domain, kid) = waiting.map_or(("", ""), |request| {
        (request.domain.as_str(), request.kid.as_str())
    });
    let statement = KeyStatement {
        request: &arguments.request,
        domain,
        kid,
    };
    let signed = arguments.administrator.sign(&administrators, statement, now);
    let (name, _signed) = signed.map_err(|failure| change.refused(NOT_PROVED, failure))?;
    let change = change.by(&name);
    let confirmed = rings
        .store
        .confirm_key_request(&arguments.request, &name, now)
        .await;
    let request = match change.stored(confirmed)? {
        Confirmation::Confirmed(request) => request,
        other @ (Confirmation::Unknown
        | Confirmation::Lapsed
        | Confirmation::SamePerson
        | Confirmation::Used) => {
            let (rule, text) = refusal(&other);
            let failure = Failure::failed(format!("{}: {text}", arguments.request));
            return Err(change.refused(Reason::new(409, rule), failure));
        }
    };
    // What the database says was asked is believed only as far as it was signed.
    let asked = KeyStatement {
        request: &request.id,
        domain: &request.domain,
        kid: &request.kid,
    };
    let first = administrators.verify(&request.statement, asked, now);
    match first {
        Ok(first) if first == request.requested_by && first != name => {}
        Ok(_) => {
            let failure = Failure::failed(
                "the request was changed in the database: ask anew, and find out who did that",
            );
            return Err(change.refused(NOT_PROVED, failure));
        }
        Err(error) => return Err(change.refused(NOT_PROVED, error.into())),
    }
    change.done()?;
    let kid = KeyId::parse(&request.kid)?;
    carry_out(&rings, &request.domain, &kid, &trail, arguments.output.output).await
}

const fn refusal(confirmation: &Confirmation) -> (&'static str, &'static str) {
    match confirmation {
        Confirmation::Confirmed(_) => ("confirmed", "it is confirmed"),
        Confirmation::Unknown => (
            "unknown_request",
            "there is no such request: `sealstone key requests` shows those that wait",
        ),
        Confirmation::Lapsed => ("lapsed_request", "its 15 minutes are over: ask anew"),
        Confirmation::SamePerson => (
            "same_administrator",
            "whoever asked cannot confirm: another administrator must",
        ),
        Confirmation::Used => (
            "used_request",
            "it was confirmed before: see `sealstone key list`",
        ),
    }
}

pub(crate) async fn requests(arguments: RequestsArguments) -> Outcome {
    let store = arguments.place.places()?.store().await?;
    let waiting = store.key_requests(clock::now()).await;
    store.close().await;
    print(&waiting?, arguments.output.output)
}

fn print(requests: &[KeyRequest], form: Form) -> Outcome {
    let now = clock::now();
    match form {
        Form::Json => {
            let documents = requests.iter().map(|request| {
                json!({
                    "request": request.id,
                    "action": "revoke",
                    "domain": request.domain,
                    "kid": request.kid,
                    "requested_by": request.requested_by,
                    "requested_at": clock::date(request.requested_at),
                    "lapses_at": clock::date(request.expires_at),
                })
            });
            output::json(&documents.collect::<Vec<_>>())
        }
        Form::Table => {
            let rows: Vec<Vec<String>> = requests
                .iter()
                .map(|request| {
                    vec![
                        request.id.clone(),
                        "revoke".to_owned(),
                        request.domain.clone(),
                        request.kid.clone(),
                        request.requested_by.clone(),
                        clock::relative(request.expires_at, now),
                    ]
                })
                .collect();
            output::table(&COLUMNS, &rows)
        }
    }
}
