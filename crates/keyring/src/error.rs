use sealstone_jose::{Algorithm, JoseError, KeyId};
use thiserror::Error;

use crate::KeyHomeError;

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
    /// The home of new keys did not make one, or does not have one that the ring names.
    #[error("the home of the signing keys did not give a key")]
    Home(#[source] KeyHomeError),
    /// The ring names a key that is held elsewhere, and the policy has no home.
    #[error(
        "the key {} is held as {reference} by a PKCS#11 token, and none is configured: set [pkcs11]", .kid.as_str()
    )]
    NoHome {
        /// The key.
        kid: KeyId,
        /// What its home calls it.
        reference: String,
    },
    /// An imported key for an algorithm that the policy does not have.
    #[error("this is a key for {}, and the issuer signs with {issuer}: list it in keys.algorithms first", .algorithm.as_str())]
    NotWanted {
        /// The key's.
        algorithm: Algorithm,
        /// Those of the policy.
        issuer: String,
    },
    /// An imported key that is in the ring already.
    #[error("the key {} is in this ring already: nothing is to be done", .0.as_str())]
    KnownKey(KeyId),
    /// An imported key while another waits.
    #[error(
        "the key {} waits for its turn already: import again after {at} (seconds since 1970), when it signs",
        .waiting.as_str()
    )]
    Waiting {
        /// The key that waits.
        waiting: KeyId,
        /// When it will sign.
        at: u64,
    },
}

/// A ring that cannot be sealed or opened, or a key-encryption key that is none.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The text of a key-encryption key file is not 32 bytes in hexadecimal or base64.
    #[error(
        "not a key-encryption key: the file must hold 32 bytes as 64 hexadecimal digits, or as base64, a key a line"
    )]
    NotAKey,
    /// One key twice.
    #[error("the key-encryption key {id} is in the file twice: remove one of the lines")]
    KeyTwice {
        /// Its identifier.
        id: String,
    },
    /// More keys than are needed at once.
    #[error("more than {limit} key-encryption keys: remove those that nothing is sealed under any more")]
    TooManyKeys {
        /// The most there may be.
        limit: usize,
    },
    /// A key that an HSM wrapped, and no HSM.
    #[error("this key-encryption key is wrapped by a PKCS#11 token, and none is configured: set [pkcs11]")]
    Wrapped,
    /// The HSM did not unwrap a key.
    #[error("the key-encryption key cannot be unwrapped: {0}")]
    Unwrap(#[source] Box<dyn std::error::Error + Send + Sync>),
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
        /// The identifiers of the keys that were given.
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
