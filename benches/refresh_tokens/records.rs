//! Codes and families as a server keeps them.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_grants::{
    IssuedToken, PersonGrant,
    code::{CODE_LIFETIME, CODE_MEMORY, CodeRecord, Redemption},
    refresh::{
        FamilyId, FamilyKey, FamilyLifetime, LastIssue, PreviousToken, RefreshFamily, RefreshRotation,
        Rotates,
    },
    token::Target,
};
use sealstone_identity::{AuthMethod, DomainId, UserId};
use sealstone_login::{Acr, Amr, Sid};
use sealstone_oauth_types::{
    ClientId, CodeChallenge, Nonce, OpaqueToken, RedirectUri, ScopeSet, TokenHash, TokenId,
};

pub(crate) fn at(secs: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(secs))
}

pub(crate) fn now() -> UnixTime {
    at(1_800_000_010)
}

/// Spread as hashes are.
pub(crate) fn hash(number: u64) -> TokenHash {
    let mut octets = [0; 32];
    octets[..8].copy_from_slice(&number.to_be_bytes());
    OpaqueToken::from_octets(octets).hash()
}

pub(crate) fn family_id(number: u64) -> FamilyId {
    FamilyId::from_octets(*hash(number).as_octets())
}

fn grant(number: u64) -> PersonGrant {
    PersonGrant {
        domain: DomainId::parse("demo").expect("an id"),
        client_id: ClientId::parse("dashboard").expect("an id"),
        client_created_at: at(1_700_000_000),
        // Ten grants of each person.
        user_id: UserId::parse(&format!("{:032x}", number / 10)).expect("an id"),
        sid: Some(Sid::from_octets([7; 16])),
        session_ends_at: Some(at(1_800_600_000)),
        authenticated_at: at(1_800_000_000),
        amr: Amr::of([AuthMethod::Password, AuthMethod::OneTimeCode]),
        acr: Acr::TwoFactor,
        scope: ScopeSet::parse("openid profile email groups offline_access").expect("a scope"),
        resources: Vec::new(),
        project: None,
        claims: None,
    }
}

pub(crate) fn code(number: u64) -> CodeRecord {
    let issued_at = at(1_800_000_000);
    let later = |span: Duration| at(issued_at.as_secs() + span.as_secs());
    CodeRecord {
        hash: hash(number),
        grant: grant(number),
        redirect_uri: Some(
            RedirectUri::parse("https://dashboard.example.org/login/callback").expect("a URI"),
        ),
        challenge: Some(CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").expect("one")),
        nonce: Some(Nonce::parse("n-0S6_WzA2Mj").expect("a nonce")),
        issued_at,
        expires_at: later(CODE_LIFETIME),
        forget_at: later(CODE_MEMORY),
    }
}

fn token(number: u64, generation: u64) -> IssuedToken {
    IssuedToken {
        token_id: TokenId::parse(&format!("{number:016x}{generation:06x}")).expect("an id"),
        expires_at: at(1_800_000_900),
    }
}

pub(crate) fn redemption(number: u64) -> Redemption {
    let token = token(number, 1);
    let grant = grant(number);
    let family = RefreshFamily {
        id: family_id(number),
        key: FamilyKey::from_octets([7; 32]),
        bound_to: None,
        rotates: Rotates::EachUse,
        lifetime: FamilyLifetime::Offline,
        generation: 1,
        current: hash(number),
        previous: None,
        last: LastIssue {
            token: token.clone(),
            issued_at: now(),
            scope: grant.scope.clone(),
            target: Target::Client,
        },
        live: vec![token.clone()],
        created_at: now(),
        last_used_at: now(),
        idle_s: 1_209_600,
        ends_at: at(1_810_000_000),
        grant,
    };
    Redemption {
        token,
        family: Some(family),
    }
}

/// The next use of a family.
pub(crate) fn rotation(family: RefreshFamily) -> RefreshRotation {
    let generation = family.generation + 1;
    let token = token(family.created_at.as_secs(), generation);
    let mut next = family;
    next.previous = Some(PreviousToken {
        hash: next.current,
        rotated_at: now(),
    });
    next.current = hash(generation);
    next.last.token = token.clone();
    next.live.push(token);
    let beyond = next.live.len().saturating_sub(2);
    next.live.drain(..beyond);
    next.last_used_at = at(next.last_used_at.as_secs() + 1);
    next.generation = generation;
    RefreshRotation {
        expected_generation: generation - 1,
        next,
        revoked: Vec::new(),
    }
}
