//! What a request must be like, before anything of it is believed.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Method, Request, StatusCode, Version};

use crate::fields::{HOP_BY_HOP, TOKEN_FIELDS};

/// Fields of which a request has one at most: two readers could take another one each.
const SINGLE: [HeaderName; 3] = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING];

/// Why a request is not passed on, whatever tokens it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `CONNECT` or `TRACE`.
    Method,
    /// Not a path.
    Target,
    /// No `Host`.
    NoHost,
    /// A field that may be there once is there twice.
    Twice,
    /// A field that WSGI takes for one of the token fields: `X_Auth_Token`.
    Spelling,
    /// `Connection` names a field that belongs to the message, to have it taken away.
    Connection,
    /// The body of a login is too long.
    TooLong,
    /// The body of a login did not come in time.
    TooSlow,
    /// The body of a login did not come whole.
    Cut,
}

impl Fault {
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Target | Self::NoHost | Self::Twice | Self::Spelling | Self::Connection | Self::Cut => {
                StatusCode::BAD_REQUEST
            }
        }
    }

    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Method => "The method is not allowed for the requested URL.",
            Self::Target => "The request's target is not a path.",
            Self::NoHost => "The request has no Host.",
            Self::Twice => "A header field that may be there once is there twice.",
            Self::Spelling => "A header field is written with an underscore in place of a hyphen.",
            Self::Connection => "The field Connection names a field that is not of the connection.",
            Self::TooLong => "Request is too large.",
            Self::TooSlow => "The request's body did not come in time.",
            Self::Cut => "The request's body did not come whole.",
        }
    }
}

pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Fault> {
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(Fault::Method);
    }
    let uri = request.uri();
    if uri.authority().is_some() || uri.scheme().is_some() || !uri.path().starts_with('/') {
        return Err(Fault::Target);
    }
    let headers = request.headers();
    if request.version() == Version::HTTP_11 && !headers.contains_key(HOST) {
        return Err(Fault::NoHost);
    }
    let twice = |name: &HeaderName| headers.get_all(name).iter().nth(1).is_some();
    if SINGLE.iter().chain(&TOKEN_FIELDS).any(twice) {
        return Err(Fault::Twice);
    }
    if headers.keys().any(is_misspelt) {
        return Err(Fault::Spelling);
    }
    connection(headers)
}

/// WSGI servers write `-` as `_`, so that both spellings arrive as one field.
fn is_misspelt(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.contains('_')
        && TOKEN_FIELDS
            .iter()
            .chain(&SINGLE)
            .any(|field| field.as_str() == name.replace('_', "-"))
}

/// `Connection` may name fields of the connection, and fields that are not there.
fn connection(headers: &HeaderMap) -> Result<(), Fault> {
    for value in headers.get_all(CONNECTION) {
        let names = value.to_str().map_err(|_error| Fault::Connection)?.split(',');
        for name in names.map(str::trim).filter(|name| !name.is_empty()) {
            let Ok(name) = name.parse::<HeaderName>() else {
                return Err(Fault::Connection);
            };
            if headers.contains_key(&name) && !HOP_BY_HOP.contains(&name) {
                return Err(Fault::Connection);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    /// Method, target, fields, and what is wrong.
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Option<Fault>);

    #[test]
    fn s16_what_two_readers_take_in_two_ways_is_refused() {
        let host = ("host", "keystone.test");
        let cases: [Case<'_>; 20] = [
            ("GET", "/v3", &[host], None),
            ("GET", "//v3/?a", &[host], None),
            ("OPTIONS", "*", &[host], Some(Fault::Target)),
            ("GET", "/v3", &[], Some(Fault::NoHost)),
            ("GET", "/v3", &[host, ("host", "other.test")], Some(Fault::Twice)),
            ("GET", "http://keystone.test/v3", &[host], Some(Fault::Target)),
            ("CONNECT", "keystone.test:443", &[host], Some(Fault::Method)),
            ("TRACE", "/v3", &[host], Some(Fault::Method)),
            (
                "GET",
                "/",
                &[host, ("x-auth-token", "a"), ("x-auth-token", "a")],
                Some(Fault::Twice),
            ),
            (
                "GET",
                "/",
                &[host, ("x-subject-token", "a"), ("X-Subject-Token", "b")],
                Some(Fault::Twice),
            ),
            (
                "GET",
                "/",
                &[host, ("x-service-token", "a"), ("x-service-token", "")],
                Some(Fault::Twice),
            ),
            ("GET", "/", &[host, ("x_auth_token", "a")], Some(Fault::Spelling)),
            ("GET", "/", &[host, ("x-auth_token", "a")], Some(Fault::Spelling)),
            (
                "GET",
                "/",
                &[host, ("content_length", "5")],
                Some(Fault::Spelling),
            ),
            ("GET", "/", &[host, ("x_other", "a")], None),
            ("GET", "/", &[host, ("connection", "close, TE")], None),
            ("GET", "/", &[host, ("connection", "x-absent")], None),
            (
                "GET",
                "/",
                &[host, ("x-auth-token", "a"), ("connection", "close, X-Auth-Token")],
                Some(Fault::Connection),
            ),
            (
                "GET",
                "/",
                &[host, ("x-forwarded-for", "a"), ("connection", "x-forwarded-for")],
                Some(Fault::Connection),
            ),
            (
                "GET",
                "/",
                &[host, ("connection", "a b")],
                Some(Fault::Connection),
            ),
        ];
        for (method, target, fields, want) in cases {
            let request = request(method, target, fields);
            assert_eq!(check(&request).err(), want, "{method} {target} {fields:?}");
        }
    }
}
