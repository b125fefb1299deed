//! Key-encryption keys under an AES key of the token.

use std::error::Error as StdError;

use aws_lc_rs::rand;
use cryptoki::{
    error::Error,
    mechanism::{Mechanism, aead::GcmParams},
    object::{Attribute, KeyType, ObjectClass, ObjectHandle},
    types::Ulong,
};
use sealstone_jose::base64url;
use sealstone_keyring::UnwrapKey;
use zeroize::Zeroizing;

use crate::{Pkcs11Error, Token, sessions::Open, token::Inner};

/// The form of the text: what wraps, and how.
const FORM: &str = "pkcs11-aes-gcm";
const NONCE: usize = 12;
const TAG_BITS: u64 = 128;
/// Octets of the AES key, and of what it wraps.
const KEY: usize = 32;
/// What is wrapped says what it is for: nothing else that the key encrypts opens here.
const PURPOSE: &[u8] = b"sealstone key-encryption key";

impl Token {
    /// Makes the AES key called `label`, which cannot be taken out, unless it is there. Says whether it was made.
    ///
    /// # Errors
    /// [`Pkcs11Error`], whose text says what to do.
    pub fn make_wrapping_key(&self, label: &str) -> Result<bool, Pkcs11Error> {
        let made = self.0.sessions.with("make a wrapping key", |open| {
            if find(open, label)?.is_some() {
                return Ok(false);
            }
            let template = [
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::AES),
                Attribute::ValueLen(Ulong::new(32)),
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Encrypt(true),
                Attribute::Decrypt(true),
                Attribute::Label(label.as_bytes().to_vec()),
            ];
            open.session.generate_key(&Mechanism::AesKeyGen, &template)?;
            Ok(true)
        });
        self.0.note(made)
    }

    /// Wraps the 32 octets of a key-encryption key under the AES key called `label`. Returns text of
    /// `[A-Za-z0-9_.-]`, to be read by [`UnwrapKey`].
    ///
    /// # Errors
    /// [`Pkcs11Error::NoKey`] when there is no such key; the others as anywhere.
    pub fn wrap_key(&self, label: &str, key: &[u8; KEY]) -> Result<String, Pkcs11Error> {
        let wrapped = self.0.wrap(label, key);
        self.0.note(wrapped)
    }
}

fn find(open: &Open, label: &str) -> Result<Option<ObjectHandle>, Error> {
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::Token(true),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    Ok(open.session.find_objects(&template)?.first().copied())
}

impl Inner {
    fn no_wrapping_key(&self, label: &str) -> Pkcs11Error {
        Pkcs11Error::NoKey {
            label: self.sessions.label().to_owned(),
            key: label.to_owned(),
        }
    }

    fn wrap(&self, label: &str, key: &[u8; KEY]) -> Result<String, Pkcs11Error> {
        let mut nonce = [0; NONCE];
        let no_randomness = |_unspecified| Pkcs11Error::Refused {
            label: self.sessions.label().to_owned(),
            what: "wrap a key",
            code: "no randomness".to_owned(),
        };
        rand::fill(&mut nonce).map_err(no_randomness)?;
        let wrapped = self.sessions.with("wrap a key", |open| {
            let Some(by) = find(open, label)? else {
                return Ok(None);
            };
            // Some modules draw the nonce themselves, and put it here.
            let mut used = nonce;
            let parameters = GcmParams::new(&mut used, PURPOSE, Ulong::new(TAG_BITS))?;
            let sealed = open.session.encrypt(&Mechanism::AesGcm(parameters), by, key)?;
            Ok(Some([used.as_slice(), &sealed].concat()))
        })?;
        let wrapped = wrapped.ok_or_else(|| self.no_wrapping_key(label))?;
        let label = base64url::encode(label.as_bytes());
        Ok(format!("{FORM}.{label}.{}", base64url::encode(&wrapped)))
    }

    fn unwrap(&self, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, Pkcs11Error> {
        let (label, octets) = parse(wrapped).ok_or(Pkcs11Error::NotWrapped)?;
        let (nonce, sealed) = octets
            .split_first_chunk::<NONCE>()
            .ok_or(Pkcs11Error::NotWrapped)?;
        let opened = self.sessions.with("unwrap a key", |open| {
            let Some(by) = find(open, &label)? else {
                return Ok(None);
            };
            let mut nonce = *nonce;
            let parameters = GcmParams::new(&mut nonce, PURPOSE, Ulong::new(TAG_BITS))?;
            let opened = open.session.decrypt(&Mechanism::AesGcm(parameters), by, sealed);
            opened.map(|octets| Some(Zeroizing::new(octets)))
        });
        match opened {
            Ok(Some(octets)) => Ok(octets),
            Ok(None) => Err(self.no_wrapping_key(&label)),
            // A module says in many ways that a tag does not fit.
            Err(Pkcs11Error::Refused { label: token, .. } | Pkcs11Error::Away { label: token, .. })
                if self.sessions.status().is_ok() =>
            {
                Err(Pkcs11Error::Unwrap {
                    label: token,
                    key: label,
                })
            }
            Err(error) => Err(error),
        }
    }
}

fn parse(wrapped: &str) -> Option<(String, Vec<u8>)> {
    let mut parts = wrapped.splitn(3, '.');
    let (form, label, octets) = (parts.next()?, parts.next()?, parts.next()?);
    if form != FORM {
        return None;
    }
    let label = String::from_utf8(base64url::decode(label).ok()?).ok()?;
    Some((label, base64url::decode(octets).ok()?))
}

impl UnwrapKey for Token {
    fn unwrap_key(&self, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, Box<dyn StdError + Send + Sync>> {
        let opened = self.0.unwrap(wrapped);
        Ok(self.0.note(opened)?)
    }
}
