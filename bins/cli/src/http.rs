//! The program's HTTP client: https only, answers of bounded size, deadlines, no redirects.

mod fault;

use std::{error::Error, path::Path, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use sealstone_https::{HttpsClient, HttpsError, Limits, Settings};

use crate::{failure::Outcome, input};
pub(crate) use fault::Fault;

/// The largest answer that is read: more than any key set or metadata document has.
const LARGEST: usize = 1024 * 1024;
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub(crate) struct HttpClient {
    client: HttpsClient,
}

impl HttpClient {
    /// Trusts the CAs in `ca`, or those of the system.
    pub(crate) fn new(ca: Option<&Path>) -> Outcome<Self> {
        let settings = Settings::trusting(authorities(ca)?).context("TLS cannot be set up")?;
        Ok(Self {
            client: HttpsClient::new(settings.with_connect_deadline(CONNECT_DEADLINE)),
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

    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError> {
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
            "the system's CA certificates cannot be read: name the server's CA by a file (--ca FILE, or ca_file)",
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
    pub(crate) fn of(url: String, error: HttpsError) -> Self {
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
