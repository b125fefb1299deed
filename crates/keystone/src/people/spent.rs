//! Codes that Keystone was shown: it takes one as often as it comes.

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;
use rustls_pki_types::UnixTime;
use sealstone_identity::{Passcode, UserId};
use sha2::{Digest as _, Sha256};

use crate::moment;

/// A code is good for its step of 30 s and the next; a minute more for clocks.
const REMEMBERED: Duration = Duration::from_secs(120);
/// Some 10 MiB; more codes within two minutes than a Keystone judges.
const MAX_CODES: usize = 100_000;

#[derive(Default)]
pub(super) struct SpentCodes(Mutex<BTreeMap<[u8; 32], UnixTime>>);

/// A code that was shown to Keystone before.
pub(super) struct Spent;

/// A code's place, for when Keystone did not judge it.
pub(super) struct Shown([u8; 32]);

impl SpentCodes {
    /// Marks the code as shown, unless it was shown before, or there is no room to remember it.
    pub(super) fn show(&self, user: &UserId, code: &Passcode, now: UnixTime) -> Result<Shown, Spent> {
        let mut hash = Sha256::new();
        hash.update(user.as_str().as_bytes());
        hash.update([0]);
        hash.update(code.expose().as_bytes());
        let key: [u8; 32] = hash.finalize().into();
        let mut codes = self.0.lock();
        if codes.len() >= MAX_CODES {
            codes.retain(|_code, until| now < *until);
        }
        let is_spent = codes.get(&key).is_some_and(|until| now < *until);
        if is_spent || codes.len() >= MAX_CODES {
            return Err(Spent);
        }
        codes.insert(key, moment::after(now, REMEMBERED));
        Ok(Shown(key))
    }

    /// Keystone did not judge the code: it may be shown again.
    pub(super) fn take_back(&self, shown: &Shown) {
        self.0.lock().remove(&shown.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn r14_a_code_is_shown_to_keystone_once() {
        let spent = SpentCodes::default();
        let (bob, carol) = (UserId::parse("bob").unwrap(), UserId::parse("carol").unwrap());
        let code = Passcode::parse("123456").unwrap();
        assert!(spent.show(&bob, &code, at(1_000)).is_ok());
        assert!(
            spent
                .show(&bob, &Passcode::parse("123 456").unwrap(), at(1_119))
                .is_err()
        );
        assert!(spent.show(&carol, &code, at(1_000)).is_ok());
        let again = spent.show(&bob, &code, at(1_120));
        let Ok(shown) = again else {
            panic!("it cannot be good any longer")
        };
        spent.take_back(&shown);
        assert!(
            spent.show(&bob, &code, at(1_121)).is_ok(),
            "an outage spends nothing"
        );
    }
}
