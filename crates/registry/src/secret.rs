//! Client secrets: random text made by the server, kept as a keyed hash.

use std::fmt;

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use base64_simd::URL_SAFE_NO_PAD;
use sealstone_oauth_types::Secret;
use zeroize::{Zeroize, Zeroizing};

/// Sets the hashes of this use apart from any other use of the same pepper.
const CONTEXT: &[u8] = b"sealstone client secret v1\0";
/// The context of [`Pepper::fingerprint`].
const FINGERPRINT_CONTEXT: &[u8] = b"sealstone pepper fingerprint v1\0";

/// The context of [`Pepper::derived_key`].
const DERIVATION_CONTEXT: &[u8] = b"sealstone derived key v1\0";

/// The longest presented secret that is hashed in full, in bytes.
///
/// Our own are 43 characters; the margin is for secrets imported from elsewhere. Longer text is refused at the
/// same price as a wrong secret of this length.
pub const MAX_SECRET_LENGTH: usize = 512;

/// The server's own key under which client secrets are hashed (HMAC-SHA-256): 32 random bytes.
///
/// It lives outside the database: who steals the database alone can neither use nor test a secret. Losing the
/// pepper makes every stored secret useless, so it is backed up apart from the database.
///
/// # Examples
/// ```
/// # use sealstone_registry::{ClientSecretText, Pepper};
/// let pepper = Pepper::from_bytes([7; 32]); // 32 bytes of your random source
/// let text = ClientSecretText::from_random([9; 32]);
/// let hash = text.hash(&pepper);
/// assert!(hash == pepper.hash(text.secret()));
/// ```
#[derive(Clone)]
pub struct Pepper {
    key: hmac::Key,
}

impl Pepper {
    /// Takes 32 bytes of a cryptographic random source.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let bytes = Zeroizing::new(bytes);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, bytes.as_slice()),
        }
    }

    /// Reads the form in which a pepper is kept in a file: 64 hexadecimal digits, white space around them ignored.
    ///
    /// # Errors
    /// [`PepperError`] for any other length or character, and for a pepper of one repeated byte.
    pub fn from_hex(text: &str) -> Result<Self, PepperError> {
        let digits = text.trim().as_bytes();
        if digits.len() != 64 {
            return Err(PepperError::Length { found: digits.len() });
        }
        let mut bytes = Zeroizing::new([0_u8; 32]);
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| PepperError::Digits)?;
            if pair.starts_with('+') {
                return Err(PepperError::Digits);
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| PepperError::Digits)?;
        }
        let first = bytes.first().copied().unwrap_or_default();
        if bytes.iter().all(|byte| *byte == first) {
            return Err(PepperError::NotRandom);
        }
        Ok(Self::from_bytes(*bytes))
    }

    /// The keyed hash of a secret as presented by a client: one HMAC-SHA-256, 0.2 µs.
    ///
    /// Text above [`MAX_SECRET_LENGTH`] bytes hashes to a value that no stored secret has.
    #[must_use]
    pub fn hash(&self, secret: &Secret) -> SecretHash {
        let text = secret.expose().as_bytes();
        let mut context = hmac::Context::with_key(&self.key);
        context.update(CONTEXT);
        if let Some(head) = text.get(..MAX_SECRET_LENGTH.saturating_add(1)) {
            // Hashed as many bytes as the longest secret costs, under a context that stored hashes never have.
            context.update(b"too long\0");
            context.update(head);
        } else {
            context.update(text);
        }
        SecretHash::from_tag(&context.sign())
    }

    /// A key of 256 bits for another purpose, which follows from the pepper and says nothing of it. `purpose` is fixed
    /// text of the program.
    #[must_use]
    pub fn derived_key(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(DERIVATION_CONTEXT);
        context.update(purpose.as_bytes());
        let tag = context.sign();
        let mut key = Zeroizing::new([0_u8; 32]);
        for (place, octet) in key.iter_mut().zip(tag.as_ref()) {
            *place = *octet;
        }
        key
    }

    /// Eight hexadecimal digits that tell one pepper from another, to find out at start that the database was
    /// written under a different one. Says nothing usable about the pepper.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let tag = hmac::sign(&self.key, FINGERPRINT_CONTEXT);
        tag.as_ref()
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper([redacted])")
    }
}

/// Why a text is no pepper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PepperError {
    /// Not 64 digits.
    #[error("a pepper is 64 hexadecimal digits, this has {found}: make one with `openssl rand -hex 32`")]
    Length {
        /// How many bytes the text has.
        found: usize,
    },
    /// A character that is no hexadecimal digit.
    #[error(
        "a pepper is 64 hexadecimal digits, this has another character: make one with `openssl rand -hex 32`"
    )]
    Digits,
    /// One byte repeated 32 times: a placeholder, not a random value.
    #[error("the pepper repeats one byte, so it is no random value: make one with `openssl rand -hex 32`")]
    NotRandom,
}

/// The HMAC-SHA-256 of a client secret: what the database holds instead of the secret.
///
/// Compared in constant time. [`Debug`] prints nothing of it; [`SecretHash::to_text`] and [`SecretHash::parse`]
/// are its stored form, 43 characters of base64url.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    pub(crate) const ZERO: Self = Self([0; 32]);

    fn from_tag(tag: &hmac::Tag) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }

    /// The stored form: base64url without padding, 43 characters.
    #[must_use]
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode_to_string(self.0)
    }

    /// Reads [`SecretHash::to_text`] back; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 43 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode_to_vec(text).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash([redacted])")
    }
}

/// A new client secret: 256 random bits as 43 characters of `[A-Za-z0-9_-]`, shown once and never stored; for a client
/// that makes assertions with it 384 bits as 64 characters, stored sealed.
///
/// Only characters that every client library sends alike inside HTTP Basic, form-encoded or raw.
pub struct ClientSecretText(Secret);

impl ClientSecretText {
    /// Writes 32 bytes of a cryptographic random source as a secret.
    #[must_use]
    pub fn from_random(mut bytes: [u8; 32]) -> Self {
        let text = URL_SAFE_NO_PAD.encode_to_string(bytes);
        bytes.zeroize();
        Self(Secret::from(text))
    }

    /// Writes 48 bytes of a cryptographic random source as the secret of a client that makes assertions with it: 64
    /// characters, as many octets as the key of each HMAC algorithm must have (OpenID Connect Core §10.1).
    #[must_use]
    pub fn for_assertions(mut bytes: [u8; 48]) -> Self {
        let text = URL_SAFE_NO_PAD.encode_to_string(bytes);
        bytes.zeroize();
        Self(Secret::from(text))
    }

    /// The secret as text, for the one answer that shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The secret as the wire vocabulary's type.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.0
    }

    /// What to store of it.
    #[must_use]
    pub fn hash(&self, pepper: &Pepper) -> SecretHash {
        pepper.hash(&self.0)
    }
}

impl fmt::Debug for ClientSecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecretText([redacted])")
    }
}

#[cfg(test)]
mod tests;
