//! Clients tied to OpenStack: what they get, what ends it, and that nothing is granted on an error.

use rustls_pki_types::UnixTime;
use sealstone_audit::MemorySink;
use sealstone_identity::{AccessRule, ApplicationCredentialId, DomainId, Refusal};
use sealstone_jose::base64url;
use sealstone_keyring::{KeyEncryptionKey, RotationPolicy, RotationSettings, SecretPlace, SecretPurpose};
use sealstone_oauth_types::{
    ClientId, Form, IntrospectionRequest, IntrospectionResponse, TokenRequest, TokenResponse,
};
use sealstone_provider::{
    BackendError, BaseUrl, Clock, Denial, Peer, Ports, Provider, ProviderConfig, SystemEntropy, TokenError,
};
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, ClientStore as _, Domain, DomainStore as _, Pepper,
    Replacement, SealedSecret, SecretSet,
};
use sealstone_storage::MemoryStore;
use sealstone_testkit::{Asked, FakeIdentity, IdentityFault, ManualClock, machine_authority, unix_time};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const KEYSTONE_SECRET: &str = "what-keystone-made";

struct TestClock(ManualClock);

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        self.0.now()
    }
}

struct World {
    store: Arc<MemoryStore>,
    clock: ManualClock,
    audit: MemorySink,
    identity: FakeIdentity,
    provider: Provider,
}

fn demo() -> DomainId {
    DomainId::parse("demo").unwrap()
}

fn pepper() -> Pepper {
    Pepper::from_bytes([7; 32])
}

fn kek() -> KeyEncryptionKey {
    KeyEncryptionKey::from_bytes([2; 32])
}

async fn world_with(has_source: bool) -> World {
    let store = Arc::new(MemoryStore::new());
    let _ = store
        .insert_domain(Domain::new(demo(), "demo", true).unwrap())
        .await
        .unwrap();
    let (clock, audit, identity) = (
        ManualClock::default(),
        MemorySink::default(),
        FakeIdentity::default(),
    );
    let ports = Ports {
        clients: store.clone(),
        domains: store.clone(),
        keys: store.clone(),
        revocations: store.clone(),
        assertions: store.clone(),
        audit: Arc::new(audit.clone()),
        identity: has_source.then(|| Arc::new(identity.clone()) as _),
        people: None,
        clock: Arc::new(TestClock(clock.clone())),
        entropy: Arc::new(SystemEntropy),
    };
    let config = ProviderConfig {
        base: BaseUrl::parse("https://id.example").unwrap(),
        mtls_base: None,
        rotation: RotationPolicy::new(RotationSettings::default()).unwrap(),
        pepper: pepper(),
        key_encryption_key: kek(),
    };
    let provider = Provider::new(config, ports);
    provider.maintain().await.unwrap();
    let world = World {
        store,
        clock,
        audit,
        identity,
        provider,
    };
    world
        .register("gateway", json!({"introspection": "domain"}))
        .await;
    world
}

async fn world() -> World {
    world_with(true).await
}

fn secret(id: &str) -> ClientSecretText {
    let mut octets = [0; 32];
    for (octet, byte) in octets.iter_mut().zip(id.bytes()) {
        *octet = byte;
    }
    ClientSecretText::from_random(octets)
}

fn sealed(client: &str) -> SealedSecret {
    let place = SecretPlace {
        purpose: SecretPurpose::ApplicationCredential,
        domain: "demo",
        client,
    };
    SealedSecret::parse(&kek().seal_secret(place, KEYSTONE_SECRET).unwrap()).unwrap()
}

fn registration(id: &str, mut members: Value) -> ClientRegistration {
    members["token_endpoint_auth_method"] = json!("client_secret_post");
    let mut registration = ClientRegistration::from_json(members.to_string().as_bytes()).unwrap();
    registration
        .seal_application_credential_secret(|_| Ok::<_, std::convert::Infallible>(sealed(id)))
        .unwrap();
    registration
}

fn by_secret() -> Value {
    json!({"scope": "openstack:api metrics:read", "openstack_application_credential_id": "ac1",
           "openstack_application_credential_secret": KEYSTONE_SECRET, "openstack_project_id": "p1"})
}

fn minted() -> Value {
    json!({"scope": "openstack:api metrics:read", "openstack_application_credential_id": "ac1",
           "openstack_minted": true, "openstack_user_id": "u1", "openstack_project_id": "p1"})
}

fn user() -> Value {
    json!({"scope": "openstack:api metrics:read", "openstack_user_id": "u1", "openstack_project_id": "p1"})
}

fn form(id: &str, rest: &str) -> Form {
    let text = format!("client_id={id}&client_secret={}&{rest}", secret(id).expose());
    Form::parse(text.as_bytes()).unwrap()
}

fn peer() -> Peer {
    Peer {
        address: Some([192, 0, 2, 7].into()),
        certificate: None,
        request_id: "r1".into(),
    }
}

fn payload(token: &TokenResponse) -> Value {
    let payload = token.access_token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64url::decode(payload).unwrap()).unwrap()
}

impl World {
    async fn register(&self, id: &str, members: Value) -> Client {
        let client = registration(id, members)
            .into_client(
                demo(),
                ClientId::parse(id).unwrap(),
                Some(SecretSet::new(secret(id).hash(&pepper()), None)),
                self.clock.now(),
            )
            .unwrap();
        let _ = self.store.insert(client.clone()).await.unwrap();
        client
    }

    async fn update(&self, before: &Client, members: Value) {
        let after = registration(before.id().as_str(), members);
        let after = before.updated(after, None, self.clock.now()).unwrap();
        let replaced = self.store.replace(before.version(), after).await.unwrap();
        assert_eq!(replaced, Replacement::Replaced);
    }

    async fn token(&self, id: &str, scope: &str) -> Result<TokenResponse, TokenError> {
        let form = form(id, &format!("grant_type=client_credentials&scope={scope}"));
        self.provider
            .token(&demo(), TokenRequest::parse(None, &form), &peer())
            .await
    }

    async fn introspect(&self, token: &TokenResponse) -> Result<IntrospectionResponse, TokenError> {
        let form = form("gateway", &format!("token={}", token.access_token));
        self.provider
            .introspect(&demo(), IntrospectionRequest::parse(None, &form), &peer())
            .await
    }

    fn last_reason(&self) -> Option<(String, Option<String>)> {
        let events = self.audit.events();
        let reason = events.last().unwrap().reason;
        reason.map(|reason| (reason.rule().to_owned(), reason.detail().map(str::to_owned)))
    }
}

#[tokio::test]
async fn each_tie_asks_what_it_is_and_the_token_says_what_came() {
    let minted_ask = Asked::MintedApplicationCredential("ac1".into(), "u1".into(), "p1".into());
    let cases = [
        (
            by_secret(),
            Asked::ApplicationCredential("ac1".into(), KEYSTONE_SECRET.into()),
        ),
        (minted(), minted_ask),
        (user(), Asked::MintedUser("u1".into(), "p1".into())),
    ];
    for (members, asked) in cases {
        let world = world().await;
        world.register("machine", members).await;
        let token = world.token("machine", "openstack:api").await.unwrap();
        assert_eq!(world.identity.take_asked(), [asked]);
        let claims = payload(&token);
        assert_eq!(claims["aud"], json!("openstack-apis:demo"));
        assert_eq!(
            claims["openstack_context"],
            json!({
                "user_id": "u1", "user_name": "ci-runner", "user_domain_id": "demo",
                "user_domain_name": "Demonstration",
                "scope_type": "project", "project_id": "p1", "project_name": "builds",
                "project_domain_id": "demo", "project_domain_name": "Demonstration", "roles": ["member"],
            })
        );
        assert_eq!(
            claims["delegation_context"],
            json!({"auth_method": "app_cred", "delegated_project_id": "p1"})
        );
        assert!(!claims.to_string().contains(KEYSTONE_SECRET));
    }
}

#[tokio::test]
async fn without_openstack_api_nobody_asks_keystone() {
    let world = world().await;
    world.identity.set_fault(Some(IdentityFault::Unavailable(None)));
    world.register("machine", by_secret()).await;
    let claims = payload(&world.token("machine", "metrics:read").await.unwrap());
    assert_eq!(world.identity.take_asked(), []);
    assert_eq!(claims.get("openstack_context"), None);
    assert_eq!(claims.get("delegation_context"), None);
    assert_eq!(claims["aud"], json!("machine"));
}

#[tokio::test]
async fn a_static_authority_asks_nobody_and_delegates_nothing() {
    let world = world().await;
    world.identity.set_fault(Some(IdentityFault::Unavailable(None)));
    let authority = serde_json::to_value(machine_authority("p1")).unwrap();
    world
        .register(
            "machine",
            json!({"scope": "openstack:api", "authority": authority}),
        )
        .await;
    let token = world.token("machine", "openstack:api").await.unwrap();
    let claims = payload(&token);
    assert_eq!(claims["openstack_context"]["project_id"], json!("p1"));
    assert_eq!(claims.get("delegation_context"), None);
    assert!(world.introspect(&token).await.unwrap().active);
    assert_eq!(world.identity.take_asked(), []);
}

#[tokio::test]
async fn access_rules_and_the_credentials_end_go_into_the_token() {
    let world = world().await;
    let client = world.register("machine", by_secret()).await;
    let rule = AccessRule::new("compute", "GET", "/v2.1/servers/**").unwrap();
    world.identity.change(|answer| {
        answer.authority = machine_authority("p1").with_access_rules(vec![rule]).unwrap();
        answer.expires_at = Some(unix_time(world.clock.seconds() + 100));
    });
    let token = world.token("machine", "openstack:api").await.unwrap();
    assert_eq!(token.expires_in, 100);
    assert!(Duration::from_secs(100) < client.effective_lifetime());
    let claims = payload(&token);
    assert_eq!(claims["exp"], json!(world.clock.seconds() + 100));
    assert_eq!(
        claims["openstack_context"]["access_rules"],
        json!([{"service": "compute", "method": "GET", "path": "/v2.1/servers/**"}])
    );
    let told = world.introspect(&token).await.unwrap();
    assert_eq!(told.extra["openstack_context"], claims["openstack_context"]);
    assert_eq!(told.extra["delegation_context"], claims["delegation_context"]);
}

/// Keystone does not say it with a token that we made: the registration does.
#[tokio::test]
async fn a_token_does_not_outlive_a_credential_whose_secret_is_not_kept() {
    let world = world().await;
    let end = world.clock.seconds() + 60;
    let mut members = minted();
    members["openstack_application_credential_expires_at"] = json!(end);
    world.register("machine", members).await;
    let token = world.token("machine", "openstack:api").await.unwrap();
    assert_eq!(
        (token.expires_in, payload(&token)["exp"].clone()),
        (60, json!(end))
    );
    world.clock.advance(Duration::from_secs(60));
    let error = world.token("machine", "openstack:api").await.unwrap_err();
    assert!(
        matches!(error, TokenError::Denied(Denial::IdentityRefused(Refusal::Ended))),
        "{error:?}"
    );
}

#[tokio::test]
async fn what_openstack_refuses_is_refused_with_its_reason_in_the_trail() {
    let world = world().await;
    world.register("machine", by_secret()).await;
    for refusal in [
        Refusal::Credential,
        Refusal::User,
        Refusal::NoRole,
        Refusal::Ended,
        Refusal::TooLarge,
    ] {
        world.identity.set_fault(Some(IdentityFault::Refused(refusal)));
        let error = world.token("machine", "openstack:api").await.unwrap_err();
        assert!(
            matches!(error, TokenError::Denied(Denial::IdentityRefused(found)) if found == refusal),
            "{error:?}"
        );
        assert_eq!(error.code().as_str(), "invalid_grant");
        let reason = ("identity_refused".to_owned(), Some(refusal.as_str().to_owned()));
        assert_eq!(world.last_reason(), Some(reason));
    }
}

/// Q01, Q02 and Q04 at the token endpoint: an outage, and an answer that can't be believed, grant nothing.
#[tokio::test]
async fn nothing_is_granted_when_openstack_cannot_be_asked() {
    let cases = [
        (
            IdentityFault::Unavailable(Some(7)),
            "temporarily_unavailable",
            Some(7),
            "identity_unavailable",
        ),
        (
            IdentityFault::Unavailable(None),
            "temporarily_unavailable",
            Some(2),
            "identity_unavailable",
        ),
        (
            IdentityFault::Malformed,
            "temporarily_unavailable",
            Some(2),
            "identity_malformed",
        ),
        (
            IdentityFault::NotConfigured,
            "server_error",
            None,
            "identity_not_configured",
        ),
    ];
    let world = world().await;
    world.register("machine", minted()).await;
    let token = world.token("machine", "openstack:api").await.unwrap();
    for (fault, code, wait, detail) in cases {
        world.identity.set_fault(Some(fault));
        let errors = [
            world.token("machine", "openstack:api").await.err(),
            world.introspect(&token).await.err(),
        ];
        for error in errors {
            let error = error.expect("nothing is said of it");
            assert_eq!(error.code().as_str(), code, "{fault:?}");
            assert_eq!(error.retry_after().map(|wait| wait.as_secs()), wait, "{fault:?}");
            let reason = ("backend_failure".to_owned(), Some(detail.to_owned()));
            assert_eq!(world.last_reason(), Some(reason), "{fault:?}");
        }
    }
    world.identity.set_fault(None);
    assert!(
        world.introspect(&token).await.unwrap().active,
        "an outage ends nothing"
    );
}

#[tokio::test]
async fn a_tied_client_of_a_server_without_keystone_gets_its_other_tokens_only() {
    let world = world_with(false).await;
    world.register("machine", user()).await;
    assert!(world.token("machine", "metrics:read").await.is_ok());
    let error = world.token("machine", "openstack:api").await.unwrap_err();
    assert!(
        matches!(
            error,
            TokenError::Backend(BackendError::IdentityNotConfigured { .. })
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_secret_that_was_moved_from_another_client_opens_nothing() {
    let world = world().await;
    let client = world.register("machine", by_secret()).await;
    let mut moved = registration("other", by_secret());
    moved.client_name = Some("moved".into());
    let moved = client.updated(moved, None, world.clock.now()).unwrap();
    let _ = world.store.replace(client.version(), moved).await.unwrap();
    let error = world.token("machine", "openstack:api").await.unwrap_err();
    assert!(
        matches!(error, TokenError::Backend(BackendError::Sealed(_))),
        "{error:?}"
    );
    assert_eq!(world.identity.take_asked(), []);
}

#[tokio::test]
async fn an_answer_for_anything_but_what_is_registered_is_refused() {
    type Change = fn(&mut sealstone_identity::Delegated);
    let cases: [(&str, Value, Change, &str); 7] = [
        (
            "another project",
            by_secret(),
            |a| a.authority = machine_authority("p2"),
            "other_identity",
        ),
        (
            "another project",
            user(),
            |a| a.authority = machine_authority("p2"),
            "other_identity",
        ),
        (
            "another credential",
            minted(),
            |a| {
                a.application_credential.as_mut().unwrap().id =
                    ApplicationCredentialId::parse("ac2").unwrap();
            },
            "other_identity",
        ),
        (
            "no credential",
            by_secret(),
            |a| a.application_credential = None,
            "other_identity",
        ),
        (
            "an unrestricted credential",
            by_secret(),
            |a| a.application_credential.as_mut().unwrap().restricted = false,
            "unrestricted_application_credential",
        ),
        (
            "another user",
            json!({"scope": "openstack:api", "openstack_user_id": "u2", "openstack_project_id": "p1"}),
            |_| (),
            "other_identity",
        ),
        (
            "one that has ended",
            by_secret(),
            |a| a.expires_at = Some(unix_time(sealstone_testkit::START)),
            "identity_refused",
        ),
    ];
    for (name, members, change, rule) in cases {
        let world = world().await;
        world.register("machine", members).await;
        world.identity.change(change);
        let error = world.token("machine", "openstack:api").await.unwrap_err();
        assert_eq!(error.code().as_str(), "invalid_grant", "{name}: {error:?}");
        assert_eq!(world.last_reason().unwrap().0, rule, "{name}");
    }
}

#[tokio::test]
async fn an_unrestricted_credential_needs_its_flag() {
    let world = world().await;
    let mut members = by_secret();
    members["dangerous_unrestricted_application_credential"] = json!(true);
    world.register("machine", members).await;
    world
        .identity
        .change(|answer| answer.application_credential.as_mut().unwrap().restricted = false);
    assert!(world.token("machine", "openstack:api").await.is_ok());
}

#[tokio::test]
async fn introspection_sees_what_keystone_took_away() {
    let world = world().await;
    world.register("machine", by_secret()).await;
    world.identity.set_roles("p1", &["member", "reader"]);
    let token = world.token("machine", "openstack:api").await.unwrap();
    let plain = world.token("machine", "metrics:read").await.unwrap();
    assert!(world.introspect(&token).await.unwrap().active);

    world.identity.set_roles("p1", &["member"]);
    let told = world.introspect(&token).await.unwrap();
    assert!(!told.active, "a role was removed");
    assert!(
        told.extra.is_empty() && told.sub.is_none(),
        "an inactive token says nothing else"
    );

    world.identity.set_roles("p1", &["reader", "member", "admin"]);
    assert!(world.introspect(&token).await.unwrap().active, "more is no less");

    for refusal in [Refusal::Credential, Refusal::User, Refusal::NoRole] {
        world.identity.set_fault(Some(IdentityFault::Refused(refusal)));
        assert!(!world.introspect(&token).await.unwrap().active, "{refusal:?}");
    }
    let _ = world.identity.take_asked();
    assert!(world.introspect(&plain).await.unwrap().active);
    assert_eq!(
        world.identity.take_asked(),
        [],
        "a token without authority asks nobody"
    );
}

#[tokio::test]
async fn a_token_of_a_tie_that_is_gone_is_inactive() {
    let authority = |roles: Value| {
        let mut authority = serde_json::to_value(machine_authority("p1")).unwrap();
        authority["roles"] = roles;
        json!({"scope": "openstack:api", "authority": authority})
    };
    let other_user =
        json!({"scope": "openstack:api", "openstack_user_id": "u2", "openstack_project_id": "p1"});
    let cases = [
        ("another user", user(), other_user, false),
        (
            "no OpenStack at all",
            by_secret(),
            json!({"scope": "metrics:read"}),
            false,
        ),
        ("now stated here", user(), authority(json!(["member"])), false),
        (
            "a role less",
            authority(json!(["member", "reader"])),
            authority(json!(["reader"])),
            false,
        ),
        (
            "a role more",
            authority(json!(["reader"])),
            authority(json!(["member", "reader"])),
            true,
        ),
        ("the same", by_secret(), by_secret(), true),
    ];
    for (name, before, after, want) in cases {
        let world = world().await;
        let client = world.register("machine", before).await;
        let token = world.token("machine", "openstack:api").await.unwrap();
        world.clock.advance(Duration::from_secs(1));
        world.update(&client, after).await;
        assert_eq!(world.introspect(&token).await.unwrap().active, want, "{name}");
    }
}

/// Above this an allocator that caches small pieces for each thread searches for one instead (glibc: 1,032 octets).
const CACHED: usize = 1_032;

/// What ties need lies in allocations of their own, so that a request of anybody else costs what it did.
#[tokio::test]
async fn the_future_of_a_token_stays_small() {
    let world = world().await;
    let (domain, peer, form) = (demo(), peer(), form("gateway", "grant_type=client_credentials"));
    let request = TokenRequest::parse(None, &form);
    let future = world.provider.token(&domain, request, &peer);
    assert!(size_of_val(&future) <= CACHED, "{}", size_of_val(&future));
}
