//! Headers on their way through a proxy (RFC 9110 §7.6).

use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{self, CONNECTION, LOCATION},
    uri::Authority,
};
use zeroize::Zeroizing;

use super::TokenHeader;
use crate::AgentToken;

pub(super) const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// What concerns one connection and not the message (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Removes what concerns the connection: the usual headers, and those that `Connection` names.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        // The length of the body is the message's, whatever `Connection` says.
        if *name != header::CONTENT_LENGTH {
            headers.remove(name);
        }
    }
}

/// Leaves of a program's headers what concerns the service.
pub(super) fn strip_request(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    // `Expect` was answered here, `Host` is the service's.
    for name in [header::HOST, header::EXPECT, header::AUTHORIZATION, X_AUTH_TOKEN] {
        headers.remove(name);
    }
}

/// The header that carries the token.
pub(super) fn token(kind: TokenHeader, token: &AgentToken) -> Option<(HeaderName, HeaderValue)> {
    let (name, text) = match kind {
        TokenHeader::Authorization => (
            header::AUTHORIZATION,
            Zeroizing::new(format!("Bearer {}", token.expose())),
        ),
        TokenHeader::XAuthToken => (X_AUTH_TOKEN, Zeroizing::new(token.expose().to_owned())),
    };
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

/// A redirect within the service leads back here: elsewhere the program would come without its token.
pub(super) fn redirect_here(headers: &mut HeaderMap, upstream: &Authority, here: &str) {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let Some(location) = location.and_then(|text| text.parse::<Uri>().ok()) else {
        return;
    };
    let same = |authority: &Authority| {
        authority.host().eq_ignore_ascii_case(upstream.host())
            && authority.port_u16().unwrap_or(443) == upstream.port_u16().unwrap_or(443)
    };
    if location.scheme_str() != Some("https") || !location.authority().is_some_and(same) {
        return;
    }
    let path = location
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    if let Ok(value) = HeaderValue::from_str(&format!("http://{here}{path}")) {
        headers.insert(LOCATION, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn names(map: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = map.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_concerns_the_connection_stays_on_it() {
        let mut map = headers(&[
            ("connection", "close, X-Mine, content-length"),
            ("connection", "x-other"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "Basic xx"),
            ("x-mine", "1"),
            ("x-other", "1"),
            ("content-length", "3"),
            ("accept", "*/*"),
        ]);
        strip_hop_by_hop(&mut map);
        assert_eq!(names(&map), ["accept", "content-length"]);
    }

    #[test]
    fn no_token_of_the_program_reaches_the_service() {
        let mut map = headers(&[
            ("host", "127.0.0.1:1"),
            ("authorization", "Bearer a"),
            ("authorization", "Bearer b"),
            ("x-auth-token", "c"),
            ("expect", "100-continue"),
            ("x-subject-token", "d"),
        ]);
        strip_request(&mut map);
        assert_eq!(names(&map), ["x-subject-token"]);
    }

    #[test]
    fn redirects_within_the_service_lead_back_here_and_others_do_not() {
        let upstream: Authority = "compute.example.org".parse().unwrap();
        for (sent, want) in [
            ("https://compute.example.org/v2.1/", "http://127.0.0.1:7/v2.1/"),
            (
                "https://COMPUTE.example.org:443/a?b=c",
                "http://127.0.0.1:7/a?b=c",
            ),
            ("https://compute.example.org", "http://127.0.0.1:7/"),
            (
                "https://compute.example.org:8443/a",
                "https://compute.example.org:8443/a",
            ),
            (
                "https://compute.example.org.evil.example/",
                "https://compute.example.org.evil.example/",
            ),
            ("http://compute.example.org/", "http://compute.example.org/"),
            ("/relative", "/relative"),
        ] {
            let mut map = headers(&[("location", sent)]);
            redirect_here(&mut map, &upstream, "127.0.0.1:7");
            assert_eq!(map["location"], want, "{sent}");
        }
    }
}
