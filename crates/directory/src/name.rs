//! What people type to log in.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::RegistrationFault;

/// Long enough for an e-mail address as most people have it.
const MAX_USER_NAME: usize = 64;

/// The name that a person logs in with: 1 to 64 of `[A-Za-z0-9._@+-]`, beginning with a letter or digit.
///
/// It is shown as it was registered. Two names that differ in case alone are one name: people type it either way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct UserName(String);

impl UserName {
    /// Parses what was typed; blanks around it are left out.
    ///
    /// # Errors
    /// [`RegistrationFault::UserName`].
    pub fn parse(text: &str) -> Result<Self, RegistrationFault> {
        let text = text.trim_matches(' ');
        let first = text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric());
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'+' | b'-');
        if first && text.len() <= MAX_USER_NAME && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RegistrationFault::UserName)
        }
    }

    /// The name as it was registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two spellings of one name have in common: the name in lower case. Unique within a domain; stores compare
    /// and order by it.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UserName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_in_either_case_and_of_plain_letters() {
        for (name, key) in [
            ("ada", "ada"),
            ("Ada.Lovelace", "ada.lovelace"),
            (" ada@Example.org ", "ada@example.org"),
            ("7", "7"),
            (&"a".repeat(64), &"a".repeat(64)),
        ] {
            assert_eq!(UserName::parse(name).unwrap().key(), key, "{name}");
        }
        for wrong in [
            "",
            " ",
            ".ada",
            "-ada",
            "@example.org",
            "a da",
            "ada\n",
            "ada\0",
            "аda",
            "ａda",
            "jörg",
            "ada/../x",
            "<b>",
            "a'--",
            &"a".repeat(65),
        ] {
            assert_eq!(
                UserName::parse(wrong),
                Err(RegistrationFault::UserName),
                "{wrong:?}"
            );
        }
    }
}
