//! How often somebody may guess, for each person that is guessed at.

use std::time::Duration;

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, UserId, unix_seconds};
use sealstone_oauth_types::TokenHash;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::LoginStoreError;

/// Mistypings of one person in one go.
const FREE: u32 = 5;
/// The first wait; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Whoever knows a name can make its owner wait, so this wait is short: 1,440 passwords a day. Who guesses without end
/// takes the owner's turns as well; so a browser in which the owner was signed in within a day has a count of its own, and
/// a passkey waits for nothing.
const LONGEST_PASSWORD_WAIT: Duration = Duration::from_secs(60);
/// Guesses at codes need the password first: nobody else drives them. With three codes of a million good at a time, a
/// thief of the password needs 38 years on average.
const LONGEST_CODE_WAIT: Duration = Duration::from_secs(3600);
/// What was not tried for a day begins anew.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What is counted by itself: the passwords for a name, the codes of a person, the questions to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "each has a limit of its own")]
pub enum Guess {
    /// A password, for a name that may be nobody's.
    Password,
    /// A password, in a browser in which it was right within a day: strangers have no part in this count.
    KnownBrowser,
    /// A one-time or recovery code, after the password; or a question on a telephone, which is waited for alike.
    Code,
}

/// Who is guessed at, as a store keeps it: a hash, so that no list of names comes together there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThrottleKey {
    guess: Guess,
    hash: TokenHash,
}

impl ThrottleKey {
    /// Passwords for a name as typed, in the domain of the page. Capitals and outer blanks make no other name.
    #[must_use]
    pub fn password(domain: &DomainId, user_name: &str) -> Self {
        let name = user_name.trim().to_lowercase();
        Self::of("password", Guess::Password, domain, &name)
    }

    /// The same in one browser, by the hash of its cookie. It counts only where [`ThrottleStore::know_browser`] noted it.
    #[must_use]
    pub fn known_browser(domain: &DomainId, user_name: &str, browser: TokenHash) -> Self {
        let who = format!("{browser} {}", user_name.trim().to_lowercase());
        Self::of("known-browser", Guess::KnownBrowser, domain, &who)
    }

    /// Codes of a person, whatever judges them.
    #[must_use]
    pub fn code(domain: &DomainId, user: &UserId) -> Self {
        Self::of("code", Guess::Code, domain, user.as_str())
    }

    /// Questions that a person is asked on their telephone. Each follows a right password, and waits like a guess at a
    /// code: a thief of the password does not make the telephone ring until its owner gives in.
    #[must_use]
    pub fn question(domain: &DomainId, user: &UserId) -> Self {
        Self::of("question", Guess::Code, domain, user.as_str())
    }

    fn of(kind: &str, guess: Guess, domain: &DomainId, who: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [kind, domain.as_str(), who] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        Self {
            guess,
            hash: TokenHash::from_octets(hash.finalize().into()),
        }
    }

    /// What is guessed.
    #[must_use]
    pub const fn guess(&self) -> Guess {
        self.guess
    }

    /// What it is kept by.
    #[must_use]
    pub const fn hash(&self) -> TokenHash {
        self.hash
    }
}

/// The count for one key. A guess is counted before it is judged, so that a thousand at once count as a thousand.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use rustls_pki_types::UnixTime;
/// use sealstone_login::{Guess, Throttle};
///
/// let now = UnixTime::since_unix_epoch(Duration::from_secs(1_000));
/// let mut throttle = Throttle::default();
/// for _mistyping in 0..5 {
///     throttle.count(Guess::Password, now).unwrap();
/// }
/// let wait = throttle.count(Guess::Password, now).unwrap_err();
/// assert_eq!(wait.until.as_secs(), 1_001);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    tried: u32,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "unix_seconds::option"
    )]
    last_at: Option<UnixTime>,
}

/// The guess is not judged: it came too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts; the next one counts from {} on", until.as_secs())]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to tell")]
pub struct MustWait {
    /// When the next guess is judged.
    pub until: UnixTime,
}

impl Throttle {
    /// The count of a browser in which a password was just right: it begins anew.
    #[must_use]
    pub const fn known(now: UnixTime) -> Self {
        Self {
            tried: 0,
            last_at: Some(now),
        }
    }

    /// Counts one guess, and says whether it may be judged. One that may not is not counted.
    ///
    /// # Errors
    /// [`MustWait`]; also for a browser that is not known.
    pub fn count(&mut self, guess: Guess, now: UnixTime) -> Result<(), MustWait> {
        if self.forget_at().is_none_or(|end| now >= end) {
            *self = Self::default();
        }
        if guess == Guess::KnownBrowser && self.last_at.is_none() {
            return Err(MustWait { until: now });
        }
        if let Some(until) = self.waits_until(guess)
            && now < until
        {
            return Err(MustWait { until });
        }
        self.tried = self.tried.saturating_add(1);
        self.last_at = Some(self.last_at.map_or(now, |last| last.max(now)));
        Ok(())
    }

    /// Takes back one guess that was never judged: the source was not available.
    pub const fn take_back(&mut self) {
        self.tried = self.tried.saturating_sub(1);
    }

    /// Until when the next guess is not judged.
    #[must_use]
    pub fn waits_until(&self, guess: Guess) -> Option<UnixTime> {
        let last = self.last_at?;
        let beyond = self.tried.checked_sub(FREE)?;
        let longest = match guess {
            Guess::Password | Guess::KnownBrowser => LONGEST_PASSWORD_WAIT,
            Guess::Code => LONGEST_CODE_WAIT,
        };
        let wait = 2_u32
            .checked_pow(beyond)
            .and_then(|factor| FIRST_WAIT.checked_mul(factor))
            .map_or(longest, |wait| wait.min(longest));
        Some(after(last, wait))
    }

    /// When the count begins anew: rows of the past may be purged.
    #[must_use]
    pub fn forget_at(&self) -> Option<UnixTime> {
        self.last_at.map(|last| after(last, FORGET_AFTER))
    }
}

fn after(moment: UnixTime, span: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(
        moment.as_secs().saturating_add(span.as_secs()),
    ))
}

/// Where guesses are counted, for all processes that share the store.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **Read, then write**: guesses made at once count as one. [`ThrottleStore::count_guess`] is one atomic step.
/// - **No bound**: whoever makes up names fills the store. It keeps at most [`MAX_THROTTLES`], and forgets the one
///   that was counted longest ago for a new one.
/// - **`Ok` when the store could not count**: guesses are free while it is down. That is an error, and nobody gets in.
#[async_trait]
pub trait ThrottleStore: Send + Sync {
    /// Counts one guess by [`Throttle::count`], before it is judged.
    ///
    /// # Errors
    /// [`LoginStoreError`] when it is not known to be counted: the guess is not judged.
    async fn count_guess(
        &self,
        key: &ThrottleKey,
        now: UnixTime,
    ) -> Result<Result<(), MustWait>, LoginStoreError>;

    /// Notes that the password was right in this browser, by [`Throttle::known`]: its next guesses are counted by
    /// themselves. Whatever was counted for it is forgotten.
    ///
    /// # Errors
    /// [`LoginStoreError`]; the browser is then as any other.
    async fn know_browser(&self, key: &ThrottleKey, now: UnixTime) -> Result<(), LoginStoreError>;

    /// After a guess was judged: a right one forgets the count, one that was never judged is taken back.
    ///
    /// # Errors
    /// [`LoginStoreError`]; the guess then stays counted.
    async fn settle_guess(&self, key: &ThrottleKey, judged: Judged) -> Result<(), LoginStoreError>;

    /// Forgets the counts whose [`Throttle::forget_at`] is not after `now`. Returns how many.
    ///
    /// # Errors
    /// [`LoginStoreError`].
    async fn purge_throttles(&self, now: UnixTime) -> Result<u64, LoginStoreError>;
}

/// The most counts that are kept: some 20 MiB.
pub const MAX_THROTTLES: usize = 100_000;

/// How a guess came out, as far as its count goes. A wrong one stays counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "stores must handle each")]
pub enum Judged {
    /// It was right.
    Right,
    /// It was not judged: the source was not available.
    NotAtAll,
}

#[cfg(test)]
mod tests;
