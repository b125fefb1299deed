//! Asks for a client certificate, demands proof of its key, and leaves every judgement to the request.

use std::fmt;

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use sealstone_mtls::ClientCertificate;
use webpki::RawPublicKeyEntity;

/// The most certificates a client may send: its own and a chain of nine, well above any PKI in use.
const MAX_CHAIN: usize = 9;

/// The most octets of a chain: what one connection keeps in memory of its client's making.
const MAX_CHAIN_OCTETS: usize = 32 * 1024;

/// A verifier for listeners that decide by request.
///
/// The signature of the handshake is checked with the key of the certificate, by the provider's algorithms. That key is
/// read from the certificate as is, so that an X.509 version 1 certificate (RFC 8705 appendix A) can prove
/// possession too.
pub(crate) struct AnyClientCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyClientCertificate {
    pub(crate) const fn new(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { algorithms }
    }
}

impl ClientCertVerifier for AnyClientCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// No hints: a client with a self-signed certificate would hold it back.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let octets = intermediates
            .iter()
            .fold(0_usize, |sum, one| sum.saturating_add(one.len()));
        if intermediates.len() > MAX_CHAIN || octets > MAX_CHAIN_OCTETS {
            return Err(Error::General(
                "the client's certificate chain is too long".to_owned(),
            ));
        }
        parse(end_entity)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = parse(cert)?;
        let spki = SubjectPublicKeyInfoDer::from(certificate.spki_der());
        let key = RawPublicKeyEntity::try_from(&spki).map_err(|_| CertificateError::BadEncoding)?;
        let Some((_, candidates)) = self
            .algorithms
            .mapping
            .iter()
            .find(|(scheme, _)| *scheme == dss.scheme)
        else {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        };
        // TLS 1.2 names the hash and not the curve: one of the candidates is of the key's kind.
        if candidates
            .iter()
            .any(|algorithm| key.verify_signature(*algorithm, message, dss.signature()).is_ok())
        {
            return Ok(HandshakeSignatureValid::assertion());
        }
        Err(CertificateError::BadSignature.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = parse(cert)?;
        let spki = SubjectPublicKeyInfoDer::from(certificate.spki_der());
        verify_tls13_signature_with_raw_key(message, &spki, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn parse(certificate: &CertificateDer<'_>) -> Result<ClientCertificate, Error> {
    ClientCertificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding.into())
}

impl fmt::Debug for AnyClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyClientCertificate")
    }
}
