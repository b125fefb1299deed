//! `sealstone keystone inventory`: which machines log in how, and what becomes of it. Nothing is changed.

mod becomes;
mod read;

use std::path::PathBuf;

use clap::Args;
use sealstone_identity::DomainId;
use sealstone_keystone::User;
use serde::Serialize;
use serde_json::json;

use super::logins::{PasswordLogin, PasswordLogins};
use crate::{
    clock,
    failure::Outcome,
    openstack::{self, Environment, Operator, Place},
    output::{self, Form, OutputArguments},
    store::parse_domain,
};
use becomes::Looks;
pub(super) use becomes::password_is_off;
pub(super) use read::by_place;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  source admin-openrc.sh\n  sealstone keystone inventory\n  \
    sealstone keystone inventory --user-domain default --keystone-log keystone.log --output json\n\n\
    Who asks is said by the OS_* variables of the OpenStack clients: an administrator sees everything, others what\n\
    Keystone shows them. Keystone itself does not tell when anything was last used, nor whether a user has a\n\
    password; --keystone-log tells of password logins, of nothing else."
)]
pub(crate) struct InventoryArguments {
    /// Only users of this Keystone domain [default: all that you may see]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    user_domain: Option<DomainId>,
    /// Only this user, by id or name; may be given several times
    #[arg(long, value_name = "USER")]
    user: Vec<String>,
    /// A log of Keystone with its login events; may be given several times
    #[arg(long, value_name = "FILE")]
    keystone_log: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArguments,
}

/// One way to log in.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    kind: &'static str,
    /// Of what has one.
    id: Option<String>,
    name: Option<String>,
    owner: Owner,
    scope: Vec<Where>,
    /// Whether it can't make further credentials; `null` where that is no question.
    restricted: Option<bool>,
    /// How many requests it is limited to; `null` if to none.
    access_rules: Option<usize>,
    expires_at: Option<String>,
    last_use: LastUse,
    becomes: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Owner {
    id: String,
    name: String,
    domain_id: String,
    enabled: bool,
    looks_like: Looks,
    because: &'static str,
}

/// Where it holds, with which roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Where {
    /// `project`, `domain` or `system`.
    #[serde(rename = "type")]
    kind: &'static str,
    id: Option<String>,
    name: Option<String>,
    roles: Vec<String>,
}

impl Where {
    pub(super) fn is_project(&self) -> bool {
        self.kind == "project"
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn roles(&self) -> &[String] {
        &self.roles
    }
}

/// When it was last used, as far as anybody knows.
#[derive(Debug, Serialize)]
#[serde(tag = "known", rename_all = "snake_case")]
pub(super) enum LastUse {
    /// The logs have it.
    At(PasswordLogin),
    /// The logs have nothing since they begin.
    NotSince { since: String },
    /// Keystone tells the day (`last_active_at`). Release 30 keeps it to itself.
    OnDay { day: String },
    /// Nobody keeps it.
    Unknown,
}

impl LastUse {
    pub(super) fn of_password(logins: &PasswordLogins, user: &User) -> Self {
        match (logins.of(&user.id), logins.since(), &user.last_active_at) {
            (Some(login), _, _) => Self::At(login.clone()),
            (None, Some(since), _) => Self::NotSince {
                since: clock::date(since),
            },
            (None, None, Some(day)) => Self::OnDay { day: day.to_string() },
            (None, None, None) => Self::Unknown,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::At(login) => {
                let whence = login.address.as_deref().unwrap_or("somewhere");
                let refused = if login.succeeded { "" } else { ", refused" };
                format!(
                    "{} from {whence}{refused}",
                    clock::relative(login.at, clock::now())
                )
            }
            Self::NotSince { since } => format!("not since {since}"),
            Self::OnDay { day } => format!("on {day}"),
            Self::Unknown => "unknown".to_owned(),
        }
    }
}

pub(super) async fn run(arguments: InventoryArguments) -> Outcome {
    let logins = PasswordLogins::read(&arguments.keystone_log)?;
    let environment = Environment::read();
    let keystone = openstack::patient(&Place::default(), &environment)?;
    let operator = Operator::log_in(keystone, environment).await?;
    let users = read::users(&operator, arguments.user_domain.as_ref(), &arguments.user).await?;
    let found = read::everything(&operator, users, &logins).await?;
    for note in &found.notes {
        output::note(note);
    }
    match arguments.output.output {
        Form::Json => output::json(&json!({"items": found.items, "not_seen": found.notes})),
        Form::Table => table(&found.items),
    }
}

fn table(items: &[Item]) -> Outcome {
    let rows: Vec<Vec<String>> = items.iter().map(row).collect();
    let titles = [
        "KIND",
        "OWNER",
        "LOOKS LIKE",
        "WHAT",
        "WHERE",
        "LIMITS",
        "ENDS",
        "LAST USE",
        "BECOMES",
    ];
    output::table(&titles, &rows)
}

fn row(item: &Item) -> Vec<String> {
    let mut limits = Vec::new();
    match item.restricted {
        Some(true) => limits.push("restricted".to_owned()),
        Some(false) => limits.push("UNRESTRICTED".to_owned()),
        None => {}
    }
    limits.extend(item.access_rules.map(|count| format!("{count} access rules")));
    let places: Vec<String> = item
        .scope
        .iter()
        .map(|place| {
            let name = place.name.as_deref().or(place.id.as_deref()).unwrap_or("all");
            format!("{} {name}: {}", place.kind, place.roles.join(","))
        })
        .collect();
    let what = item.name.as_deref().or(item.id.as_deref()).unwrap_or("-");
    let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    vec![
        item.kind.to_owned(),
        item.owner.name.clone(),
        item.owner.looks_like.as_str().to_owned(),
        what.to_owned(),
        dash(places.join("; ")),
        dash(limits.join(", ")),
        item.expires_at.clone().unwrap_or_else(|| "never".to_owned()),
        item.last_use.text(),
        item.becomes.clone(),
    ]
}
