//! Secrets that must be read again: sealed, where a hash would do for all others.

use std::str;

use zeroize::Zeroizing;

use crate::{KeyEncryptionKey, sealed::place_of};

/// The first part of the text of a sealed secret: the version of its form.
const FORM: &str = "v1";
/// The longest secret that is sealed, in bytes: four times what Keystone or this project make.
const MAX_SECRET: usize = 512;

/// What a sealed secret is for. One that was sealed for one purpose does not open for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "each purpose has its own text in what is sealed"
)]
pub enum SecretPurpose {
    /// A client's own secret, the key of its assertions (`client_secret_jwt`, OpenID Connect Core §9).
    ClientSecret,
    /// The secret of the Keystone application credential that a client is tied to.
    ApplicationCredential,
    /// The secret that a person's authenticator app shares with the server (RFC 6238). Its place's `client` is the
    /// person's user id.
    OneTimeCodes,
}

impl SecretPurpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecret => "client_secret",
            Self::ApplicationCredential => "application_credential",
            Self::OneTimeCodes => "one_time_codes",
        }
    }
}

/// Whose secret, and what for: what a sealed secret is bound to. Moved to another client or domain it does not open.
///
/// # Examples
/// ```
/// # use sealstone_keyring::{KeyEncryptionKey, SecretPlace, SecretPurpose};
/// let kek = KeyEncryptionKey::from_bytes([7; 32]); // 32 random bytes, kept apart from the database
/// let place = SecretPlace { purpose: SecretPurpose::ClientSecret, domain: "demo", client: "ci" };
/// let sealed = kek.seal_secret(place, "correct horse")?;
/// assert_eq!(*kek.open_secret(place, &sealed)?, "correct horse");
/// assert!(kek.open_secret(SecretPlace { client: "other", ..place }, &sealed).is_err());
/// # Ok::<(), sealstone_keyring::SecretError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a secret is bound to all of it")]
pub struct SecretPlace<'a> {
    /// What for.
    pub purpose: SecretPurpose,
    /// The client's domain.
    pub domain: &'a str,
    /// The client, or the user.
    pub client: &'a str,
}

impl SecretPlace<'_> {
    fn octets(self) -> Vec<u8> {
        place_of(
            b"sealstone secret\0",
            [self.purpose.as_str(), self.domain, self.client],
        )
    }
}

/// A secret that cannot be sealed or opened. No variant holds any of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Empty, or longer than 512 bytes.
    #[error("a secret to seal has 1 to {MAX_SECRET} bytes")]
    Length,
    /// Sealed under another key-encryption key.
    #[error(
        "this secret is sealed under the key-encryption key {sealed_under}, the one given is {given}: \
         give the one it was sealed under"
    )]
    OtherKey {
        /// The identifier of the key that was used.
        sealed_under: String,
        /// The identifier of the key that was given.
        given: String,
    },
    /// It was changed, or moved from another client, domain or purpose.
    #[error("the sealed secret does not open: it was changed, or is another client's; set it anew")]
    Tampered,
    /// Not the text of a sealed secret.
    #[error("this is not the text of a sealed secret: set the secret anew")]
    Malformed,
    /// The cryptographic library refused to work.
    #[error("the secret cannot be sealed")]
    Seal,
}

impl KeyEncryptionKey {
    /// Seals a secret to its place. Returns text of `[A-Za-z0-9_.-]`: a version, this key's identifier, and the sealed
    /// octets in base64url.
    ///
    /// # Errors
    /// [`SecretError::Length`]; [`SecretError::Seal`] when the cryptographic library refuses.
    pub fn seal_secret(&self, place: SecretPlace<'_>, secret: &str) -> Result<String, SecretError> {
        if secret.is_empty() || secret.len() > MAX_SECRET {
            return Err(SecretError::Length);
        }
        let octets = Zeroizing::new(secret.as_bytes().to_vec());
        let key = self.sealing().ok_or(SecretError::Seal)?;
        let sealed = key.seal(octets, &place.octets()).ok_or(SecretError::Seal)?;
        Ok(format!("{FORM}.{}.{sealed}", key.id))
    }

    /// Opens what [`KeyEncryptionKey::seal_secret`] sealed to the same place.
    ///
    /// # Errors
    /// [`SecretError::OtherKey`], [`SecretError::Tampered`], [`SecretError::Malformed`].
    pub fn open_secret(
        &self,
        place: SecretPlace<'_>,
        sealed: &str,
    ) -> Result<Zeroizing<String>, SecretError> {
        let mut parts = sealed.splitn(3, '.');
        let (Some(FORM), Some(sealed_under), Some(sealed)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(SecretError::Malformed);
        };
        let Some(key) = self.find(sealed_under) else {
            return Err(SecretError::OtherKey {
                sealed_under: sealed_under.chars().take(16).collect(),
                given: self.given(),
            });
        };
        let octets = key.open(sealed, &place.octets()).ok_or(SecretError::Tampered)?;
        let text = str::from_utf8(&octets).map_err(|_not_text| SecretError::Tampered)?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// Seals the record of a login under way, for a store that several nodes share, to its id: moved to another it does
    /// not open. Returns base64url.
    ///
    /// # Errors
    /// [`SecretError::Seal`] when the cryptographic library refuses.
    pub fn seal_login(&self, id: &[u8; 32], record: &str) -> Result<String, SecretError> {
        let octets = Zeroizing::new(record.as_bytes().to_vec());
        let key = self.sealing().ok_or(SecretError::Seal)?;
        key.seal(octets, &login_place(id)).ok_or(SecretError::Seal)
    }

    /// Opens what [`KeyEncryptionKey::seal_login`] sealed to the same id.
    ///
    /// # Errors
    /// [`SecretError::Tampered`], for one under another key too.
    pub fn open_login(&self, id: &[u8; 32], sealed: &str) -> Result<Zeroizing<String>, SecretError> {
        let opened = self.open_unnamed(sealed, &login_place(id));
        let (octets, _seals) = opened.ok_or(SecretError::Tampered)?;
        let text = str::from_utf8(&octets).map_err(|_not_text| SecretError::Tampered)?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// The same secret, sealed under the key that seals now; `None` when it is already.
    ///
    /// # Errors
    /// As [`KeyEncryptionKey::open_secret`] and [`KeyEncryptionKey::seal_secret`].
    pub fn rewrap_secret(&self, place: SecretPlace<'_>, sealed: &str) -> Result<Option<String>, SecretError> {
        let opened = self.open_secret(place, sealed)?;
        if sealed.split('.').nth(1) == Some(self.id().as_str()) {
            return Ok(None);
        }
        self.seal_secret(place, &opened).map(Some)
    }

    /// The same login, sealed under the key that seals now; `None` when it is already.
    ///
    /// # Errors
    /// As [`KeyEncryptionKey::open_login`] and [`KeyEncryptionKey::seal_login`].
    pub fn rewrap_login(&self, id: &[u8; 32], sealed: &str) -> Result<Option<String>, SecretError> {
        let opened = self.open_unnamed(sealed, &login_place(id));
        let (octets, seals) = opened.ok_or(SecretError::Tampered)?;
        if seals {
            return Ok(None);
        }
        let key = self.sealing().ok_or(SecretError::Seal)?;
        key.seal(octets, &login_place(id))
            .map(Some)
            .ok_or(SecretError::Seal)
    }
}

fn login_place(id: &[u8; 32]) -> Vec<u8> {
    [b"sealstone login\0".as_slice(), id.as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kek(byte: u8) -> KeyEncryptionKey {
        KeyEncryptionKey::from_bytes([byte; 32])
    }

    const PLACE: SecretPlace<'_> = SecretPlace {
        purpose: SecretPurpose::ClientSecret,
        domain: "demo",
        client: "ci",
    };

    #[test]
    fn a_sealed_login_opens_only_under_its_id_and_key() {
        let sealed = kek(1).seal_login(&[1; 32], "half a login").unwrap();
        assert!(!sealed.contains("half"));
        assert_eq!(*kek(1).open_login(&[1; 32], &sealed).unwrap(), "half a login");
        let (front, _last) = sealed.split_at(sealed.len() - 2);
        for (key, id, sealed) in [
            (kek(1), [2; 32], sealed.as_str()),
            (kek(2), [1; 32], sealed.as_str()),
            (kek(1), [1; 32], front),
            (kek(1), [1; 32], ""),
        ] {
            assert!(matches!(key.open_login(&id, sealed), Err(SecretError::Tampered)));
        }
        let secret = kek(1).seal_secret(PLACE, "geheim").unwrap();
        assert!(kek(1).open_login(&[1; 32], &secret).is_err(), "another purpose");
    }

    #[test]
    fn a_sealed_secret_opens_only_in_its_place() {
        let sealed = kek(1).seal_secret(PLACE, "geheim").unwrap();
        assert_eq!(*kek(1).open_secret(PLACE, &sealed).unwrap(), "geheim");
        assert!(!sealed.contains("geheim"));
        let again = kek(1).seal_secret(PLACE, "geheim").unwrap();
        assert_ne!(sealed, again, "a nonce is drawn each time");
        for other in [
            SecretPlace {
                client: "cj",
                ..PLACE
            },
            SecretPlace {
                domain: "democ",
                client: "i",
                ..PLACE
            },
            SecretPlace {
                domain: "other",
                ..PLACE
            },
            SecretPlace {
                purpose: SecretPurpose::ApplicationCredential,
                ..PLACE
            },
            SecretPlace {
                purpose: SecretPurpose::OneTimeCodes,
                ..PLACE
            },
        ] {
            let refused = kek(1).open_secret(other, &sealed);
            assert!(matches!(refused, Err(SecretError::Tampered)), "{other:?}");
        }
        assert!(matches!(
            kek(2).open_secret(PLACE, &sealed),
            Err(SecretError::OtherKey { .. })
        ));
    }

    #[test]
    fn what_was_changed_or_is_none_does_not_open() {
        let sealed = kek(1).seal_secret(PLACE, "geheim").unwrap();
        let last = if sealed.ends_with('A') { "B" } else { "A" };
        let changed = format!("{}{last}", &sealed[..sealed.len() - 1]);
        for wrong in [
            changed.as_str(),
            &sealed[..sealed.len() - 4],
            &format!("{sealed}AAAA"),
        ] {
            assert!(matches!(
                kek(1).open_secret(PLACE, wrong),
                Err(SecretError::Tampered)
            ));
        }
        for wrong in ["", "geheim", "v1", "v1.abc", &sealed.replacen("v1", "v2", 1)] {
            assert!(matches!(
                kek(1).open_secret(PLACE, wrong),
                Err(SecretError::Malformed)
            ));
        }
        for wrong in [String::new(), "x".repeat(MAX_SECRET + 1)] {
            assert!(matches!(
                kek(1).seal_secret(PLACE, &wrong),
                Err(SecretError::Length)
            ));
        }
        assert!(kek(1).seal_secret(PLACE, &"x".repeat(MAX_SECRET)).is_ok());
    }
}
