use std::sync::Arc;

use crate::backend::SigningKey;
use crate::{Algorithm, JoseError, Jwk, KeyId, PrivateKey};

/// A private key that is not in this process, such as one that a hardware security module holds.
///
/// # Security
/// It signs for whoever holds it. What an implementation may get wrong: a signature by another key, or in another form
/// than that of JWS, makes tokens that nobody accepts.
pub trait HeldKey: Send + Sync {
    /// Appends the signature over `message`, in the form of JWS (RFC 7518 §3), to `out`; nothing on an error.
    ///
    /// # Errors
    /// [`JoseError::HeldElsewhere`] when the holder does not sign. Why is for the implementation to tell its operator.
    fn sign(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), JoseError>;
}

#[derive(Clone)]
enum Key {
    Here(Arc<SigningKey>),
    Elsewhere(Arc<dyn HeldKey>),
}

/// A private key under its name: signs, and says which public key verifies.
#[derive(Clone)]
pub struct Signer {
    algorithm: Algorithm,
    key_id: KeyId,
    public: Jwk,
    key: Key,
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
            key: Key::Here(key.signing()),
        })
    }

    /// Names a key that another holds, whose public half is `public`.
    ///
    /// # Errors
    /// [`JoseError::AlgorithmNotAllowed`] if `public` is not a key for `algorithm`.
    pub fn held_elsewhere(
        key: Arc<dyn HeldKey>,
        algorithm: Algorithm,
        public: &Jwk,
        key_id: KeyId,
    ) -> Result<Self, JoseError> {
        let public = public.clone().with_algorithm(algorithm)?;
        Ok(Self {
            algorithm,
            public: public.with_kid(key_id.as_str())?,
            key_id,
            key: Key::Elsewhere(key),
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
    /// [`JoseError::Backend`] if the operating system gives no randomness; [`JoseError::HeldElsewhere`] if the key's
    /// holder does not sign.
    pub fn sign(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), JoseError> {
        match &self.key {
            Key::Here(key) => key.sign(message, out),
            Key::Elsewhere(key) => key.sign(message, out),
        }
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
