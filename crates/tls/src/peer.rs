//! What a connection's other end is known by.

use std::{fmt, net::SocketAddr};

use parking_lot::Mutex;
use rustls_pki_types::{CertificateDer, UnixTime};
use sealstone_mtls::{BindingError, CertificateThumbprint, ClientCertificate};

use crate::{ChainError, ClientTrust, trust::Verdict};

/// Judgements kept for one connection: one for each trust in use, and a reload of one in between.
const MAX_VERDICTS: usize = 4;

/// The socket address of the connection's other end; a request extension.
///
/// It is the peer of the socket and nothing else: no header changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// The certificate whose key the client proved in the handshake, with the chain it sent along; a request extension
/// as `Arc<PeerCertificate>`.
///
/// # Security
/// Possession is proved; nothing else is. Whoever needs a certificate that an authority vouches for calls
/// [`verify_chain`](Self::verify_chain) **for each request**: on a resumed TLS session no verifier runs, and a
/// connection outlives dates and revocation lists.
pub struct PeerCertificate {
    certificate: ClientCertificate,
    chain: Vec<CertificateDer<'static>>,
    verdicts: Mutex<Vec<(u64, Verdict)>>,
}

impl PeerCertificate {
    /// Takes a certificate and the further certificates its holder sent, in any order.
    ///
    /// # Security
    /// The caller vouches that the sender proved the key: by a handshake, or by a proxy that is believed.
    #[must_use]
    pub const fn new(certificate: ClientCertificate, chain: Vec<CertificateDer<'static>>) -> Self {
        Self {
            certificate,
            chain,
            verdicts: Mutex::new(Vec::new()),
        }
    }

    /// Takes what a TLS handshake left: the client's certificate first.
    ///
    /// # Errors
    /// [`BindingError`] when the first is not a certificate. `Ok(None)` when there is none.
    pub(crate) fn from_handshake(
        certificates: Option<&[CertificateDer<'_>]>,
    ) -> Result<Option<Self>, BindingError> {
        let Some([leaf, chain @ ..]) = certificates else {
            return Ok(None);
        };
        let chain = chain
            .iter()
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        Ok(Some(Self::new(ClientCertificate::from_der(leaf)?, chain)))
    }

    /// The client's certificate.
    #[must_use]
    pub const fn certificate(&self) -> &ClientCertificate {
        &self.certificate
    }

    /// The other certificates that the client sent.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// `x5t#S256` of the client's certificate (RFC 8705 §3.1).
    #[must_use]
    pub fn thumbprint(&self) -> CertificateThumbprint {
        self.certificate.thumbprint()
    }

    /// Whether an authority of `trust` vouches for the certificate at `now` (RFC 5280 §6.1).
    ///
    /// Signatures, path, `clientAuth` and revocation are worked out once for each connection and
    /// [`ClientTrust::generation`]; the answer then stands as long as every certificate of the path and every
    /// revocation list is in date, which each call looks at. A refusal stands for the second in which it was made.
    ///
    /// # Errors
    /// [`ChainError`], which says why.
    pub fn verify_chain(&self, trust: &ClientTrust, now: UnixTime) -> Result<(), ChainError> {
        let generation = trust.generation();
        if let Some(outcome) = self.remembered(generation, now) {
            return outcome;
        }
        // Outside the lock: two requests at once may both work it out, and neither waits for the other.
        let verdict = trust.judge(&self.certificate, &self.chain, now);
        let outcome = verdict.outcome.clone();
        let mut verdicts = self.verdicts.lock();
        verdicts.retain(|(of, _)| *of != generation);
        if verdicts.len() >= MAX_VERDICTS {
            verdicts.remove(0);
        }
        verdicts.push((generation, verdict));
        outcome
    }

    fn remembered(&self, generation: u64, now: UnixTime) -> Option<Result<(), ChainError>> {
        let verdicts = self.verdicts.lock();
        let (_, verdict) = verdicts.iter().find(|(of, _)| *of == generation)?;
        verdict.window.holds(now).then(|| verdict.outcome.clone())
    }
}

impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCertificate")
            .field("certificate", &self.certificate)
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
}
