//! Who uses which way, as far as anybody knows.
//!
//! The new way: every token is in our own audit trail. The old one: Keystone's API says nothing of it; its login
//! events do, where they are written (`logins`).

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, ErrorKind},
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use rustls_pki_types::UnixTime;
use sealstone_audit::Action;
use sealstone_identity::UserId;
use serde::Deserialize;

use super::EvidenceArguments;
use crate::{
    clock,
    failure::Outcome,
    keystone::{
        journal::AccountRecord,
        logins::{PasswordLogin, PasswordLogins, moment},
    },
};

/// Longer lines are none of ours.
const LONGEST_LINE: usize = 64 * 1024;

/// When each client got its last token.
#[derive(Debug, Default)]
pub(super) struct NewWay(BTreeMap<String, UnixTime>);

#[derive(Deserialize)]
struct AuditLine {
    action: String,
    outcome: String,
    #[serde(rename = "eventTime")]
    time: String,
    initiator: Initiator,
}

#[derive(Deserialize)]
struct Initiator {
    id: String,
}

impl NewWay {
    /// Reads the server's audit trail. A file that is not there yet holds nothing.
    pub(super) fn read(path: &Path) -> Outcome<Self> {
        let cannot = || format!("{} cannot be read: run this as the server's user", path.display());
        let mut reader = match File::open(path) {
            Ok(file) => BufReader::new(file),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(cannot)?,
        };
        let mut found = Self::default();
        let mut line = Vec::new();
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line).with_context(cannot)? == 0 {
                return Ok(found);
            }
            if line.len() <= LONGEST_LINE {
                found.note(&line);
            }
        }
    }

    fn note(&mut self, line: &[u8]) {
        let Ok(event) = serde_json::from_slice::<AuditLine>(line) else {
            return;
        };
        let issued = [
            Action::IssueToken,
            Action::RefreshToken,
            Action::IssueKeystoneToken,
        ];
        if event.outcome != "success" || !issued.iter().any(|action| action.as_str() == event.action) {
            return;
        }
        let Some(at) = moment(&event.time) else { return };
        let last = self.0.entry(event.initiator.id).or_insert(at);
        *last = at.max(*last);
    }

    pub(super) fn of(&self, client: &str) -> Option<UnixTime> {
        self.0.get(client).copied()
    }
}

/// What is known of the old way and the new.
pub(super) struct Evidence {
    pub(super) new: NewWay,
    pub(super) old: PasswordLogins,
    pub(super) quiet: Duration,
}

/// Whether an account's password may be turned off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    Not(String),
}

impl Evidence {
    pub(super) fn read(arguments: &EvidenceArguments, audit: &Path) -> Outcome<Self> {
        Ok(Self {
            new: NewWay::read(audit)?,
            old: PasswordLogins::read(&arguments.keystone_log)?,
            quiet: arguments.quiet,
        })
    }

    /// The last password login of the account.
    pub(super) fn old_way(&self, user_id: &str) -> Option<&PasswordLogin> {
        self.old.of(&UserId::parse(user_id).ok()?)
    }

    pub(super) fn readiness(&self, user_id: &str, record: &AccountRecord, now: UnixTime) -> Readiness {
        for client in &record.clients {
            let id = &client.client_id;
            if client.registered_at.is_none() {
                return Readiness::Not(format!(
                    "the client {id} is not registered: run `migrate register` again"
                ));
            }
            if self.new.of(id).is_none() {
                return Readiness::Not(format!("the client {id} has got no token yet"));
            }
        }
        let Some((since, until)) = self.old.span() else {
            return Readiness::Not(
                "nobody knows whether the password is still used: give --keystone-log".to_owned(),
            );
        };
        let earliest = clock::at(now.as_secs().saturating_sub(self.quiet.as_secs()));
        if let Some(login) = self.old_way(user_id).filter(|login| login.at > earliest) {
            let (whence, agent) = (login.address.as_deref(), login.agent.as_deref());
            let refused = if login.succeeded {
                "was used"
            } else {
                "was tried, and refused,"
            };
            return Readiness::Not(format!(
                "the password {refused} {} from {} by {}",
                clock::relative(login.at, now),
                whence.unwrap_or("somewhere"),
                agent.unwrap_or("something")
            ));
        }
        if since > earliest {
            return Readiness::Not(format!(
                "the logs begin {} only: wait, or give older ones, or a shorter --quiet",
                clock::relative(since, now)
            ));
        }
        if until < earliest {
            return Readiness::Not(format!(
                "the logs end {}: give newer ones",
                clock::relative(until, now)
            ));
        }
        Readiness::Ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystone::journal::{ClientRecord, PasswordState};

    const NOW: u64 = 1_795_400_000;
    const DAY: u64 = 86_400;

    fn record(registered: bool) -> AccountRecord {
        AccountRecord {
            name: "ci".to_owned(),
            domain_id: "default".to_owned(),
            clients: vec![ClientRecord {
                client_id: "ci".to_owned(),
                project_id: "p1".to_owned(),
                application_credential_id: None,
                made_here: false,
                registered_at: registered.then(|| "2026-01-01T00:00:00Z".to_owned()),
            }],
            password: PasswordState::On,
        }
    }

    fn audit(outcome: &str, action: &str, client: &str) -> String {
        format!(
            r#"{{"action":"{action}","outcome":"{outcome}","eventTime":"2026-11-22T03:32:01.000000+0000","initiator":{{"id":"{client}"}},"more":1}}"#
        )
    }

    #[test]
    fn the_new_way_is_in_use_when_a_token_was_issued() {
        for (line, want) in [
            (audit("success", "authenticate/token", "ci"), true),
            (audit("failure", "authenticate/token", "ci"), false),
            (audit("success", "evaluate/token", "ci"), false),
            (audit("success", "authenticate/token", "other"), false),
            ("no JSON".to_owned(), false),
        ] {
            let mut new = NewWay::default();
            new.note(line.as_bytes());
            assert_eq!(new.of("ci").is_some(), want, "{line}");
        }
    }

    #[test]
    fn a_password_is_turned_off_only_where_silence_is_proved() {
        let day = |days: u64| clock::at(NOW - days * DAY);
        let login = |days| PasswordLogin {
            at: day(days),
            succeeded: true,
            address: None,
            agent: None,
        };
        let logs = |logins: &[(&str, u64)]| {
            let mut old = PasswordLogins::default();
            for (user, days) in logins {
                old.note((*user).to_owned(), login(*days));
            }
            old
        };
        /// Name, registered, its client used, logins in the logs with their age in days, what is said against it.
        type Case<'a> = (&'a str, bool, bool, &'a [(&'a str, u64)], Option<&'a str>);
        let cases: [Case<'_>; 9] = [
            ("all is well", true, true, &[("u1", 9), ("u2", 1)], None),
            ("never logged in", true, true, &[("u2", 9), ("u2", 1)], None),
            (
                "not registered",
                false,
                true,
                &[("u1", 9), ("u2", 1)],
                Some("not registered"),
            ),
            (
                "client not used",
                true,
                false,
                &[("u1", 9), ("u2", 1)],
                Some("no token yet"),
            ),
            ("no logs", true, true, &[], Some("nobody knows")),
            (
                "used yesterday",
                true,
                true,
                &[("u1", 9), ("u1", 1)],
                Some("the password was used"),
            ),
            (
                "logs too short",
                true,
                true,
                &[("u2", 3), ("u2", 1)],
                Some("the logs begin"),
            ),
            (
                "logs too old",
                true,
                true,
                &[("u2", 30), ("u2", 9)],
                Some("the logs end"),
            ),
            (
                "used, in short logs",
                true,
                true,
                &[("u1", 1)],
                Some("the password was used"),
            ),
        ];
        for (name, registered, used, logins, want) in cases {
            let mut new = NewWay::default();
            if used {
                new.note(audit("success", "authenticate/token", "ci").as_bytes());
            }
            let evidence = Evidence {
                new,
                old: logs(logins),
                quiet: Duration::from_secs(7 * DAY),
            };
            match (
                evidence.readiness("u1", &record(registered), clock::at(NOW)),
                want,
            ) {
                (Readiness::Ready, None) => {}
                (Readiness::Not(why), Some(want)) => assert!(why.contains(want), "{name}: {why}"),
                (found, _) => panic!("{name}: {found:?}"),
            }
        }
    }
}
