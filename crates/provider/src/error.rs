use crate::EntropyError;
use sealstone_audit::AuditError;
use sealstone_claims::ClaimFault;
use sealstone_grants::assertion::AssertionStoreError;
use sealstone_grants::{Denial, GrantStoreError};
use sealstone_jose::Algorithm;
use sealstone_keyring::{KeyRingError, MaintainError, SecretError};
use sealstone_login::LoginStoreError;
use sealstone_oauth_types::ErrorCode;
use sealstone_registry::StoreError;
use sealstone_tokens::{MintError, PairwiseError, RevocationStoreError};
use std::error::Error;
use std::time::Duration;

/// Why there is no answer to a request.
#[derive(Debug, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the edge answers each arm in its own way")]
pub enum TokenError {
    /// No such issuer: the path names no enabled domain.
    #[error("no such issuer")]
    UnknownIssuer,
    /// The request is refused; it is the caller's to mend.
    #[error("denied: {0}")]
    Denied(#[source] Denial),
    /// The client, which is who it says, asks for too much: 429.
    #[error("too many requests of this client")]
    TooManyRequests {
        /// When to try again.
        retry_after: Duration,
    },
    /// We can't answer; it is ours to mend.
    #[error("failed: {0}")]
    Backend(#[source] BackendError),
}

impl TokenError {
    /// The error code on the wire. An unknown issuer is answered by 404, too many requests by 429, not by this code's
    /// status.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownIssuer => ErrorCode::InvalidRequest,
            Self::Denied(denial) => denial.code(),
            Self::TooManyRequests { .. } => ErrorCode::TemporarilyUnavailable,
            Self::Backend(error) => error.code(),
        }
    }

    /// The description on the wire: fixed text.
    #[must_use]
    pub const fn description(&self) -> &'static str {
        match self {
            Self::UnknownIssuer => "No such issuer",
            Self::Denied(denial) => denial.description(),
            Self::TooManyRequests { .. } => {
                "too many requests of this client: wait as long as Retry-After says"
            }
            Self::Backend(error) => error.description(),
        }
    }

    /// How long the caller should wait before it tries again, where that is known: `Retry-After`.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyRequests { retry_after }
            | Self::Backend(
                BackendError::IdentityUnavailable { retry_after, .. }
                | BackendError::PersonUnavailable { retry_after, .. }
                | BackendError::IdentityMalformed { retry_after, .. }
                | BackendError::KeysBusy { retry_after },
            ) => Some(*retry_after),
            Self::UnknownIssuer | Self::Denied(_) | Self::Backend(_) => None,
        }
    }
}

impl From<Denial> for TokenError {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl<E: Into<BackendError>> From<E> for TokenError {
    fn from(error: E) -> Self {
        Self::Backend(error.into())
    }
}

/// What failed on our side.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The registry.
    #[error("the client registry could not be read")]
    Clients(#[from] StoreError),
    /// The revocation store.
    #[error("the revocation could not be stored")]
    Revocations(#[from] RevocationStoreError),
    /// The store of used assertions: what can't be marked as used is not accepted.
    #[error("the client assertion could not be marked as used")]
    Assertions(#[from] AssertionStoreError),
    /// The signature.
    #[error("the token could not be signed")]
    Mint(#[from] MintError),
    /// The audit trail: what can't be recorded is not done.
    #[error("the audit event could not be recorded")]
    Audit(#[from] AuditError),
    /// The random source.
    #[error("no random octets")]
    Entropy(#[from] EntropyError),
    /// A port did not answer in time.
    #[error("a request took longer than its deadline")]
    Deadline,
    /// A client wants an algorithm that no key of its issuer signs with.
    #[error("no active key signs with {}: add it to the rotation policy's algorithms", .0.map_or("any algorithm", Algorithm::as_str))]
    NoKey(Option<Algorithm>),
    /// A claim of the client's template would not be clean.
    #[error("the client's claims can't be written")]
    Claim(#[from] ClaimFault),
    /// OpenStack can't be asked about the client's identity.
    #[error("the client's OpenStack identity could not be asked about")]
    IdentityUnavailable {
        /// When to try again.
        retry_after: Duration,
        /// What happened.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// OpenStack answered with something that can't be believed.
    #[error("the answer about the client's OpenStack identity can't be believed")]
    IdentityMalformed {
        /// When to try again.
        retry_after: Duration,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server is not configured for the client's tie.
    #[error("the client's tie to OpenStack needs {needs}")]
    IdentityNotConfigured {
        /// What the configuration lacks.
        needs: &'static str,
    },
    /// The store of sessions, factors or guesses.
    #[error("what people proved could not be read or written")]
    Logins(#[from] LoginStoreError),
    /// The store of codes, refresh tokens, consents, device requests or interactions.
    #[error("what people granted could not be read or written")]
    Grants(#[from] GrantStoreError),
    /// Whoever is to say who a person is, or whether they proved it, can't be asked.
    #[error("{who} could not be asked about a person")]
    PersonUnavailable {
        /// Who: the source of people, the second factor, the upstream provider.
        who: &'static str,
        /// When to try again.
        retry_after: Duration,
        /// What happened.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server is not configured for what a person's login takes.
    #[error("{who} is not configured for this: {needs}")]
    PersonNotConfigured {
        /// Who: the source of people, the second factor, the upstream provider.
        who: &'static str,
        /// What the configuration lacks.
        needs: &'static str,
    },
    /// The subject by which a client knows a person can't be made.
    #[error("a person's subject can't be made")]
    Subject(#[from] PairwiseError),
    /// A record or a rule of a person's factors can't be used.
    #[error("a second factor can't be used: {0}")]
    Factor(&'static str),
    /// The key ring of a domain could not be read or changed.
    #[error("the key ring of the domain could not be read or changed")]
    Keys(#[from] MaintainError),
    /// Keys are being made for so many that no more wait.
    #[error("too many keys are being made")]
    KeysBusy {
        /// When to try again.
        retry_after: Duration,
    },
    /// A sealed secret of the client does not open.
    #[error("a sealed secret of the client can't be read")]
    Sealed(#[from] SecretError),
}

impl BackendError {
    pub(crate) const fn code(&self) -> ErrorCode {
        match self {
            Self::Clients(_)
            | Self::Revocations(_)
            | Self::Assertions(_)
            | Self::Audit(_)
            | Self::Deadline
            | Self::Logins(_)
            | Self::Grants(_)
            | Self::KeysBusy { .. }
            | Self::PersonUnavailable { .. }
            | Self::IdentityUnavailable { .. }
            | Self::IdentityMalformed { .. } => ErrorCode::TemporarilyUnavailable,
            Self::Mint(error) if error.is_passing() => ErrorCode::TemporarilyUnavailable,
            // A home of keys comes back, and a race ends; a ring that does not open has to be mended.
            Self::Keys(
                MaintainError::Store(_)
                | MaintainError::Contended
                | MaintainError::Ring(KeyRingError::Home(_)),
            ) => ErrorCode::TemporarilyUnavailable,
            Self::Keys(_)
            | Self::Mint(_)
            | Self::Entropy(_)
            | Self::NoKey(_)
            | Self::Claim(_)
            | Self::IdentityNotConfigured { .. }
            | Self::PersonNotConfigured { .. }
            | Self::Factor(_)
            | Self::Subject(_)
            | Self::Sealed(_) => ErrorCode::ServerError,
        }
    }

    /// What more the audit trail is told: a stable word in snake case.
    pub(crate) const fn detail(&self) -> Option<&'static str> {
        match self {
            Self::IdentityUnavailable { .. } => Some("identity_unavailable"),
            Self::IdentityMalformed { .. } => Some("identity_malformed"),
            Self::IdentityNotConfigured { .. } => Some("identity_not_configured"),
            Self::PersonUnavailable { .. } => Some("person_unavailable"),
            Self::PersonNotConfigured { .. } => Some("person_not_configured"),
            Self::Factor(_) => Some("factor"),
            Self::Sealed(_) => Some("sealed_secret"),
            Self::Claim(_) => Some("control_character_in_claim"),
            Self::Keys(_) => Some("key_ring"),
            Self::KeysBusy { .. } => Some("keys_busy"),
            Self::Clients(_)
            | Self::Revocations(_)
            | Self::Assertions(_)
            | Self::Audit(_)
            | Self::Deadline
            | Self::Logins(_)
            | Self::Grants(_)
            | Self::Mint(_)
            | Self::Entropy(_)
            | Self::Subject(_)
            | Self::NoKey(_) => None,
        }
    }

    const fn description(&self) -> &'static str {
        match self {
            Self::Clients(_)
            | Self::Revocations(_)
            | Self::Assertions(_)
            | Self::Audit(_)
            | Self::Logins(_)
            | Self::Grants(_)
            | Self::Keys(MaintainError::Store(_) | MaintainError::Contended)
            | Self::Deadline => "The server can't reach its storage: try again in a moment",
            Self::IdentityUnavailable { .. } | Self::IdentityMalformed { .. } => {
                "OpenStack can't be asked about this client now: wait as long as Retry-After says"
            }
            Self::PersonUnavailable { .. } => {
                "The server can't ask about this person now: wait as long as Retry-After says"
            }
            Self::KeysBusy { .. } => {
                "Too many wait for keys to be made or revoked: wait as long as Retry-After says"
            }
            Self::Mint(error) if error.is_passing() => {
                "The server can't reach what signs its tokens: try again in a moment"
            }
            Self::Mint(_)
            | Self::Entropy(_)
            | Self::NoKey(_)
            | Self::Claim(_)
            | Self::IdentityNotConfigured { .. }
            | Self::PersonNotConfigured { .. }
            | Self::Factor(_)
            | Self::Subject(_)
            | Self::Keys(_)
            | Self::Sealed(_) => "The server could not answer: tell its operator the request id",
        }
    }
}
