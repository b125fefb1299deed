//! One domain's issuer, as it is served: everything that a request needs is made before it comes.

use arc_swap::ArcSwap;
use parking_lot::RwLock;
use rustls_pki_types::UnixTime;
use sealstone_grants::IssuedToken;
use sealstone_grants::assertion::AssertionAudiences;
use sealstone_grants::refresh::EndedFamily;
use sealstone_identity::DomainId;
use sealstone_jose::{Algorithm, JoseError, VerifierSet};
use sealstone_keyring::{KeyRing, RotationPolicy};
use sealstone_oauth_types::{
    ClientEnd, ClientId, EndedClientId, Issuer, RevocationDocument, RevokedTokenId, Secret, ServerMetadata,
    TokenId,
};
use sealstone_tokens::{
    AccessTokenVerifier, EndedClient, HintVerifier, Mint, MintError, PeopleMint, Revocations, RevokedToken,
    VerifiedHint, openstack_audience,
};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::sync::Arc;

/// Every algorithm that an issuer may have signed with.
pub(crate) const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
    Algorithm::Rs256,
    Algorithm::Ps256,
];

/// How long a resource may rely on a revocation document while it can't get a newer one: after that it must refuse
/// rather than accept what may have been revoked. Ten minutes outlast a restart and a short outage.
const DOCUMENT_LIFETIME_S: u64 = 600;

/// The issuer of one domain.
#[derive(Debug)]
pub(crate) struct IssuerState {
    pub(crate) domain: DomainId,
    pub(crate) issuer: Issuer,
    pub(crate) metadata: ArcSwap<ServerMetadata>,
    pub(crate) openstack_audience: String,
    pub(crate) assertion_audiences: AssertionAudiences,
    pub(crate) verifier: AccessTokenVerifier,
    pub(crate) keys: ArcSwap<IssuerKeys>,
    revoked: RwLock<BTreeMap<TokenId, u64>>,
    ended_clients: RwLock<BTreeMap<ClientId, EndedClient>>,
}

impl IssuerState {
    pub(crate) fn new(domain: DomainId, issuer: Issuer, metadata: ServerMetadata, keys: IssuerKeys) -> Self {
        Self {
            openstack_audience: openstack_audience(&domain),
            assertion_audiences: assertion_audiences(&issuer, &metadata),
            verifier: AccessTokenVerifier::dangerous_for_any_audience(issuer.clone()),
            metadata: ArcSwap::from_pointee(metadata),
            keys: ArcSwap::from_pointee(keys),
            revoked: RwLock::new(BTreeMap::new()),
            ended_clients: RwLock::new(BTreeMap::new()),
            domain,
            issuer,
        }
    }

    /// Takes what the store knew when it was asked, and forgets what has expired. What was revoked meanwhile stays:
    /// a revocation is never taken back.
    pub(crate) fn merge_revoked(&self, tokens: Vec<RevokedToken>, now: UnixTime) {
        let mut revoked = self.revoked.write();
        revoked.retain(|_, expires| *expires > now.as_secs());
        revoked.extend(
            tokens
                .into_iter()
                .map(|token| (token.token_id, token.expires_at.as_secs())),
        );
    }

    /// Takes the clients that ended, as the store knew them, and forgets those whose last token has ended.
    pub(crate) fn merge_ended(&self, clients: Vec<EndedClient>, now: UnixTime) {
        self.ended_clients
            .write()
            .retain(|_, ended| ended.forget_at.as_secs() > now.as_secs());
        for ended in clients {
            self.add_ended_client(ended);
        }
    }

    /// Takes one more client that ended, already durable. What ended later stays.
    pub(crate) fn add_ended_client(&self, ended: EndedClient) {
        let mut clients = self.ended_clients.write();
        match clients.entry(ended.client_id.clone()) {
            Entry::Vacant(place) => {
                place.insert(ended);
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.end = known.end.with(ended.end);
                known.forget_at = known.forget_at.max(ended.forget_at);
            }
        }
    }

    /// Takes one more, already durable.
    pub(crate) fn add_revoked(&self, token: RevokedToken) {
        self.revoked
            .write()
            .insert(token.token_id, token.expires_at.as_secs());
    }

    /// Whom an ID token of this issuer names, whether its time is over or not.
    pub(crate) fn hint(&self, token: &Secret, now: UnixTime) -> Option<VerifiedHint> {
        let keys = self.keys.load();
        let verifier = HintVerifier::new(self.issuer.clone());
        verifier.verify(token.expose(), &keys.verifiers, self, now).ok()
    }

    /// Takes the access tokens of families that have ended, already durable.
    pub(crate) fn add_ended(&self, families: Vec<EndedFamily>) {
        for token in families.into_iter().flat_map(|family| family.revoked) {
            self.add_issued(token);
        }
    }

    /// Takes an access token that was revoked with what it was given for, already durable.
    pub(crate) fn add_issued(&self, token: IssuedToken) {
        self.add_revoked(RevokedToken {
            token_id: token.token_id,
            expires_at: token.expires_at,
        });
    }

    pub(crate) fn revocation_document(&self, now: UnixTime) -> RevocationDocument {
        let mut document = RevocationDocument::new(self.issuer.clone(), now.as_secs());
        document.exp = Some(now.as_secs().saturating_add(DOCUMENT_LIFETIME_S));
        document.revoked_keys = self.keys.load().revoked.iter().cloned().collect();
        let revoked = self.revoked.read();
        let live = revoked.iter().filter(|(_, expires)| **expires > now.as_secs());
        document.revoked_tokens = live
            .map(|(token_id, expires)| RevokedTokenId::new(token_id.clone(), *expires))
            .collect();
        let clients = self.ended_clients.read();
        let live = clients
            .values()
            .filter(|ended| ended.forget_at.as_secs() > now.as_secs());
        document.ended_clients = live
            .map(|ended| EndedClientId::new(ended.client_id.clone(), ended.end, ended.forget_at.as_secs()))
            .collect();
        document
    }
}

/// What client assertions may call this issuer: its own name, and the addresses of its token endpoint.
fn assertion_audiences(issuer: &Issuer, metadata: &ServerMetadata) -> AssertionAudiences {
    let aliases = metadata.mtls_endpoint_aliases.as_ref();
    let alias = aliases.and_then(|aliases| aliases.token_endpoint.clone());
    AssertionAudiences {
        issuer: issuer.as_str().to_owned(),
        token_endpoints: metadata.token_endpoint.clone().into_iter().chain(alias).collect(),
    }
}

impl Revocations for IssuerState {
    fn is_token_revoked(&self, token_id: &str) -> bool {
        TokenId::parse(token_id).map_or(true, |token_id| self.revoked.read().contains_key(&token_id))
    }

    fn is_key_revoked(&self, key_id: &str) -> bool {
        self.keys.load().revoked.contains(key_id)
    }

    fn client_end(&self, client_id: &ClientId) -> Option<ClientEnd> {
        self.ended_clients.read().get(client_id).map(|ended| ended.end)
    }
}

/// What follows from the key ring, as it was stored once.
#[derive(Debug)]
pub(crate) struct IssuerKeys {
    /// What the ring was read from, as a hash.
    pub(crate) stored: [u8; 32],
    /// Nothing is due before.
    pub(crate) next_change: UnixTime,
    pub(crate) jwks: Arc<str>,
    pub(crate) verifiers: VerifierSet,
    default: Option<Algorithm>,
    mints: BTreeMap<&'static str, Arc<Mint>>,
    people_mints: BTreeMap<&'static str, Arc<PeopleMint>>,
    revoked: BTreeSet<String>,
}

/// A ring that can't be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerKeysError {
    /// A published key can't verify.
    #[error("a published key can't be used to verify")]
    Verifier(#[from] JoseError),
    /// An active key can't sign.
    #[error("an active key can't be used to sign")]
    Mint(#[from] MintError),
}

impl IssuerKeys {
    pub(crate) fn of(
        ring: &KeyRing,
        policy: &RotationPolicy,
        stored: [u8; 32],
    ) -> Result<Self, IssuerKeysError> {
        let mut mints = BTreeMap::new();
        let mut people_mints = BTreeMap::new();
        for algorithm in ALGORITHMS {
            let signer = ring.active(algorithm).and_then(|key| key.signer());
            if let Some(signer) = signer {
                mints.insert(algorithm.as_str(), Arc::new(Mint::new(Arc::clone(signer))?));
                let people_mint = PeopleMint::new(Arc::clone(signer))?;
                people_mints.insert(algorithm.as_str(), Arc::new(people_mint));
            }
        }
        Ok(Self {
            stored,
            next_change: ring.next_change(policy),
            jwks: Arc::from(ring.published().to_json()),
            verifiers: VerifierSet::new(ring.published().jwk_set(), &ALGORITHMS)?,
            default: ring.signing(policy, None).map(|key| key.algorithm()),
            mints,
            people_mints,
            revoked: ring.revoked().map(|key| key.kid().as_str().to_owned()).collect(),
        })
    }

    /// The mint for the algorithm that a client wants, or for the issuer's own.
    pub(crate) fn mint(&self, wanted: Option<Algorithm>) -> Option<&Mint> {
        let algorithm = wanted.or(self.default)?;
        self.mints.get(algorithm.as_str()).map(|mint| &**mint)
    }

    /// The mint of ID and logout tokens for the algorithm that a client wants; else for RS256, which every client knows
    /// (OpenID Connect Registration §2), where there is a key for it; else for the issuer's own.
    pub(crate) fn people_mint(&self, wanted: Option<Algorithm>) -> Option<&PeopleMint> {
        let mint = |algorithm: Algorithm| self.people_mints.get(algorithm.as_str()).map(|mint| &**mint);
        match wanted {
            Some(wanted) => mint(wanted),
            None => mint(Algorithm::Rs256).or_else(|| mint(self.default?)),
        }
    }

    /// The algorithms that there is a key to sign with.
    pub(crate) fn algorithms(&self) -> impl Iterator<Item = &'static str> {
        self.mints.keys().copied()
    }
}
