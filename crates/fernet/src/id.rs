//! Identifiers as Keystone writes them.

/// An identifier of Keystone's: of a user, a project, a domain, a trust, a group, an identity provider and so on.
///
/// 1 to [`KeystoneId::MAX`] bytes of text without control characters. Most are 32 hexadecimal digits (a UUID), those
/// of federated users 64, the default domain's is `default`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeystoneId(String);

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
        if text.is_empty() || text.len() > Self::MAX || text.chars().any(char::is_control) {
            return Err(InvalidId);
        }
        Ok(Self(text))
    }

    /// Takes hexadecimal digits, which are in bounds.
    pub(crate) const fn of_hex(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for KeystoneId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for KeystoneId {
    fn as_ref(&self) -> &str {
        &self.0
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
