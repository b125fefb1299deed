//! A secret that must be read again, as it is stored.

use std::fmt;

use crate::error::RegistrationError;

/// The longest sealed secret that is kept, in bytes: a secret of 512 bytes, its nonce, tag and key identifier in base64.
const MAX_LENGTH: usize = 1024;

/// A secret sealed under the key-encryption key: text that this crate keeps and cannot open.
///
/// Who composes the server seals with its key ring's key and opens there again. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret(String);

impl SealedSecret {
    /// Takes the sealed text: 1 to 1,024 characters of `[A-Za-z0-9_.-]`.
    ///
    /// # Errors
    /// [`RegistrationError::SealedSecret`] for anything else.
    pub fn parse(text: &str) -> Result<Self, RegistrationError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if text.is_empty() || text.len() > MAX_LENGTH || !text.bytes().all(allowed) {
            return Err(RegistrationError::SealedSecret);
        }
        Ok(Self(text.to_owned()))
    }

    /// The sealed text, to be opened or stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[sealed]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_secret_does_not_pass_for_a_sealed_one_by_its_form() {
        for refused in ["", "pass word", "p4$$", &"a".repeat(1025)] {
            assert!(SealedSecret::parse(refused).is_err(), "{refused:?}");
        }
        let sealed = SealedSecret::parse("v1.0011223344556677.AAAA_-").unwrap();
        assert_eq!(sealed.as_str(), "v1.0011223344556677.AAAA_-");
        assert_eq!(format!("{sealed:?}"), "[sealed]");
    }
}
