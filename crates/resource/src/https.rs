//! The issuer's documents over HTTPS.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use rustls::{ClientConfig, RootCertStore};
use sealstone_https::{HttpsClient, HttpsError, Limits, Settings, authorities};

use crate::{ConfigError, Fetched, JwksSource, SourceError};

/// An idle connection to the issuer is kept as long as three polls of the revocations at their default pace take.
const IDLE: Duration = Duration::from_secs(30);
/// The layer has a deadline of its own; this one is for other callers.
const DEADLINE: Duration = Duration::from_secs(30);

/// Fetches documents over HTTPS (HTTP/1.1, TLS 1.2 or 1.3) from servers that the caller's roots vouch for.
///
/// Redirects are not followed, proxies of the environment are not used, no cookie and no credential is sent. Clones
/// share connections.
#[derive(Clone, Debug)]
pub struct HttpsSource {
    client: HttpsClient,
}

impl HttpsSource {
    /// Trusts the authorities in `pem`: one or more `CERTIFICATE` blocks.
    ///
    /// # Errors
    /// [`ConfigError::Roots`] without a certificate, or with one that is not an authority's.
    ///
    /// # Examples
    /// ```
    /// use sealstone_resource::HttpsSource;
    ///
    /// assert!(HttpsSource::from_ca_pem(b"no certificate").is_err());
    /// ```
    pub fn from_ca_pem(pem: &[u8]) -> Result<Self, ConfigError> {
        let roots = authorities(pem).map_err(|error| ConfigError::Roots(error.into()))?;
        Self::from_roots(roots)
    }

    /// Trusts these authorities, of the system or of the web.
    ///
    /// # Errors
    /// [`ConfigError::Roots`] if the TLS library refuses them.
    pub fn from_roots(roots: RootCertStore) -> Result<Self, ConfigError> {
        let settings = Settings::trusting(roots).map_err(|error| ConfigError::Roots(error.into()))?;
        Ok(Self::of(settings))
    }

    /// Uses this TLS configuration: with revocation lists, a client certificate, other algorithms.
    ///
    /// # Security
    /// Its verifier decides which keys are the issuer's.
    #[must_use]
    pub fn from_tls(tls: ClientConfig) -> Self {
        Self::of(Settings::from_tls(tls))
    }

    fn of(settings: Settings) -> Self {
        Self {
            client: HttpsClient::new(settings.with_idle_connections(1, IDLE)),
        }
    }
}

#[async_trait]
impl JwksSource for HttpsSource {
    async fn fetch(&self, url: &str, limit: usize) -> Result<Fetched, SourceError> {
        let uri: Uri = url.parse().map_err(|_not_a_uri| SourceError::Url)?;
        let request = Request::get(uri)
            .header(header::ACCEPT, "application/json")
            .body(Bytes::new())
            .map_err(|_not_a_uri| SourceError::Url)?;
        let limits = Limits {
            deadline: DEADLINE,
            body: limit,
        };
        let answer = self
            .client
            .exchange(request, limits)
            .await
            .map_err(|error| match error {
                HttpsError::Address => SourceError::Url,
                HttpsError::Redirect(to) => SourceError::Status(to.status().as_u16()),
                HttpsError::TooLarge(limit) => SourceError::TooLarge(limit),
                error @ (HttpsError::Connect(_) | HttpsError::Broken(_) | HttpsError::Deadline(_)) => {
                    SourceError::Connection(error.into())
                }
            })?;
        if answer.status() != StatusCode::OK {
            return Err(SourceError::Status(answer.status().as_u16()));
        }
        let max_age = max_age(answer.headers());
        let fetched = Fetched::new(answer.into_body());
        Ok(match max_age {
            Some(max_age) => fetched.with_max_age(max_age),
            None => fetched,
        })
    }
}

/// The freshness that `Cache-Control` states: `no-store` and `no-cache` state none at all. The smallest of several
/// counts; what can't be read says nothing.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|directive| {
            let directive = directive.trim().to_ascii_lowercase();
            match directive.split_once('=') {
                Some(("max-age", seconds)) => seconds.trim_matches('"').parse().ok().map(Duration::from_secs),
                None if matches!(directive.as_str(), "no-store" | "no-cache") => Some(Duration::ZERO),
                _ => None,
            }
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_control_is_read_with_the_smallest_age() {
        let cases: [(&[&str], Option<u64>); 9] = [
            (&[], None),
            (&["public"], None),
            (&["public, max-age=300"], Some(300)),
            (&["Max-Age=\"60\""], Some(60)),
            (&["max-age=300, max-age=5"], Some(5)),
            (&["max-age=300", "no-cache"], Some(0)),
            (&["no-store"], Some(0)),
            (&["max-age=-1"], None),
            (&["s-maxage=7"], None),
        ];
        for (values, want) in cases {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CACHE_CONTROL, value.parse().unwrap());
            }
            assert_eq!(max_age(&headers), want.map(Duration::from_secs), "{values:?}");
        }
    }

    #[tokio::test]
    async fn b14_only_https_is_fetched() {
        let source = HttpsSource::from_roots(RootCertStore::empty()).unwrap();
        for url in [
            "http://169.254.169.254/latest/meta-data/",
            "http://127.0.0.1:5432/",
            "file:///etc/passwd",
            "gopher://127.0.0.1:70/",
            "//host/path",
            "/jwks",
            "",
        ] {
            let outcome = source.fetch(url, 10).await;
            assert!(matches!(outcome, Err(SourceError::Url)), "{url}: {outcome:?}");
        }
    }
}
