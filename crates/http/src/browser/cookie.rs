//! The two cookies: which browser it is, and who is signed in to a domain.
//!
//! Both are `__Host-` (RFC 6265bis §4.1.3.2): only this host over TLS sets them, for no other host. `SameSite=Lax` keeps
//! them from what other sites post here, and lets a link bring them.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use sealstone_oauth_types::Secret;
use sealstone_provider::DomainId;

/// What a sign-in is bound to, for as long as the browser is open.
pub(super) const BROWSER: &str = "__Host-browser";
const ATTRIBUTES: &str = "; Path=/; Secure; HttpOnly; SameSite=Lax";
/// Ours have 43 characters.
const MAX: usize = 128;

/// Of whoever is signed in to this domain.
pub(super) fn session_name(domain: &DomainId) -> String {
    format!("__Host-session-{}", domain.as_str())
}

/// The value of a cookie; `None` if there is none, or several with different values: then somebody put one there.
pub(super) fn read(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let lines = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let mut values = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(other, _)| *other == name)
        .map(|(_, value)| value);
    let first = values.next()?;
    let usable = !first.is_empty() && first.len() <= MAX && values.all(|other| other == first);
    usable.then(|| Secret::from(first))
}

/// `Set-Cookie` with this value.
pub(super) fn set(name: &str, value: &Secret) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("{name}={}{ATTRIBUTES}", value.expose())).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// `Set-Cookie` that removes it.
pub(super) fn clear(name: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{name}={ATTRIBUTES}; Max-Age=0")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[test]
    fn one_value_or_none() {
        let name = "__Host-browser";
        for (lines, want) in [
            (&[][..], None),
            (&["__Host-browser=a"], Some("a")),
            (&["x=1; __Host-browser=a; y=2"], Some("a")),
            (&["x=1;__Host-browser=a"], Some("a")),
            (&["x=1", "__Host-browser=a"], Some("a")),
            (&["__Host-browser=a; __Host-browser=a"], Some("a")),
            (&["__Host-browser=a; __Host-browser=b"], None),
            (&["__Host-browser=a", "__Host-browser=b"], None),
            (&["__Host-browser="], None),
            (&["__Host-browser"], None),
            (&["__host-browser=a"], None),
            (&["__Host-browserx=a"], None),
            (&["x__Host-browser=a"], None),
            (&["__Host-browser=a=b"], Some("a=b")),
        ] {
            let found = read(&headers(lines), name);
            assert_eq!(found.as_ref().map(Secret::expose), want, "{lines:?}");
        }
        let long = format!("{name}={}", "a".repeat(MAX + 1));
        assert!(read(&headers(&[&long]), name).is_none());
    }
}
