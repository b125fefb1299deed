//! Codes, refresh families, sessions and second factors under `kill -9`.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_grants::{
    IssuedToken, PersonGrant,
    code::{CODE_LIFETIME, CODE_MEMORY, CodeRecord, CodeState, CodeStore, Redeemed, Redemption},
    refresh::{
        Ending, FamilyId, FamilyKey, FamilyLifetime, LastIssue, RefreshFamily, RefreshRotation, RefreshStore,
        Rotates, Rotation,
    },
    token::Target,
};
use sealstone_identity::{AuthMethod, UserId};
use sealstone_login::{Acr, Amr, FactorStore, Kept, Swap, TotpFactor, UserFactors};
use sealstone_oauth_types::{ClientId, OpaqueToken, ScopeSet, TokenHash, TokenId};
use sealstone_storage::SqlStore;
use sealstone_tokens::RevocationStore;

use super::{acknowledge, at, domain};

/// The hash of what has this name.
fn hash(name: &str) -> TokenHash {
    let mut octets = [0; 32];
    for (place, octet) in name.bytes().enumerate() {
        octets[place % 32] ^= octet.rotate_left(u32::try_from(place / 32).unwrap());
    }
    OpaqueToken::from_octets(octets).hash()
}

fn grant() -> PersonGrant {
    PersonGrant {
        domain: domain(),
        client_id: ClientId::parse("web").unwrap(),
        client_created_at: at(100),
        user_id: UserId::parse("ada").unwrap(),
        sid: None,
        session_ends_at: None,
        authenticated_at: at(900),
        amr: Amr::of([AuthMethod::Password]),
        acr: Acr::OneFactor,
        scope: ScopeSet::parse("openid").unwrap(),
        resources: Vec::new(),
        project: None,
        claims: None,
    }
}

fn later(span: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_000) + span)
}

fn code(name: &str) -> CodeRecord {
    CodeRecord {
        hash: hash(name),
        grant: grant(),
        redirect_uri: None,
        challenge: None,
        nonce: None,
        issued_at: at(1_000),
        expires_at: later(CODE_LIFETIME),
        forget_at: later(CODE_MEMORY),
    }
}

fn family_id(name: &str) -> FamilyId {
    FamilyId::from_octets(*hash(name).as_octets())
}

fn redemption(name: &str) -> Redemption {
    let token = IssuedToken {
        token_id: TokenId::parse(name).unwrap(),
        expires_at: at(9_999_999_999),
    };
    let family = RefreshFamily {
        id: family_id(name),
        key: FamilyKey::from_octets([7; 32]),
        grant: grant(),
        bound_to: None,
        rotates: Rotates::EachUse,
        lifetime: FamilyLifetime::Offline,
        generation: 1,
        current: hash(name),
        previous: None,
        last: LastIssue {
            token: token.clone(),
            issued_at: at(1_000),
            scope: ScopeSet::parse("openid").unwrap(),
            target: Target::Client,
        },
        live: vec![token.clone()],
        created_at: at(1_000),
        last_used_at: at(1_000),
        idle_s: 10_000,
        ends_at: at(9_999_999_999),
    };
    Redemption {
        token,
        family: Some(family),
    }
}

fn factors(name: &str) -> UserFactors {
    let totp = TotpFactor::new(Kept::of(&"sealed").unwrap(), 100, at(1_000));
    UserFactors::none(domain(), UserId::parse(name).unwrap()).with_totp(totp)
}

/// One person's life: a code, a family, three uses of it, a second factor, the end.
pub(crate) async fn live(store: &SqlStore, name: &str) {
    store.insert_code(code(name)).await.unwrap();
    acknowledge(&format!("code {name} 1"));
    let given = redemption(name);
    assert_eq!(
        store.redeem(&hash(name), &given, at(1_001)).await.unwrap(),
        Redeemed::Done
    );
    acknowledge(&format!("code {name} 2"));
    let mut next = given.family.unwrap();
    for generation in 2..5 {
        next.generation = generation;
        let step = RefreshRotation {
            expected_generation: generation - 1,
            next: next.clone(),
            revoked: Vec::new(),
        };
        assert_eq!(store.rotate(&step).await.unwrap(), Rotation::Rotated);
        acknowledge(&format!("family {name} {generation}"));
    }
    let first = factors(name);
    assert_eq!(store.replace_factors(&first).await.unwrap(), Swap::Done);
    acknowledge(&format!("factors {name} 1"));
    let spent = first.with_spent_step(101).unwrap();
    assert_eq!(store.replace_factors(&spent).await.unwrap(), Swap::Done);
    acknowledge(&format!("factors {name} 2"));
    let ended = store
        .end(Ending::Family(&family_id(name)), at(1_001))
        .await
        .unwrap();
    assert_eq!(ended.len(), 1);
    acknowledge(&format!("family {name} 5"));
}

/// K12, and H08 after a crash: what was acknowledged counts, and no code ever gives two families.
pub(crate) async fn check(store: &SqlStore, kind: &str, name: &str, number: u64) {
    match kind {
        "code" => {
            let stored = store
                .code(&hash(name))
                .await
                .unwrap()
                .unwrap_or_else(|| panic!("code {name} is lost"));
            let is_spent = matches!(stored.state, CodeState::Spent(_));
            assert!(is_spent || number < 2, "the use of code {name} is lost");
        }
        "family" => match store.family(&family_id(name)).await.unwrap() {
            Some(family) => assert!(
                (number..5).contains(&family.generation),
                "{name}: use {number} is lost"
            ),
            None => {
                let revoked = store.revoked(&domain(), at(0)).await.unwrap();
                let is_dead = revoked.iter().any(|token| token.token_id.as_str() == name);
                assert!(is_dead, "family {name} is lost, or ended by half");
            }
        },
        "factors" => {
            let user = UserId::parse(name).unwrap();
            let stored = store.factors(&domain(), &user).await.unwrap();
            assert!(
                stored.is_some_and(|factors| factors.version() >= number),
                "factors {name} {number}"
            );
        }
        other => panic!("odd line: {other}"),
    }
}

/// Whoever got no answer tries again: one of the two uses counts, never both.
pub(crate) async fn exchange_again(store: &SqlStore, name: &str) {
    let first = store.family(&family_id(name)).await.unwrap();
    let again = format!("again-{name}");
    let outcome = store
        .redeem(&hash(name), &redemption(&again), at(1_002))
        .await
        .unwrap();
    let has = async |name: &str| store.family(&family_id(name)).await.unwrap().is_some();
    match outcome {
        Redeemed::Done => assert!(first.is_none() && has(&again).await, "{name}"),
        Redeemed::Spent(_) => assert!(!has(name).await && !has(&again).await, "{name}"),
        Redeemed::Unknown => panic!("code {name} is lost"),
    }
}
