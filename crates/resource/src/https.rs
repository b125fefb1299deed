//! The issuer's documents over HTTPS.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::{ConfigError, Fetched, JwksSource, SourceError};

/// An idle connection to the issuer is kept as long as three polls of the revocations at their default pace take.
const IDLE: Duration = Duration::from_secs(30);

/// Fetches documents over HTTPS (HTTP/1.1, TLS 1.2 or 1.3) from servers that the caller's roots vouch for.
///
/// Redirects are not followed, proxies of the environment are not used, no cookie and no credential is sent. Clones
/// share connections.
#[derive(Clone)]
pub struct HttpsSource {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
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
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| ConfigError::Roots(error.into()))?;
            roots
                .add(certificate)
                .map_err(|error| ConfigError::Roots(error.into()))?;
        }
        if roots.is_empty() {
            return Err(ConfigError::Roots("no certificate".into()));
        }
        Self::from_roots(roots)
    }

    /// Trusts these authorities, of the system or of the web.
    ///
    /// # Errors
    /// [`ConfigError::Roots`] if the TLS library refuses them.
    pub fn from_roots(roots: RootCertStore) -> Result<Self, ConfigError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError::Roots(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::from_tls(tls))
    }

    /// Uses this TLS configuration: with revocation lists, a client certificate, other algorithms.
    ///
    /// # Security
    /// Its verifier decides which keys are the issuer's.
    #[must_use]
    pub fn from_tls(mut tls: ClientConfig) -> Self {
        // The connector sets its own and refuses any other.
        tls.alpn_protocols.clear();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .build(connector);
        Self { client }
    }
}

impl fmt::Debug for HttpsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsSource").finish_non_exhaustive()
    }
}

#[async_trait]
impl JwksSource for HttpsSource {
    async fn fetch(&self, url: &str, limit: usize) -> Result<Fetched, SourceError> {
        let uri: Uri = url.parse().map_err(|_not_a_uri| SourceError::Url)?;
        if uri.scheme_str() != Some("https") {
            return Err(SourceError::Url);
        }
        let request = Request::get(uri)
            .header(header::ACCEPT, "application/json")
            .body(Empty::new())
            .map_err(|_not_a_uri| SourceError::Url)?;
        let answer = self
            .client
            .request(request)
            .await
            .map_err(|error| SourceError::Connection(error.into()))?;
        if answer.status() != StatusCode::OK {
            return Err(SourceError::Status(answer.status().as_u16()));
        }
        let max_age = max_age(answer.headers());
        let body = Limited::new(answer.into_body(), limit)
            .collect()
            .await
            .map_err(|error| match error.downcast::<LengthLimitError>() {
                Ok(_) => SourceError::TooLarge(limit),
                Err(other) => SourceError::Connection(other),
            })?;
        let fetched = Fetched::new(body.to_bytes());
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
