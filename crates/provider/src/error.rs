use crate::EntropyError;
use sealstone_audit::AuditError;
use sealstone_grants::Denial;
use sealstone_jose::Algorithm;
use sealstone_oauth_types::ErrorCode;
use sealstone_registry::StoreError;
use sealstone_tokens::{MintError, RevocationStoreError};

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
    /// We can't answer; it is ours to mend.
    #[error("failed: {0}")]
    Backend(#[source] BackendError),
}

impl TokenError {
    /// The error code on the wire. An unknown issuer is answered by 404, not by this code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownIssuer => ErrorCode::InvalidRequest,
            Self::Denied(denial) => denial.code(),
            Self::Backend(error) => error.code(),
        }
    }

    /// The description on the wire: fixed text.
    #[must_use]
    pub const fn description(&self) -> &'static str {
        match self {
            Self::UnknownIssuer => "No such issuer",
            Self::Denied(denial) => denial.description(),
            Self::Backend(error) => error.description(),
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
}

impl BackendError {
    const fn code(&self) -> ErrorCode {
        match self {
            Self::Clients(_) | Self::Revocations(_) | Self::Audit(_) | Self::Deadline => {
                ErrorCode::TemporarilyUnavailable
            }
            Self::Mint(_) | Self::Entropy(_) | Self::NoKey(_) => ErrorCode::ServerError,
        }
    }

    const fn description(&self) -> &'static str {
        match self {
            Self::Clients(_) | Self::Revocations(_) | Self::Audit(_) | Self::Deadline => {
                "The server can't reach its storage: try again in a moment"
            }
            Self::Mint(_) | Self::Entropy(_) | Self::NoKey(_) => {
                "The server could not answer: tell its operator the request id"
            }
        }
    }
}
