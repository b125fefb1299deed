//! A small blocking HTTPS client whose every TLS detail a test can choose, and the transport of the Rust clients.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, SupportedCipherSuite,
    SupportedProtocolVersion,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use sealstone_testkit::{TestCertificate, keep_secret_of, keep_secrets_of_form, keep_secrets_of_json};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpsError {
    /// The connection, or TLS over it, failed.
    #[error("no connection: {0}")]
    Connection(#[from] io::Error),
    /// TLS refused before a connection was tried.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// What came is not an HTTP/1.1 answer.
    #[error("not an HTTP answer")]
    Malformed,
    /// The URL is not `https://host[:port]/path`.
    #[error("not an https URL: {0}")]
    Url(String),
}

/// What came back.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, freed of its transfer coding.
    pub body: Vec<u8>,
    /// The TLS version of the connection.
    pub version: Option<ProtocolVersion>,
}

impl Answer {
    /// The value of a header that came once.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        value.filter(|_| found.next().is_none())
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// An HTTPS client: one connection for each request.
#[derive(Clone, Debug)]
pub struct Https {
    roots: RootCertStore,
    certificate: Option<TestCertificate>,
    versions: Vec<&'static SupportedProtocolVersion>,
    suites: Vec<SupportedCipherSuite>,
}

impl Https {
    /// One that trusts the authorities in `ca` (PEM) and has no certificate.
    #[must_use]
    pub fn trusting(ca: &str) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            roots.add(certificate.expect("PEM")).expect("an authority");
        }
        Self {
            roots,
            certificate: None,
            versions: rustls::ALL_VERSIONS.to_vec(),
            suites: aws_lc_rs::ALL_CIPHER_SUITES.to_vec(),
        }
    }

    /// The same with a client certificate.
    #[must_use]
    pub fn with_certificate(mut self, certificate: &TestCertificate) -> Self {
        self.certificate = Some(certificate.clone());
        self
    }

    /// The same with only these TLS versions.
    #[must_use]
    pub fn with_versions(mut self, versions: &[&'static SupportedProtocolVersion]) -> Self {
        self.versions = versions.to_vec();
        self
    }

    /// The same with only these cipher suites.
    #[must_use]
    pub fn with_suites(mut self, suites: &[SupportedCipherSuite]) -> Self {
        self.suites = suites.to_vec();
        self
    }

    /// `GET url` with headers.
    ///
    /// # Errors
    /// [`HttpsError`].
    pub fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, HttpsError> {
        self.send("GET", url, headers, b"")
    }

    /// `POST url` with a form of these parameters, percent-encoded here, and headers.
    ///
    /// # Errors
    /// [`HttpsError`].
    pub fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        form: &[(&str, &str)],
    ) -> Result<Answer, HttpsError> {
        let pairs: Vec<String> = form
            .iter()
            .map(|(name, value)| {
                format!(
                    "{}={}",
                    sealstone_testkit::escaped(name),
                    sealstone_testkit::escaped(value)
                )
            })
            .collect();
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.send("POST", url, &all, pairs.join("&").as_bytes())
    }

    /// Any request.
    ///
    /// # Errors
    /// [`HttpsError`].
    pub fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, HttpsError> {
        let (authority, path) = split(url).ok_or_else(|| HttpsError::Url(url.to_owned()))?;
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "443"));
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|_| HttpsError::Url(url.to_owned()))?;
        let socket = TcpStream::connect((host.trim_matches(['[', ']']), port.parse().unwrap_or(443)))?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        let connection = ClientConnection::new(Arc::new(self.config()?), name)?;
        let mut stream = StreamOwned::new(connection, socket);

        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if method == "POST" || !body.is_empty() {
            request.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        for (name, value) in headers {
            keep_secret_of(name, value);
        }
        keep_secrets_of_form(&String::from_utf8_lossy(body));
        stream.write_all(request.as_bytes())?;
        stream.write_all(body)?;
        stream.flush()?;

        let mut raw = Vec::new();
        match stream.read_to_end(&mut raw) {
            Ok(_) => {}
            // A peer that closes without close_notify after a whole answer: the length tells whether it is whole.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !raw.is_empty() => {}
            Err(error) => return Err(error.into()),
        }
        let version = stream.conn.protocol_version();
        let mut answer = parse(&raw).ok_or(HttpsError::Malformed)?;
        answer.version = version;
        for (name, value) in &answer.headers {
            keep_secret_of(name, value);
            if name == "location" {
                keep_secrets_of_form(value);
            }
        }
        if let Ok(document) = serde_json::from_slice(&answer.body) {
            keep_secrets_of_json(&document);
        }
        Ok(answer)
    }

    fn config(&self) -> Result<ClientConfig, rustls::Error> {
        let provider = CryptoProvider {
            cipher_suites: self.suites.clone(),
            ..aws_lc_rs::default_provider()
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&self.versions)?
            .with_root_certificates(self.roots.clone());
        match &self.certificate {
            None => Ok(builder.with_no_client_auth()),
            Some(own) => builder.with_client_auth_cert(own.chain(), own.private_key_der()),
        }
    }

    /// This client as the transport of the `oauth2` and `openidconnect` crates.
    ///
    /// # Errors
    /// [`HttpsError`].
    pub fn transport(&self, request: &http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, HttpsError> {
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let url = request.uri().to_string();
        let answer = self.send(request.method().as_str(), &url, &headers, request.body())?;
        let mut response = http::Response::builder().status(answer.status);
        for (name, value) in &answer.headers {
            response = response.header(name, value);
        }
        response.body(answer.body).map_err(|_| HttpsError::Malformed)
    }
}

fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("https://")?;
    let slash = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(slash)?;
    Some((authority, if path.is_empty() { "/" } else { path }))
}

pub(crate) fn parse(raw: &[u8]) -> Option<Answer> {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, rest) = raw.split_at_checked(end)?;
    let body = rest.get(4..)?;
    let mut lines = str::from_utf8(head).ok()?.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let is = |name: &str, wanted: &str| {
        headers
            .iter()
            .any(|(n, v)| n == name && v.eq_ignore_ascii_case(wanted))
    };
    let body = if is("transfer-encoding", "chunked") {
        dechunked(body)?
    } else {
        body.to_vec()
    };
    let length = headers.iter().find(|(name, _)| name == "content-length");
    if length.is_some_and(|(_, length)| length.parse() != Ok(body.len())) {
        return None;
    }
    Some(Answer {
        status,
        headers,
        body,
        version: None,
    })
}

fn dechunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size =
            usize::from_str_radix(str::from_utf8(rest.get(..end)?).ok()?.split(';').next()?, 16).ok()?;
        let start = end.checked_add(2)?;
        if size == 0 {
            return Some(body);
        }
        let stop = start.checked_add(size)?;
        body.extend_from_slice(rest.get(start..stop)?);
        rest = rest.get(stop.checked_add(2)?..)?;
    }
}
