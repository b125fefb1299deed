//! The port by which people log in and are looked up: Keystone's users, the embedded directory's.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    AuthMethod, Delegated, DomainId, Passcode, Person, PersonProject, ProjectId, UserId, UserRef,
    unix_seconds,
};

/// A name and a password, as somebody typed them. `Debug` leaves the password out.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a source is told these three")]
pub struct PasswordAttempt<'a> {
    /// The domain of the login page; whose users it lets in, the source knows.
    pub domain: &'a DomainId,
    /// The user's name, as typed: it may be any text.
    pub user_name: &'a str,
    /// The password, as typed: it may be any text.
    pub password: &'a str,
}

impl fmt::Debug for PasswordAttempt<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PasswordAttempt")
            .field("domain", &self.domain)
            .field("user_name", &self.user_name)
            .finish_non_exhaustive()
    }
}

/// How far a login at the source came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a login is whole or it is not")]
pub enum LoginStep {
    /// The source is satisfied.
    Done(LoggedIn),
    /// The source wants a one-time code as well.
    NeedsCode(OpenLogin),
}

/// A login that the source is satisfied with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a source fills each member; one that it forgets must not compile"
)]
pub struct LoggedIn {
    /// Who it was.
    pub person: Arc<Person>,
    /// By which ways the source made sure: exactly those that happened.
    pub methods: Vec<AuthMethod>,
}

/// A login of which the source saw a part. It stays on the server: it never goes to a browser.
///
/// `Debug` leaves what the source keeps out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenLogin {
    user: UserRef,
    state: Zeroizing<String>,
    #[serde(with = "unix_seconds")]
    ends_at: UnixTime,
}

impl OpenLogin {
    /// A login of this user that waits for a code until `ends_at`. `state` is the source's own: a receipt.
    #[must_use]
    pub const fn new(user: UserRef, state: Zeroizing<String>, ends_at: UnixTime) -> Self {
        Self { user, state, ends_at }
    }

    /// Whose login the source says that it is.
    #[must_use]
    pub const fn user(&self) -> &UserRef {
        &self.user
    }

    /// When the source forgets it.
    #[must_use]
    pub const fn ends_at(&self) -> UnixTime {
        self.ends_at
    }

    /// What the source keeps of it.
    ///
    /// # Security
    /// It may stand for the password. Only the source that made it reads it.
    #[must_use]
    pub fn expose_state(&self) -> &str {
        &self.state
    }
}

impl fmt::Debug for OpenLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenLogin")
            .field("user", &self.user)
            .field("ends_at", &self.ends_at)
            .finish_non_exhaustive()
    }
}

/// Where people come from: who they are, whether their password is right, and what they may do.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **Telling an unknown name from a wrong password**, by its answer or by its time: anybody learns who has an account.
/// - **Answering about another person than was asked about**: every answer is compared by id with the question.
/// - **Methods that did not happen**: `amr` and `acr` of every token stand on them.
/// - **An old answer of [`LoginSource::person`]**: a person who was disabled keeps sessions and refresh tokens for as
///   long. It is seconds old, and says with [`Person::valid_since`] what no longer stands.
/// - **An outage told as a refusal, or a refusal as an outage**: the first ends sessions that stand, the second keeps
///   dead ones alive. What cannot be told for sure is [`LoginError::Unavailable`] or [`LoginError::Malformed`], and
///   nothing is granted on either.
/// - **Work that outsiders drive**: [`LoginSource::begin`] is asked by anybody who sees the login page. The caller
///   limits how often; the source limits how much at a time.
#[async_trait]
pub trait LoginSource: Send + Sync {
    /// Name and password.
    ///
    /// # Errors
    /// [`LoginError`]; none of them lets anybody in.
    async fn begin(&self, attempt: &PasswordAttempt<'_>) -> Result<LoginStep, LoginError>;

    /// A code for what [`LoginSource::begin`] left open.
    ///
    /// # Errors
    /// [`LoginError`]; none of them lets anybody in.
    async fn go_on(&self, open: &OpenLogin, code: &Passcode) -> Result<LoginStep, LoginError>;

    /// The person now, for what was granted before: refresh, userinfo, introspection, a session.
    ///
    /// # Errors
    /// [`LoginRefusal::Person`] when they are gone or disabled; else [`LoginError`].
    async fn person(&self, user: &UserId) -> Result<Arc<Person>, LoginError>;

    /// The projects in which the person may act now, by name, for the choice at consent.
    ///
    /// # Errors
    /// As [`LoginSource::person`].
    async fn projects(&self, user: &UserId) -> Result<Vec<PersonProject>, LoginError>;

    /// The person's authority in one project now. The caller still checks that it is over that project.
    ///
    /// # Errors
    /// [`LoginRefusal::NoRole`] when there is none in that project; else as [`LoginSource::person`].
    async fn authority(&self, user: &UserId, project: &ProjectId) -> Result<Arc<Delegated>, LoginError>;
}

/// Why a source of people let nobody in.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever asks must handle each: one is the person's, three are ours"
)]
pub enum LoginError {
    /// The source was asked and says no.
    #[error("the login source refuses: {0}")]
    Refused(LoginRefusal),
    /// The source could not be asked, or did not answer in time.
    #[error("the login source is not available")]
    Unavailable {
        /// When it makes sense to try again, where that is known.
        retry_after: Option<Duration>,
        /// What happened.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The source answered with something that cannot be believed: malformed, about another person, too large.
    #[error("the login source answered with something that cannot be believed")]
    Malformed {
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// This source cannot do what was asked, whoever asks: its configuration lacks what that needs.
    #[error("the login source is not configured for this: {needs}")]
    NotConfigured {
        /// What the configuration lacks, for an administrator.
        needs: &'static str,
    },
}

/// What a source of people refused. What it does not tell apart, neither does this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the audit trail names each")]
pub enum LoginRefusal {
    /// Unknown name, wrong password, or a person who may not log in: said in one way, so that nobody learns which.
    #[error("the name or the password is not accepted")]
    Credentials,
    /// The one-time code is wrong, or was used before.
    #[error("the code is not accepted")]
    Code,
    /// What the password had opened has ended: begin anew.
    #[error("the login has ended")]
    Ended,
    /// The source wants a way of logging in that has no page here.
    #[error("the person must prove what cannot be asked for here")]
    Unsupported,
    /// The person is gone, or disabled.
    #[error("the person may not log in")]
    Person,
    /// The person has no role in the project.
    #[error("the person has no role in the project")]
    NoRole,
    /// The person cannot be carried whole: more groups, roles or projects than fit, or a name that no token may hold.
    #[error("the person does not fit a token")]
    TooLarge,
}

impl LoginRefusal {
    /// Each of them.
    pub const ALL: [Self; 7] = [
        Self::Credentials,
        Self::Code,
        Self::Ended,
        Self::Unsupported,
        Self::Person,
        Self::NoRole,
        Self::TooLarge,
    ];

    /// A stable word in snake case, for the audit trail and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials_not_accepted",
            Self::Code => "code_not_accepted",
            Self::Ended => "login_ended",
            Self::Unsupported => "factor_not_supported",
            Self::Person => "person_not_accepted",
            Self::NoRole => "no_role",
            Self::TooLarge => "identity_too_large",
        }
    }
}

impl LoginError {
    /// [`LoginError::Unavailable`] for this cause, without a time to try again.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable {
            retry_after: None,
            source: source.into(),
        }
    }

    /// [`LoginError::Malformed`] for this cause.
    pub fn malformed(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Malformed {
            source: source.into(),
        }
    }

    /// The refusal, when the source was asked and said no.
    #[must_use]
    pub const fn refusal(&self) -> Option<LoginRefusal> {
        match self {
            Self::Refused(refusal) => Some(*refusal),
            Self::Unavailable { .. } | Self::Malformed { .. } | Self::NotConfigured { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_debug_shows_a_secret() {
        let domain = DomainId::parse("demo").unwrap();
        let attempt = PasswordAttempt {
            domain: &domain,
            user_name: "ada",
            password: "hush",
        };
        let open = OpenLogin::new(
            UserRef::new("u1", "ada", "demo").unwrap(),
            Zeroizing::new("hush".into()),
            UnixTime::since_unix_epoch(Duration::from_secs(1)),
        );
        for text in [format!("{attempt:?}"), format!("{open:?}")] {
            assert!(text.contains("ada") && !text.contains("hush"), "{text}");
        }
    }

    #[test]
    fn an_open_login_is_read_as_written() {
        let open = OpenLogin::new(
            UserRef::new("u1", "ada", "demo").unwrap(),
            Zeroizing::new("receipt".into()),
            UnixTime::since_unix_epoch(Duration::from_secs(9)),
        );
        let text = serde_json::to_string(&open).unwrap();
        assert_eq!(serde_json::from_str::<OpenLogin>(&text).unwrap(), open);
    }
}
