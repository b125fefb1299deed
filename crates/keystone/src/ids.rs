//! Identifiers that only Keystone's own API speaks of, and texts kept for people.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// Keystone's identifiers have 22, 32 or 64 characters; its columns hold 64.
const MAX_IDENTIFIER: usize = 64;
/// Four times the width of Keystone's widest name column: descriptions are texts too.
const MAX_LABEL: usize = 4 * 255;

/// A text that is no identifier of Keystone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an identifier has 1 to 64 characters of A-Z a-z 0-9 . _ - and not only dots")]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to tell")]
pub struct BadIdentifier;

macro_rules! identifier {
    ($(#[$meta:meta])* $type:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// Parses the text, which is kept as it came.
            ///
            /// # Errors
            /// [`BadIdentifier`] when it is empty, longer than 64 characters, or could leave its path segment.
            pub fn parse(text: &str) -> Result<Self, BadIdentifier> {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
                let fits = !text.is_empty() && text.len() <= MAX_IDENTIFIER && text.bytes().all(allowed);
                if fits && !text.bytes().all(|byte| byte == b'.') {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadIdentifier)
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }
    };
}

identifier!(
    /// A role, by id.
    RoleId
);
identifier!(
    /// A group of users.
    GroupId
);
identifier!(
    /// A trust: roles that one user lends to another.
    TrustId
);
identifier!(
    /// A stored credential: of an EC2 key, the SHA-256 of its access key.
    CredentialId
);
identifier!(
    /// An access rule of an application credential.
    AccessRuleId
);
identifier!(
    /// What names a token, or the first of its chain, in revocations and in Keystone's log.
    AuditId
);

/// A text that Keystone keeps for people: the name of a user, a role, a project.
///
/// It is kept exactly as it came, whatever characters it has. `Display` and `Debug` escape what could forge a line of
/// a log or of a terminal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Label(String);

impl Label {
    /// The text, exactly.
    ///
    /// # Security
    /// It may hold line breaks and terminal sequences; print the label itself instead.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let misleading = |c: char| {
            c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        for character in self.0.chars() {
            if misleading(character) {
                write!(formatter, "{}", character.escape_unicode())?;
            } else {
                write!(formatter, "{character}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.chars().count() <= MAX_LABEL {
            Ok(Self(text))
        } else {
            Err(D::Error::custom("a text of more than 1,020 characters"))
        }
    }
}

impl From<&str> for Label {
    /// The first 1,020 characters of the text.
    fn from(text: &str) -> Self {
        Self(text.chars().take(MAX_LABEL).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_stay_in_their_path_segment() {
        for refused in [
            "",
            ".",
            "..",
            "a/b",
            "a?b",
            "a%2e",
            "a b",
            "a\r\n",
            &"a".repeat(65),
        ] {
            assert_eq!(RoleId::parse(refused), Err(BadIdentifier), "{refused:?}");
        }
        assert_eq!(
            AuditId::parse("-ixkLXckRkuNkQ0Lxk3Lzg").unwrap().as_str(),
            "-ixkLXckRkuNkQ0Lxk3Lzg"
        );
    }

    #[test]
    fn labels_are_exact_and_print_escaped() {
        let label = Label::from("a\"b\nINFO forged\u{202e}\u{1b}[2J");
        assert_eq!(label.as_str(), "a\"b\nINFO forged\u{202e}\u{1b}[2J");
        assert_eq!(label.to_string(), "a\"b\\u{a}INFO forged\\u{202e}\\u{1b}[2J");
        assert!(!format!("{label:?}").contains(['\n', '\u{1b}', '\u{202e}']));
        assert_eq!(
            serde_json::from_str::<Label>(r#""\u000a""#).unwrap().as_str(),
            "\n"
        );
    }
}
