//! Who logged in by a password, as Keystone's own events tell.
//!
//! Keystone's API tells nobody when an account was last used: `last_active_at` is a column that no answer has. What it
//! can be made to tell is `identity.authenticate`: one event for each password that is tried, right or wrong, with
//! user, address and program; application credentials, EC2 keys, trusts and tokens leave none. keystone.conf:
//!
//! ```text
//! [DEFAULT]
//! notification_format = cadf
//! notification_opt_out =
//! [oslo_messaging_notifications]
//! driver = log
//! ```
//!
//! The lines are in Keystone's log then. What a bus or an audit store keeps, one event a line, is read as well.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use rustls_pki_types::UnixTime;
use sealstone_identity::UserId;
use serde::{Deserialize, Serialize, Serializer};
use time::OffsetDateTime;

use crate::{
    clock,
    failure::{Failure, Outcome},
};

/// Longer lines are no events: the largest have some two KiB.
const LONGEST_LINE: usize = 64 * 1024;

/// The last password login of one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct PasswordLogin {
    #[serde(serialize_with = "as_date")]
    pub(super) at: UnixTime,
    /// Whether it was let in.
    pub(super) succeeded: bool,
    pub(super) address: Option<String>,
    /// The program, as it named itself.
    pub(super) agent: Option<String>,
}

fn as_date<S: Serializer>(at: &UnixTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&clock::date(*at))
}

/// What the logs hold.
#[derive(Debug, Default)]
pub(super) struct PasswordLogins {
    last: BTreeMap<String, PasswordLogin>,
    /// The first and the last event of any kind: for this time the logs speak.
    span: Option<(UnixTime, UnixTime)>,
}

impl PasswordLogins {
    /// Reads every file; each must hold at least one event, or it says nothing about anybody.
    pub(super) fn read(files: &[PathBuf]) -> Outcome<Self> {
        let mut logins = Self::default();
        for path in files {
            let events = logins.add(path)?;
            if events == 0 {
                return Err(Failure::failed(format!(
                    "{} holds no event of a login, so its silence means nothing: in keystone.conf set `driver = log` in \
                     [oslo_messaging_notifications], and `notification_format = cadf` and an empty \
                     `notification_opt_out` in [DEFAULT]",
                    path.display()
                )));
            }
        }
        Ok(logins)
    }

    fn add(&mut self, path: &Path) -> Outcome<usize> {
        let cannot = || format!("{} cannot be read: name Keystone's log", path.display());
        let mut reader = BufReader::new(File::open(path).with_context(cannot)?);
        let mut events: usize = 0;
        let mut line = Vec::new();
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line).with_context(cannot)? == 0 {
                return Ok(events);
            }
            if line.len() > LONGEST_LINE {
                continue;
            }
            let Some((user_id, login)) = std::str::from_utf8(&line).ok().and_then(event) else {
                continue;
            };
            events = events.saturating_add(1);
            self.note(user_id, login);
        }
    }

    pub(super) fn note(&mut self, user_id: String, login: PasswordLogin) {
        let (first, last) = self.span.unwrap_or((login.at, login.at));
        self.span = Some((first.min(login.at), last.max(login.at)));
        let known = self.last.get(&user_id);
        if known.is_none_or(|known| known.at <= login.at) {
            self.last.insert(user_id, login);
        }
    }

    /// The user's last one.
    pub(super) fn of(&self, user_id: &UserId) -> Option<&PasswordLogin> {
        self.last.get(user_id.as_str())
    }

    /// The first and the last event; `None` without logs.
    pub(super) const fn span(&self) -> Option<(UnixTime, UnixTime)> {
        self.span
    }

    /// Since when the logs speak; `None` without logs.
    pub(super) fn since(&self) -> Option<UnixTime> {
        self.span.map(|(first, _)| first)
    }
}

#[derive(Deserialize)]
struct Notification {
    event_type: String,
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "eventTime")]
    time: String,
    outcome: String,
    initiator: Initiator,
}

#[derive(Deserialize)]
struct Initiator {
    user_id: Option<String>,
    id: String,
    host: Option<Host>,
}

#[derive(Deserialize)]
struct Host {
    address: Option<String>,
    agent: Option<String>,
}

/// The event in a line, behind whatever a logger wrote before it.
fn event(line: &str) -> Option<(String, PasswordLogin)> {
    if !line.contains("\"identity.authenticate\"") {
        return None;
    }
    let begin = line.find('{')?;
    let found: Notification = serde_json::from_str(line.get(begin..)?.trim_end()).ok()?;
    if found.event_type != "identity.authenticate" {
        return None;
    }
    let Payload {
        time,
        outcome,
        initiator,
    } = found.payload;
    let host = initiator.host;
    let (address, agent) = host.map_or((None, None), |host| (host.address, host.agent));
    let said = |text: &String| !text.is_empty();
    let login = PasswordLogin {
        at: moment(&time)?,
        succeeded: outcome == "success",
        address: address.filter(said),
        agent: agent.filter(said),
    };
    Some((initiator.user_id.unwrap_or(initiator.id), login))
}

/// `2026-11-22T03:32:00.542766+0000`, as CADF has it, or RFC 3339.
pub(super) fn moment(text: &str) -> Option<UnixTime> {
    let (date, zone) = text.split_at_checked(text.len().checked_sub(5)?)?;
    let text = match zone {
        "+0000" => format!("{date}Z"),
        _ => text.to_owned(),
    };
    let rfc3339 = &time::format_description::well_known::Rfc3339;
    let seconds = OffsetDateTime::parse(&text, rfc3339).ok()?.unix_timestamp();
    Some(clock::at(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"03:32:01.750 29982 INFO oslo.messaging.notification.identity.authenticate [None req-5c795ac4 - - - - - -] {"message_id": "17b6", "publisher_id": "identity.vm", "event_type": "identity.authenticate", "priority": "INFO", "payload": {"typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event", "eventType": "activity", "id": "fb8f", "eventTime": "2026-11-22T03:32:01.747822+0000", "action": "authenticate", "outcome": "success", "observer": {"id": "a611", "typeURI": "service/security"}, "initiator": {"id": "a823", "typeURI": "service/security/account/user", "host": {"address": "192.0.2.7", "agent": "python-keystoneclient"}, "request_id": "req-5c79", "user_id": "a82357cd", "name": "ci", "username": "ci"}, "target": {"id": "x", "typeURI": "service/security/account/user"}}, "timestamp": "2026-11-22 03:32:01.747"}"#;

    fn read(text: &str) -> Outcome<PasswordLogins> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keystone.log");
        std::fs::write(&path, text).unwrap();
        PasswordLogins::read(&[path])
    }

    #[test]
    fn an_event_names_user_time_address_and_program() {
        let bare = LINE.get(LINE.find('{').unwrap()..).unwrap();
        for line in [LINE, bare] {
            let logins = read(&format!("03:32:00 INFO other line\n{line}\nlast {{ line")).unwrap();
            let login = logins.of(&UserId::parse("a82357cd").unwrap()).unwrap();
            assert_eq!(login.at.as_secs(), 1_795_318_321);
            assert!(login.succeeded);
            assert_eq!(login.address.as_deref(), Some("192.0.2.7"));
            assert_eq!(login.agent.as_deref(), Some("python-keystoneclient"));
            assert_eq!(logins.since().unwrap().as_secs(), 1_795_318_321);
        }
    }

    #[test]
    fn the_last_one_counts_whatever_the_order() {
        let later = LINE
            .replace("03:32:01.747822+0000", "09:00:00.000000+0000")
            .replace("success", "failure");
        for text in [format!("{LINE}\n{later}"), format!("{later}\n{LINE}")] {
            let logins = read(&text).unwrap();
            let login = logins.of(&UserId::parse("a82357cd").unwrap()).unwrap();
            assert!(!login.succeeded);
            assert_eq!(logins.since().unwrap().as_secs(), 1_795_318_321);
        }
    }

    #[test]
    fn a_log_without_events_proves_nothing() {
        let others = LINE.replace("\"identity.authenticate\"", "\"identity.user.updated\"");
        let quoted = LINE.replace(
            "\"event_type\": \"identity.authenticate\"",
            "\"event_type\": \"x\"",
        );
        for text in [
            "",
            "no event",
            &others,
            &quoted,
            "{\"identity.authenticate\"}",
            &"x".repeat(100_000),
        ] {
            let refused = read(text).unwrap_err().to_string();
            assert!(refused.contains("notification_opt_out"), "{refused}");
        }
    }
}
