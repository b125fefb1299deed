use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ValueError;
use crate::identifier::text_newtype;

/// A resource indicator (RFC 8707 §2): an absolute URI without fragment, at most 1024 bytes, kept as received.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::ResourceUri;
///
/// assert!(ResourceUri::parse("https://compute.example/v2.1").is_ok());
/// assert!(ResourceUri::parse("openstack-apis:default").is_ok());
/// assert!(ResourceUri::parse("/v2.1").is_err());
/// assert!(ResourceUri::parse("https://compute.example/#x").is_err());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceUri(Arc<str>);

impl ResourceUri {
    /// The longest resource indicator, in bytes.
    pub const MAX_LENGTH: usize = 1024;

    /// Parses a resource indicator.
    ///
    /// # Errors
    /// [`ValueError::Resource`] if it is relative, has a fragment, holds a character that no URI has, or is too long.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let (scheme, rest) = text.split_once(':').ok_or(ValueError::Resource)?;
        let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let rest_ok = !rest.is_empty() && rest != "//" && uri_characters(rest);
        if text.len() > Self::MAX_LENGTH || !scheme_ok || !rest_ok {
            return Err(ValueError::Resource);
        }
        Ok(Self(Arc::from(text)))
    }
}

text_newtype!(ResourceUri);

/// RFC 3986 §2: unreserved, reserved but `#`, and whole percent triplets.
fn uri_characters(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let fine = match byte {
            b'%' => {
                let mut hex = || bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit());
                hex() && hex()
            }
            _ => byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=".contains(&byte),
        };
        if !fine {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::ResourceUri;

    #[test]
    fn absolute_without_fragment() {
        for right in [
            "https://a.example",
            "https://a.example/x?y=%20z",
            "urn:example:a",
            "openstack-apis:d1",
            "a+b.c-1:x",
        ] {
            assert_eq!(ResourceUri::parse(right).unwrap().as_str(), right);
        }
        let long = format!("https://a.example/{}", "a".repeat(1024));
        for wrong in [
            "",
            "a",
            "/a",
            "//a",
            "a.example/x",
            ":a",
            "1a:b",
            "a_b:c",
            "https:",
            "https://",
            "urn:a#b",
            "urn:a b",
            "urn:%",
            "urn:%4",
            "urn:%zz",
            "urn:a\"b",
            "urn:<a>",
            "urn:ä",
            "urn:a\\b",
            "urn:a\n",
            "urn:\0",
            &long,
        ] {
            assert!(ResourceUri::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
