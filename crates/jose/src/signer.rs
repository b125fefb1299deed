use std::sync::Arc;

use crate::backend::SigningKey;
use crate::{Algorithm, JoseError, Jwk, KeyId, PrivateKey};

/// A private key under its name: signs, and says which public key verifies.
#[derive(Clone)]
pub struct Signer {
    algorithm: Algorithm,
    key_id: KeyId,
    public: Jwk,
    key: Arc<SigningKey>,
}

impl Signer {
    /// Names a key. The key is not parsed again.
    ///
    /// # Errors
    /// [`JoseError::MalformedKey`] if `key_id` is not a `kid`, which a [`KeyId`] always is.
    pub fn new(key: &PrivateKey, key_id: KeyId) -> Result<Self, JoseError> {
        let public = key.public_jwk().clone().with_kid(key_id.as_str())?;
        Ok(Self {
            algorithm: key.algorithm(),
            key_id,
            public,
            key: key.signing(),
        })
    }

    /// The algorithm of every signature.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `kid`.
    #[must_use]
    pub const fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// The public key with `kid`, `alg` and `use: sig`, as it is to be published.
    #[must_use]
    pub const fn public_jwk(&self) -> &Jwk {
        &self.public
    }

    /// Appends the signature over `message`, in the form of JWS (RFC 7518 §3), to `out`.
    ///
    /// # Errors
    /// [`JoseError::Backend`] if the operating system gives no randomness.
    pub fn sign(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), JoseError> {
        self.key.sign(message, out)
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
