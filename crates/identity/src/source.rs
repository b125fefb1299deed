//! The port by which OpenStack identities are looked up: whoever knows a Keystone implements it.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use zeroize::Zeroizing;

use crate::{ApplicationCredentialId, Authority, Name, ProjectId, UserId};

/// How a machine is tied to OpenStack: what the identity source is asked about.
///
/// `Debug` leaves the secret out.
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a source must answer each, if only by refusing it"
)]
pub enum MachineLogin<'a> {
    /// An application credential and its secret.
    ApplicationCredential {
        /// Which credential.
        id: &'a ApplicationCredentialId,
        /// Its secret, as OpenStack gave it.
        secret: &'a str,
    },
    /// An application credential without its secret: for a source that makes tokens which Keystone accepts.
    MintedApplicationCredential {
        /// Which credential.
        id: &'a ApplicationCredentialId,
        /// Whose it is.
        user_id: &'a UserId,
        /// The project that it is for.
        project_id: &'a ProjectId,
    },
    /// A user in one project, with the roles it has there: what Keystone's own mutual-TLS clients are. For a source
    /// that makes tokens which Keystone accepts.
    MintedUser {
        /// Who acts.
        user_id: &'a UserId,
        /// Where.
        project_id: &'a ProjectId,
    },
}

impl MachineLogin<'_> {
    /// The way by which the user's authority comes to the machine.
    #[must_use]
    pub const fn method(&self) -> DelegationMethod {
        match self {
            Self::ApplicationCredential { .. } | Self::MintedApplicationCredential { .. } => {
                DelegationMethod::ApplicationCredential
            }
            Self::MintedUser { .. } => DelegationMethod::MappedUser,
        }
    }
}

impl fmt::Debug for MachineLogin<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApplicationCredential { id, secret: _ } => formatter
                .debug_struct("ApplicationCredential")
                .field("id", id)
                .finish_non_exhaustive(),
            Self::MintedApplicationCredential {
                id,
                user_id,
                project_id,
            } => formatter
                .debug_struct("MintedApplicationCredential")
                .field("id", id)
                .field("user_id", user_id)
                .field("project_id", project_id)
                .finish(),
            Self::MintedUser { user_id, project_id } => formatter
                .debug_struct("MintedUser")
                .field("user_id", user_id)
                .field("project_id", project_id)
                .finish(),
        }
    }
}

/// By what a caller has its authority: `delegation_context.auth_method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a token must name each; there are these three"
)]
pub enum DelegationMethod {
    /// An application credential: the roles and requests that its owner delegated.
    ApplicationCredential,
    /// The user itself, known by its client certificate or its client.
    MappedUser,
    /// A person, who logged in.
    Person,
}

impl DelegationMethod {
    /// `app_cred`, `mapped_user` or `person`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApplicationCredential => "app_cred",
            Self::MappedUser => "mapped_user",
            Self::Person => "person",
        }
    }
}

/// What a login gives, as the source knew it at [`Delegated::read_at`].
///
/// Every member was said by the source; nothing here is assumed. The caller still checks that the authority is over
/// the project that it meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a source fills each member; one that it forgets must not compile"
)]
pub struct Delegated {
    /// Who acts, in which project, with which roles, and with which requests allowed; with the names of the domains.
    pub authority: Authority,
    /// By what.
    pub method: DelegationMethod,
    /// The credential that was used, where one was.
    pub application_credential: Option<UsedApplicationCredential>,
    /// The end of what the authority stands on; nothing that is issued outlives it. `None`: it has no end of its own.
    pub expires_at: Option<UnixTime>,
    /// When the source read it upstream: the age of an answer is counted from here.
    pub read_at: UnixTime,
}

/// An application credential, as the token that it gave describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a source fills each member; one that it forgets must not compile"
)]
pub struct UsedApplicationCredential {
    /// Its id.
    pub id: ApplicationCredentialId,
    /// Its name.
    pub name: Name,
    /// Whether it may not make or delete further credentials and trusts; `false` is the dangerous kind.
    pub restricted: bool,
}

/// A token of Keystone's own, for those who ask Keystone's `OS-OAUTH2` endpoint for one.
#[derive(Clone)]
pub struct KeystoneToken {
    text: Zeroizing<String>,
    expires_at: UnixTime,
}

impl KeystoneToken {
    /// The token with its end.
    #[must_use]
    pub fn new(text: String, expires_at: UnixTime) -> Self {
        Self {
            text: Zeroizing::new(text),
            expires_at,
        }
    }

    /// The token as it goes into `X-Subject-Token`.
    ///
    /// # Security
    /// Whoever has it acts with it, unless it is bound to a certificate. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// When it ends.
    #[must_use]
    pub const fn expires_at(&self) -> UnixTime {
        self.expires_at
    }
}

impl fmt::Debug for KeystoneToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeystoneToken")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// The client certificate that a Keystone token is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a binding without one of these is none")]
pub struct KeystoneBinding<'a> {
    /// The certificate's thumbprint as Keystone writes it: base64url with padding of SHA-256 over the PEM text.
    pub thumbprint: &'a str,
    /// When the certificate ends: the token does not outlive it.
    pub not_after: UnixTime,
}

/// Where OpenStack identities come from.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **An answer older than the age it states**: a user disabled, a role removed or a credential deleted keeps its
///   authority for as long. An answer that was once given stands for seconds, and none stands past its
///   [`Delegated::expires_at`].
/// - **One login's answer given to another**: the secret is part of what an answer is remembered by; a wrong secret
///   never meets the answer to the right one.
/// - **An outage told as a refusal, or a refusal as an outage**: the first tells a client that its credential is bad,
///   the second keeps a dead credential alive. What cannot be told for sure is [`IdentitySourceError::Unavailable`]
///   or [`IdentitySourceError::Malformed`], and nothing is granted on either.
/// - **Work that outsiders drive**: it is asked only after the client proved who it is, but a client that is refused
///   may ask again at once.
#[async_trait]
pub trait IdentitySource: Send + Sync {
    /// What the login gives now. Warm: without a call upstream. Cold: with exactly one.
    ///
    /// # Errors
    /// [`IdentitySourceError`]; none of them grants anything.
    async fn machine(&self, login: &MachineLogin<'_>) -> Result<Arc<Delegated>, IdentitySourceError>;

    /// What [`machine`](Self::machine) would answer at once, where nothing is to be asked and nothing to be renewed.
    ///
    /// `None` says nothing about the login: ask [`machine`](Self::machine). A source that remembers nothing keeps this.
    fn remembered(&self, _login: &MachineLogin<'_>) -> Option<Arc<Delegated>> {
        None
    }

    /// A fresh Keystone token for the login, with `bound_to` one that holds only with that certificate: a source that
    /// can't bind it is not configured for it.
    ///
    /// One that the source makes itself ends at `not_after` at the latest: Keystone, when it is shown a token, does not
    /// look at the end of what that stands on. One that it asks for ends when Keystone says.
    ///
    /// # Errors
    /// [`IdentitySourceError`]; none of them grants anything.
    async fn keystone_token(
        &self,
        login: &MachineLogin<'_>,
        bound_to: Option<KeystoneBinding<'_>>,
        not_after: Option<UnixTime>,
    ) -> Result<KeystoneToken, IdentitySourceError>;
}

/// Why a source gave no identity.
#[derive(Debug, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever asks must handle each: two are the caller's, two are ours"
)]
pub enum IdentitySourceError {
    /// OpenStack was asked and says no.
    #[error("the identity source refuses: {0}")]
    Refused(Refusal),
    /// OpenStack could not be asked, or did not answer in time.
    #[error("the identity source is not available")]
    Unavailable {
        /// When it makes sense to try again, where that is known.
        retry_after: Option<Duration>,
        /// What happened.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// OpenStack answered with something that cannot be believed: malformed, for another user or project, too large.
    #[error("the identity source answered with something that cannot be believed")]
    Malformed {
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// This source cannot do what was asked, whatever the credential: its configuration lacks what that needs.
    #[error("the identity source is not configured for this: {needs}")]
    NotConfigured {
        /// What the configuration lacks, for an administrator.
        needs: &'static str,
    },
}

/// What OpenStack refused. What it does not tell apart, neither does this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the audit trail names each")]
pub enum Refusal {
    /// The credential was not accepted: unknown, deleted, expired, its secret wrong, its user or project disabled, or
    /// the user without the roles that it holds. Keystone says the same of all of these.
    #[error("the credential is not accepted")]
    Credential,
    /// A token that we made for this user and project is not accepted: the user or the project is disabled or gone,
    /// or the credential is.
    #[error("the user may not act in the project")]
    User,
    /// The user has no role in the project.
    #[error("the user has no role in the project")]
    NoRole,
    /// What the authority stands on has reached its end.
    #[error("the credential has ended")]
    Ended,
    /// The identity cannot be carried: more roles or access rules than a token may hold, or a name that none may.
    #[error("the identity does not fit a token")]
    TooLarge,
}

impl Refusal {
    /// Each of them.
    pub const ALL: [Self; 5] = [
        Self::Credential,
        Self::User,
        Self::NoRole,
        Self::Ended,
        Self::TooLarge,
    ];

    /// A stable word in snake case, for the audit trail and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential_not_accepted",
            Self::User => "user_not_accepted",
            Self::NoRole => "no_role",
            Self::Ended => "credential_ended",
            Self::TooLarge => "identity_too_large",
        }
    }
}

impl IdentitySourceError {
    /// [`IdentitySourceError::Unavailable`] for this cause, without a time to try again.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable {
            retry_after: None,
            source: source.into(),
        }
    }

    /// [`IdentitySourceError::Malformed`] for this cause.
    pub fn malformed(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Malformed {
            source: source.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_debug_shows_a_secret() {
        let id = ApplicationCredentialId::parse("ac1").unwrap();
        let login = MachineLogin::ApplicationCredential {
            id: &id,
            secret: "hush",
        };
        let token = KeystoneToken::new(
            "gAAAA-hush".into(),
            UnixTime::since_unix_epoch(Duration::from_secs(1)),
        );
        for text in [format!("{login:?}"), format!("{token:?}")] {
            assert!(!text.contains("hush"), "{text}");
        }
        assert!(format!("{login:?}").contains("ac1"));
    }

    #[test]
    fn a_login_knows_its_method() {
        let id = ApplicationCredentialId::parse("ac1").unwrap();
        let user_id = UserId::parse("u1").unwrap();
        let project_id = ProjectId::parse("p1").unwrap();
        let minted = MachineLogin::MintedApplicationCredential {
            id: &id,
            user_id: &user_id,
            project_id: &project_id,
        };
        let user = MachineLogin::MintedUser {
            user_id: &user_id,
            project_id: &project_id,
        };
        assert_eq!(minted.method().as_str(), "app_cred");
        assert_eq!(user.method().as_str(), "mapped_user");
    }
}
