//! The source: how old, how often asked, and what of an outage.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustls_pki_types::UnixTime;
use sealstone_fernet::{JwsAlgorithm, JwsPrivateKey, JwsTokenIssuer, JwsTokenReader};
use sealstone_identity::{DelegationMethod, IdentitySource, IdentitySourceError, MachineLogin, Refusal};
use sealstone_keystone::{EntropyFailed, KeystoneIdentity, KeystoneIdentityBuilder, TokenMint};
use sealstone_testkit::{ManualClock, START};
use serde_json::Value;

use crate::support::{
    FakeKeystone, PASSWORD, PATIENCE, Reply, Seen, TOKEN, client, clock, credential_id, credential_token,
    project_id, project_token, user_id,
};

/// A source, the Keystone behind it, and what that answers to a login and to a validation.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) fake: FakeKeystone,
    pub(crate) source: KeystoneIdentity,
    logins: Arc<Mutex<Reply>>,
    validations: Arc<Mutex<Reply>>,
    pub(crate) events: Arc<Mutex<Reply>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn with(
        change: impl FnOnce(KeystoneIdentityBuilder) -> KeystoneIdentityBuilder,
    ) -> Self {
        let clock = clock();
        let shared = |reply| Arc::new(Mutex::new(reply));
        let logins = shared(Reply::issued(TOKEN, &credential_token(START)));
        let validations = shared(Reply::valid(&credential_token(START)));
        let events = shared(Reply::json(200, "", r#"{"events": [], "links": {"next": null}}"#));
        let answers = (Arc::clone(&logins), Arc::clone(&validations), Arc::clone(&events));
        let fake = FakeKeystone::start(Arc::new(move |seen: &Seen| {
            let (logins, validations, events) = &answers;
            let is_service = seen.method == "POST" && seen.json().to_string().contains("service-account");
            let reply = match seen.method.as_str() {
                "POST" if is_service => return Reply::issued("service", &service_token()),
                "POST" => logins,
                _ if seen.target.starts_with("/v3/OS-REVOKE") => events,
                _ => validations,
            };
            reply.lock().unwrap().clone()
        }))
        .await;
        let source = change(KeystoneIdentity::builder(client(&fake, &clock))).build();
        Self {
            clock,
            fake,
            source,
            logins,
            validations,
            events,
        }
    }

    pub(crate) fn on_login(&self, reply: Reply) {
        *self.logins.lock().unwrap() = reply;
    }

    pub(crate) fn on_validation(&self, reply: Reply) {
        *self.validations.lock().unwrap() = reply;
    }

    /// Asks with the right secret.
    pub(crate) async fn ask(&self) -> Result<Arc<sealstone_identity::Delegated>, IdentitySourceError> {
        self.ask_with(PASSWORD).await
    }

    pub(crate) async fn ask_with(
        &self,
        secret: &str,
    ) -> Result<Arc<sealstone_identity::Delegated>, IdentitySourceError> {
        let id = credential_id("ac1");
        let login = MachineLogin::ApplicationCredential { id: &id, secret };
        self.source.machine(&login).await
    }

    pub(crate) async fn ask_minted(&self) -> Result<Arc<sealstone_identity::Delegated>, IdentitySourceError> {
        let (user_id, project_id) = (user_id("u1"), project_id("p1"));
        let login = MachineLogin::MintedUser {
            user_id: &user_id,
            project_id: &project_id,
        };
        self.source.machine(&login).await
    }

    pub(crate) fn logins(&self) -> usize {
        self.fake.seen_at("POST", "/v3/auth/tokens")
    }

    pub(crate) fn validations(&self) -> usize {
        self.fake.seen_at("GET", "/v3/auth/tokens")
    }

    /// Waits for a renewal in the background to have been used: the answer is of `read_at`.
    pub(crate) async fn renewed(&self, read_at: u64) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.ask().await.unwrap().read_at.as_secs() < read_at {
            assert!(tokio::time::Instant::now() < deadline, "no renewal");
            tokio::task::yield_now().await;
        }
    }
}

fn service_token() -> Value {
    let mut document = credential_token(START);
    document["token"]["application_credential"]["id"] = "service-account".into();
    document["token"]["user"]["id"] = "service-user".into();
    document
}

pub(crate) fn is_unavailable<T>(outcome: &Result<T, IdentitySourceError>) -> bool {
    matches!(outcome, Err(IdentitySourceError::Unavailable { .. }))
}

pub(crate) fn is_refused<T>(outcome: &Result<T, IdentitySourceError>, refusal: Refusal) -> bool {
    matches!(outcome, Err(IdentitySourceError::Refused(found)) if *found == refusal)
}

pub(crate) fn is_malformed<T>(outcome: &Result<T, IdentitySourceError>) -> bool {
    matches!(outcome, Err(IdentitySourceError::Malformed { .. }))
}

pub(crate) fn mint(key: &JwsPrivateKey) -> TokenMint {
    let key = JwsPrivateKey::from_pem(JwsAlgorithm::Es256, &key.to_pem().unwrap()).unwrap();
    let count = AtomicUsize::new(1);
    TokenMint::new(
        JwsTokenIssuer::new(key),
        Duration::from_secs(3600),
        move |octets| {
            octets.fill(u8::try_from(count.fetch_add(1, Ordering::SeqCst)).map_err(|_| EntropyFailed)?);
            Ok(())
        },
    )
}

/// A certificate of a year.
fn bound_to(thumbprint: &str) -> sealstone_identity::KeystoneBinding<'_> {
    sealstone_identity::KeystoneBinding {
        thumbprint,
        not_after: sealstone_testkit::unix_time(START + 365 * 86_400),
    }
}

#[tokio::test]
async fn cold_is_one_call_and_warm_is_none() {
    let world = World::new().await;
    let first = world.ask().await.unwrap();
    assert_eq!(world.fake.seen().len(), 1);
    assert_eq!(world.fake.seen()[0].target, "/v3/auth/tokens?nocatalog");
    assert_eq!(first.method, DelegationMethod::ApplicationCredential);
    let roles: Vec<_> = first.authority.roles().iter().map(|role| role.as_str()).collect();
    assert_eq!(roles, ["member", "reader"], "in a stable order");
    assert_eq!(first.authority.user().domain_name().unwrap().as_str(), "acme");
    assert_eq!(first.read_at.as_secs(), START);
    assert_eq!(first.expires_at.unwrap().as_secs(), START + 3600);
    world.clock.advance(Duration::from_secs(4));
    for _ in 0..100 {
        assert_eq!(world.ask().await.unwrap(), first);
    }
    assert_eq!(world.fake.seen().len(), 1);
}

#[tokio::test]
async fn many_that_wait_for_one_login_make_one_call() {
    let world = Arc::new(World::new().await);
    let asking = (0..50).map(|_| {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.ask().await })
    });
    for asked in asking.collect::<Vec<_>>() {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(world.fake.seen().len(), 1);
}

#[tokio::test]
async fn a_request_that_is_given_up_does_not_end_the_lookup_of_the_others() {
    let world = Arc::new(World::new().await);
    let first = Arc::clone(&world);
    let given_up = tokio::spawn(async move { first.ask().await });
    world.fake.came(1).await;
    given_up.abort();
    assert!(world.ask().await.is_ok());
    assert_eq!(world.fake.seen().len(), 1);
}

#[tokio::test]
async fn what_is_in_use_is_renewed_in_the_background_by_its_own_token() {
    let world = World::new().await;
    world.ask().await.unwrap();
    world.clock.advance(Duration::from_secs(5));
    assert_eq!(
        world.ask().await.unwrap().read_at.as_secs(),
        START,
        "it does not wait"
    );
    world.renewed(START + 5).await;
    assert_eq!((world.logins(), world.validations()), (1, 1));
    let renewal = &world.fake.seen()[1];
    assert_eq!(renewal.header("x-auth-token"), Some(TOKEN));
    assert_eq!(renewal.header("x-subject-token"), Some(TOKEN));
    assert_eq!(renewal.header("openstack-identity-access-rules"), Some("1.0"));
    // In the second half of the token's life the login itself is made again.
    world.clock.advance(Duration::from_secs(1801));
    world.on_login(Reply::issued("second", &credential_token(START + 1806)));
    let again = world.ask().await.unwrap();
    assert_eq!((world.logins(), world.validations()), (2, 1));
    assert_eq!(again.expires_at.unwrap().as_secs(), START + 1806 + 3600);
}

#[tokio::test]
async fn a_renewal_shows_what_changed() {
    let world = World::new().await;
    world.ask().await.unwrap();
    let mut fewer = credential_token(START);
    fewer["token"]["roles"] = serde_json::json!([{"id": "r2", "name": "reader"}]);
    world.on_validation(Reply::valid(&fewer));
    world.clock.advance(Duration::from_secs(5));
    world.renewed(START + 5).await;
    assert_eq!(world.ask().await.unwrap().authority.roles().len(), 1);
}

#[tokio::test]
async fn while_keystone_is_down_identities_live_as_long_as_their_age_allows() {
    let world = World::new().await;
    world.ask().await.unwrap();
    world.on_login(Reply::Close);
    world.on_validation(Reply::Close);
    for _ in 0..9 {
        world.clock.advance(Duration::from_secs(1));
        assert!(world.ask().await.is_ok());
    }
    world.clock.advance(Duration::from_secs(1));
    let outcome = world.ask().await;
    assert!(is_unavailable(&outcome), "{outcome:?}");
    world.clock.advance(Duration::from_secs(60));
    world.on_login(Reply::issued(TOKEN, &credential_token(START + 70)));
    world.on_validation(Reply::valid(&credential_token(START)));
    assert!(world.ask().await.is_ok(), "and it recovers");
}

#[tokio::test]
async fn a_keystone_that_is_down_is_asked_once_a_second() {
    let world = World::new().await;
    world.ask().await.unwrap();
    world.on_validation(Reply::refused(500));
    world.clock.advance(Duration::from_secs(6));
    for _ in 0..50 {
        assert!(world.ask().await.is_ok());
    }
    world.fake.came(2).await;
    for _ in 0..50 {
        assert!(world.ask().await.is_ok());
        tokio::task::yield_now().await;
    }
    assert_eq!(world.fake.seen().len(), 2);
}

#[tokio::test]
async fn a_wrong_secret_never_meets_the_answer_to_the_right_one() {
    let world = World::new().await;
    world.ask().await.unwrap();
    world.on_login(Reply::refused(401));
    for wrong in ["", "correct-horse", &format!("{PASSWORD} ")] {
        let outcome = world.ask_with(wrong).await;
        assert!(is_refused(&outcome, Refusal::Credential), "{wrong:?} {outcome:?}");
    }
    assert!(world.ask().await.is_ok(), "and does not end it");
}

#[tokio::test]
async fn failures_are_remembered_for_a_second_and_no_longer() {
    for (reply, is_refusal) in [(Reply::refused(401), true), (Reply::refused(500), false)] {
        let world = World::new().await;
        world.on_login(reply);
        for _ in 0..20 {
            let outcome = world.ask().await;
            assert_eq!(is_refused(&outcome, Refusal::Credential), is_refusal);
            assert_eq!(is_unavailable(&outcome), !is_refusal);
        }
        assert_eq!(world.logins(), 1);
        world.on_login(Reply::issued(TOKEN, &credential_token(START)));
        world.clock.advance(Duration::from_secs(1));
        assert!(world.ask().await.is_ok());
        assert_eq!(world.logins(), 2);
    }
}

#[tokio::test]
async fn an_outage_is_no_refusal_and_a_refusal_is_no_outage() {
    let cases = [
        (Reply::refused(401), 'r'),
        (Reply::refused(403), 'r'),
        (Reply::refused(404), 'r'),
        (Reply::refused(400), 'm'),
        (Reply::refused(409), 'm'),
        (
            Reply::http(401, "Content-Type: text/html\r\n", b"<h1>401</h1>"),
            'm',
        ),
        (
            Reply::http(404, "Content-Type: text/html\r\n", b"<h1>404</h1>"),
            'm',
        ),
        (Reply::json(429, "Retry-After: 7\r\n", "{}"), 'u'),
        (Reply::refused(500), 'u'),
        (Reply::refused(503), 'u'),
        (Reply::Close, 'u'),
        (Reply::json(201, "", "{}"), 'm'),
    ];
    for (reply, want) in cases {
        let world = World::new().await;
        world.on_login(reply.clone());
        let outcome = world.ask().await;
        let found = match &outcome {
            Err(IdentitySourceError::Refused(Refusal::Credential)) => 'r',
            Err(IdentitySourceError::Unavailable { .. }) => 'u',
            Err(IdentitySourceError::Malformed { .. }) => 'm',
            other => panic!("{reply:?}: {other:?}"),
        };
        assert_eq!(found, want, "{reply:?}: {outcome:?}");
    }
    let world = World::new().await;
    world.on_login(Reply::json(429, "Retry-After: 7\r\n", "{}"));
    let outcome = world.ask().await;
    let Err(IdentitySourceError::Unavailable { retry_after, .. }) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn without_a_key_nothing_is_minted() {
    let world = World::new().await;
    assert!(matches!(
        world.ask_minted().await,
        Err(IdentitySourceError::NotConfigured { .. })
    ));
    let id = credential_id("ac1");
    let login = MachineLogin::ApplicationCredential {
        id: &id,
        secret: PASSWORD,
    };
    let bound = world
        .source
        .keystone_token(&login, Some(bound_to("thumbprint=")), None)
        .await;
    assert!(matches!(bound, Err(IdentitySourceError::NotConfigured { .. })));
    assert!(world.fake.seen().is_empty());
}

#[tokio::test]
async fn a_minted_login_is_one_question_with_our_own_token() {
    let key = JwsPrivateKey::generate(JwsAlgorithm::Es256).unwrap();
    let world = World::with(|builder| builder.with_mint(mint(&key))).await;
    world.on_validation(Reply::valid(&project_token(START)));
    let delegated = world.ask_minted().await.unwrap();
    assert_eq!(delegated.method, DelegationMethod::MappedUser);
    assert_eq!(
        (delegated.expires_at, delegated.application_credential.as_ref()),
        (None, None)
    );
    world.ask_minted().await.unwrap();
    let seen = world.fake.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].target, "/v3/auth/tokens?nocatalog");
    let sent = seen[0].header("x-auth-token").unwrap();
    assert_eq!(seen[0].header("x-subject-token"), Some(sent));
    let reader = JwsTokenReader::new(vec![key.public_key().clone()], &[JwsAlgorithm::Es256]).unwrap();
    let claims = reader.read(sent, world.clock.now()).unwrap();
    assert_eq!(claims.subject.user_id.as_str(), "u1");
    assert!(
        claims.expires_at.as_secs() <= START + 120,
        "a token for one question"
    );
    // One that is handed out is another, and lives as long as configured.
    let (user_id, project_id) = (user_id("u1"), project_id("p1"));
    let login = MachineLogin::MintedUser {
        user_id: &user_id,
        project_id: &project_id,
    };
    let token = world
        .source
        .keystone_token(
            &login,
            Some(bound_to("DEv_lOr2kltZwAY7SAET4maGJxn-j6GjLXgSbxpepUM=")),
            None,
        )
        .await
        .unwrap();
    let claims = reader.read(token.expose(), world.clock.now()).unwrap();
    assert_eq!(
        claims.subject.thumbprint.as_deref(),
        Some("DEv_lOr2kltZwAY7SAET4maGJxn-j6GjLXgSbxpepUM=")
    );
    assert_eq!(token.expires_at().as_secs(), START + 3600);
    assert_ne!(token.expose(), sent);

    // Keystone would take it for as long as it says: what it stands on is ours to remember.
    let until = |seconds: u64| Some(UnixTime::since_unix_epoch(Duration::from_secs(START + seconds)));
    let short = world
        .source
        .keystone_token(&login, None, until(600))
        .await
        .unwrap();
    assert_eq!(short.expires_at().as_secs(), START + 600);
    let claims = reader.read(short.expose(), world.clock.now()).unwrap();
    assert_eq!(claims.expires_at.as_secs(), START + 600);
    assert!(is_refused(
        &world.source.keystone_token(&login, None, until(0)).await,
        Refusal::Ended
    ));
    assert_eq!(world.fake.seen().len(), 1);
}

#[tokio::test]
async fn a_minted_login_that_keystone_refuses_gives_no_token() {
    let key = JwsPrivateKey::generate(JwsAlgorithm::Es256).unwrap();
    for status in [401, 404] {
        let world = World::with(|builder| builder.with_mint(mint(&key))).await;
        world.on_validation(Reply::refused(status));
        assert!(is_refused(&world.ask_minted().await, Refusal::User));
        let (user_id, project_id) = (user_id("u1"), project_id("p1"));
        let login = MachineLogin::MintedUser {
            user_id: &user_id,
            project_id: &project_id,
        };
        assert!(is_refused(
            &world.source.keystone_token(&login, None, None).await,
            Refusal::User
        ));
    }
}

#[tokio::test]
async fn each_keystone_token_is_a_fresh_one() {
    let world = World::new().await;
    let id = credential_id("ac1");
    let login = MachineLogin::ApplicationCredential {
        id: &id,
        secret: PASSWORD,
    };
    for count in 1..=3 {
        let token = world.source.keystone_token(&login, None, None).await.unwrap();
        assert_eq!(
            (token.expose(), token.expires_at().as_secs()),
            (TOKEN, START + 3600)
        );
        assert_eq!(world.logins(), count);
    }
    world.on_login(Reply::refused(401));
    assert!(is_refused(
        &world.source.keystone_token(&login, None, None).await,
        Refusal::Credential
    ));
}

#[tokio::test]
async fn an_identity_ends_with_what_it_stands_on() {
    let world = World::new().await;
    let mut short = credential_token(START);
    short["token"]["expires_at"] = crate::support::iso(START + 3).into();
    world.on_login(Reply::issued(TOKEN, &short));
    world.on_validation(Reply::refused(404));
    world.ask().await.unwrap();
    world.on_login(Reply::refused(401));
    world.clock.advance(Duration::from_secs(3));
    assert!(is_refused(&world.ask().await, Refusal::Credential));
}

#[tokio::test]
async fn a_pool_whose_nodes_disagree_about_a_token_costs_a_login_and_refuses_nobody() {
    let world = World::new().await;
    world.ask().await.unwrap();
    // The node that is asked next has other keys.
    world.on_validation(Reply::refused(404));
    world.clock.advance(Duration::from_secs(5));
    world.renewed(START + 5).await;
    assert_eq!((world.logins(), world.validations()), (2, 1));
}
