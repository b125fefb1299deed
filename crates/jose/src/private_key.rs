//! Private keys: read or made once, printed only on demand.

mod jwk;

use std::sync::Arc;

use der::asn1::{AnyRef, OctetStringRef, UintRef};
use der::pem::LineEnding;
use der::{Decode, Encode, SecretDocument, Sequence};
use p256::pkcs8::spki::AlgorithmIdentifierRef;
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, PrivateKeyInfoRef};
use zeroize::Zeroizing;

use crate::backend::{self, SigningKey};
use crate::jwk::material::PublicKey;
use crate::jwk::spki::RSA_ENCRYPTION;
use crate::{Algorithm, JoseError, Jwk};

const WRONG: JoseError = JoseError::MalformedPrivateKey;

/// A private key for one algorithm, parsed once; its octets are overwritten when it goes.
///
/// It leaves only by a method that says so. `Debug` shows the algorithm alone.
#[derive(Clone)]
pub struct PrivateKey {
    algorithm: Algorithm,
    pkcs8: Zeroizing<Vec<u8>>,
    public: Jwk,
    signing: Arc<SigningKey>,
}

impl PrivateKey {
    /// The longest PKCS#8 or JWK read, in bytes.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// Makes a new key; RSA keys have 2048 bits and the exponent 65537.
    ///
    /// # Errors
    /// [`JoseError::Backend`] if the operating system gives no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Self, JoseError> {
        Self::from_pkcs8_der(algorithm, &backend::generate(algorithm)?)
    }

    /// Reads PKCS#8 (RFC 5958) in DER, unencrypted.
    ///
    /// # Errors
    /// [`JoseError::MalformedPrivateKey`] if it is not a key for `algorithm` or contradicts its public part;
    /// [`JoseError::WeakKey`] or [`JoseError::UnsupportedKey`] for an RSA key of a size or exponent refused.
    pub fn from_pkcs8_der(algorithm: Algorithm, der: &[u8]) -> Result<Self, JoseError> {
        if der.len() > Self::MAX_BYTES {
            return Err(JoseError::TooLarge {
                what: "private key",
                limit: Self::MAX_BYTES,
            });
        }
        let (pkcs8, public) = match algorithm {
            Algorithm::Es256 => p256_key(&p256::SecretKey::from_pkcs8_der(der).map_err(|_error| WRONG)?)?,
            Algorithm::Es384 => p384_key(&p384::SecretKey::from_pkcs8_der(der).map_err(|_error| WRONG)?)?,
            Algorithm::EdDsa => {
                ed25519_key(&ed25519_dalek::SigningKey::from_pkcs8_der(der).map_err(|_error| WRONG)?)?
            }
            Algorithm::Rs256 | Algorithm::Ps256 => rsa_from_pkcs8(der)?,
        };
        Self::assemble(algorithm, pkcs8, public)
    }

    /// Reads PKCS#8 in PEM (RFC 7468 §10): one `PRIVATE KEY` block.
    ///
    /// # Errors
    /// As [`PrivateKey::from_pkcs8_der`]; [`JoseError::MalformedPrivateKey`] for another label.
    pub fn from_pkcs8_pem(algorithm: Algorithm, pem: &str) -> Result<Self, JoseError> {
        if pem.len() > Self::MAX_BYTES {
            return Err(JoseError::TooLarge {
                what: "private key",
                limit: Self::MAX_BYTES,
            });
        }
        let (label, document) = SecretDocument::from_pem(pem).map_err(|_error| WRONG)?;
        if label != "PRIVATE KEY" {
            return Err(WRONG);
        }
        Self::from_pkcs8_der(algorithm, document.as_bytes())
    }

    /// Reads a private JWK (RFC 7518 §6, RFC 8037 §2). The algorithm is that of `alg`, or of the curve; an RSA
    /// key without `alg` is refused.
    ///
    /// # Errors
    /// [`JoseError::MalformedPrivateKey`] if a member is missing, wrong, or contradicts another; the errors of
    /// [`Jwk::parse`] for its public part.
    pub fn from_jwk(text: &[u8]) -> Result<Self, JoseError> {
        if text.len() > Self::MAX_BYTES {
            return Err(JoseError::TooLarge {
                what: "private key",
                limit: Self::MAX_BYTES,
            });
        }
        let (algorithm, pkcs8, public) = jwk::parse(text)?;
        Self::assemble(algorithm, pkcs8, public)
    }

    fn assemble(
        algorithm: Algorithm,
        pkcs8: Zeroizing<Vec<u8>>,
        public: PublicKey,
    ) -> Result<Self, JoseError> {
        let signing = Arc::new(SigningKey::new(algorithm, &pkcs8)?);
        let public = Jwk::of(public).with_algorithm(algorithm)?;
        Ok(Self {
            algorithm,
            pkcs8,
            public,
            signing,
        })
    }

    /// The algorithm that the key signs by.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public key, with `alg` and `use`, without `kid`.
    #[must_use]
    pub const fn public_jwk(&self) -> &Jwk {
        &self.public
    }

    /// The private key as unencrypted PKCS#8 in DER.
    ///
    /// # Security
    /// For sealing or for a file that only its owner reads. The copy is overwritten when dropped.
    #[must_use]
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        self.pkcs8.clone()
    }

    /// The private key as unencrypted PKCS#8 in PEM.
    ///
    /// # Errors
    /// [`JoseError::Backend`], which a valid key does not meet.
    ///
    /// # Security
    /// As [`PrivateKey::to_pkcs8_der`].
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, JoseError> {
        let document =
            SecretDocument::try_from(self.pkcs8.as_slice()).map_err(|_error| JoseError::Backend)?;
        document
            .to_pem("PRIVATE KEY", LineEnding::LF)
            .map_err(|_error| JoseError::Backend)
    }

    /// The private key as JWK (RFC 7518 §6, RFC 8037 §2), with `alg` and without `kid`.
    ///
    /// # Errors
    /// [`JoseError::Backend`], which a valid key does not meet.
    ///
    /// # Security
    /// As [`PrivateKey::to_pkcs8_der`].
    pub fn to_private_jwk(&self) -> Result<Zeroizing<String>, JoseError> {
        jwk::write(self.algorithm, &self.pkcs8, &self.public).map_err(|_error| JoseError::Backend)
    }

    pub(crate) fn signing(&self) -> Arc<SigningKey> {
        Arc::clone(&self.signing)
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// PKCS#8 in the one form that the backends read, and the public key.
type Parts = (Zeroizing<Vec<u8>>, PublicKey);

fn p256_key(key: &p256::SecretKey) -> Result<Parts, JoseError> {
    let document = key.to_pkcs8_der().map_err(|_error| WRONG)?;
    Ok((
        document.to_bytes(),
        PublicKey::p256(&key.public_key().to_sec1_bytes())?,
    ))
}

fn p384_key(key: &p384::SecretKey) -> Result<Parts, JoseError> {
    let document = key.to_pkcs8_der().map_err(|_error| WRONG)?;
    Ok((
        document.to_bytes(),
        PublicKey::p384(&key.public_key().to_sec1_bytes())?,
    ))
}

fn ed25519_key(key: &ed25519_dalek::SigningKey) -> Result<Parts, JoseError> {
    Ok((
        ed25519_pkcs8(key.as_bytes()),
        PublicKey::ed25519(key.verifying_key().as_bytes())?,
    ))
}

/// RFC 8410 §7, version 1: the private key alone, which every library reads.
pub(crate) fn ed25519_pkcs8(seed: &[u8; 32]) -> Zeroizing<Vec<u8>> {
    const PREFIX: [u8; 16] = [
        0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
    ];
    Zeroizing::new([PREFIX.as_slice(), seed].concat())
}

/// `RSAPrivateKey` of RFC 8017 A.1.2 with two primes.
#[derive(Sequence)]
struct RsaPrivateKey<'a> {
    version: u8,
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
    private_exponent: UintRef<'a>,
    prime1: UintRef<'a>,
    prime2: UintRef<'a>,
    exponent1: UintRef<'a>,
    exponent2: UintRef<'a>,
    coefficient: UintRef<'a>,
}

fn rsa_from_pkcs8(der: &[u8]) -> Result<Parts, JoseError> {
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_error| WRONG)?;
    let plain = info
        .algorithm
        .parameters
        .is_none_or(|value| value == AnyRef::NULL);
    if info.algorithm.oid != RSA_ENCRYPTION || !plain {
        return Err(WRONG);
    }
    rsa_from_pkcs1(info.private_key.as_bytes())
}

fn rsa_from_pkcs1(der: &[u8]) -> Result<Parts, JoseError> {
    let key = RsaPrivateKey::from_der(der).map_err(|_error| WRONG)?;
    if key.version != 0 {
        return Err(WRONG);
    }
    let public = PublicKey::rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes())?;
    let algorithm = AlgorithmIdentifierRef {
        oid: RSA_ENCRYPTION,
        parameters: Some(AnyRef::NULL),
    };
    let octets = OctetStringRef::new(der).map_err(|_error| WRONG)?;
    let pkcs8 = PrivateKeyInfoRef::new(algorithm, octets)
        .to_der()
        .map_err(|_error| WRONG)?;
    Ok((Zeroizing::new(pkcs8), public))
}
