//! Identifiers as Keystone writes them.

use crate::hex;

/// An identifier of Keystone's: of a user, a project, a domain, a trust, a group, an identity provider and so on.
///
/// 1 to [`KeystoneId::MAX`] bytes of text without control characters. Most are 32 hexadecimal digits (a UUID), those
/// of federated users 64, the default domain's is `default`.
#[derive(Clone)]
pub struct KeystoneId {
    /// 32 lower-case hexadecimal digits, which need no memory of their own; nothing where there is a `text`.
    digits: [u8; 32],
    /// Everything else: one text has one representation.
    text: Option<Box<str>>,
}

impl KeystoneId {
    /// The greatest length, in bytes. Keystone's columns hold 64 characters at most, 255 where an administrator may
    /// choose the text.
    pub const MAX: usize = 255;

    /// Takes `text` as it is.
    ///
    /// # Errors
    /// [`InvalidId`] if it is empty, too long or holds a control character.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
        let text = text.into();
        if let Some(digits) = uuid_digits(&text) {
            return Ok(Self::of_digits(*digits));
        }
        if !Self::allows(&text) {
            return Err(InvalidId);
        }
        Ok(Self::of_text(text.into()))
    }

    /// May `text` be an identifier?
    pub(crate) fn allows(text: &str) -> bool {
        !text.is_empty() && text.len() <= Self::MAX && !text.chars().any(char::is_control)
    }

    /// Takes what [`KeystoneId::allows`].
    pub(crate) fn of_allowed(text: &str) -> Self {
        uuid_digits(text).map_or_else(|| Self::of_text(text.into()), |digits| Self::of_digits(*digits))
    }

    /// The 16 octets in hexadecimal.
    #[inline]
    pub(crate) fn of_uuid(octets: &[u8; 16]) -> Self {
        Self::of_digits(hex::digits(octets))
    }

    #[inline]
    const fn of_digits(digits: [u8; 32]) -> Self {
        Self { digits, text: None }
    }

    const fn of_text(text: Box<str>) -> Self {
        Self {
            digits: [0; 32],
            text: Some(text),
        }
    }

    /// The 16 octets of an identifier that is 32 lower-case hexadecimal digits.
    #[inline]
    pub(crate) fn uuid(&self) -> Option<[u8; 16]> {
        match self.text {
            None => Some(hex::packed(&self.digits)),
            Some(_) => None,
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.text {
            None => std::str::from_utf8(&self.digits).unwrap_or_default(),
            Some(text) => text,
        }
    }
}

/// The text, if it is 32 lower-case hexadecimal digits.
fn uuid_digits(text: &str) -> Option<&[u8; 32]> {
    let digits = text.as_bytes().try_into().ok()?;
    hex::octets(digits).map(|_octets| digits)
}

impl PartialEq for KeystoneId {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for KeystoneId {}

impl PartialOrd for KeystoneId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KeystoneId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl std::hash::Hash for KeystoneId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl std::fmt::Debug for KeystoneId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeystoneId({:?})", self.as_str())
    }
}

impl std::fmt::Display for KeystoneId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AsRef<str> for KeystoneId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl std::str::FromStr for KeystoneId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::parse(text)
    }
}

/// Text that is no identifier: empty, above [`KeystoneId::MAX`] bytes, or with a control character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier: 1 to 255 bytes without control characters")]
#[non_exhaustive]
pub struct InvalidId;

/// The name of one token among all (`audit_id`): 16 octets, in JSON 22 characters of base64url.
///
/// It names a token in logs and in revocation events; it is not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditId([u8; 16]);

impl AuditId {
    /// Takes 16 octets; for a new token, random ones.
    #[must_use]
    pub const fn new(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// Reads the 22 characters.
    ///
    /// # Errors
    /// [`InvalidAuditId`] for everything else, padding and unused bits that are not zero among it.
    pub fn parse(text: &str) -> Result<Self, InvalidAuditId> {
        let octets = sealstone_jose::base64url::decode(text).map_err(|_error| InvalidAuditId)?;
        octets.try_into().map(Self).map_err(|_octets| InvalidAuditId)
    }

    /// The octets.
    #[must_use]
    pub const fn octets(&self) -> &[u8; 16] {
        &self.0
    }
}

impl std::fmt::Display for AuditId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&sealstone_jose::base64url::encode(self.0))
    }
}

/// Text that is not 16 octets in base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an audit id: 22 characters of base64url")]
#[non_exhaustive]
pub struct InvalidAuditId;
