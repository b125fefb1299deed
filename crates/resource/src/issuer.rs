//! What is known of the issuer: its keys and what it revoked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use futures_util::future::{BoxFuture, join};
use sealstone_jose::{Algorithm, JoseError, JwkSet, VerifierSet, json};
use sealstone_oauth_types::{ClientEnd, ClientId, EndedClientId, Issuer, RevocationDocument, ServerMetadata};

use crate::{
    Fetched, JwksSource, ResourceConfig, SourceError,
    cached::{Cached, Held, Loaded, Policy},
    config::{Revocations, is_https},
};

/// Metadata of an issuer with every extension known stays under 8 KiB.
const MAX_METADATA_OCTETS: usize = 64 * 1024;
/// Some 16,000 revoked tokens. Who must revoke more within the life of a token revokes the key.
const MAX_REVOCATION_OCTETS: usize = 1024 * 1024;

/// Why a document of the issuer can't be used. For the operator's log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("fetching failed")]
    Source(#[from] SourceError),
    #[error("no answer within the deadline")]
    Deadline,
    #[error("the document is malformed")]
    Document(#[from] JoseError),
    #[error("the document names another issuer")]
    Issuer,
    #[error("the metadata names no `jwks_uri` under the issuer's scheme, host and port")]
    JwksUri,
    #[error("the document ended before it was made")]
    Lifetime,
}

/// Keys and tokens that the issuer no longer stands for.
#[derive(Debug, Default)]
pub(crate) struct Revoked {
    keys: BTreeSet<String>,
    tokens: BTreeSet<String>,
    clients: BTreeMap<ClientId, ClientEnd>,
}

impl sealstone_tokens::Revocations for Revoked {
    fn is_token_revoked(&self, token_id: &str) -> bool {
        self.tokens.contains(token_id)
    }

    fn is_key_revoked(&self, key_id: &str) -> bool {
        self.keys.contains(key_id)
    }

    fn client_end(&self, client_id: &ClientId) -> Option<ClientEnd> {
        self.clients.get(client_id).copied()
    }
}

/// What one request is judged by.
#[derive(Clone)]
pub(crate) struct Trust {
    keys: Arc<Held<JwkSet>>,
    revoked: Option<Arc<Held<Revoked>>>,
    /// Of the keys that were not revoked.
    pub(crate) verifiers: Arc<VerifierSet>,
}

impl Trust {
    pub(crate) fn revocations(&self) -> &dyn sealstone_tokens::Revocations {
        match &self.revoked {
            Some(held) => &held.value,
            None => &sealstone_tokens::NothingRevoked,
        }
    }
}

/// An issuer's documents, kept and renewed.
pub(crate) struct IssuerDocuments {
    algorithms: Vec<Algorithm>,
    keys: Arc<Cached<JwkSet>>,
    revoked: Option<Arc<Cached<Revoked>>>,
    last: ArcSwapOption<Trust>,
}

impl IssuerDocuments {
    pub(crate) fn new(config: &ResourceConfig, source: Arc<dyn JwksSource>) -> Self {
        let freshness = config.freshness;
        let library = Arc::new(Library {
            issuer: config.issuer.clone(),
            source,
            configured_jwks_uri: config.jwks_uri.clone(),
            discovered_jwks_uri: ArcSwapOption::empty(),
        });
        let policy = Policy {
            lifetime: freshness.jwks_lifetime,
            grace: freshness.jwks_lifetime,
            pause: freshness.refetch_interval,
            max_staleness: freshness.max_staleness,
            deadline: freshness.fetch_deadline,
        };
        let reader = Arc::clone(&library);
        let load = move || -> BoxFuture<'static, _> {
            let library = Arc::clone(&reader);
            Box::pin(async move { library.keys().await })
        };
        let keys = Cached::new("key set", policy, Arc::clone(&config.clock), Box::new(load));
        let revoked = match &config.revocations {
            Revocations::Ignored => None,
            Revocations::At(url) => {
                let url = url.clone();
                let load = move || -> BoxFuture<'static, _> {
                    let (library, url) = (Arc::clone(&library), url.clone());
                    Box::pin(async move { library.revoked(&url).await })
                };
                let interval = freshness.revocation_interval;
                // Renewed in the last fifth of the interval, so that no request waits while there are many, and none
                // is judged by older ones.
                let grace = interval.checked_div(5).unwrap_or_default();
                let lifetime = interval.saturating_sub(grace);
                let policy = Policy {
                    lifetime,
                    grace,
                    pause: lifetime,
                    ..policy
                };
                Some(Cached::new(
                    "revocations",
                    policy,
                    Arc::clone(&config.clock),
                    Box::new(load),
                ))
            }
        };
        Self {
            algorithms: config.algorithms.clone(),
            keys,
            revoked,
            last: ArcSwapOption::empty(),
        }
    }

    /// What to judge by now. `None` when the keys or the revocations are missing or too old.
    pub(crate) async fn current(&self) -> Option<Arc<Trust>> {
        let Some(revoked) = &self.revoked else {
            let keys = self.keys.current().await?;
            return self.trust(keys, None);
        };
        let (keys, revoked) = join(self.keys.current(), revoked.current()).await;
        self.trust(keys?, Some(revoked?))
    }

    /// The same with later keys than `used` had. `None` if there are none, or if they were asked for just now.
    pub(crate) async fn with_newer_keys(&self, used: &Trust) -> Option<Arc<Trust>> {
        let keys = self.keys.newer_than(&used.keys).await?;
        self.trust(keys, used.revoked.clone())
    }

    /// Keys are parsed again only when they, or the revoked ones among them, have changed.
    fn trust(&self, keys: Arc<Held<JwkSet>>, revoked: Option<Arc<Held<Revoked>>>) -> Option<Arc<Trust>> {
        let last = self
            .last
            .load_full()
            .filter(|last| Arc::ptr_eq(&last.keys, &keys));
        if let Some(last) = last {
            match (&last.revoked, &revoked) {
                (None, None) => return Some(last),
                (Some(old), Some(new)) if Arc::ptr_eq(old, new) => return Some(last),
                (Some(old), Some(new)) if old.value.keys == new.value.keys => {
                    let verifiers = Arc::clone(&last.verifiers);
                    return Some(self.remember(Trust {
                        keys,
                        revoked,
                        verifiers,
                    }));
                }
                _ => {}
            }
        }
        let verifiers = match self.verifiers(&keys.value, revoked.as_ref().map(|held| &held.value)) {
            Ok(verifiers) => Arc::new(verifiers),
            Err(error) => {
                tracing::error!(%error, "the issuer's keys cannot be used");
                return None;
            }
        };
        Some(self.remember(Trust {
            keys,
            revoked,
            verifiers,
        }))
    }

    /// A revoked key leaves use even where the set that still names it is cached, and also for tokens without `kid`.
    fn verifiers(&self, set: &JwkSet, revoked: Option<&Revoked>) -> Result<VerifierSet, JoseError> {
        let is_revoked = |kid: &str| revoked.is_some_and(|revoked| revoked.keys.contains(kid));
        let keys = set.keys().iter().filter(|key| !key.kid().is_some_and(is_revoked));
        VerifierSet::new(&JwkSet::new(keys.cloned().collect())?, &self.algorithms)
    }

    fn remember(&self, trust: Trust) -> Arc<Trust> {
        let trust = Arc::new(trust);
        self.last.store(Some(Arc::clone(&trust)));
        trust
    }
}

/// Reads the issuer's documents from the source.
struct Library {
    issuer: Issuer,
    source: Arc<dyn JwksSource>,
    configured_jwks_uri: Option<String>,
    discovered_jwks_uri: ArcSwapOption<String>,
}

impl Library {
    async fn keys(&self) -> Result<Loaded<JwkSet>, LoadError> {
        let url = match (&self.configured_jwks_uri, self.discovered_jwks_uri.load_full()) {
            (Some(url), _) => url.clone(),
            (None, Some(url)) => (*url).clone(),
            (None, None) => {
                let url = self.discover().await?;
                self.discovered_jwks_uri.store(Some(Arc::new(url.clone())));
                url
            }
        };
        let outcome = self.keys_at(&url).await;
        if outcome.is_err() {
            // It may have moved: ask the metadata next time.
            self.discovered_jwks_uri.store(None);
        }
        outcome
    }

    async fn keys_at(&self, url: &str) -> Result<Loaded<JwkSet>, LoadError> {
        let fetched = self.fetch(url, JwkSet::MAX_BYTES).await?;
        Ok(Loaded {
            value: JwkSet::parse(&fetched.body)?,
            fresh_for: fetched.max_age,
            usable_for: None,
        })
    }

    /// `jwks_uri` of the metadata at either well-known place (OpenID Connect Discovery 1.0 §4, RFC 8414 §3).
    async fn discover(&self) -> Result<String, LoadError> {
        let fetched = match self
            .fetch(&self.issuer.well_known_openid(), MAX_METADATA_OCTETS)
            .await
        {
            Err(SourceError::Status(404)) => {
                self.fetch(&self.issuer.well_known_oauth(), MAX_METADATA_OCTETS)
                    .await
            }
            other => other,
        }?;
        let metadata: ServerMetadata = json::from_slice(&fetched.body)?;
        if metadata.issuer != self.issuer {
            return Err(LoadError::Issuer);
        }
        let url = metadata.jwks_uri.ok_or(LoadError::JwksUri)?;
        let under_origin = url
            .strip_prefix(self.issuer.origin())
            .is_some_and(|path| path.starts_with('/'));
        if under_origin && is_https(&url) {
            Ok(url)
        } else {
            Err(LoadError::JwksUri)
        }
    }

    async fn revoked(&self, url: &str) -> Result<Loaded<Revoked>, LoadError> {
        let fetched = self.fetch(url, MAX_REVOCATION_OCTETS).await?;
        let document: RevocationDocument = json::from_slice(&fetched.body)?;
        if document.iss != self.issuer {
            return Err(LoadError::Issuer);
        }
        // Measured by the issuer's clock alone, so that a difference between the clocks doesn't matter.
        let usable_for = match document.exp {
            None => None,
            Some(exp) if exp > document.iat => Some(Duration::from_secs(exp.saturating_sub(document.iat))),
            Some(_) => return Err(LoadError::Lifetime),
        };
        let tokens = document.revoked_tokens.into_iter();
        Ok(Loaded {
            value: Revoked {
                keys: document.revoked_keys.into_iter().collect(),
                tokens: tokens.map(|token| token.jti.as_str().to_owned()).collect(),
                clients: ended_clients(document.ended_clients),
            },
            fresh_for: None,
            usable_for,
        })
    }

    async fn fetch(&self, url: &str, limit: usize) -> Result<Fetched, SourceError> {
        let fetched = self.source.fetch(url, limit).await?;
        if fetched.body.len() > limit {
            return Err(SourceError::TooLarge(limit));
        }
        Ok(fetched)
    }
}

/// Of a client that is named twice, both ends count.
fn ended_clients(named: Vec<EndedClientId>) -> BTreeMap<ClientId, ClientEnd> {
    let mut clients = BTreeMap::new();
    for ended in named {
        let end = ended.end();
        let known = clients.entry(ended.client_id).or_insert(end);
        *known = known.with(end);
    }
    clients
}
