//! Key pairs for certificates.

use std::sync::Arc;

use rcgen::{KeyPair, PublicKeyData, RsaKeySize, SigningKey};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

use crate::{base64url, der, pem};

/// What kind of key a certificate holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// ECDSA on P-256 with SHA-256: fast, and what most tests want.
    #[default]
    P256,
    /// ECDSA on P-384 with SHA-384.
    P384,
    /// Ed25519.
    Ed25519,
    /// RSA of 2048 bits, signing PKCS#1 v1.5 with SHA-256. Slow to make.
    Rsa2048,
}

/// A key pair. Cloning shares it, which is how a test renews a certificate with the same key.
#[derive(Clone, Debug)]
pub struct TestKey {
    kind: KeyKind,
    pair: Arc<KeyPair>,
}

impl TestKey {
    /// A fresh key pair from the system's randomness.
    #[must_use]
    pub fn generate(kind: KeyKind) -> Self {
        let pair = match kind {
            KeyKind::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            KeyKind::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            KeyKind::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
            KeyKind::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
        };
        Self {
            kind,
            pair: Arc::new(pair.expect("key generation")),
        }
    }

    /// A key pair from its PKCS#8 PEM.
    #[must_use]
    pub fn from_pem(text: &str) -> Self {
        let pair = KeyPair::from_pem(text).expect("a PKCS#8 key in PEM");
        let known = [
            (&rcgen::PKCS_ECDSA_P256_SHA256, KeyKind::P256),
            (&rcgen::PKCS_ECDSA_P384_SHA384, KeyKind::P384),
            (&rcgen::PKCS_ED25519, KeyKind::Ed25519),
            (&rcgen::PKCS_RSA_SHA256, KeyKind::Rsa2048),
        ];
        let found = known
            .into_iter()
            .find(|(algorithm, _)| *algorithm == pair.algorithm());
        let (_, kind) = found.expect("a key of a kind that tests use");
        Self {
            kind,
            pair: Arc::new(pair),
        }
    }

    /// The kind it was generated as.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The private key in PKCS#8.
    #[must_use]
    pub fn pkcs8_der(&self) -> Vec<u8> {
        self.pair.serialize_der()
    }

    /// The private key in PKCS#8, in PEM.
    #[must_use]
    pub fn pkcs8_pem(&self) -> String {
        pem("PRIVATE KEY", self.pair.serialized_der())
    }

    /// The private key in the type that the TLS stack takes.
    #[must_use]
    pub fn private_key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pkcs8_der()))
    }

    /// The public key as `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn spki_der(&self) -> Vec<u8> {
        self.pair.subject_public_key_info()
    }

    /// The public key as a JWK (RFC 7517) without `kid`, `alg` or `use`.
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        let raw = self.pair.public_key_raw();
        match self.kind {
            KeyKind::P256 | KeyKind::P384 => {
                let point = raw.get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if self.kind == KeyKind::P256 {
                    "P-256"
                } else {
                    "P-384"
                };
                json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
            }
            KeyKind::Ed25519 => json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(raw)}),
            KeyKind::Rsa2048 => {
                let outer = der::elements(raw);
                let numbers = der::elements(outer.first().expect("RSAPublicKey").content);
                let number = |index: usize| {
                    let octets = numbers.get(index).expect("modulus and exponent").content;
                    base64url(octets.strip_prefix(&[0]).unwrap_or(octets))
                };
                json!({"kty": "RSA", "n": number(0), "e": number(1)})
            }
        }
    }

    pub(crate) fn pair(&self) -> &KeyPair {
        &self.pair
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).expect("signature")
    }
}
