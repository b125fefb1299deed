use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a text is not the identifier it should be. It never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// Not 1 to 64 characters of `[A-Za-z0-9_-]`.
    #[error("a client id is 1 to 64 characters of A-Z a-z 0-9 _ -")]
    ClientId,
    /// Not 1 to 128 visible ASCII characters.
    #[error("a token id is 1 to 128 visible ASCII characters")]
    TokenId,
    /// Not an `https` URL in its one spelling.
    #[error(
        "an issuer is a lower-case https URL without user, default port, query, fragment or trailing slash"
    )]
    Issuer,
    /// Not an absolute URI without fragment of at most 1024 bytes (RFC 8707 §2).
    #[error("a resource is an absolute URI without fragment, at most 1024 bytes")]
    Resource,
    /// Outside the scope grammar (RFC 6749 §3.3), or more than 64 tokens or 4096 bytes.
    #[error(
        "a scope is a list of tokens of visible ASCII without quote and backslash, one space between them"
    )]
    Scope,
    /// Not 43 to 128 unreserved characters (RFC 7636 §4.1).
    #[error("a code verifier is 43 to 128 characters of A-Z a-z 0-9 - . _ ~")]
    CodeVerifier,
    /// Not 43 characters of base64url (RFC 7636 §4.2).
    #[error("a code challenge is 43 characters of base64url without padding")]
    CodeChallenge,
    /// Not 43 characters of base64url for 32 octets.
    #[error("an opaque token is 43 characters of base64url without padding")]
    OpaqueToken,
    /// Not the SHA-256 of a token in base64url.
    #[error("a token hash is 43 characters of base64url without padding")]
    TokenHash,
    /// Not a URI that an answer may be sent to (RFC 6749 §3.1.2).
    #[error(
        "a redirect URI is absolute, of https, of http or of a private-use scheme with a period, without fragment, user, dot segment or anything that two programs read differently"
    )]
    RedirectUri,
    /// Not eight letters of a user code (RFC 8628 §6.1).
    #[error("a user code is eight letters, shown as XXXX-XXXX")]
    UserCode,
}

/// A registered client's identifier (RFC 6749 §2.2): 1 to 64 characters of `[A-Za-z0-9_-]`.
///
/// The alphabet is narrow on purpose: some clients form-encode the two halves of HTTP Basic and others do not,
/// and in this alphabet both write the same. A clone copies a pointer.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::ClientId;
///
/// assert_eq!(ClientId::parse("ci-runner_7")?.as_str(), "ci-runner_7");
/// assert!(ClientId::parse("../admin").is_err());
/// # Ok::<(), sealstone_oauth_types::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// The longest client id, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// Parses a client id.
    ///
    /// # Errors
    /// [`ValueError::ClientId`] if it is empty, longer than 64 characters or holds another character.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if text.is_empty() || text.len() > Self::MAX_LENGTH || !text.bytes().all(allowed) {
            return Err(ValueError::ClientId);
        }
        Ok(Self(Arc::from(text)))
    }
}

/// The identifier of a token (`jti`, RFC 7519 §4.1.7): 1 to 128 visible ASCII characters.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::TokenId;
///
/// assert!(TokenId::parse("q3Yt9w").is_ok());
/// assert!(TokenId::parse("two words").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(Arc<str>);

impl TokenId {
    /// The longest token id, in characters.
    pub const MAX_LENGTH: usize = 128;

    /// Parses a token id.
    ///
    /// # Errors
    /// [`ValueError::TokenId`] if it is empty, too long or holds a space, control or non-ASCII character.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() || text.len() > Self::MAX_LENGTH || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ValueError::TokenId);
        }
        Ok(Self(Arc::from(text)))
    }
}

macro_rules! text_newtype {
    ($name:ident) => {
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({:?})"), &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $crate::ValueError;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                Self::parse(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::ValueError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }
    };
}

pub(crate) use text_newtype;

text_newtype!(ClientId);
text_newtype!(TokenId);

#[cfg(test)]
mod tests {
    use super::{ClientId, TokenId, ValueError};

    #[test]
    fn client_id_grammar() {
        assert_eq!(
            ClientId::parse("a").map(|id| id.as_str().to_owned()),
            Ok("a".into())
        );
        assert!(ClientId::parse(&"a".repeat(64)).is_ok());
        let long = "a".repeat(65);
        for wrong in ["", &long, "a b", "a.b", "a/b", "a:b", "ä", "a\0", "a%20", "a\n"] {
            assert_eq!(ClientId::parse(wrong), Err(ValueError::ClientId), "{wrong:?}");
        }
    }

    #[test]
    fn token_id_grammar() {
        assert!(TokenId::parse("0-9:~!").is_ok());
        assert!(TokenId::parse(&"x".repeat(128)).is_ok());
        let long = "x".repeat(129);
        for wrong in ["", " ", "a b", "é", "\u{7f}", "a\t", &long] {
            assert_eq!(TokenId::parse(wrong), Err(ValueError::TokenId), "{wrong:?}");
        }
    }

    #[test]
    fn serde_validates() {
        assert_eq!(
            serde_json::to_string(&ClientId::parse("web").unwrap()).unwrap(),
            "\"web\""
        );
        assert!(serde_json::from_str::<ClientId>("\"w\\u0065b\"").is_ok());
        for wrong in ["\"\"", "\"a b\"", "7", "null", "[\"a\"]"] {
            assert!(serde_json::from_str::<ClientId>(wrong).is_err(), "{wrong}");
        }
    }
}
