use super::Consent;
use crate::{PersonGrant, scopes};
use rustls_pki_types::UnixTime;
use sealstone_login::Session;
use sealstone_oauth_types::ScopeSet;
use sealstone_registry::{Client, ConsentPolicy};

/// Whether a consent is this person's, for this registration of the client, in this domain.
pub(crate) fn is_of(consent: &Consent, client: &Client, session: &Session) -> bool {
    &consent.domain == client.domain()
        && &consent.user_id == session.user_id()
        && &consent.client_id == client.id()
        && consent.client_created_at == client.created_at()
}

/// Whether a grant is still what the person lets the client have: this registration of it, and every scope.
pub(crate) fn still_lets(grant: &PersonGrant, client: &Client, consent: Option<&Consent>) -> bool {
    let consent = consent.filter(|consent| {
        consent.domain == grant.domain
            && consent.user_id == grant.user_id
            && consent.client_id == grant.client_id
            && consent.client_created_at == grant.client_created_at
    });
    let scope = scopes::with_claims(&grant.scope, grant.claims.as_ref(), client);
    not_yet_let(client, consent, &scope).is_empty()
}

/// What of a scope the person must be asked about. Of a client that the provider of the cloud runs itself only what
/// acts on OpenStack, since that acts in the person's name.
pub(crate) fn not_yet_let(client: &Client, consent: Option<&Consent>, scope: &ScopeSet) -> ScopeSet {
    let is_let = |token: &str| consent.is_some_and(|consent| consent.scope.contains(token));
    let is_free = |token: &str| match client.consent() {
        ConsentPolicy::Ask => false,
        ConsentPolicy::Never => token != scopes::OPENSTACK_API,
    };
    let mut left = ScopeSet::empty();
    for token in scope.iter().filter(|token| !is_let(token) && !is_free(token)) {
        scopes::add(&mut left, token);
    }
    left
}

/// What is remembered once the person said yes: all that was let before, and this. The project is the one just chosen.
pub(crate) fn remembered(
    grant: &PersonGrant,
    before: Option<&Consent>,
    client: &Client,
    now: UnixTime,
) -> Consent {
    // What the client is no longer registered for is forgotten, so that the set stays within a set's limits.
    let mut scope = scopes::with_claims(&grant.scope, grant.claims.as_ref(), client);
    for token in before.into_iter().flat_map(|before| before.scope.iter()) {
        if client.scopes().contains(token) {
            scopes::add(&mut scope, token);
        }
    }
    Consent {
        domain: grant.domain.clone(),
        user_id: grant.user_id.clone(),
        client_id: grant.client_id.clone(),
        client_created_at: grant.client_created_at,
        scope,
        project: grant
            .project
            .clone()
            .or_else(|| before.and_then(|before| before.project.clone())),
        granted_at: now,
    }
}
