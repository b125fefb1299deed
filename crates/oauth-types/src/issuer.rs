use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ValueError;
use crate::identifier::text_newtype;

/// The URL that names an authorization server (RFC 8414 §2), compared byte for byte.
///
/// Only one spelling is accepted, so that no client library can normalise it into another: `https`, a lower-case
/// host, no user information, no port 443, no query, no fragment, no empty or dot segment and no slash at the end.
/// At most 512 bytes. A clone copies a pointer.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::Issuer;
///
/// let issuer = Issuer::parse("https://id.example/v4/oauth2/demo")?;
/// assert_eq!(issuer.well_known_openid(), "https://id.example/v4/oauth2/demo/.well-known/openid-configuration");
/// assert!(Issuer::parse("https://id.example/v4/oauth2/demo/").is_err());
/// # Ok::<(), sealstone_oauth_types::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Issuer(Arc<str>);

impl Issuer {
    /// The longest issuer, in bytes.
    pub const MAX_LENGTH: usize = 512;

    /// Parses an issuer.
    ///
    /// # Errors
    /// [`ValueError::Issuer`] for every other spelling than the one described at the type.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let rest = text.strip_prefix("https://").ok_or(ValueError::Issuer)?;
        let (authority, path) = split_path(rest);
        if text.len() > Self::MAX_LENGTH || !is_authority(authority) || !is_path(path) {
            return Err(ValueError::Issuer);
        }
        Ok(Self(Arc::from(text)))
    }

    /// Scheme and authority: `https://id.example:8443`.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.0.strip_suffix(self.path()).unwrap_or(&self.0)
    }

    /// The path, empty or beginning with a slash.
    #[must_use]
    pub fn path(&self) -> &str {
        split_path(self.0.strip_prefix("https://").unwrap_or_default()).1
    }

    /// Where the RFC 8414 document lies: the well-known part stands between host and path (§3.1).
    #[must_use]
    pub fn well_known_oauth(&self) -> String {
        format!(
            "{}/.well-known/oauth-authorization-server{}",
            self.origin(),
            self.path()
        )
    }

    /// Where the OpenID Connect document lies: the well-known part follows the path (Discovery 1.0 §4).
    #[must_use]
    pub fn well_known_openid(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.0)
    }

    /// The OpenID Connect document at the place where RFC 8414 §5 looks for it.
    #[must_use]
    pub fn well_known_openid_inserted(&self) -> String {
        format!(
            "{}/.well-known/openid-configuration{}",
            self.origin(),
            self.path()
        )
    }
}

text_newtype!(Issuer);

fn split_path(rest: &str) -> (&str, &str) {
    let end = rest.find('/').unwrap_or(rest.len());
    rest.split_at_checked(end).unwrap_or((rest, ""))
}

fn is_authority(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let Some((address, port)) = rest.split_once(']') else {
                return false;
            };
            let lower = !address.bytes().any(|b| b.is_ascii_uppercase());
            if !lower || address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            match port.strip_prefix(':') {
                Some(port) => (None, Some(port)),
                None if port.is_empty() => (None, None),
                None => return false,
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(authority), None),
        },
    };
    host.is_none_or(is_host) && port.is_none_or(is_port)
}

fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    host.len() <= 253 && host.split('.').all(label)
}

fn is_port(port: &str) -> bool {
    !port.starts_with(['0', '+']) && port != "443" && port.parse::<u16>().is_ok()
}

fn is_path(path: &str) -> bool {
    let segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    path.is_empty()
        || path
            .strip_prefix('/')
            .is_some_and(|path| path.split('/').all(segment))
}

#[cfg(test)]
mod tests {
    use super::Issuer;

    #[test]
    fn one_spelling() {
        for right in [
            "https://example.com",
            "https://127.0.0.1:8443/v4/oauth2/demo",
            "https://[::1]:8443/a",
            "https://[::1]",
            "https://id.example/a/b.c/~d_e-f",
        ] {
            assert_eq!(Issuer::parse(right).unwrap().as_str(), right);
        }
        for wrong in [
            "",
            "https://",
            "https:///a",
            "http://example.com",
            "HTTPS://example.com",
            "https://Example.com",
            "https://example.com/",
            "https://example.com/a/",
            "https://example.com//a",
            "https://example.com/../a",
            "https://example.com/a/./b",
            "https://example.com/a?b",
            "https://example.com/a#b",
            "https://example.com?",
            "https://user@example.com",
            "https://example.com:443",
            "https://example.com:",
            "https://example.com:0",
            "https://example.com:+1",
            "https://example.com:65536",
            "https://example.com:08443",
            "https://exa mple.com",
            "https://ex%61mple.com",
            "https://example.com/%61",
            "https://example.com.",
            "https://-a.example",
            "https://[::1",
            "https://[::1]a",
            "https://[::G]",
            "https://[FE80::1]",
            "https://exämple.com",
            "https://example.com\n",
        ] {
            assert!(Issuer::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(Issuer::parse(&format!("https://example.com/{}", "a".repeat(500))).is_err());
    }
}
