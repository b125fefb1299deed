use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;
use rustls_pki_types::UnixTime;
use sealstone_identity::UserId;

/// People whose wrong codes are remembered at one time: more than that many at once are no typing errors, and the
/// oldest of them make room.
const MAX_PEOPLE: usize = 10_000;

/// How many codes of a person were tried since the last right one.
///
/// Of this process only: it keeps privacyIDEA's own count from its limit, and is no substitute for it.
pub(crate) struct WrongCodes {
    most: u8,
    pause: Duration,
    people: Mutex<BTreeMap<UserId, Tried>>,
}

#[derive(Clone, Copy)]
struct Tried {
    count: u8,
    last: UnixTime,
}

impl WrongCodes {
    pub(crate) const fn new(most: u8, pause: Duration) -> Self {
        Self {
            most,
            pause,
            people: Mutex::new(BTreeMap::new()),
        }
    }

    /// Counts a try, and tells whether it may be made. One that may not does not lengthen the pause.
    pub(crate) fn admit(&self, user: &UserId, now: UnixTime) -> bool {
        let mut people = self.people.lock();
        let over = |tried: &Tried| now.as_secs().abs_diff(tried.last.as_secs()) >= self.pause.as_secs();
        if let Some(tried) = people.get_mut(user) {
            if over(tried) {
                tried.count = 0;
            }
            if tried.count >= self.most {
                return false;
            }
            tried.count = tried.count.saturating_add(1);
            tried.last = now;
            return true;
        }
        if people.len() >= MAX_PEOPLE {
            people.retain(|_user, tried| !over(tried));
        }
        if people.len() >= MAX_PEOPLE {
            let oldest = people.iter().min_by_key(|(_user, tried)| tried.last.as_secs());
            if let Some(oldest) = oldest.map(|(user, _tried)| user.clone()) {
                people.remove(&oldest);
            }
        }
        people.insert(user.clone(), Tried { count: 1, last: now });
        true
    }

    /// A try that nobody heard of.
    pub(crate) fn forgive(&self, user: &UserId) {
        if let Some(tried) = self.people.lock().get_mut(user) {
            tried.count = tried.count.saturating_sub(1);
        }
    }

    /// A right code.
    pub(crate) fn forget(&self, user: &UserId) {
        self.people.lock().remove(user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn user(number: usize) -> UserId {
        UserId::parse(&format!("u{number}")).unwrap()
    }

    #[test]
    fn r13_tries_are_counted_until_a_right_one_or_a_pause() {
        let wrong = WrongCodes::new(3, Duration::from_secs(60));
        for _try in 0..3 {
            assert!(wrong.admit(&user(1), at(100)));
        }
        assert!(!wrong.admit(&user(1), at(159)));
        assert!(wrong.admit(&user(2), at(159)), "others are not concerned");
        assert!(wrong.admit(&user(1), at(160)));
        wrong.forget(&user(1));
        for _try in 0..3 {
            assert!(wrong.admit(&user(1), at(161)));
        }
        assert!(!wrong.admit(&user(1), at(161)));
    }

    #[test]
    fn memory_is_bounded() {
        let wrong = WrongCodes::new(3, Duration::from_secs(60));
        for number in 0..=MAX_PEOPLE {
            assert!(wrong.admit(&user(number), at(100)));
        }
        assert_eq!(wrong.people.lock().len(), MAX_PEOPLE);
    }
}
