//! Records to keep, and races to run.

use std::{future::Future, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_directory::DirectoryStore;
use sealstone_grants::{
    IssuedToken, PersonGrant,
    code::{CODE_LIFETIME, CODE_MEMORY, CodeRecord, CodeStore, Redemption},
    consent::ConsentStore,
    device::{DEVICE_INTERVAL_S, DEVICE_LIFETIME, DeviceRequest, DeviceState, DeviceStore, Origin},
    interaction::InteractionStore,
    logout::LogoutStore,
    refresh::{FamilyId, FamilyKey, FamilyLifetime, LastIssue, RefreshFamily, RefreshStore, Rotates},
    token::Target,
};
use sealstone_identity::{AuthMethod, DomainId, Person, UserId, UserRef};
use sealstone_login::{Acr, Amr, FactorStore, Session, SessionStore, Sid, ThrottleStore};
use sealstone_oauth_types::{ClientId, CodeChallenge, OpaqueToken, ScopeSet, TokenHash, TokenId, UserCode};
use sealstone_registry::{ClientStore, Domain, DomainStore, Insertion, RegistrationStore};
use sealstone_storage::MemoryStore;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use sealstone_storage::SqlStore;
use sealstone_tokens::{RevocationStore, RevokedToken};
use tokio::{sync::watch, task::JoinSet};

/// How many race in each race.
pub(crate) const RACERS: u8 = 50;

/// Everything that a server keeps of people.
pub(crate) trait Store:
    CodeStore
    + RefreshStore
    + DeviceStore
    + ConsentStore
    + InteractionStore
    + LogoutStore
    + SessionStore
    + FactorStore
    + ThrottleStore
    + DirectoryStore
    + DomainStore
    + ClientStore
    + RegistrationStore
    + RevocationStore
    + Clone
    + 'static
{
    fn revocation_changes(&self) -> watch::Receiver<u64>;
    fn notice_changes(&self) -> watch::Receiver<u64>;
}

impl Store for MemoryStore {
    fn revocation_changes(&self) -> watch::Receiver<u64> {
        Self::revocation_changes(self)
    }

    fn notice_changes(&self) -> watch::Receiver<u64> {
        Self::notice_changes(self)
    }
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl Store for SqlStore {
    fn revocation_changes(&self) -> watch::Receiver<u64> {
        Self::revocation_changes(self)
    }

    fn notice_changes(&self) -> watch::Receiver<u64> {
        Self::notice_changes(self)
    }
}

pub(crate) fn at(secs: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(secs))
}

pub(crate) fn after(secs: u64, span: Duration) -> UnixTime {
    at(secs + span.as_secs())
}

pub(crate) fn domain_id(id: &str) -> DomainId {
    DomainId::parse(id).unwrap()
}

pub(crate) fn client_id(id: &str) -> ClientId {
    ClientId::parse(id).unwrap()
}

pub(crate) fn user_id(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

pub(crate) fn token_id(id: impl AsRef<str>) -> TokenId {
    TokenId::parse(id.as_ref()).unwrap()
}

/// A hash for each number.
pub(crate) fn hash(number: u64) -> TokenHash {
    let mut octets = [0; 32];
    octets[..8].copy_from_slice(&number.to_be_bytes());
    OpaqueToken::from_octets(octets).hash()
}

pub(crate) fn family_id(number: u64) -> FamilyId {
    FamilyId::from_octets(*hash(number).as_octets())
}

pub(crate) fn sid(number: u8) -> Sid {
    Sid::from_octets([number; 16])
}

pub(crate) fn issued(id: impl AsRef<str>, expires_at: u64) -> IssuedToken {
    IssuedToken {
        token_id: token_id(id),
        expires_at: at(expires_at),
    }
}

pub(crate) fn grant(domain: &str, user: &str, client: &str) -> PersonGrant {
    PersonGrant {
        domain: domain_id(domain),
        client_id: client_id(client),
        client_created_at: at(100),
        user_id: user_id(user),
        sid: None,
        session_ends_at: None,
        authenticated_at: at(900),
        amr: Amr::of([AuthMethod::Password]),
        acr: Acr::OneFactor,
        scope: ScopeSet::parse("openid offline_access").unwrap(),
        resources: Vec::new(),
        project: None,
        claims: None,
    }
}

/// A code made at 1000 s.
pub(crate) fn code(number: u64) -> CodeRecord {
    CodeRecord {
        hash: hash(number),
        grant: grant("demo", "ada", "web"),
        redirect_uri: None,
        challenge: Some(CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap()),
        nonce: None,
        issued_at: at(1_000),
        expires_at: after(1_000, CODE_LIFETIME),
        forget_at: after(1_000, CODE_MEMORY),
    }
}

/// A family made at 1000 s, with one access token that ends at 1900 s.
pub(crate) fn family(number: u64) -> RefreshFamily {
    let token = issued(format!("access-{number}"), 1_900);
    RefreshFamily {
        id: family_id(number),
        key: FamilyKey::from_octets([7; 32]),
        grant: grant("demo", "ada", "web"),
        bound_to: None,
        rotates: Rotates::EachUse,
        lifetime: FamilyLifetime::Offline,
        generation: 1,
        current: hash(number),
        previous: None,
        last: LastIssue {
            token: token.clone(),
            issued_at: at(1_000),
            scope: ScopeSet::parse("openid").unwrap(),
            target: Target::Client,
        },
        live: vec![token],
        created_at: at(1_000),
        last_used_at: at(1_000),
        idle_s: 10_000,
        ends_at: at(50_000),
    }
}

pub(crate) fn redemption(family: Option<RefreshFamily>) -> Redemption {
    let token = family
        .as_ref()
        .map_or_else(|| issued("alone", 1_900), |family| family.live[0].clone());
    Redemption { token, family }
}

/// Keeps a family by the way in which all of them come: a code is redeemed for it.
pub(crate) async fn keep_family<S: Store>(store: &S, family: &RefreshFamily) {
    let code = CodeRecord {
        hash: TokenHash::from_octets(*family.id.as_octets()),
        ..code(0)
    };
    let hash = code.hash;
    store.insert_code(code).await.unwrap();
    let redeemed = store
        .redeem(&hash, &redemption(Some(family.clone())), at(1_000))
        .await;
    assert_eq!(redeemed.unwrap(), sealstone_grants::code::Redeemed::Done);
}

/// A request made at 1000 s.
pub(crate) fn device(number: u64) -> DeviceRequest {
    let mut letters = [0; 8];
    for (place, letter) in letters.iter_mut().enumerate() {
        *letter = u8::try_from(number / 20_u64.pow(u32::try_from(place).unwrap()) % 20).unwrap();
    }
    DeviceRequest {
        hash: hash(number),
        user_code: UserCode::from_octets(letters),
        domain: domain_id("demo"),
        client_id: client_id("tv"),
        client_created_at: at(100),
        scope: ScopeSet::parse("openid").unwrap(),
        resources: Vec::new(),
        bound_to: None,
        origin: Origin::default(),
        created_at: at(1_000),
        expires_at: after(1_000, DEVICE_LIFETIME),
        interval_s: DEVICE_INTERVAL_S,
        polled_at: None,
        state: DeviceState::Pending,
    }
}

/// A session begun at 1000 s: idle at 4600 s, over at 90,000 s.
pub(crate) fn session(number: u8, domain: &str, user: &str) -> Session {
    let person = Person::new(UserRef::new(user, user, domain).unwrap());
    let record = serde_json::json!({
        "id": hash(u64::from(number)), "sid": sid(number), "domain": domain, "version": 1,
        "person": person, "authenticated_at": 1_000,
        "amr": Amr::of([AuthMethod::Password]), "acr": Acr::OneFactor,
        "created_at": 1_000, "last_used_at": 1_000, "idle_s": 3_600, "ends_at": 90_000,
    });
    serde_json::from_value(record).unwrap()
}

pub(crate) async fn add_domain<S: Store>(store: &S, id: &str) {
    let domain = Domain::new(domain_id(id), &format!("The domain {id}"), true).unwrap();
    assert_eq!(store.insert_domain(domain).await.unwrap(), Insertion::Inserted);
}

/// The ids of the tokens of a domain that are revoked, and not over at 1000 s.
pub(crate) async fn revoked<S: Store>(store: &S, domain: &str) -> Vec<String> {
    let revoked = store.revoked(&domain_id(domain), at(1_000)).await.unwrap();
    let id = |token: &RevokedToken| token.token_id.as_str().to_owned();
    revoked.iter().map(id).collect()
}

/// Runs all attempts at once; their outcomes.
pub(crate) async fn race<T, Fut>(attempt: impl Fn(u8) -> Fut) -> Vec<T>
where
    T: Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    let mut racers = JoinSet::new();
    for racer in 0..RACERS {
        racers.spawn(attempt(racer));
    }
    racers.join_all().await
}

/// How many outcomes are so.
pub(crate) fn count<T>(outcomes: &[T], is_so: impl Fn(&T) -> bool) -> usize {
    outcomes.iter().filter(|outcome| is_so(outcome)).count()
}
