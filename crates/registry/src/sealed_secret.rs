//! A secret that must be read again, as it is stored.

use std::fmt;
use std::sync::OnceLock;

use zeroize::Zeroizing;

use crate::error::RegistrationError;

/// The longest sealed secret that is kept, in bytes: a secret of 512 bytes, its nonce, tag and key identifier in base64.
const MAX_LENGTH: usize = 1024;

/// A secret sealed under the key-encryption key: text that this crate keeps and cannot open.
///
/// Who composes the server seals with its key ring's key and opens there again. `Debug` shows nothing of it.
///
/// # Security
/// Once opened it is kept in the clear for as long as this value lives, beside the key that opens it: whoever reads
/// the one in memory reads the other. A clone is closed, and what was kept is wiped when the value is dropped.
pub struct SealedSecret {
    text: String,
    opened: OnceLock<Zeroizing<String>>,
}

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
        Ok(Self {
            text: text.to_owned(),
            opened: OnceLock::new(),
        })
    }

    /// The sealed text, to be opened or stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The secret in the clear: `open` is given the sealed text the first time, and what it returns is kept.
    ///
    /// # Errors
    /// Those of `open`; nothing is kept then.
    pub fn opened<E>(&self, open: impl FnOnce(&str) -> Result<Zeroizing<String>, E>) -> Result<&str, E> {
        match self.opened.get() {
            Some(opened) => Ok(opened),
            None => {
                let opened = open(&self.text)?;
                Ok(self.opened.get_or_init(|| opened))
            }
        }
    }
}

impl Clone for SealedSecret {
    fn clone(&self) -> Self {
        Self {
            text: self.text.clone(),
            opened: OnceLock::new(),
        }
    }
}

impl PartialEq for SealedSecret {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for SealedSecret {}

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

    #[test]
    fn it_is_opened_once_and_a_failure_is_not_kept() {
        let sealed = SealedSecret::parse("v1.0011223344556677.AAAA_-").unwrap();
        assert_eq!(sealed.opened(|_text| Err("another key")), Err("another key"));
        let open = |text: &str| Ok::<_, ()>(Zeroizing::new(format!("open {text}")));
        assert_eq!(sealed.opened(open), Ok("open v1.0011223344556677.AAAA_-"));
        assert_eq!(
            sealed.opened(|_text| Err("asked again")),
            Ok("open v1.0011223344556677.AAAA_-")
        );
        let closed = sealed.clone();
        assert_eq!(closed, sealed);
        assert_eq!(closed.opened(|_text| Err("closed")), Err("closed"));
        assert_eq!(format!("{sealed:?}"), "[sealed]");
    }
}
