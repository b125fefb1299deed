use sealstone_jose::{JoseError, KeyId};
use thiserror::Error;

/// A change of a ring that cannot be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyRingError {
    /// A key could not be made or used.
    #[error("a signing key cannot be made or used")]
    Key(#[source] JoseError),
    /// The plan was made for another state of the ring.
    #[error("the rotation was planned for another state of the ring: load the ring again and plan anew")]
    Stale,
    /// No key of the ring has this identifier.
    #[error("no key {} in this ring: list the keys for their identifiers", .0.as_str())]
    UnknownKey(KeyId),
    /// The key is already revoked.
    #[error("the key {} is already revoked: nothing is to be done", .0.as_str())]
    AlreadyRevoked(KeyId),
}

/// A ring that cannot be sealed or opened, or a key-encryption key that is none.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The text of a key-encryption key file is not 32 bytes in hexadecimal or base64.
    #[error("not a key-encryption key: the file must hold 32 bytes as 64 hexadecimal digits, or as base64")]
    NotAKey,
    /// One byte 32 times.
    #[error("this key-encryption key is one byte repeated, not random: make one with `openssl rand -hex 32`")]
    NotRandom,
    /// The ring was sealed under another key-encryption key.
    #[error(
        "this ring is sealed under the key-encryption key {sealed_under}, the one given is {given}: \
         give the one it was sealed under"
    )]
    OtherKey {
        /// The identifier of the key that was used.
        sealed_under: String,
        /// The identifier of the key that was given.
        given: String,
    },
    /// A sealed private key does not open: it was changed, or moved from another ring or key.
    #[error(
        "the private key of {} does not open: the stored ring was changed, or belongs to another domain; \
         restore it from a backup", .0.as_str()
    )]
    Tampered(KeyId),
    /// The stored text is not a ring this version can read.
    #[error("the stored ring cannot be read ({reason}): restore it from a backup")]
    Malformed {
        /// What is wrong, without any key material.
        reason: String,
    },
    /// The cryptographic library refused to work.
    #[error("the private key of {} cannot be sealed", .0.as_str())]
    Seal(KeyId),
    /// A stored key is not one.
    #[error("a stored signing key cannot be used")]
    Key(#[source] KeyRingError),
}

impl SealError {
    pub(crate) fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed {
            reason: reason.into(),
        }
    }
}
