use crate::backend::VerifyingKey;
use crate::{Algorithm, JoseError, Jwk};

/// A public key pinned to one algorithm, parsed once.
pub struct Verifier {
    algorithm: Algorithm,
    key_id: Option<String>,
    signature_len: usize,
    key: VerifyingKey,
}

impl Verifier {
    /// Pins `key` to `algorithm`.
    ///
    /// # Errors
    /// [`JoseError::AlgorithmNotAllowed`] if the key's type, curve, `alg`, `use` or `key_ops` do not allow it.
    pub fn new(key: &Jwk, algorithm: Algorithm) -> Result<Self, JoseError> {
        if !key.supports(algorithm) {
            return Err(JoseError::AlgorithmNotAllowed);
        }
        Ok(Self {
            algorithm,
            key_id: key.kid().map(str::to_owned),
            signature_len: key.key.signature_len(),
            key: VerifyingKey::new(algorithm, &key.key)?,
        })
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `kid` of the key, if it has one.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Checks a signature in the form of JWS (RFC 7518 §3): for ECDSA the two numbers at full length.
    ///
    /// # Errors
    /// [`JoseError::BadSignature`] for every fault of the signature.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), JoseError> {
        if signature.len() != self.signature_len {
            return Err(JoseError::BadSignature);
        }
        self.key.verify(message, signature)
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
