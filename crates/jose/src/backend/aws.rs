use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaEncoding,
    RsaKeyPair, VerificationAlgorithm,
};
use zeroize::Zeroizing;

use crate::jwk::material::PublicKey;
use crate::jwk::spki;
use crate::{Algorithm, JoseError, MacAlgorithm};

/// A private key that AWS-LC parsed.
pub(crate) enum SigningKey {
    Ecdsa(EcdsaKeyPair, &'static digest::Algorithm),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

impl SigningKey {
    /// Parses PKCS#8 in DER.
    pub(crate) fn new(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, JoseError> {
        let rsa = || RsaKeyPair::from_pkcs8(pkcs8);
        match algorithm {
            Algorithm::Es256 => {
                let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8);
                key.map(|key| Self::Ecdsa(key, &digest::SHA256))
            }
            Algorithm::Es384 => {
                let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8);
                key.map(|key| Self::Ecdsa(key, &digest::SHA384))
            }
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map(Self::Ed25519),
            Algorithm::Rs256 => rsa().map(|key| Self::Rsa(key, &RSA_PKCS1_SHA256)),
            Algorithm::Ps256 => rsa().map(|key| Self::Rsa(key, &RSA_PSS_SHA256)),
        }
        .map_err(|_error| JoseError::MalformedPrivateKey)
    }

    /// Appends the signature over `message` to `out`.
    pub(crate) fn sign(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), JoseError> {
        match self {
            Self::Ecdsa(key, hash) => {
                // The same as `sign`, which makes and drops a context of its own for the hash.
                let signature = key
                    .sign_digest(&digest::digest(hash, message))
                    .map_err(|_error| JoseError::Backend)?;
                out.extend_from_slice(signature.as_ref());
            }
            Self::Ed25519(key) => {
                let signature = key.try_sign(message).map_err(|_error| JoseError::Backend)?;
                out.extend_from_slice(signature.as_ref());
            }
            Self::Rsa(key, encoding) => {
                let start = out.len();
                out.resize(start.saturating_add(key.public_modulus_len()), 0);
                let room = out.get_mut(start..).ok_or(JoseError::Backend)?;
                key.sign(*encoding, &SystemRandom::new(), message, room)
                    .map_err(|_error| JoseError::Backend)?;
            }
        }
        Ok(())
    }
}

/// A public key that AWS-LC parsed.
pub(crate) struct VerifyingKey(ParsedPublicKey);

impl VerifyingKey {
    pub(crate) fn new(algorithm: Algorithm, key: &PublicKey) -> Result<Self, JoseError> {
        let verification: &'static dyn VerificationAlgorithm = match algorithm {
            Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
            Algorithm::Es384 => &ECDSA_P384_SHA384_FIXED,
            Algorithm::EdDsa => &ED25519,
            Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        };
        let rejected = |_error| JoseError::MalformedKey("refused by the cryptographic library");
        ParsedPublicKey::new(verification, spki::encode(key))
            .map(Self)
            .map_err(rejected)
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), JoseError> {
        self.0
            .verify_sig(message, signature)
            .map_err(|_error| JoseError::BadSignature)
    }
}

/// Makes a key: PKCS#8 in DER.
pub(crate) fn generate(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, JoseError> {
    let failed = |_error| JoseError::Backend;
    let octets = match algorithm {
        Algorithm::Es256 => ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING))?,
        Algorithm::Es384 => ecdsa(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING))?,
        Algorithm::EdDsa => {
            let key = Ed25519KeyPair::generate().map_err(failed)?;
            key.to_pkcs8v1().map_err(failed)?.as_ref().to_vec()
        }
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
            let document: Pkcs8V1Der<'_> = key.as_der().map_err(failed)?;
            document.as_ref().to_vec()
        }
    };
    Ok(Zeroizing::new(octets))
}

fn ecdsa(key: Result<EcdsaKeyPair, aws_lc_rs::error::Unspecified>) -> Result<Vec<u8>, JoseError> {
    let document = key
        .and_then(|key| key.to_pkcs8v1())
        .map_err(|_error| JoseError::Backend)?;
    Ok(document.as_ref().to_vec())
}

/// The HMAC of `message` under `key`.
pub(crate) fn mac(algorithm: MacAlgorithm, key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&mac_key(algorithm, key), message).as_ref().to_vec()
}

/// Whether `tag` is the HMAC of `message` under `key`, in constant time.
pub(crate) fn mac_holds(algorithm: MacAlgorithm, key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    hmac::verify(&mac_key(algorithm, key), message, tag).is_ok()
}

fn mac_key(algorithm: MacAlgorithm, key: &[u8]) -> hmac::Key {
    let algorithm = match algorithm {
        MacAlgorithm::Hs256 => hmac::HMAC_SHA256,
        MacAlgorithm::Hs384 => hmac::HMAC_SHA384,
        MacAlgorithm::Hs512 => hmac::HMAC_SHA512,
    };
    hmac::Key::new(algorithm, key)
}
