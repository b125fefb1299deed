//! Since when logins of whom stand no longer.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, UserId};
use tokio::sync::watch;

use crate::RevocationEvent;

/// Some 10 MiB. Beyond it the older half is folded into one moment for everybody: logins from before it stand no longer.
const MAX_MARKS: usize = 100_000;

/// A person whose logins stand no longer, by Keystone's word: disabled, deleted, or with another password since.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever ends logins needs both")]
pub struct PeopleChange {
    /// Who.
    pub user: UserId,
    /// Logins until then, that moment included.
    pub until: UnixTime,
}

#[derive(Clone, Copy)]
struct Mark {
    until: UnixTime,
    number: u64,
}

#[derive(Default)]
struct State {
    users: BTreeMap<UserId, Mark>,
    domains: BTreeMap<DomainId, Mark>,
    everybody: Option<UnixTime>,
    number: u64,
}

pub(crate) struct Changes {
    state: Mutex<State>,
    number: watch::Sender<u64>,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            number: watch::Sender::new(0),
        }
    }
}

impl Changes {
    /// Keeps what these events say of people. `now` is when they were seen by our clock; an event that is new between
    /// two looks is of that time, whatever the clock over there says.
    pub(crate) fn tell(&self, events: &[RevocationEvent], now: UnixTime, is_live: bool) {
        let mut state = self.state.lock();
        let before = state.number;
        for event in events {
            let until = if is_live {
                now
            } else {
                event.issued_before.min(now)
            };
            state.mark(event, until);
        }
        let after = state.number;
        drop(state);
        if after != before {
            self.number.send_replace(after);
        }
    }

    /// Until when logins of this person stand no longer.
    pub(crate) fn valid_since(&self, user: &UserId, domain: &DomainId) -> Option<UnixTime> {
        let state = self.state.lock();
        let user = state.users.get(user).map(|mark| mark.until);
        let domain = state.domains.get(domain).map(|mark| mark.until);
        user.max(domain).max(state.everybody)
    }

    /// What changed after that number, when anything has.
    pub(crate) async fn after(&self, seen: u64) -> (u64, Vec<PeopleChange>) {
        let mut number = self.number.subscribe();
        // The sender lives as long as this.
        let _closed = number.wait_for(|number| *number > seen).await;
        let state = self.state.lock();
        let changed = state.users.iter().filter(|(_id, mark)| mark.number > seen);
        let changed = changed.map(|(id, mark)| PeopleChange {
            user: id.clone(),
            until: mark.until,
        });
        (state.number, changed.collect())
    }
}

impl State {
    /// Only events about whole people and whole domains end logins; others are about tokens and roles.
    fn mark(&mut self, event: &RevocationEvent, until: UnixTime) {
        let is_narrower = event.project_id.is_some()
            || event.role_id.is_some()
            || event.trust_id.is_some()
            || event.audit_id.is_some()
            || event.audit_chain_id.is_some();
        if is_narrower {
            return;
        }
        let number = self.number.saturating_add(1);
        let later = |earlier: Option<Mark>| Mark {
            until: earlier.map_or(until, |mark| mark.until.max(until)),
            number,
        };
        match (&event.user_id, &event.domain_id) {
            (Some(user), None) => {
                let mark = later(self.users.get(user).copied());
                self.users.insert(user.clone(), mark);
            }
            (None, Some(domain)) => {
                let mark = later(self.domains.get(domain).copied());
                self.domains.insert(domain.clone(), mark);
            }
            (Some(_), Some(_)) | (None, None) => return,
        }
        self.number = number;
        self.fold();
    }

    fn fold(&mut self) {
        if self.users.len() <= MAX_MARKS {
            return;
        }
        let mut times: Vec<UnixTime> = self.users.values().map(|mark| mark.until).collect();
        times.sort_unstable();
        let middle = times.get(times.len().div_euclid(2)).copied();
        let Some(middle) = middle else { return };
        tracing::warn!("more people changed than are remembered: older logins stand no longer");
        self.everybody = self.everybody.max(Some(middle));
        self.users.retain(|_user, mark| mark.until > middle);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn event(text: &str, issued_before: u64) -> RevocationEvent {
        let before = crate::moment::text(at(issued_before));
        let text = text.replace('}', &format!(r#""issued_before":"{before}"}}"#));
        serde_json::from_str(&text).unwrap()
    }

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }

    fn demo() -> DomainId {
        DomainId::parse("d1").unwrap()
    }

    #[test]
    fn only_whole_people_and_domains_are_meant() {
        for (text, want) in [
            (r#"{"user_id":"u1",}"#, Some(50)),
            (r#"{"domain_id":"d1",}"#, Some(50)),
            (r#"{"user_id":"u2",}"#, None),
            (r#"{"domain_id":"d2",}"#, None),
            (r#"{"user_id":"u1","project_id":"p1",}"#, None),
            (r#"{"user_id":"u1","OS-TRUST:trust_id":"t1",}"#, None),
            (r#"{"role_id":"r1",}"#, None),
            (r#"{"audit_id":"a1",}"#, None),
            (r#"{"audit_chain_id":"a1",}"#, None),
            (r#"{"project_id":"p1",}"#, None),
            (r"{}", None),
        ] {
            let changes = Changes::default();
            changes.tell(&[event(text, 50)], at(100), false);
            let since = changes.valid_since(&user("u1"), &demo());
            assert_eq!(since.map(|since| since.as_secs()), want, "{text}");
        }
    }

    #[test]
    fn what_is_new_is_of_now_whatever_the_clock_over_there_says() {
        for (issued_before, is_live, want) in [
            (50, false, 50),
            (500, false, 100),
            (50, true, 100),
            (500, true, 100),
        ] {
            let changes = Changes::default();
            changes.tell(&[event(r#"{"user_id":"u1",}"#, issued_before)], at(100), is_live);
            assert_eq!(changes.valid_since(&user("u1"), &demo()), Some(at(want)));
        }
    }

    #[test]
    fn the_latest_change_counts() {
        let changes = Changes::default();
        for seconds in [70, 90, 80] {
            changes.tell(&[event(r#"{"user_id":"u1",}"#, seconds)], at(100), false);
        }
        changes.tell(&[event(r#"{"domain_id":"d1",}"#, 85)], at(100), false);
        assert_eq!(changes.valid_since(&user("u1"), &demo()), Some(at(90)));
        assert_eq!(changes.valid_since(&user("u2"), &demo()), Some(at(85)));
    }

    #[test]
    fn more_changes_than_are_remembered_end_more_logins_and_never_fewer() {
        let mut state = State::default();
        for number in 0..=MAX_MARKS {
            let id = UserId::parse(&format!("u{number}")).unwrap();
            let mark = Mark {
                until: at(u64::try_from(number).unwrap()),
                number: 0,
            };
            state.users.insert(id, mark);
        }
        state.mark(&event(r#"{"user_id":"v",}"#, 1), at(200_000));
        assert!(state.users.len() <= MAX_MARKS);
        let floor = state.everybody.unwrap();
        for number in [0, 1_000, 50_000, 99_999] {
            let id = user(&format!("u{number}"));
            let kept = state.users.get(&id).map(|mark| mark.until);
            assert!(kept.max(Some(floor)) >= Some(at(number)), "{number}");
        }
        assert!(state.users.contains_key(&user("v")));
    }

    #[tokio::test]
    async fn changes_are_told_to_whoever_follows_none_twice() {
        let changes = Changes::default();
        changes.tell(&[event(r#"{"user_id":"u1",}"#, 50)], at(100), false);
        let (seen, told) = changes.after(0).await;
        let until = at(50);
        let change = |until| PeopleChange {
            user: user("u1"),
            until,
        };
        assert_eq!(told, [change(until)]);
        changes.tell(&[event(r#"{"audit_id":"a",}"#, 60)], at(100), true);
        changes.tell(&[event(r#"{"domain_id":"d1",}"#, 60)], at(100), true);
        changes.tell(&[event(r#"{"user_id":"u1",}"#, 60)], at(100), true);
        let (last, told) = changes.after(seen).await;
        assert_eq!(told, [change(at(100))]);
        assert!(last > seen);
    }
}
