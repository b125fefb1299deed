//! Which authorities may vouch for a client, and the judgement of a chain (RFC 5280 §6).

mod dates;
mod error;
mod policy;
mod verdict;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::{
    CertificateDer, CertificateRevocationListDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime,
    pem::PemObject,
};
use sealstone_mtls::ClientCertificate;
use webpki::{
    CertRevocationList, EndEntityCert, Error, KeyUsage, OwnedCertRevocationList, VerifiedPath,
    anchor_from_trusted_cert,
};

pub use error::{ChainError, TrustError};
pub use policy::{CrlPolicy, RevocationDepth};
pub(crate) use verdict::{Verdict, Window};

/// Authorities, revocation lists and policy; immutable, and replaced as a whole through [`TrustHandle`].
///
/// What is judged, beside signatures and dates of every certificate of the path:
///
/// - `clientAuth` must be among the extended key usages, **or the extension be missing**. `anyExtendedKeyUsage`
///   alone is refused: an authority that means clients says so.
/// - A certificate with `CA:TRUE` is no client; a certificate without is no authority; `pathLen` and name
///   constraints hold. Those on URIs, e-mail and directory names are not compared: they refuse whatever they would
///   apply to.
/// - X.509 version 1 certificates are refused, except as authorities in this configuration.
/// - **An expired authority vouches for nobody**, although RFC 5280 §6.1 leaves the dates of trust anchors open.
pub struct ClientTrust {
    generation: u64,
    anchors: Vec<TrustAnchor<'static>>,
    /// Of each anchor, in the same order.
    anchor_windows: Vec<Window>,
    lists: Vec<CertRevocationList<'static>>,
    next_updates: Vec<UnixTime>,
    policy: CrlPolicy,
    algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
}

impl ClientTrust {
    /// Takes the certificates of authorities and the revocation lists, each as DER.
    ///
    /// # Errors
    /// [`TrustError`], which says what is wrong with which of them.
    pub fn new(
        authorities: &[CertificateDer<'_>],
        lists: &[CertificateRevocationListDer<'_>],
        policy: CrlPolicy,
    ) -> Result<Self, TrustError> {
        static GENERATION: AtomicU64 = AtomicU64::new(1);
        if authorities.is_empty() {
            return Err(TrustError::NoAuthority);
        }
        let mut this = Self {
            generation: GENERATION.fetch_add(1, Ordering::Relaxed),
            anchors: Vec::with_capacity(authorities.len()),
            anchor_windows: Vec::with_capacity(authorities.len()),
            lists: Vec::with_capacity(lists.len()),
            next_updates: Vec::with_capacity(lists.len()),
            policy,
            algorithms: aws_lc_rs::default_provider()
                .signature_verification_algorithms
                .all,
        };
        for (index, authority) in authorities.iter().enumerate() {
            let certificate = ClientCertificate::from_der(authority)
                .map_err(|source| TrustError::Certificate { index, source })?;
            if !dates::may_be_authority(authority) {
                return Err(TrustError::NotAnAuthority {
                    index,
                    subject: certificate.subject().to_string(),
                });
            }
            let anchor =
                anchor_from_trusted_cert(authority).map_err(|source| TrustError::Anchor { index, source })?;
            this.anchors.push(anchor.to_owned());
            this.anchor_windows.push(Window {
                from: certificate.not_before(),
                until: certificate.not_after(),
            });
        }
        for (index, list) in lists.iter().enumerate() {
            let parsed = OwnedCertRevocationList::from_der(list)
                .map_err(|source| TrustError::RevocationList { index, source })?;
            this.next_updates
                .push(dates::next_update(list).ok_or(TrustError::RevocationList {
                    index,
                    source: Error::BadDerTime,
                })?);
            this.lists.push(CertRevocationList::from(parsed));
        }
        Ok(this)
    }

    /// Takes the authorities of one PEM text and the revocation lists (`X509 CRL`) of another, which may be empty.
    ///
    /// # Errors
    /// [`TrustError::Pem`] for damaged text; else as [`new`](Self::new).
    pub fn from_pem(authorities: &[u8], lists: &[u8], policy: CrlPolicy) -> Result<Self, TrustError> {
        let authorities: Vec<_> = CertificateDer::pem_slice_iter(authorities)
            .collect::<Result<_, _>>()
            .map_err(|error| TrustError::Pem(error.to_string()))?;
        let lists: Vec<_> = CertificateRevocationListDer::pem_slice_iter(lists)
            .collect::<Result<_, _>>()
            .map_err(|error| TrustError::Pem(error.to_string()))?;
        Self::new(&authorities, &lists, policy)
    }

    /// A number that no other `ClientTrust` of this process has.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The earliest `nextUpdate` of the lists: when a fresh one is due.
    #[must_use]
    pub fn next_update(&self) -> Option<UnixTime> {
        self.next_updates.iter().min().copied()
    }

    /// Judges a certificate with whatever chain came along.
    pub(crate) fn judge(
        &self,
        certificate: &ClientCertificate,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Verdict {
        match self.path_window(certificate, chain, now) {
            Ok(window) => Verdict {
                outcome: Ok(()),
                window,
            },
            Err(error) => Verdict {
                outcome: Err(ChainError::from(error)),
                window: Window::only(now),
            },
        }
    }

    fn path_window(
        &self,
        certificate: &ClientCertificate,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Window, Error> {
        let der = CertificateDer::from(certificate.der());
        let leaf = EndEntityCert::try_from(&der)?;
        let lists: Vec<&CertRevocationList<'_>> = self.lists.iter().collect();
        let anchor_in_date = |path: &VerifiedPath<'_>| self.anchor_window(path, now).map(|_| ());
        let path = leaf.verify_for_usage(
            self.algorithms,
            &self.anchors,
            chain,
            now,
            KeyUsage::client_auth(),
            self.policy.options(&lists),
            Some(&anchor_in_date),
        )?;
        let mut window = Window {
            from: certificate.not_before(),
            until: certificate.not_after(),
        }
        .within(self.anchor_window(&path, now)?);
        for authority in path.intermediate_certificates() {
            let authority =
                ClientCertificate::from_der(&authority.der()).map_err(|_| Error::MaximumPathDepthExceeded)?;
            window = window.within(Window {
                from: authority.not_before(),
                until: authority.not_after(),
            });
        }
        // Any list may have been the one that answered, so the first to run out ends the judgement.
        if let Some(next_update) = self.next_updates.iter().filter(|update| **update >= now).min() {
            window.until = window.until.min(*next_update);
        }
        Ok(window)
    }

    /// The dates of the path's anchor; of several certificates of one authority, the one in date.
    fn anchor_window(&self, path: &VerifiedPath<'_>, now: UnixTime) -> Result<Window, Error> {
        let used = path.anchor();
        let windows = || {
            self.anchors
                .iter()
                .zip(&self.anchor_windows)
                .filter(|(anchor, _)| {
                    anchor.subject == used.subject
                        && anchor.subject_public_key_info == used.subject_public_key_info
                })
                .map(|(_, window)| *window)
        };
        if let Some(window) = windows().find(|window| window.holds(now)) {
            return Ok(window);
        }
        match windows().next() {
            Some(window) if now < window.from => Err(Error::CertNotValidYet {
                time: now,
                not_before: window.from,
            }),
            Some(window) => Err(Error::CertExpired {
                time: now,
                not_after: window.until,
            }),
            None => Err(Error::UnknownIssuer),
        }
    }
}

impl fmt::Debug for ClientTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTrust")
            .field("generation", &self.generation)
            .field("authorities", &self.anchors.len())
            .field("lists", &self.lists.len())
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// The trust in use. Clones share it: what one replaces, the next request of all is judged by.
#[derive(Debug, Clone)]
pub struct TrustHandle(Arc<ArcSwap<ClientTrust>>);

impl TrustHandle {
    /// Puts the first trust in place.
    #[must_use]
    pub fn new(trust: ClientTrust) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(trust)))
    }

    /// Puts another in place; judgements made under the one before count no longer.
    pub fn replace(&self, trust: ClientTrust) {
        self.0.store(Arc::new(trust));
    }

    /// The trust for the next request.
    #[must_use]
    pub fn current(&self) -> Arc<ClientTrust> {
        self.0.load_full()
    }
}
