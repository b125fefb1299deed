use super::{
    FamilyId, FamilyKey, FamilyLifetime, LastIssue, MAX_LIVE_TOKENS, PreviousToken, RefreshFamily,
    RefreshRotation, Rotates, binding, succession::Succession, token::child,
};
use crate::{IssuedToken, person::Facts, scopes};
use rustls_pki_types::UnixTime;
use sealstone_oauth_types::{GrantType, OpaqueToken};
use sealstone_registry::{Client, TokenBinding};
use std::time::Duration;

/// Whether a family begins: for every client that is registered to refresh.
pub(crate) fn begins(client: &Client) -> bool {
    client.grants().contains(&GrantType::RefreshToken)
}

/// The family that begins with this token.
pub(crate) fn first(
    facts: &Facts,
    token: &OpaqueToken,
    key: FamilyKey,
    last: LastIssue,
    now: UnixTime,
) -> RefreshFamily {
    let lifetime = lifetime(facts);
    let ends_at = after(now, facts.client.refresh_lifetime());
    let session_end = facts
        .grant
        .session_ends_at
        .filter(|_| lifetime == FamilyLifetime::Session);
    RefreshFamily {
        id: FamilyId::of(token),
        key,
        grant: facts.grant.clone(),
        bound_to: facts
            .bound_to
            .as_ref()
            .filter(|_| facts.client.is_public())
            .map(binding::thumbprint),
        rotates: rotates(&facts.client),
        lifetime,
        generation: 0,
        current: token.hash(),
        previous: None,
        live: vec![last.token.clone()],
        last,
        created_at: now,
        last_used_at: now,
        idle_s: facts.client.refresh_idle().as_secs(),
        ends_at: session_end.into_iter().chain([ends_at]).min().unwrap_or(ends_at),
    }
}

/// The refresh token of the answer.
pub(super) fn next_token(
    family: &RefreshFamily,
    presented: &OpaqueToken,
    succession: Succession,
) -> OpaqueToken {
    match (family.rotates, succession) {
        (Rotates::Never, Succession::Next) => presented.clone(),
        (Rotates::EachUse, _) | (Rotates::Never, Succession::Again) => child(presented, &family.key),
    }
}

/// The family after a use of its token, and the access tokens that there is no more room for.
pub(super) fn next(
    family: &RefreshFamily,
    presented: &OpaqueToken,
    next_token: &OpaqueToken,
    issued: LastIssue,
    now: UnixTime,
) -> (RefreshFamily, Vec<IssuedToken>) {
    let (next, revoked) = used(family, issued, now);
    let previous = match family.rotates {
        Rotates::EachUse => Some(PreviousToken {
            hash: presented.hash(),
            rotated_at: now,
        }),
        Rotates::Never => None,
    };
    let next = RefreshFamily {
        current: next_token.hash(),
        previous,
        ..next
    };
    (next, revoked)
}

/// The family with one more access token, which the oldest make room for.
fn used(family: &RefreshFamily, issued: LastIssue, now: UnixTime) -> (RefreshFamily, Vec<IssuedToken>) {
    let live = family.live.iter().filter(|token| token.is_live(now));
    let mut live: Vec<IssuedToken> = live.cloned().collect();
    let beyond = live.len().saturating_add(1).saturating_sub(MAX_LIVE_TOKENS);
    let revoked = live.drain(..beyond).collect();
    live.push(issued.token.clone());
    let next = RefreshFamily {
        generation: family.generation.saturating_add(1),
        last: issued,
        live,
        last_used_at: now,
        ..family.clone()
    };
    (next, revoked)
}

impl RefreshRotation {
    /// What is to be written when the family that is stored is this one, and which access tokens are revoked with it;
    /// `None` if another use came before and this one must be judged again.
    ///
    /// Uses of a token that stays do not stand in each other's way: each adds its access token to what is there.
    #[must_use]
    pub fn onto(&self, stored: &RefreshFamily) -> Option<(RefreshFamily, Vec<IssuedToken>)> {
        if stored.generation == self.expected_generation {
            return Some((self.next.clone(), self.revoked.clone()));
        }
        let is_same_token = stored.rotates == Rotates::Never && stored.current == self.next.current;
        is_same_token.then(|| {
            let (mut next, revoked) = used(stored, self.next.last.clone(), self.next.last_used_at);
            next.last_used_at = next.last_used_at.max(stored.last_used_at);
            (next, revoked)
        })
    }
}

/// A refresh token that its client alone can use, and whose access tokens only its certificate can, need not change:
/// FAPI 2.0 §5.3.2.1 forbids it, since a client that loses an answer loses the grant.
fn rotates(client: &Client) -> Rotates {
    match client.token_binding() {
        TokenBinding::CertificateRequired if !client.is_public() => Rotates::Never,
        TokenBinding::CertificateRequired | TokenBinding::Unbound => Rotates::EachUse,
    }
}

/// What was granted for good, or outside of a session, outlives it.
fn lifetime(facts: &Facts) -> FamilyLifetime {
    if facts.grant.sid.is_none() || facts.grant.scope.contains(scopes::OFFLINE_ACCESS) {
        FamilyLifetime::Offline
    } else {
        FamilyLifetime::Session
    }
}

fn after(moment: UnixTime, span: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(
        moment.as_secs().saturating_add(span.as_secs()),
    ))
}
