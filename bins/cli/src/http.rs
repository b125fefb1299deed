//! The program's HTTP client: https only, answers of bounded size, deadlines, no redirects.

mod fault;

use std::{error::Error, future::Future, path::Path, pin::Pin, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use hyper_rustls::ConfigBuilderExt as _;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use sealstone_https::{HttpsClient, HttpsError, Limits, Settings};

use crate::{failure::Outcome, input};
pub(crate) use fault::Fault;

/// The largest answer that is read: more than any key set or metadata document has.
const LARGEST: usize = 1024 * 1024;
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(30);

/// A client certificate as PEM: the chain and its private key.
pub(crate) struct ClientIdentity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ClientIdentity {
    pub(crate) fn read(certificate: &Path, key: &Path) -> Outcome<Self> {
        let pem = input::bytes(certificate)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).with_context(|| {
            format!(
                "{} holds no certificate: give PEM, the client's first",
                certificate.display()
            )
        })?;
        let text = input::secret(key)?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
            .ok()
            .with_context(|| {
                format!(
                    "{} holds no private key that can be read: give unencrypted PEM",
                    key.display()
                )
            })?;
        Ok(Self { chain, key })
    }
}

#[derive(Clone)]
pub(crate) struct HttpClient {
    client: HttpsClient,
}

impl HttpClient {
    /// Trusts the CAs in `ca`, or those of the system.
    pub(crate) fn new(ca: Option<&Path>, identity: Option<ClientIdentity>) -> Outcome<Self> {
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .context("TLS cannot be set up")?;
        let builder = match ca {
            Some(path) => builder.with_root_certificates(roots(path)?),
            None => builder
                .with_native_roots()
                .context("the system's CA certificates cannot be read: name the server's CA by --ca FILE")?,
        };
        let config = match identity {
            Some(identity) => builder
                .with_client_auth_cert(identity.chain, identity.key)
                .context("the private key does not belong to the certificate: give the pair")?,
            None => builder.with_no_client_auth(),
        };
        let settings = Settings::from_tls(config).with_connect_deadline(CONNECT_DEADLINE);
        Ok(Self {
            client: HttpsClient::new(settings),
        })
    }

    /// The document at `url`; `None` when there is none (404).
    pub(crate) async fn get(&self, url: &str) -> Result<Option<Vec<u8>>, HttpError> {
        let request = Request::get(url)
            .header(header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|_| HttpError::Address { url: url.to_owned() })?;
        let response = self.send(request).await?;
        match response.status() {
            StatusCode::OK => Ok(Some(response.into_body())),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(HttpError::Status {
                url: url.to_owned(),
                status,
            }),
        }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let url = request.uri().to_string();
        let limits = Limits {
            deadline: DEADLINE,
            body: LARGEST,
        };
        let answer = self.client.exchange(request.map(Bytes::from), limits).await;
        let answer = answer.map_err(|error| HttpError::of(url, error))?;
        Ok(answer.map(|body| body.to_vec()))
    }
}

impl<'c> AsyncHttpClient<'c> for HttpClient {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// The authorities in a file, or those of the system.
pub(crate) fn authorities(ca: Option<&Path>) -> Outcome<RootCertStore> {
    if let Some(path) = ca {
        return roots(path);
    }
    let mut known = RootCertStore::empty();
    // What cannot be read or is no authority's is not trusted; others are.
    known.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if known.is_empty() {
        return Err(crate::failure::Failure::failed(
            "the system's CA certificates cannot be read: name the server's CA by a file",
        ));
    }
    Ok(known)
}

pub(crate) fn roots(path: &Path) -> Outcome<RootCertStore> {
    let pem = input::bytes(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = certificate
            .ok()
            .and_then(|certificate| roots.add(certificate).ok());
        added.with_context(|| format!("{} holds something that is no CA certificate", path.display()))?;
    }
    if roots.is_empty() {
        return Err(crate::failure::Failure::failed(format!(
            "{} holds no certificate: give the CA's certificate as PEM",
            path.display()
        )));
    }
    Ok(roots)
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("{url} is no https address: write https://HOST[:PORT]/PATH")]
    Address { url: String },
    #[error("{url} cannot be reached: {fault}")]
    Connection {
        url: String,
        fault: Fault,
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("{url} redirects to {to}, which is not followed: use the final address")]
    Redirect { url: String, to: String },
    #[error("{url} answered {status}: check the address")]
    Status { url: String, status: StatusCode },
    #[error("the answer of {url} is cut off or larger than 1 MiB: check the address")]
    Answer {
        url: String,
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("{url} did not answer within 30 s: try again, or check that the server runs")]
    Deadline { url: String },
}

impl HttpError {
    fn of(url: String, error: HttpsError) -> Self {
        match error {
            HttpsError::Address => Self::Address { url },
            HttpsError::Connect(source) | HttpsError::Broken(source) => Self::Connection {
                url,
                fault: Fault::of(&*source),
                source,
            },
            HttpsError::Redirect(redirected) => Self::Redirect {
                url,
                to: redirected.location().unwrap_or("nowhere").to_owned(),
            },
            HttpsError::TooLarge(_) => Self::Answer {
                url,
                source: error.into(),
            },
            HttpsError::Deadline(_) => Self::Deadline { url },
        }
    }
}
