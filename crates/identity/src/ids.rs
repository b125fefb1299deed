//! Identifiers and names, each a type of its own.

use crate::IdentityError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Keystone's identifiers have 32 hexadecimal digits, or 64 for users of LDAP domains.
const MAX_IDENTIFIER: usize = 64;
/// The width of Keystone's name columns.
const MAX_NAME: usize = 255;

fn identifier(text: &str, kind: &'static str) -> Result<Arc<str>, IdentityError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let fits = !text.is_empty() && text.len() <= MAX_IDENTIFIER;
    let only_dots = text.bytes().all(|byte| byte == b'.');
    if fits && !only_dots && text.bytes().all(allowed) {
        Ok(Arc::from(text))
    } else {
        Err(IdentityError::Identifier { kind })
    }
}

fn name(text: &str, kind: &'static str) -> Result<Arc<str>, IdentityError> {
    let misleading = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.is_empty() || text.chars().count() > MAX_NAME || text.chars().any(misleading) {
        return Err(IdentityError::Name { kind });
    }
    Ok(Arc::from(text))
}

macro_rules! text_type {
    ($(#[$meta:meta])* $type:ident, $parser:ident, $kind:literal) => {
        $(#[$meta])*
        ///
        /// A clone copies a pointer.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Parses the text, which is kept as it came.
            ///
            /// # Errors
            /// When the text is empty, too long, or holds a character that is not allowed.
            pub fn parse(text: &str) -> Result<Self, IdentityError> {
                $parser(text, $kind).map(Self)
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The same text in memory of its own, whose holders are counted apart: for a thread that clones it with every
            /// request.
            #[must_use]
            pub fn detached(&self) -> Self {
                Self(Arc::from(&*self.0))
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
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

text_type!(
    /// A Keystone domain, and the last segment of its issuer's path. `global` names the cloud-wide issuer.
    DomainId,
    identifier,
    "a domain id"
);
text_type!(
    /// A Keystone project.
    ProjectId,
    identifier,
    "a project id"
);
text_type!(
    /// A Keystone user.
    UserId,
    identifier,
    "a user id"
);
text_type!(
    /// A Keystone application credential.
    ApplicationCredentialId,
    identifier,
    "an application credential id"
);
text_type!(
    /// A Keystone role, by name: what OpenStack policies compare.
    RoleName,
    name,
    "a role name"
);
text_type!(
    /// A name for people to read; never compared to decide anything.
    Name,
    name,
    "a name"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_cannot_leave_their_path_segment() {
        for refused in ["", ".", "..", "a/b", "a%2e", "a b", "ä", "a\0", &"a".repeat(65)] {
            assert!(DomainId::parse(refused).is_err(), "{refused:?}");
        }
        for accepted in ["default", "global", "9f3c0c", "a.b-c_d", &"a".repeat(64)] {
            assert_eq!(DomainId::parse(accepted).unwrap().as_str(), accepted);
        }
    }

    #[test]
    fn names_hold_no_control_or_direction_characters() {
        for refused in ["", "a\n", "a\0b", "\u{202e}txt", &"n".repeat(256)] {
            assert!(Name::parse(refused).is_err(), "{refused:?}");
        }
        assert!(Name::parse("Bücher & Co.").is_ok());
    }
}
