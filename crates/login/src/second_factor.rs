//! The port to a second factor that others judge, such as privacyIDEA.

use std::{error::Error, fmt};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_identity::{AuthMethod, Passcode, Person, UserId, unix_seconds};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Whether the authority wants a second factor of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Due {
    /// It does not: its policy says so for this person.
    No,
    /// It does.
    Yes,
}

/// How a challenge may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the page has a form for each")]
pub enum ChallengeMode {
    /// By a code that the person types.
    Code,
    /// On the person's telephone, while the page waits.
    Push,
}

/// A question that the authority asked a person. It stays on the server: it never goes to a browser.
///
/// `Debug` leaves the transaction out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    user: UserId,
    transaction: Zeroizing<String>,
    modes: Vec<ChallengeMode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(with = "unix_seconds")]
    ends_at: UnixTime,
}

impl Challenge {
    /// The longest message that a page shows.
    pub const MAX_MESSAGE: usize = 200;

    /// A challenge of this person, known to the authority as `transaction`, until `ends_at`.
    #[must_use]
    pub fn new(
        user: UserId,
        transaction: Zeroizing<String>,
        mut modes: Vec<ChallengeMode>,
        ends_at: UnixTime,
    ) -> Self {
        modes.sort_unstable();
        modes.dedup();
        Self {
            user,
            transaction,
            modes,
            message: None,
            ends_at,
        }
    }

    /// The same with what the authority says to the person. Cut to 200 characters; without control characters.
    #[must_use]
    pub fn with_message(mut self, message: &str) -> Self {
        let clean = message.chars().filter(|c| !c.is_control());
        let text: String = clean.take(Self::MAX_MESSAGE).collect();
        self.message = (!text.is_empty()).then_some(text);
        self
    }

    /// Who was asked.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// How it may be answered; in order, none twice.
    #[must_use]
    pub fn modes(&self) -> &[ChallengeMode] {
        &self.modes
    }

    /// What the authority says to the person: text, never markup.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// When it can be answered no longer.
    #[must_use]
    pub const fn ends_at(&self) -> UnixTime {
        self.ends_at
    }

    /// The authority's name for it.
    ///
    /// # Security
    /// Whoever has it may answer in the person's place, or see when they did. Only the authority's adapter reads it.
    #[must_use]
    pub fn expose_transaction(&self) -> &str {
        &self.transaction
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Challenge")
            .field("user", &self.user)
            .field("modes", &self.modes)
            .field("ends_at", &self.ends_at)
            .finish_non_exhaustive()
    }
}

/// What the authority says of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the flow must handle each")]
pub enum Verdict {
    /// It is right, and this is what it showed.
    Accepted {
        /// What the person used.
        method: AuthMethod,
    },
    /// It is wrong, or was used before; another may be tried.
    Wrong,
    /// The person may try no longer: the authority locked the token.
    Locked,
    /// The challenge is gone; begin another.
    Ended,
}

/// What became of a question on the person's telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the flow must handle each")]
pub enum Poll {
    /// No answer yet.
    Pending,
    /// The person said yes, and this is what it showed.
    Accepted {
        /// What the person used.
        method: AuthMethod,
    },
    /// The person said no: nobody gets in by this login.
    Declined,
    /// The challenge is gone; begin another.
    Ended,
}

/// A second factor that others judge.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **[`Due::No`] for whatever it did not understand**: the second factor is off. Only the authority's own clear word
///   makes a `No`: a token that is locked or disabled, no answer, an odd answer do not.
/// - **Acceptance of another's answer**: user, realm, serial and transaction of every answer are compared with the
///   question; they come from [`Challenge`], never from the browser.
/// - **Acceptance twice**: a transaction that was accepted is not accepted again.
/// - **A code in a log or in an error**: it is fresh for half a minute.
#[async_trait]
pub trait SecondFactorAuthority: Send + Sync {
    /// Whether this person must be asked.
    ///
    /// # Errors
    /// [`SecondFactorError`]; then nobody gets in.
    async fn due(&self, person: &Person) -> Result<Due, SecondFactorError>;

    /// Asks the person: what their token sends or shows is sent or shown now.
    ///
    /// # Errors
    /// [`SecondFactorError`]; then nobody gets in.
    async fn trigger(&self, person: &Person) -> Result<Challenge, SecondFactorError>;

    /// The person's code for this challenge.
    ///
    /// # Errors
    /// [`SecondFactorError`]; then nobody gets in.
    async fn answer(
        &self,
        person: &Person,
        challenge: &Challenge,
        code: &Passcode,
    ) -> Result<Verdict, SecondFactorError>;

    /// Whether the person has answered on their telephone. [`Poll::Accepted`] ends the challenge.
    ///
    /// # Errors
    /// [`SecondFactorError`]; then nobody gets in.
    async fn poll(&self, person: &Person, challenge: &Challenge) -> Result<Poll, SecondFactorError>;
}

/// Why the authority gave no answer. None of these lets anybody in.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the page says something else for each")]
pub enum SecondFactorError {
    /// The person has no token that can be used, though one is due.
    #[error("the person has no usable second factor")]
    NoFactor,
    /// The person's tokens are locked.
    #[error("the person's second factor is locked")]
    Locked,
    /// The authority could not be asked, or did not answer in time.
    #[error("the authority for second factors is not available")]
    Unavailable {
        /// What happened.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The authority answered with something that cannot be believed: malformed, or about another person.
    #[error("the authority for second factors answered with something that cannot be believed")]
    Malformed {
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The authority refuses us, not the person: our account there may not ask.
    #[error("the authority for second factors is not set up for this: {needs}")]
    NotConfigured {
        /// What is missing, for an administrator.
        needs: &'static str,
    },
}

impl SecondFactorError {
    /// [`SecondFactorError::Unavailable`] for this cause.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable {
            source: source.into(),
        }
    }

    /// [`SecondFactorError::Malformed`] for this cause.
    pub fn malformed(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Malformed {
            source: source.into(),
        }
    }
}

#[cfg(test)]
mod tests;
