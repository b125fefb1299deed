//! Enrollment over Secure Transport (RFC 7030): what of it a machine needs that has a certificate already.

mod pkcs7;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, UnixTime};
use sealstone_https::{HttpsClient, HttpsError, Limits, Settings};
use sealstone_mtls::ClientCertificate;

use super::{CertificateSource, NextKey, RenewFault};
use crate::MachinePair;
pub use pkcs7::certificates_of_est_answer;

/// A whole exchange, with an authority that signs in a hardware module.
const DEADLINE: Duration = Duration::from_secs(60);
/// Sixteen certificates of 3 KiB in base64; the longest path that anybody has, several times over.
const MAX_ANSWER: usize = 64 * 1024;
/// Certificates between a machine's and its root: as many as [`MachinePair`] takes.
const MAX_ABOVE: usize = 7;
/// What a server says of its refusal: as much as fits two lines.
const MAX_SAID: usize = 200;
/// Without `Retry-After` (RFC 7030 §4.2.3).
const LATER: Duration = Duration::from_secs(300);
/// A server that says "next year" is asked again today.
const LATEST: Duration = Duration::from_secs(3600);

/// What the server is asked to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 7030 §4.2 knows these two")]
pub enum EstOperation {
    /// `/simplereenroll`: renew the certificate that is shown.
    #[default]
    Reenroll,
    /// `/simpleenroll`: for servers that offer no other.
    Enroll,
}

/// An authority that speaks EST, asked over mutual TLS with the certificate that is to be renewed.
#[derive(Debug, Clone)]
pub struct EstClient {
    base: String,
    authorities: Arc<RootCertStore>,
    operation: EstOperation,
    key: NextKey,
    deadline: Duration,
}

/// Why an EST server gave no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EstFault {
    /// The address is none.
    #[error("{0:?} is no address of an EST server: write https://HOST[:PORT], with a /LABEL if it has one")]
    Address(String),
    /// No answer.
    #[error(
        "the EST server gave no answer ({0}): check the address, its certificate's authority, and that it runs"
    )]
    Unanswered(String),
    /// It will decide later.
    #[error("the EST server has not decided yet and wants to be asked again in {} s", .0.as_secs())]
    Later(Duration),
    /// It said no.
    #[error("the EST server refused with {status}{}: {}", said_after(.said), advice(*status))]
    Refused {
        /// Its status.
        status: u16,
        /// What it said besides.
        said: String,
    },
    /// What it sent is no answer of RFC 7030.
    #[error("the EST server's answer cannot be used: {0} (RFC 7030 §4.2.3): tell its operator")]
    Answer(&'static str),
}

fn said_after(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(" ({said})")
    }
}

const fn advice(status: u16) -> &'static str {
    match status {
        401 | 403 => {
            "does it know this machine's certificate, and is that still valid? Enrol the machine anew by hand if it is not"
        }
        404 => "check the address and the label, and whether it offers this operation",
        400 => {
            "it does not like the request: its log says why; it may want other names or another kind of key"
        }
        500.. => "its log says why; it is asked again by itself",
        _ => "see its documentation",
    }
}

impl EstClient {
    /// A server at `base`, `https://HOST[:PORT]` with `/LABEL` where it has several authorities; `authorities` say who
    /// it is.
    ///
    /// # Errors
    /// [`EstFault::Address`].
    pub fn new(base: &str, authorities: RootCertStore, key: NextKey) -> Result<Self, EstFault> {
        let refuse = || EstFault::Address(base.to_owned());
        let uri: Uri = base.parse().map_err(|_not_one| refuse())?;
        let (Some("https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(refuse());
        };
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(refuse());
        }
        let label = uri.path().trim_matches('/');
        let label = label
            .strip_prefix(".well-known/est")
            .unwrap_or(label)
            .trim_matches('/');
        if label.contains('/') {
            return Err(refuse());
        }
        let label = if label.is_empty() {
            String::new()
        } else {
            format!("/{label}")
        };
        Ok(Self {
            base: format!("https://{authority}/.well-known/est{label}"),
            authorities: Arc::new(authorities),
            operation: EstOperation::default(),
            key,
            deadline: DEADLINE,
        })
    }

    /// Asks for this instead of a renewal.
    #[must_use]
    pub const fn with_operation(mut self, operation: EstOperation) -> Self {
        self.operation = operation;
        self
    }

    /// With this deadline for each exchange; 60 s by default.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    async fn exchange(
        &self,
        https: &HttpsClient,
        request: Result<Request<Bytes>, http::Error>,
    ) -> Result<Vec<CertificateDer<'static>>, EstFault> {
        let request = request.map_err(|_address| EstFault::Address(self.base.clone()))?;
        let limits = Limits {
            deadline: self.deadline,
            body: MAX_ANSWER,
        };
        let answer = https.exchange(request, limits).await;
        read(&answer.map_err(|error| EstFault::Unanswered(cause(&error)))?)
    }

    /// The authorities above (RFC 7030 §4.1), to complete a chain. They are not trusted for being there.
    async fn above(&self, https: &HttpsClient) -> Vec<CertificateDer<'static>> {
        let request = Request::get(format!("{}/cacerts", self.base)).body(Bytes::new());
        // Without it the chain is what it is: whether that does is seen when it is verified.
        self.exchange(https, request).await.unwrap_or_default()
    }
}

#[async_trait]
impl CertificateSource for EstClient {
    fn name(&self) -> &'static str {
        "the EST server"
    }

    async fn successor(&self, present: &MachinePair, _now: UnixTime) -> Result<MachinePair, RenewFault> {
        let request = self.key.request(present)?;
        let tls = present.tls(RootCertStore::clone(&self.authorities))?;
        let https = HttpsClient::new(Settings::from_tls(tls));
        let operation = match self.operation {
            EstOperation::Reenroll => "simplereenroll",
            EstOperation::Enroll => "simpleenroll",
        };
        let body = base64_simd::STANDARD.encode_to_string(&request.der);
        let asked = Request::post(format!("{}/{operation}", self.base))
            .header(header::CONTENT_TYPE, "application/pkcs10")
            .header("Content-Transfer-Encoding", "base64")
            .header(header::ACCEPT, "application/pkcs7-mime")
            .body(Bytes::from(body));
        let mut bag = self.exchange(&https, asked).await?;
        let fits = |certificate: &CertificateDer<'_>| {
            let one = ClientCertificate::from_der(certificate).ok()?;
            MachinePair::from_pem(&one.to_pem(), &request.private_key_pem)
                .ok()
                .map(|_fits| one)
        };
        let leaf = bag.iter().find_map(fits).ok_or(EstFault::Answer(
            "no certificate in it is for the key that was sent",
        ))?;
        let mut chain = chain(&leaf, &bag);
        if chain.len() == 1 {
            bag.extend(self.above(&https).await);
            chain = self::chain(&leaf, &bag);
        }
        let pem: String = chain.iter().map(ClientCertificate::to_pem).collect();
        Ok(MachinePair::from_pem(&pem, &request.private_key_pem)?)
    }
}

/// From the machine's certificate upwards, without the root: who verifies has that.
fn chain(leaf: &ClientCertificate, bag: &[CertificateDer<'_>]) -> Vec<ClientCertificate> {
    let known: Vec<ClientCertificate> = bag
        .iter()
        .filter_map(|der| ClientCertificate::from_der(der).ok())
        .filter(|certificate| certificate.subject() != certificate.issuer())
        .collect();
    let mut chain = vec![leaf.clone()];
    while let Some(last) = chain.last().filter(|_| chain.len() <= MAX_ABOVE) {
        let next = known
            .iter()
            .find(|one| one.subject() == last.issuer() && !chain.contains(one));
        match next {
            Some(next) => chain.push(next.clone()),
            None => break,
        }
    }
    chain
}

fn read(answer: &Response<Bytes>) -> Result<Vec<CertificateDer<'static>>, EstFault> {
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::ACCEPTED => return Err(EstFault::Later(retry_after(answer.headers()))),
        status => {
            return Err(EstFault::Refused {
                status: status.as_u16(),
                said: said(answer),
            });
        }
    }
    let kind = answer.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/pkcs7-mime") {
        return Err(EstFault::Answer("its type is not application/pkcs7-mime"));
    }
    certificates_of_est_answer(answer.body()).map_err(EstFault::Answer)
}

/// Seconds only: no server was seen to send a date here, and then the usual wait does.
fn retry_after(headers: &HeaderMap) -> Duration {
    let value = headers.get(header::RETRY_AFTER);
    let seconds = value.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    seconds.map_or(LATER, Duration::from_secs).min(LATEST)
}

/// The first line of a refusal in plain text.
fn said(answer: &Response<Bytes>) -> String {
    let kind = answer.headers().get(header::CONTENT_TYPE);
    let plain = kind.is_some_and(|value| value.as_bytes().starts_with(b"text/plain"));
    if !plain {
        return String::new();
    }
    let text = String::from_utf8_lossy(answer.body());
    let line = text.lines().next().unwrap_or_default();
    line.chars()
        .map(|character| {
            if character.is_control() {
                '\u{fffd}'
            } else {
                character
            }
        })
        .take(MAX_SAID)
        .collect()
}

/// The outermost words and the innermost cause.
fn cause(error: &HttpsError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    let mut last = None;
    while let Some(inner) = source {
        last = Some(inner.to_string());
        source = inner.source();
    }
    if let Some(last) = last {
        text.push_str(": ");
        text.push_str(&last);
    }
    text
}
