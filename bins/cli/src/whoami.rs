//! `sealstone whoami`: who is logged in, by what is kept.

use std::collections::BTreeMap;

use clap::Args;
use rustls_pki_types::UnixTime;
use sealstone_client::{Kept as _, KeystoneScope, KeystoneToken, SlotKind, TokenSet};
use serde::Serialize;
use serde_json::Value;

use crate::{
    clock,
    failure::Outcome,
    login::{
        place,
        selection::Selection,
        session,
        target::{Target, Through},
    },
    output::{self, Form, OutputArguments},
};

const EXAMPLES: &str = "\
Examples:
  sealstone whoami --cloud prod
  sealstone whoami --all --output json

Nobody is asked: it tells what is kept here. Exit status 3 when nobody is logged in.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WhoamiArguments {
    #[command(flatten)]
    selection: Selection,
    /// Every login that is kept here
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn run(arguments: &WhoamiArguments) -> Outcome {
    if arguments.all {
        return all(arguments.output.output);
    }
    let target = arguments.selection.target(false)?;
    let mut shown = Vec::new();
    if let Through::OAuth(login) = &target.through
        && let Some(tokens) = session::kept_access(&target)?
    {
        shown.extend(access(&tokens, &login.issuer));
    }
    if let Some(token) = session::kept_keystone(&target)? {
        shown.extend(keystone(&token, &target));
    }
    if shown.is_empty() {
        return Err(session::nobody(&target, ""));
    }
    show(&shown, arguments.output.output)
}

/// One thing about a login: as people read it, and as programs do.
pub(crate) struct Fact {
    name: &'static str,
    text: String,
    value: Value,
}

impl Fact {
    fn text(name: &'static str, text: &str) -> Self {
        let text = output::visible(text);
        Self {
            name,
            value: text.clone().into(),
            text,
        }
    }

    fn end(name: &'static str, at: UnixTime) -> Self {
        Self {
            name,
            text: clock::date_and_relative(at, clock::now()),
            value: clock::date(at).into(),
        }
    }

    fn truth(name: &'static str, is_so: bool) -> Self {
        Self {
            name,
            text: if is_so { "yes" } else { "no" }.to_owned(),
            value: is_so.into(),
        }
    }
}

pub(crate) fn show(facts: &[Fact], form: Form) -> Outcome {
    match form {
        Form::Table => {
            let pairs: Vec<_> = facts.iter().map(|fact| (fact.name, fact.text.clone())).collect();
            output::pairs(&pairs)
        }
        Form::Json => {
            let members = facts.iter().map(|fact| (fact.name, &fact.value));
            output::json(&members.collect::<BTreeMap<_, _>>())
        }
    }
}

/// What an authorization server's tokens say.
pub(crate) fn access(tokens: &TokenSet, issuer: &str) -> Vec<Fact> {
    let mut shown = vec![Fact::text("issuer", issuer)];
    if let Some(person) = tokens.person() {
        let name = person.name.as_deref().unwrap_or(&person.subject);
        shown.push(Fact::text("user", name));
        shown.push(Fact::text("subject", &person.subject));
    }
    if let Some(scope) = tokens.scope() {
        shown.push(Fact::text("scope", scope));
    }
    if let Some(end) = tokens.expires_at() {
        shown.push(Fact::end("access_token_ends", end));
    }
    shown.push(Fact::truth("renewed_silently", tokens.refresh_token().is_some()));
    if let Some(thumbprint) = tokens.bound_to() {
        shown.push(Fact::text("bound_to", &thumbprint));
    }
    shown
}

/// What a token of Keystone's says.
pub(crate) fn keystone(token: &KeystoneToken, target: &Target) -> Vec<Fact> {
    let user = token.user();
    let mut shown = vec![
        Fact::text("keystone", target.auth_url().unwrap_or_default()),
        Fact::text("keystone_user", &user.name),
        Fact::text("keystone_user_id", &user.id),
    ];
    if let Some(domain) = &user.domain {
        shown.push(Fact::text("keystone_user_domain", domain));
    }
    if let Some(scope) = token.scope() {
        shown.push(Fact::text("keystone_scope", &scope.to_string()));
        if let KeystoneScope::Project { id, .. } | KeystoneScope::Domain { id, .. } = scope {
            shown.push(Fact::text("keystone_scope_id", id));
        }
        shown.push(Fact {
            name: "roles",
            text: token.roles().join(", "),
            value: token.roles().into(),
        });
    }
    shown.push(Fact::end("keystone_token_ends", token.expires_at()));
    shown
}

#[derive(Serialize)]
struct Row {
    kind: &'static str,
    issuer: String,
    client: String,
    cloud: String,
    user: String,
    scope: String,
    ends: Option<u64>,
}

fn all(form: Form) -> Outcome {
    let mut rows = Vec::new();
    if let Some(cache) = place::existing()? {
        for (slot, entry) in cache.list()? {
            let (kind, user) = match slot.kind {
                SlotKind::OAuth => (
                    "oauth",
                    TokenSet::from_payload(&entry.payload).and_then(|tokens| {
                        let person = tokens.person()?;
                        Some(person.name.clone().unwrap_or_else(|| person.subject.clone()))
                    }),
                ),
                SlotKind::Keystone => (
                    "keystone",
                    KeystoneToken::from_payload(&entry.payload).map(|token| token.user().name.clone()),
                ),
                SlotKind::Key | _ => continue,
            };
            rows.push(Row {
                kind,
                user: user.unwrap_or(slot.user),
                issuer: slot.issuer,
                client: slot.client,
                cloud: slot.cloud,
                scope: slot.scope,
                ends: entry.expires_at.map(|end| end.as_secs()),
            });
        }
    }
    rows.sort_by(|one, other| {
        (&one.cloud, &one.issuer, &one.kind).cmp(&(&other.cloud, &other.issuer, &other.kind))
    });
    if form == Form::Json {
        return output::json(&rows);
    }
    let now = clock::now();
    let cells: Vec<Vec<String>> = rows
        .into_iter()
        .map(|row| {
            let ends = row
                .ends
                .map(|end| clock::relative(clock::at(end), now))
                .unwrap_or_default();
            vec![
                row.cloud,
                row.user,
                row.kind.to_owned(),
                row.scope,
                ends,
                row.issuer,
            ]
        })
        .collect();
    output::table(&["CLOUD", "USER", "KIND", "SCOPE", "ENDS", "ISSUER"], &cells)
}
