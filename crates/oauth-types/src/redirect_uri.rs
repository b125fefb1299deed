use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ValueError;
use crate::identifier::text_newtype;

/// What is written as it is into a query: the unreserved characters of RFC 3986 §2.3.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Where an answer goes (RFC 6749 §3.1.2): an absolute URI, kept as received and compared as text.
///
/// What browsers and servers are known to read in different ways is no redirect URI at all: a fragment, user
/// information, a backslash, white space, control or non-ASCII characters (plain or percent-encoded), a dot segment, an
/// encoded slash, dot or backslash in the path. At most 1024 bytes.
///
/// Schemes: `https` and `http` with a host; else a private-use scheme, lower case and with a period
/// (RFC 8252 §7.1), which leaves out `javascript:`, `data:`, `file:` and all their like.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::{RedirectUri, RedirectUriKind};
///
/// let uri = RedirectUri::parse("https://app.example/cb?tenant=7")?;
/// assert_eq!(uri.with_parameters(&[("code", "a b"), ("state", "x")]), "https://app.example/cb?tenant=7&code=a%20b&state=x");
/// assert_eq!(RedirectUri::parse("http://127.0.0.1:51004/cb")?.kind(), RedirectUriKind::Loopback);
/// for wrong in ["/cb", "https://app.example/cb#x", "https://app.example@evil.example/", "javascript:alert(1)"] {
///     assert!(RedirectUri::parse(wrong).is_err());
/// }
/// # Ok::<(), sealstone_oauth_types::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RedirectUri(Arc<str>);

/// What stands behind a redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "registration decides on each")]
pub enum RedirectUriKind {
    /// A server, reached over TLS.
    Https,
    /// `http` on a host that is not this machine: whoever is on the way reads the code.
    Http,
    /// `http` on `127.0.0.1`, `[::1]` or `localhost`: a program on the person's machine (RFC 8252 §7.3).
    Loopback,
    /// A program that the system knows by its scheme (RFC 8252 §7.1).
    PrivateUse,
}

/// A redirect URI on the person's own machine, in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loopback<'a> {
    /// `127.0.0.1`, `[::1]` or `localhost`, as written. No other spelling of an address is one of these.
    pub host: &'a str,
    /// The port, if one is written.
    pub port: Option<u16>,
    /// What follows, from the path on.
    pub rest: &'a str,
}

impl RedirectUri {
    /// The longest redirect URI, in bytes: with code, state and issuer it still fits the 8 KiB that proxies allow a
    /// header.
    pub const MAX_LENGTH: usize = 1024;

    /// Parses a redirect URI.
    ///
    /// # Errors
    /// [`ValueError::RedirectUri`] for whatever the type does not take.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        if text.len() > Self::MAX_LENGTH || !has_plain_characters(text) {
            return Err(ValueError::RedirectUri);
        }
        let (scheme, rest) = text.split_once(':').ok_or(ValueError::RedirectUri)?;
        let fits = match scheme {
            "https" | "http" => rest.strip_prefix("//").is_some_and(is_web_address),
            _ => is_private_use_scheme(scheme) && is_private_use_rest(rest),
        };
        if fits {
            Ok(Self(Arc::from(text)))
        } else {
            Err(ValueError::RedirectUri)
        }
    }

    /// What stands behind it.
    #[must_use]
    pub fn kind(&self) -> RedirectUriKind {
        if self.0.starts_with("https:") {
            RedirectUriKind::Https
        } else if self.loopback().is_some() {
            RedirectUriKind::Loopback
        } else if self.0.starts_with("http:") {
            RedirectUriKind::Http
        } else {
            RedirectUriKind::PrivateUse
        }
    }

    /// Its parts, if it is [`RedirectUriKind::Loopback`].
    #[must_use]
    pub fn loopback(&self) -> Option<Loopback<'_>> {
        let (authority, rest) = split_authority(self.0.strip_prefix("http://")?);
        let (host, port) = split_port(authority);
        if !matches!(host, "127.0.0.1" | "[::1]" | "localhost") {
            return None;
        }
        Some(Loopback {
            host,
            port: port.and_then(|port| port.parse().ok()),
            rest,
        })
    }

    /// Whether it is [`RedirectUriKind::Loopback`].
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback().is_some()
    }

    /// Scheme and authority, for the `form-action` of a page that posts there: `https://app.example:8443`. For a
    /// private-use scheme, the scheme and its colon.
    #[must_use]
    pub fn origin(&self) -> &str {
        let Some((scheme, rest)) = self
            .0
            .split_once("//")
            .filter(|_| self.kind() != RedirectUriKind::PrivateUse)
        else {
            let end = self.0.find(':').map_or(self.0.len(), |at| at.saturating_add(1));
            return self.0.get(..end).unwrap_or_default();
        };
        let end = scheme
            .len()
            .saturating_add(2)
            .saturating_add(split_authority(rest).0.len());
        self.0.get(..end).unwrap_or_default()
    }

    /// The URI with parameters behind those it has (RFC 6749 §4.1.2): each value percent-encoded, so that none can
    /// begin another.
    #[must_use]
    pub fn with_parameters(&self, parameters: &[(&str, &str)]) -> String {
        let mut url = String::from(&*self.0);
        let mut separator = match self.0.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        for (name, value) in parameters {
            // Writing into memory does not fail.
            let _written = write!(
                url,
                "{separator}{}={}",
                utf8_percent_encode(name, QUERY_VALUE),
                utf8_percent_encode(value, QUERY_VALUE)
            );
            separator = "&";
        }
        url
    }
}

text_newtype!(RedirectUri);

/// RFC 3986 §2 without `#`, with whole percent triplets, none of which hides a control character, a fragment or a
/// separator of paths.
fn has_plain_characters(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let fine = match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
                match (digit(), digit()) {
                    (Some(high), Some(low)) => is_plain_octet(high << 4 | low),
                    _ => false,
                }
            }
            _ => byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=".contains(&byte),
        };
        if !fine {
            return false;
        }
    }
    true
}

fn is_plain_octet(octet: u32) -> bool {
    const HASH: u32 = 0x23;
    const BACKSLASH: u32 = 0x5c;
    const DELETE: u32 = 0x7f;
    octet >= 0x20 && !matches!(octet, HASH | BACKSLASH | DELETE)
}

fn split_authority(rest: &str) -> (&str, &str) {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    rest.split_at_checked(end).unwrap_or((rest, ""))
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_web_address(rest: &str) -> bool {
    let (authority, rest) = split_authority(rest);
    let (host, port) = split_port(authority);
    let port_fits = port.is_none_or(|port| !port.starts_with(['0', '+']) && port.parse::<u16>().is_ok());
    port_fits && is_host(host) && is_path_and_query(rest)
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').unwrap_or_default();
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    host.len() <= 253 && host.split('.').all(label)
}

fn is_path_and_query(rest: &str) -> bool {
    let path = rest.split('?').next().unwrap_or_default();
    let lower = path.to_ascii_lowercase();
    let hidden = lower.contains("%2f") || lower.contains("%2e");
    !hidden
        && !path
            .split('/')
            .any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

fn is_private_use_scheme(scheme: &str) -> bool {
    scheme.contains('.')
        && scheme.split('.').all(|label| {
            label.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'+')
        })
        && scheme.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Something follows the scheme, and no user information is in what may be read as an authority.
fn is_private_use_rest(rest: &str) -> bool {
    let authority = rest.strip_prefix("//").map_or("", |rest| split_authority(rest).0);
    !rest.is_empty() && !authority.contains('@') && is_path_and_query(rest)
}

#[cfg(test)]
mod tests;
