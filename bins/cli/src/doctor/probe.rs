//! A look at what answers somewhere, whoever it is. Nothing secret is ever sent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use parking_lot::Mutex;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sealstone_https::{HttpsClient, HttpsError, Limits, Settings};

use crate::failure::{Failure, Outcome};

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const DEADLINE: Duration = Duration::from_secs(15);
/// More than any document of ours has.
const LARGEST: usize = 1024 * 1024;

/// What a handshake showed.
#[derive(Debug)]
struct Seen {
    chain: Mutex<Vec<CertificateDer<'static>>>,
    asked: AtomicBool,
    provider: Arc<CryptoProvider>,
}

/// A client that talks to anybody, and remembers who it was.
pub(super) struct Probe {
    client: HttpsClient,
    seen: Arc<Seen>,
}

impl Probe {
    pub(super) fn new() -> Outcome<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let seen = Arc::new(Seen {
            chain: Mutex::new(Vec::new()),
            asked: AtomicBool::new(false),
            provider: Arc::clone(&provider),
        });
        let (verifier, resolver) = (Arc::clone(&seen), Arc::clone(&seen));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::failed(format!("TLS cannot be set up ({error})")))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(resolver);
        let settings = Settings::from_tls(config).with_connect_deadline(CONNECT_DEADLINE);
        Ok(Self {
            client: HttpsClient::new(settings),
            seen,
        })
    }

    pub(super) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpsError> {
        let limits = Limits {
            deadline: DEADLINE,
            body: LARGEST,
        };
        self.client.exchange(request, limits).await
    }

    /// The chain that was shown last.
    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.seen.chain.lock().clone()
    }

    /// Whether a certificate was asked for.
    pub(super) fn was_asked(&self) -> bool {
        self.seen.asked.load(Ordering::Acquire)
    }
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let all = std::iter::once(end_entity).chain(intermediates);
        *self.chain.lock() = all.map(|one| one.clone().into_owned()).collect();
        // The chain is judged afterwards, with words for what is wrong with it.
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl ResolvesClientCert for Seen {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Release);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}
