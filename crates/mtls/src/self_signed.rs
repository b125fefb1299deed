//! `self_signed_tls_client_auth`: the certificates a client registered itself (RFC 8705 §2.2).

use crate::{BindingError, ClientCertificate};

/// The most keys one client may register. Two overlap in a rotation; sixteen leave room for a fleet.
pub const MAX_SELF_SIGNED_KEYS: usize = 16;

/// One key of a client's `jwks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfSignedKey {
    /// The `SubjectPublicKeyInfo` of the JWK, as DER.
    pub spki_der: Vec<u8>,
    /// The first certificate of the JWK's `x5c`, as DER, when it has one.
    pub x5c_leaf: Option<Vec<u8>>,
}

/// The keys and certificates by which a client's self-signed certificate is known.
///
/// A JWK with `x5c` stands for exactly that certificate; one without for every certificate of its key (attack row
/// D06: a new certificate of the same key is refused while `x5c` names the old one). Dates and chains play no part:
/// the registration is the trust (RFC 8705 §2.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfSignedKeys(Vec<SelfSignedKey>);

impl SelfSignedKeys {
    /// Takes the keys of a `jwks`.
    ///
    /// # Errors
    /// [`BindingError::SelfSignedKeys`] when there is none, more than [`MAX_SELF_SIGNED_KEYS`], or an `x5c` whose key
    /// is not the JWK's (RFC 7517 §4.7); else what is wrong with the `x5c`.
    pub fn new(keys: Vec<SelfSignedKey>) -> Result<Self, BindingError> {
        if keys.is_empty() {
            return Err(BindingError::SelfSignedKeys("the client's jwks has no key"));
        }
        if keys.len() > MAX_SELF_SIGNED_KEYS {
            return Err(BindingError::SelfSignedKeys(
                "the client's jwks has more than 16 keys",
            ));
        }
        for key in &keys {
            let Some(leaf) = &key.x5c_leaf else { continue };
            if ClientCertificate::from_der(leaf)?.spki_der() != key.spki_der {
                return Err(BindingError::SelfSignedKeys(
                    "the first x5c certificate is of another key than its JWK",
                ));
            }
        }
        Ok(Self(keys))
    }

    /// Whether the client registered this certificate, or its key without naming a certificate.
    #[must_use]
    pub fn matches(&self, certificate: &ClientCertificate) -> bool {
        self.0.iter().any(|key| match &key.x5c_leaf {
            Some(leaf) => leaf == certificate.der(),
            None => key.spki_der == certificate.spki_der(),
        })
    }

    /// The keys, in the order of the `jwks`.
    #[must_use]
    pub fn keys(&self) -> &[SelfSignedKey] {
        &self.0
    }
}
