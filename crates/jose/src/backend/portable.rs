use ed25519_dalek::Signer as _;
use hmac::{Hmac, Mac};
use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use rsa::rand_core::{OsRng, RngCore};
use rsa::sha2::Sha256;
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _, Verifier as _};
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey, pkcs1v15, pss};
use zeroize::Zeroizing;

use crate::jwk::material::PublicKey;
use crate::private_key::ed25519_pkcs8;
use crate::{Algorithm, JoseError, MacAlgorithm};

/// The bits of a generated RSA modulus.
const RSA_BITS: usize = 2048;

/// A parsed private key.
pub(crate) enum SigningKey {
    P256(p256::ecdsa::SigningKey),
    P384(Box<p384::ecdsa::SigningKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    Rs256(Box<pkcs1v15::SigningKey<Sha256>>),
    Ps256(Box<pss::SigningKey<Sha256>>),
}

impl SigningKey {
    /// Parses PKCS#8 in DER.
    pub(crate) fn new(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, JoseError> {
        const WRONG: JoseError = JoseError::MalformedPrivateKey;
        let rsa = || {
            let key = RsaPrivateKey::from_pkcs8_der(pkcs8).map_err(|_error| WRONG)?;
            key.validate().map_err(|_error| WRONG)?;
            // It computed the exponents and the coefficient anew: those given must be the same.
            let again = key.to_pkcs8_der().map_err(|_error| WRONG)?;
            if again.as_bytes() == pkcs8 {
                Ok(key)
            } else {
                Err(WRONG)
            }
        };
        Ok(match algorithm {
            Algorithm::Es256 => Self::P256(
                p256::SecretKey::from_pkcs8_der(pkcs8)
                    .map_err(|_error| WRONG)?
                    .into(),
            ),
            Algorithm::Es384 => Self::P384(Box::new(
                p384::SecretKey::from_pkcs8_der(pkcs8)
                    .map_err(|_error| WRONG)?
                    .into(),
            )),
            Algorithm::EdDsa => Self::Ed25519(Box::new(
                ed25519_dalek::SigningKey::from_pkcs8_der(pkcs8).map_err(|_error| WRONG)?,
            )),
            Algorithm::Rs256 => Self::Rs256(Box::new(pkcs1v15::SigningKey::new(rsa()?))),
            Algorithm::Ps256 => Self::Ps256(Box::new(pss::SigningKey::new(rsa()?))),
        })
    }

    /// Appends the signature over `message` to `out`.
    pub(crate) fn sign(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), JoseError> {
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature =
                    key.try_sign(message).map_err(|_error| JoseError::Backend)?;
                out.extend_from_slice(&signature.to_bytes());
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature =
                    key.try_sign(message).map_err(|_error| JoseError::Backend)?;
                out.extend_from_slice(&signature.to_bytes());
            }
            Self::Ed25519(key) => {
                let signature = key.try_sign(message).map_err(|_error| JoseError::Backend)?;
                out.extend_from_slice(&signature.to_bytes());
            }
            Self::Rs256(key) => {
                let signature = key
                    .try_sign_with_rng(&mut OsRng, message)
                    .map_err(|_error| JoseError::Backend)?;
                out.extend_from_slice(&signature.to_bytes());
            }
            Self::Ps256(key) => {
                let signature = key
                    .try_sign_with_rng(&mut OsRng, message)
                    .map_err(|_error| JoseError::Backend)?;
                out.extend_from_slice(&signature.to_bytes());
            }
        }
        Ok(())
    }
}

/// A parsed public key.
pub(crate) enum VerifyingKey {
    P256(p256::ecdsa::VerifyingKey),
    P384(Box<p384::ecdsa::VerifyingKey>),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
    Rs256(pkcs1v15::VerifyingKey<Sha256>),
    Ps256(pss::VerifyingKey<Sha256>),
}

impl VerifyingKey {
    pub(crate) fn new(algorithm: Algorithm, key: &PublicKey) -> Result<Self, JoseError> {
        const WRONG: JoseError = JoseError::MalformedKey("refused by the cryptographic library");
        Ok(match (key, algorithm) {
            (PublicKey::P256(point), Algorithm::Es256) => {
                Self::P256(p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_error| WRONG)?)
            }
            (PublicKey::P384(point), Algorithm::Es384) => Self::P384(Box::new(
                p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_error| WRONG)?,
            )),
            (PublicKey::Ed25519(point), Algorithm::EdDsa) => Self::Ed25519(Box::new(
                ed25519_dalek::VerifyingKey::from_bytes(point).map_err(|_error| WRONG)?,
            )),
            (PublicKey::Rsa { n, e }, Algorithm::Rs256) => {
                Self::Rs256(pkcs1v15::VerifyingKey::new(rsa(n, e)?))
            }
            (PublicKey::Rsa { n, e }, Algorithm::Ps256) => Self::Ps256(pss::VerifyingKey::new(rsa(n, e)?)),
            _ => return Err(JoseError::AlgorithmNotAllowed),
        })
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), JoseError> {
        const WRONG: JoseError = JoseError::BadSignature;
        match self {
            Self::P256(key) => {
                let signature = p256::ecdsa::Signature::from_slice(signature).map_err(|_error| WRONG)?;
                key.verify(message, &signature).map_err(|_error| WRONG)
            }
            Self::P384(key) => {
                let signature = p384::ecdsa::Signature::from_slice(signature).map_err(|_error| WRONG)?;
                key.verify(message, &signature).map_err(|_error| WRONG)
            }
            Self::Ed25519(key) => {
                let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_error| WRONG)?;
                key.verify_strict(message, &signature).map_err(|_error| WRONG)
            }
            Self::Rs256(key) => {
                let signature = pkcs1v15::Signature::try_from(signature).map_err(|_error| WRONG)?;
                key.verify(message, &signature).map_err(|_error| WRONG)
            }
            Self::Ps256(key) => {
                let signature = pss::Signature::try_from(signature).map_err(|_error| WRONG)?;
                key.verify(message, &signature).map_err(|_error| WRONG)
            }
        }
    }
}

fn rsa(n: &[u8], e: &[u8]) -> Result<RsaPublicKey, JoseError> {
    const LARGEST: usize = 8192;
    RsaPublicKey::new_with_max_size(BigUint::from_bytes_be(n), BigUint::from_bytes_be(e), LARGEST)
        .map_err(|_error| JoseError::MalformedKey("refused by the cryptographic library"))
}

/// Makes a key: PKCS#8 in DER.
pub(crate) fn generate(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, JoseError> {
    const FAILED: JoseError = JoseError::Backend;
    let octets = match algorithm {
        Algorithm::Es256 => {
            let key = uniform(|octets: &[u8; 32]| p256::SecretKey::from_slice(octets).ok())?;
            key.to_pkcs8_der().map_err(|_error| FAILED)?.as_bytes().to_vec()
        }
        Algorithm::Es384 => {
            let key = uniform(|octets: &[u8; 48]| p384::SecretKey::from_slice(octets).ok())?;
            key.to_pkcs8_der().map_err(|_error| FAILED)?.as_bytes().to_vec()
        }
        Algorithm::EdDsa => return uniform(|octets: &[u8; 32]| Some(ed25519_pkcs8(octets))),
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let key = RsaPrivateKey::new(&mut OsRng, RSA_BITS).map_err(|_error| FAILED)?;
            key.to_pkcs8_der().map_err(|_error| FAILED)?.as_bytes().to_vec()
        }
    };
    Ok(Zeroizing::new(octets))
}

/// Draws octets until `take` accepts them: uniform over what it accepts.
fn uniform<const N: usize, T>(take: impl Fn(&[u8; N]) -> Option<T>) -> Result<T, JoseError> {
    let mut octets = Zeroizing::new([0_u8; N]);
    loop {
        OsRng
            .try_fill_bytes(octets.as_mut_slice())
            .map_err(|_error| JoseError::Backend)?;
        if let Some(taken) = take(&octets) {
            return Ok(taken);
        }
    }
}

/// The HMAC of `message` under `key`.
pub(crate) fn mac(algorithm: MacAlgorithm, key: &[u8], message: &[u8]) -> Vec<u8> {
    match algorithm {
        MacAlgorithm::Hs256 => tagged::<Hmac<sha2::Sha256>>(key, message).map(finished),
        MacAlgorithm::Hs384 => tagged::<Hmac<sha2::Sha384>>(key, message).map(finished),
        MacAlgorithm::Hs512 => tagged::<Hmac<sha2::Sha512>>(key, message).map(finished),
    }
    .unwrap_or_default()
}

/// Whether `tag` is the HMAC of `message` under `key`, in constant time.
pub(crate) fn mac_holds(algorithm: MacAlgorithm, key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    match algorithm {
        MacAlgorithm::Hs256 => {
            tagged::<Hmac<sha2::Sha256>>(key, message).is_some_and(|mac| mac.verify_slice(tag).is_ok())
        }
        MacAlgorithm::Hs384 => {
            tagged::<Hmac<sha2::Sha384>>(key, message).is_some_and(|mac| mac.verify_slice(tag).is_ok())
        }
        MacAlgorithm::Hs512 => {
            tagged::<Hmac<sha2::Sha512>>(key, message).is_some_and(|mac| mac.verify_slice(tag).is_ok())
        }
    }
}

/// An HMAC that has taken in the message; it takes keys of every length.
fn tagged<M: Mac + hmac::KeyInit>(key: &[u8], message: &[u8]) -> Option<M> {
    let mut mac = <M as hmac::KeyInit>::new_from_slice(key).ok()?;
    mac.update(message);
    Some(mac)
}

fn finished<M: Mac>(mac: M) -> Vec<u8> {
    mac.finalize().into_bytes().to_vec()
}
