//! The keys of JWS tokens: PKCS#8 and `SubjectPublicKeyInfo`, both in PEM.

#[cfg(unix)]
use std::path::Path;

use aws_lc_rs::digest::{Digest, SHA256, SHA384, SHA512, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use der::pem::{self, LineEnding};
use zeroize::Zeroizing;

use super::JwsAlgorithm;
use crate::limits::MAX_PEM;
use crate::{KeyError, hex};
#[cfg(unix)]
use crate::{
    RepositoryError,
    folder::{self, Secrecy},
};

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A private key that signs JWS tokens, parsed once.
///
/// `Debug` shows the algorithm and the public key's fingerprint alone.
pub struct JwsPrivateKey {
    algorithm: JwsAlgorithm,
    pair: Pair,
    public: JwsPublicKey,
}

impl JwsPrivateKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`KeyError::Backend`] if the operating system gives no randomness.
    pub fn generate(algorithm: JwsAlgorithm) -> Result<Self, KeyError> {
        let pair = match algorithm.ecdsa() {
            Some(ecdsa) => EcdsaKeyPair::generate(ecdsa).map(Pair::Ecdsa),
            None => Ed25519KeyPair::generate().map(Pair::Ed25519),
        };
        Self::assemble(algorithm, pair.map_err(|_error| KeyError::Backend)?)
    }

    /// Reads PKCS#8 in PEM, unencrypted: what `keystone-manage create_jws_keypair` writes.
    ///
    /// # Errors
    /// [`KeyError::NotPem`] if there is no block `PRIVATE KEY` or something beside it; [`KeyError::Private`] if the
    /// key is not one for `algorithm`; [`KeyError::TooLong`].
    pub fn from_pem(algorithm: JwsAlgorithm, text: &str) -> Result<Self, KeyError> {
        let der = Zeroizing::new(read_pem("PRIVATE KEY", text)?);
        let pair = match algorithm.ecdsa() {
            Some(ecdsa) => EcdsaKeyPair::from_pkcs8(ecdsa, &der).map(Pair::Ecdsa),
            None => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Pair::Ed25519),
        };
        Self::assemble(algorithm, pair.map_err(|_error| KeyError::Private(algorithm))?)
    }

    /// Reads the file of a private key, which only its owner may read.
    ///
    /// # Errors
    /// [`RepositoryError`]: the file cannot be read, others may read it, or it is no such key.
    #[cfg(unix)]
    pub fn from_file(algorithm: JwsAlgorithm, path: &Path) -> Result<Self, RepositoryError> {
        let text = folder::read_file(path, Secrecy::Private, MAX_PEM)?;
        let text =
            std::str::from_utf8(&text).map_err(|_error| RepositoryError::key(path, KeyError::NotPem))?;
        Self::from_pem(algorithm, text).map_err(|error| RepositoryError::key(path, error))
    }

    fn assemble(algorithm: JwsAlgorithm, pair: Pair) -> Result<Self, KeyError> {
        let der: Result<PublicKeyX509Der<'_>, _> = match &pair {
            Pair::Ecdsa(key) => key.public_key().as_der(),
            Pair::Ed25519(key) => key.public_key().as_der(),
        };
        let public = JwsPublicKey::parse(algorithm, der.map_err(|_error| KeyError::Backend)?.as_ref())?;
        Ok(Self {
            algorithm,
            pair,
            public,
        })
    }

    /// The algorithm that the key signs by.
    #[must_use]
    pub const fn algorithm(&self) -> JwsAlgorithm {
        self.algorithm
    }

    /// The public key, which every Keystone that is to take the tokens must hold.
    #[must_use]
    pub const fn public_key(&self) -> &JwsPublicKey {
        &self.public
    }

    /// The private key as unencrypted PKCS#8 in PEM.
    ///
    /// # Errors
    /// [`KeyError::Backend`], which a valid key does not meet.
    ///
    /// # Security
    /// For a file that only its owner reads. The copy is overwritten when dropped.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let document = match &self.pair {
            Pair::Ecdsa(key) => key.to_pkcs8v1(),
            Pair::Ed25519(key) => key.to_pkcs8v1(),
        };
        let document = document.map_err(|_error| KeyError::Backend)?;
        write_pem("PRIVATE KEY", document.as_ref()).map(Zeroizing::new)
    }

    /// Appends the signature over `message` as JWS has it: r and s, or Ed25519's 64 octets.
    pub(super) fn sign(&self, message: &[u8], out: &mut Vec<u8>) -> Result<(), KeyError> {
        let signature = match &self.pair {
            Pair::Ecdsa(key) => key.sign(&SystemRandom::new(), message),
            Pair::Ed25519(key) => key.try_sign(message),
        };
        out.extend_from_slice(signature.map_err(|_error| KeyError::Backend)?.as_ref());
        Ok(())
    }
}

impl std::fmt::Debug for JwsPrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwsPrivateKey")
            .field("algorithm", &self.algorithm)
            .field("public_key", &self.public.fingerprint())
            .finish_non_exhaustive()
    }
}

/// What a signature is over, made ready once for all keys that are tried.
pub(super) enum Signed<'a> {
    Digest(Digest),
    /// Ed25519 makes what it needs of the key, too.
    Message(&'a [u8]),
}

impl<'a> Signed<'a> {
    pub(super) fn new(algorithm: JwsAlgorithm, message: &'a [u8]) -> Self {
        match algorithm {
            JwsAlgorithm::Es256 => Self::Digest(digest(&SHA256, message)),
            JwsAlgorithm::Es384 => Self::Digest(digest(&SHA384, message)),
            JwsAlgorithm::Es512 => Self::Digest(digest(&SHA512, message)),
            JwsAlgorithm::EdDsa => Self::Message(message),
        }
    }
}

/// A public key that JWS tokens are verified by.
#[derive(Clone)]
pub struct JwsPublicKey {
    algorithm: JwsAlgorithm,
    der: Vec<u8>,
    key: ParsedPublicKey,
}

impl JwsPublicKey {
    /// Reads `SubjectPublicKeyInfo` in PEM. The algorithm is that of the curve.
    ///
    /// # Errors
    /// [`KeyError::NotPem`] if there is no block `PUBLIC KEY` or something beside it; [`KeyError::Public`] if it is a
    /// key of another kind; [`KeyError::TooLong`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = read_pem("PUBLIC KEY", text)?;
        let mut algorithms = JwsAlgorithm::ALL.into_iter();
        algorithms
            .find_map(|algorithm| Self::parse(algorithm, &der).ok())
            .ok_or(KeyError::Public)
    }

    fn parse(algorithm: JwsAlgorithm, der: &[u8]) -> Result<Self, KeyError> {
        let key = ParsedPublicKey::new(algorithm.verification(), der).map_err(|_error| KeyError::Public)?;
        Ok(Self {
            algorithm,
            der: der.to_vec(),
            key,
        })
    }

    /// The algorithm of the signatures that it verifies.
    #[must_use]
    pub const fn algorithm(&self) -> JwsAlgorithm {
        self.algorithm
    }

    /// SHA-256 over the key's DER, in hexadecimal: the same on every node that holds the key.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(digest(&SHA256, &self.der).as_ref())
    }

    /// The key as `SubjectPublicKeyInfo` in PEM: the file for Keystone's public repository.
    ///
    /// # Errors
    /// [`KeyError::Backend`], which a valid key does not meet.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        write_pem("PUBLIC KEY", &self.der)
    }

    /// The key as `SubjectPublicKeyInfo` in DER.
    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn verifies(&self, signed: &Signed<'_>, signature: &[u8]) -> bool {
        match signed {
            Signed::Digest(digest) => self.key.verify_digest_sig(digest, signature),
            Signed::Message(message) => self.key.verify_sig(message, signature),
        }
        .is_ok()
    }
}

impl PartialEq for JwsPublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for JwsPublicKey {}

impl std::fmt::Debug for JwsPublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwsPublicKey")
            .field("algorithm", &self.algorithm)
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

fn read_pem(label: &str, text: &str) -> Result<Vec<u8>, KeyError> {
    if text.len() > MAX_PEM {
        return Err(KeyError::TooLong { limit: MAX_PEM });
    }
    let (found, der) = pem::decode_vec(text.as_bytes()).map_err(|_error| KeyError::NotPem)?;
    if found == label {
        Ok(der)
    } else {
        Err(KeyError::NotPem)
    }
}

fn write_pem(label: &str, der: &[u8]) -> Result<String, KeyError> {
    pem::encode_string(label, LineEnding::LF, der).map_err(|_error| KeyError::Backend)
}
