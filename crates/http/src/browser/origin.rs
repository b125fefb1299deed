//! Where a browser says that a request comes from.

use http::HeaderMap;
use http::header::ORIGIN;

/// Longer ones don't fit into the address bar of every browser.
const MAX_QUERY: usize = 8_192;

/// Who made the browser send this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// A page of ours, the person, or a browser that does not say.
    Ourselves,
    /// A page of another origin.
    Elsewhere,
}

impl From {
    /// By `Sec-Fetch-Site` (Fetch Metadata §2.4), and by `Origin` where it says anything: our pages have the referrer
    /// policy `no-referrer`, with which browsers say `null`.
    pub(super) fn of(headers: &HeaderMap, issuer: &str) -> Self {
        let mut sites = headers.get_all("sec-fetch-site").iter();
        let site_fits = sites.all(|value| value == "same-origin" || value == "none");
        let mut origins = headers.get_all(ORIGIN).iter();
        let origin_fits =
            origins.all(|value| value == "null" || value.to_str().is_ok_and(|text| text == of(issuer)));
        if site_fits && origin_fits {
            Self::Ourselves
        } else {
            Self::Elsewhere
        }
    }
}

/// The origin of an address.
fn of(address: &str) -> &str {
    let after_scheme = address.find("://").map_or(0, |at| at.saturating_add(3));
    let path = address.get(after_scheme..).and_then(|rest| rest.find('/'));
    let end = path.map_or(address.len(), |path| after_scheme.saturating_add(path));
    address.get(..end).unwrap_or(address)
}

/// A form as the query of an address, if it can stand there as it is.
pub(super) fn as_query(form: &[u8]) -> Option<&str> {
    let plain = |octet: &u8| octet.is_ascii_graphic() && !matches!(octet, b'#' | b'"' | b'<' | b'>' | b'\\');
    let fits = form.len() <= MAX_QUERY && form.iter().all(plain);
    fits.then(|| std::str::from_utf8(form).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn g35_only_our_own_pages_count_as_ours() {
        for (site, origin, ours) in [
            (None, None, true),
            (Some("same-origin"), None, true),
            (Some("same-origin"), Some("null"), true),
            (Some("same-origin"), Some("https://id.example"), true),
            (Some("none"), None, true),
            (None, Some("https://id.example"), true),
            (None, Some("null"), true),
            (Some("same-site"), Some("null"), false),
            (Some("cross-site"), Some("null"), false),
            (Some("cross-site"), Some("https://id.example"), false),
            (Some("cross-site"), None, false),
            (Some("Same-Origin"), None, false),
            (Some(""), None, false),
            (Some("same-origin"), Some("https://evil.example"), false),
            (None, Some("https://id.example.evil"), false),
            (None, Some("http://id.example"), false),
            (None, Some("https://id.example:8443"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(site) = site {
                headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            }
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            let from = From::of(&headers, "https://id.example/v4/oauth2/demo");
            assert_eq!(from == From::Ourselves, ours, "{site:?} {origin:?}");
        }
    }

    #[test]
    fn only_a_plain_form_becomes_a_query() {
        assert_eq!(as_query(b"a=1&b=%20+"), Some("a=1&b=%20+"));
        for form in [
            &b"a=1#x"[..],
            b"a b",
            b"a\r\nb",
            b"a=\xc3\xa4",
            b"a=\"",
            b"a=<",
            b"\\",
        ] {
            assert_eq!(as_query(form), None, "{form:?}");
        }
        assert_eq!(as_query(&[b'a'; MAX_QUERY + 1]), None);
    }
}
