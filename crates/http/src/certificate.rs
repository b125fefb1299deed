use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use http::request::Parts;
use rustls_pki_types::UnixTime;
use sealstone_mtls::{CertificateThumbprint, ClientCertificate, ForwardedCertificate};
use sealstone_oauth_types::RequestError;
use sealstone_provider::{ChainVerdict, PresentedCertificate};
use sealstone_tls::{PeerCertificate, TrustHandle};

use crate::caller::Caller;

/// Certificates of proxies' clients whose judgement is kept: a few KiB each.
const MAX_REMEMBERED: usize = 1_024;

/// Finds the client's certificate and judges its chain.
#[derive(Debug)]
pub(crate) struct Certificates {
    trust: Option<TrustHandle>,
    forwarded: Mutex<BTreeMap<[u8; 32], Arc<PeerCertificate>>>,
}

impl Certificates {
    pub(crate) const fn new(trust: Option<TrustHandle>) -> Self {
        Self {
            trust,
            forwarded: Mutex::new(BTreeMap::new()),
        }
    }

    /// The certificate of this request: from the TLS connection, or from the header of a trusted proxy.
    ///
    /// Behind a proxy that hands certificates over, the connection's own certificate is the proxy's and counts for no
    /// client; if both come, nobody knows who speaks.
    ///
    /// # Errors
    /// [`RequestError::ForwardedCertificate`] for a header that can't be read, or for both.
    pub(crate) fn presented(
        &self,
        parts: &Parts,
        caller: &Caller<'_>,
        now: impl FnOnce() -> UnixTime,
    ) -> Result<Option<PresentedCertificate>, RequestError> {
        let connection = parts.extensions.get::<Arc<PeerCertificate>>();
        let Some(form) = caller.proxy.and_then(|proxy| proxy.certificate()) else {
            return Ok(connection.map(|peer| self.judge(peer, now())));
        };
        match (forwarded(form, &parts.headers)?, connection) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(RequestError::ForwardedCertificate),
            (Some(certificate), None) => Ok(Some(self.judge(&self.remember(certificate), now()))),
        }
    }

    fn judge(&self, peer: &PeerCertificate, now: UnixTime) -> PresentedCertificate {
        let verdict = self
            .trust
            .as_ref()
            .map(|trust| peer.verify_chain(&trust.current(), now));
        let chain = match verdict {
            Some(Ok(())) => ChainVerdict::Verified,
            Some(Err(reason)) => {
                tracing::debug!(reason = %reason, "the client certificate's chain is not verified");
                ChainVerdict::NotVerified(reason.code())
            }
            None => ChainVerdict::NOT_JUDGED,
        };
        PresentedCertificate {
            certificate: peer.certificate().clone(),
            chain,
        }
    }

    /// One `PeerCertificate` for one certificate, so that its judgement is worked out once.
    fn remember(&self, certificate: ClientCertificate) -> Arc<PeerCertificate> {
        let key = *CertificateThumbprint::as_bytes(&certificate.thumbprint());
        let mut known = self.forwarded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = known.get(&key) {
            return Arc::clone(peer);
        }
        if known.len() >= MAX_REMEMBERED {
            known.pop_first();
        }
        let peer = Arc::new(PeerCertificate::new(certificate, Vec::new()));
        known.insert(key, Arc::clone(&peer));
        peer
    }
}

fn forwarded(
    form: &ForwardedCertificate,
    headers: &HeaderMap,
) -> Result<Option<ClientCertificate>, RequestError> {
    let values = |name: &str| headers.get_all(name).iter().collect::<Vec<_>>();
    let verify = form.verify_name().map(values).unwrap_or_default();
    form.parse(&values(form.name()), &verify).map_err(|reason| {
        tracing::info!(reason = %reason, "the forwarded certificate cannot be read");
        RequestError::ForwardedCertificate
    })
}
