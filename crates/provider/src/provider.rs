use crate::administration::Administration;
use crate::assertion::Decoys;
use crate::client_limit::ClientLimit;
use crate::config::ProviderConfig;
use crate::error::TokenError;
use crate::identity::IdentityAnswers;
use crate::issuer::IssuerState;
use crate::ports::Ports;
use arc_swap::ArcSwap;
use futures_util::lock::Mutex;
use sealstone_identity::DomainId;
use sealstone_keyring::HomeFigures;
use sealstone_oauth_types::{RevocationDocument, ServerMetadata};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, OnceLock};

thread_local! {
    /// The domain that was named last: a copy of the thread's own, since its holders are counted beside its text, and a
    /// count that every request writes would take the text from every other core that reads it.
    static NAMED: RefCell<Option<DomainId>> = const { RefCell::new(None) };
}

/// Runs the flows of every issuer. A clone is the same provider.
///
/// It serves what [`maintain`](Self::maintain) last loaded: call that once before the first request, again whenever
/// the store tells of a change, and from time to time.
#[derive(Clone)]
pub struct Provider(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: ProviderConfig,
    pub(crate) ports: Ports,
    pub(crate) administration: Option<Administration>,
    pub(crate) decoys: Decoys,
    pub(crate) issuers: ArcSwap<BTreeMap<DomainId, Arc<IssuerState>>>,
    /// Domains without keys yet.
    pub(crate) awaited: ArcSwap<BTreeSet<DomainId>>,
    /// Held from before the store is read until what was read is served.
    pub(crate) looks: Mutex<()>,
    pub(crate) identity_answers: IdentityAnswers,
    pub(crate) client_limit: OnceLock<Arc<dyn ClientLimit>>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Provider")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// A provider that serves nothing yet.
    #[must_use]
    pub fn new(config: ProviderConfig, ports: Ports) -> Self {
        Self::with_administration(config, ports, None)
    }

    /// The same, whose clients are administered over HTTP.
    #[must_use]
    pub fn with_administration(
        config: ProviderConfig,
        mut ports: Ports,
        administration: Option<Administration>,
    ) -> Self {
        let origin = config.base.origin();
        ports.people = ports.people.map(|people| people.at(&origin));
        Self(Arc::new(Inner {
            config,
            ports,
            administration,
            decoys: Decoys::new(),
            issuers: ArcSwap::default(),
            awaited: ArcSwap::default(),
            looks: Mutex::default(),
            identity_answers: IdentityAnswers::default(),
            client_limit: OnceLock::new(),
        }))
    }

    /// The domain of this name, if it has an issuer now.
    #[must_use]
    pub fn issuer_named(&self, domain: &str) -> Option<DomainId> {
        let issuers = self.0.issuers.load();
        let (served, _) = issuers.get_key_value(domain)?;
        Some(NAMED.with_borrow_mut(|named| match named {
            Some(named) if named == served => named.clone(),
            Some(_) | None => named.insert(served.detached()).clone(),
        }))
    }

    /// Whether the domain has an issuer now.
    #[must_use]
    pub fn issuer_exists(&self, domain: &DomainId) -> bool {
        self.0.issuers.load().contains_key(domain)
    }

    /// The domains that have an issuer now.
    #[must_use]
    pub fn domains(&self) -> Vec<DomainId> {
        self.0.issuers.load().keys().cloned().collect()
    }

    /// How signing goes where new keys are made, if that is elsewhere and counts.
    #[must_use]
    pub fn key_home_figures(&self) -> Option<HomeFigures> {
        self.0.config.rotation.home_figures()
    }

    /// What the domain's issuer says of itself.
    #[must_use]
    pub fn metadata(&self, domain: &DomainId) -> Option<Arc<ServerMetadata>> {
        self.issuer(domain).ok().map(|issuer| issuer.metadata.load_full())
    }

    /// The domain's key set as JSON (RFC 7517 §5): public keys only.
    ///
    /// # Errors
    /// [`TokenError::UnknownIssuer`].
    pub fn jwks(&self, domain: &DomainId) -> Result<Arc<str>, TokenError> {
        Ok(Arc::clone(&self.issuer(domain)?.keys.load().jwks))
    }

    /// The keys and tokens of the domain that no longer count, though they are in date.
    ///
    /// # Errors
    /// [`TokenError::UnknownIssuer`].
    pub fn revocation_document(&self, domain: &DomainId) -> Result<RevocationDocument, TokenError> {
        Ok(self.issuer(domain)?.revocation_document(self.0.ports.clock.now()))
    }

    pub(crate) fn issuer(&self, domain: &DomainId) -> Result<Arc<IssuerState>, TokenError> {
        self.0
            .issuers
            .load()
            .get(domain)
            .cloned()
            .ok_or(TokenError::UnknownIssuer)
    }
}
