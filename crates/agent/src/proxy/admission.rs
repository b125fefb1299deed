//! Which requests are let through: those of programs that may, and of no web page.

use std::{fmt, path::Path};

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{ForeignToken, headers::X_AUTH_TOKEN};
use crate::{
    FileError,
    body::{Body, told},
    files,
};

/// What a program shows at a loopback port, which every user of the machine can connect to: 256 random bits, made at the
/// start. `Debug` does not show it.
#[derive(Clone)]
pub struct LocalSecret(Zeroizing<String>);

impl LocalSecret {
    /// From 32 random octets.
    ///
    /// # Security
    /// Whoever can foresee them can use the proxy.
    #[must_use]
    pub fn new(random: &[u8; 32]) -> Self {
        Self(Zeroizing::new(
            base64_simd::URL_SAFE_NO_PAD.encode_to_string(random),
        ))
    }

    /// The secret itself: 43 characters of base64url.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Puts it where the programs of this user find it.
    ///
    /// # Errors
    /// Those of [`files::replace`].
    pub fn write(&self, path: &Path) -> Result<(), FileError> {
        files::replace(path, self.0.as_bytes())
    }

    fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

impl fmt::Debug for LocalSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LocalSecret([redacted])")
    }
}

/// By what a program is let through.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "there are these two")]
pub enum Access {
    /// By this secret, and one of these as `Host`: at a loopback port.
    Secret {
        /// As what a program may address the proxy: `127.0.0.1:8774`.
        hosts: Vec<String>,
        /// What it shows.
        secret: LocalSecret,
    },
    /// By its user, whom the kernel names: at a Unix socket.
    User,
}

/// Why a request is not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Method,
    Target,
    Host,
    WebPage,
    Secret,
    ForeignToken,
}

impl Refusal {
    const fn told(self) -> (StatusCode, &'static str) {
        match self {
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "CONNECT and TRACE are not forwarded: address the agent's proxy as the service itself, not as an HTTP proxy",
            ),
            Self::Target => (
                StatusCode::BAD_REQUEST,
                "address the agent's proxy as the service itself (GET /path), not as an HTTP proxy (GET http://...)",
            ),
            Self::Host => (
                StatusCode::MISDIRECTED_REQUEST,
                "the Host header does not name this proxy: call it by 127.0.0.1 or localhost, and its port",
            ),
            Self::WebPage => (
                StatusCode::FORBIDDEN,
                "requests of web pages are refused: this proxy is for programs",
            ),
            Self::Secret => (
                StatusCode::PROXY_AUTHENTICATION_REQUIRED,
                "the proxy's secret is missing or of an earlier start: send what is in its secret_file as a Bearer or \
                 Basic password in Authorization, or in X-Auth-Token",
            ),
            Self::ForeignToken => (
                StatusCode::BAD_REQUEST,
                "the request brings a token of its own: leave it out, or set foreign_token = \"replace\" for this proxy",
            ),
        }
    }

    pub(super) fn answer(self) -> Response<Body> {
        let (status, text) = self.told();
        told(status, text)
    }
}

/// Whether a request may be forwarded; by which name the program called, at a loopback port.
pub(super) fn admit<B>(
    request: &Request<B>,
    access: &Access,
    foreign: ForeignToken,
) -> Result<Option<String>, Refusal> {
    if [Method::CONNECT, Method::TRACE].contains(request.method()) {
        return Err(Refusal::Method);
    }
    let uri = request.uri();
    if uri.authority().is_some() || !uri.path().starts_with('/') {
        return Err(Refusal::Target);
    }
    let headers = request.headers();
    let host = match access {
        Access::Secret { hosts, .. } => Some(own_host(headers, hosts).ok_or(Refusal::Host)?),
        Access::User => None,
    };
    if is_of_a_web_page(headers) {
        return Err(Refusal::WebPage);
    }
    let secret = match access {
        Access::Secret { secret, .. } => Some(secret),
        Access::User => None,
    };
    let (mut shown, mut others) = (false, false);
    for name in [header::AUTHORIZATION, X_AUTH_TOKEN, header::PROXY_AUTHORIZATION] {
        for value in headers.get_all(&name) {
            let ours = secret.is_some_and(|secret| carries(&name, value.as_bytes(), secret));
            shown |= ours;
            // `Proxy-Authorization` is for us whatever it says, and goes no further.
            others |= !ours && name != header::PROXY_AUTHORIZATION;
        }
    }
    if secret.is_some() && !shown {
        return Err(Refusal::Secret);
    }
    if others && foreign == ForeignToken::Refuse {
        return Err(Refusal::ForeignToken);
    }
    Ok(host)
}

/// A page of the web can have its own name lead to this machine, but it cannot have another `Host`.
fn own_host(headers: &HeaderMap, hosts: &[String]) -> Option<String> {
    let mut named = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (named.next(), named.next()) else {
        return None;
    };
    let host = host.to_str().ok()?;
    let known = hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
    known.then(|| host.to_owned())
}

/// Programs send none of these, browsers always one of them where it matters.
fn is_of_a_web_page(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN)
        || headers
            .get("sec-fetch-site")
            .is_some_and(|site| site.as_bytes() != b"none")
}

fn carries(name: &header::HeaderName, value: &[u8], secret: &LocalSecret) -> bool {
    if *name == X_AUTH_TOKEN {
        return secret.is(value);
    }
    let Some((scheme, rest)) = value.split_at_checked(6) else {
        return false;
    };
    if scheme.eq_ignore_ascii_case(b"basic ") {
        let decoded = base64_simd::STANDARD
            .decode_to_vec(rest.trim_ascii())
            .map(Zeroizing::new);
        let Ok(decoded) = decoded else { return false };
        let mut parts = decoded.splitn(2, |octet| *octet == b':');
        return parts.nth(1).is_some_and(|password| secret.is(password));
    }
    let bearer = value.split_at_checked(7);
    bearer.is_some_and(|(scheme, token)| {
        scheme.eq_ignore_ascii_case(b"bearer ") && secret.is(token.trim_ascii())
    })
}

#[cfg(test)]
mod tests;
