//! The header fields of a request, on their way to the node.

use std::net::SocketAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Whose token: of the caller, of the one that the call is about, of the service that makes it for a user.
pub(crate) const TOKEN_FIELDS: [HeaderName; 3] = [
    HeaderName::from_static("x-auth-token"),
    SUBJECT,
    HeaderName::from_static("x-service-token"),
];

/// What Keystone echoes, and names a new token by.
pub(crate) const SUBJECT: HeaderName = HeaderName::from_static("x-subject-token");

/// Fields of one connection (RFC 9110 §7.6.1), which go no further.
pub(crate) const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_FIELDS: [HeaderName; 6] = [
    FORWARDED_FOR,
    FORWARDED_PROTO,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    FORWARDED,
];

/// Takes away what belongs to the client's connection. Trailers of the answer may come if the client takes them, and
/// `Expect` is answered here: the body is asked for when the node is ready for it.
pub(crate) fn strip_request(headers: &mut HeaderMap) {
    let trailers = headers.get_all(TE).iter().any(|value| {
        let names = value.to_str().unwrap_or_default();
        names
            .split(',')
            .any(|name| name.trim().eq_ignore_ascii_case("trailers"))
    });
    strip(headers);
    headers.remove(EXPECT);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

/// Takes away what belongs to the node's connection, and what it names so.
pub(crate) fn strip_answer(headers: &mut HeaderMap) {
    let mut named = Vec::new();
    for value in headers.get_all(CONNECTION) {
        let names = value.to_str().unwrap_or_default().split(',');
        named.extend(names.filter_map(|name| name.trim().parse::<HeaderName>().ok()));
    }
    for name in named.iter().filter(|name| **name != CONTENT_LENGTH) {
        headers.remove(name);
    }
    strip(headers);
}

fn strip(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Says where the request came from, by the connection alone.
pub(crate) fn forward(headers: &mut HeaderMap, peer: Option<SocketAddr>, scheme: &Scheme) {
    for name in &FORWARDED_FIELDS {
        headers.remove(name);
    }
    let peer = peer.and_then(|peer| HeaderValue::try_from(peer.ip().to_canonical().to_string()).ok());
    if let Some(peer) = peer {
        headers.insert(FORWARDED_FOR, peer);
    }
    if let Ok(scheme) = HeaderValue::from_str(scheme.as_str()) {
        headers.insert(FORWARDED_PROTO, scheme);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields.iter();
        fields
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn what_belongs_to_a_connection_ends_with_it() {
        let mut request = headers(&[
            ("connection", "keep-alive, upgrade"),
            ("keep-alive", "timeout=5"),
            ("upgrade", "h2c"),
            ("te", "gzip, trailers"),
            ("expect", "100-continue"),
            ("ssl-client-cert", "kept"),
            ("x-forwarded-for", "192.0.2.1"),
        ]);
        strip_request(&mut request);
        let want = headers(&[
            ("ssl-client-cert", "kept"),
            ("x-forwarded-for", "192.0.2.1"),
            ("te", "trailers"),
            ("connection", "te"),
        ]);
        assert_eq!(request, want);

        let mut answer = headers(&[
            ("connection", "close, x-hop"),
            ("x-hop", "gone"),
            ("transfer-encoding", "chunked"),
            ("vary", "X-Auth-Token"),
        ]);
        strip_answer(&mut answer);
        assert_eq!(answer, headers(&[("vary", "X-Auth-Token")]));
    }

    #[test]
    fn what_a_stranger_says_of_its_address_is_not_passed_on() {
        let mut request = headers(&[
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "evil.test"),
            ("forwarded", "for=127.0.0.1"),
            ("x-other", "kept"),
        ]);
        let peer = "[::ffff:192.0.2.7]:1234".parse().unwrap();
        forward(&mut request, Some(peer), &Scheme::HTTPS);
        let want = headers(&[
            ("x-other", "kept"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-proto", "https"),
        ]);
        assert_eq!(request, want);
    }
}
