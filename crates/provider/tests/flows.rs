//! The provider over memory stores: what is issued, told and ended, and what happens when a port fails.

use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, AuditError, AuditSink, Event, MemorySink, Outcome, Reason, Receipt};
use sealstone_identity::DomainId;
use sealstone_jose::{Algorithm, UnverifiedJwt};
use sealstone_keyring::{KeyEncryptionKey, RotationPolicy, RotationSettings};
use sealstone_oauth_types::{
    ClientId, Form, FormError, IntrospectionRequest, IntrospectionResponse, RequestError, RevocationRequest,
    TokenRequest, TokenResponse,
};
use sealstone_provider::{
    BaseUrl, Clock, Entropy, EntropyError, Peer, Ports, Provider, ProviderConfig, SystemEntropy, TokenError,
};
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, ClientStore, Domain, DomainStore, Pepper, SecretSet,
};
use sealstone_storage::MemoryStore;
use sealstone_testkit::ManualClock;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
struct TestClock(ManualClock);

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        self.0.now()
    }
}

#[derive(Debug)]
struct BrokenSink;

impl AuditSink for BrokenSink {
    fn record(&self, _event: &Event<'_>) -> Result<(), AuditError> {
        Err(AuditError::new("disk full"))
    }
}

/// Takes every event, and can't write it.
#[derive(Debug)]
struct LosingSink;

impl AuditSink for LosingSink {
    fn record(&self, _event: &Event<'_>) -> Result<(), AuditError> {
        Err(AuditError::new("disk full"))
    }

    fn begin(&self, _event: &Event<'_>) -> Result<Receipt, AuditError> {
        Ok(Receipt::of(Arc::default()))
    }

    fn settle(&self, _receipt: Receipt) -> Result<(), AuditError> {
        Err(AuditError::new("disk full"))
    }
}

struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, _octets: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError)
    }
}

struct World {
    store: Arc<MemoryStore>,
    clock: ManualClock,
    audit: MemorySink,
    ports: Ports,
    provider: Provider,
}

fn domain(name: &str) -> DomainId {
    DomainId::parse(name).unwrap()
}

fn pepper() -> Pepper {
    Pepper::from_bytes([7; 32])
}

fn provider(ports: Ports) -> Provider {
    let settings = RotationSettings {
        algorithms: vec![Algorithm::Es256, Algorithm::EdDsa],
        ..RotationSettings::default()
    };
    let config = ProviderConfig {
        base: BaseUrl::parse("https://id.example").unwrap(),
        mtls_base: None,
        rotation: RotationPolicy::new(settings).unwrap(),
        pepper: pepper(),
        key_encryption_key: KeyEncryptionKey::from_bytes([2; 32]),
    };
    Provider::new(config, ports)
}

async fn world() -> World {
    let store = Arc::new(MemoryStore::new());
    for name in ["demo", "other"] {
        let _ = store
            .insert_domain(Domain::new(domain(name), name, true).unwrap())
            .await
            .unwrap();
    }
    let (clock, audit) = (ManualClock::default(), MemorySink::default());
    let ports = Ports {
        clients: store.clone(),
        domains: store.clone(),
        keys: store.clone(),
        revocations: store.clone(),
        assertions: store.clone(),
        audit: Arc::new(audit.clone()),
        identity: None,
        people: None,
        clock: Arc::new(TestClock(clock.clone())),
        entropy: Arc::new(SystemEntropy),
    };
    let provider = provider(ports.clone());
    provider.maintain().await.unwrap();
    let world = World {
        store,
        clock,
        audit,
        ports,
        provider,
    };
    world
        .register(
            "machine",
            "demo",
            json!({"scope": "metrics:read", "resources": ["https://r.example"]}),
        )
        .await;
    world
        .register("gateway", "demo", json!({"introspection": "domain"}))
        .await;
    world
        .register("elsewhere", "other", json!({"introspection": "domain"}))
        .await;
    world
}

fn secret(id: &str) -> ClientSecretText {
    let mut octets = [0; 32];
    for (octet, byte) in octets.iter_mut().zip(id.bytes()) {
        *octet = byte;
    }
    ClientSecretText::from_random(octets)
}

fn peer() -> Peer {
    Peer {
        address: Some([192, 0, 2, 7].into()),
        certificate: None,
        request_id: "r1".into(),
    }
}

impl World {
    async fn register(&self, id: &str, of: &str, mut registration: Value) -> Client {
        registration["token_endpoint_auth_method"] = json!("client_secret_post");
        let registration = ClientRegistration::from_json(registration.to_string().as_bytes()).unwrap();
        let secrets = SecretSet::new(secret(id).hash(&pepper()), None);
        let client_id = ClientId::parse(id).unwrap();
        let client = registration
            .into_client(domain(of), client_id, Some(secrets), self.clock.now())
            .unwrap();
        let _ = self.store.insert(client.clone()).await.unwrap();
        client
    }

    async fn token_with(
        &self,
        provider: &Provider,
        at: &str,
        id: &str,
        more: &str,
    ) -> Result<TokenResponse, TokenError> {
        let form = form(id, &format!("grant_type=client_credentials{more}"));
        provider
            .token(&domain(at), TokenRequest::parse(None, &form), &peer())
            .await
    }

    async fn token(&self, id: &str) -> TokenResponse {
        self.token_with(&self.provider, "demo", id, "&resource=https%3A%2F%2Fr.example")
            .await
            .unwrap()
    }

    async fn introspect(&self, at: &str, by: &str, token: &str) -> Result<IntrospectionResponse, TokenError> {
        let form = form(by, &format!("token={token}"));
        self.provider
            .introspect(&domain(at), IntrospectionRequest::parse(None, &form), &peer())
            .await
    }

    async fn is_active(&self, token: &str) -> bool {
        self.introspect("demo", "gateway", token).await.unwrap().active
    }

    async fn revoke(&self, by: &str, token: &str) -> Result<(), TokenError> {
        let form = form(by, &format!("token={token}"));
        self.provider
            .revoke(&domain("demo"), RevocationRequest::parse(None, &form), &peer())
            .await
    }

    fn last_event(&self) -> Event<'static> {
        self.audit.events().pop().unwrap()
    }
}

fn form(id: &str, more: &str) -> Form {
    let secret = secret(id);
    Form::parse(format!("client_id={id}&client_secret={}&{more}", secret.expose()).as_bytes()).unwrap()
}

#[tokio::test]
async fn a_token_is_issued_recorded_and_told_of() {
    let world = world().await;
    let answer = world.token("machine").await;
    assert_eq!((answer.expires_in, answer.scope), (900, None));
    let event = world.last_event();
    assert_eq!(
        (event.action, event.outcome),
        (Action::IssueToken, Outcome::Success)
    );
    assert_eq!(event.initiator.client_id.as_deref(), Some("machine"));

    let told = world
        .introspect("demo", "gateway", &answer.access_token)
        .await
        .unwrap();
    assert!(told.active);
    assert_eq!(
        told.sub.as_deref(),
        Some("machine"),
        "always there, also for client_credentials"
    );
    assert_eq!(told.aud, ["https://r.example"]);
    assert_eq!(told.iss.unwrap().as_str(), "https://id.example/v4/oauth2/demo");
    let recorded = format!("{:?}", world.audit.events());
    assert!(!recorded.contains(&answer.access_token) && !recorded.contains(secret("machine").expose()));
}

#[tokio::test]
async fn m03_m04_what_is_inactive_is_inactive_and_nothing_else() {
    let world = world().await;
    let token = world.token("machine").await.access_token;
    assert!(world.is_active(&token).await);
    let (head, tail) = token.split_at(token.len() - 4);
    let altered = format!("{head}{}{tail}", "A");
    for (name, other) in [("malformed", "x"), ("altered", &altered), ("empty parts", "..")] {
        let told = world.introspect("demo", "gateway", other).await.unwrap();
        assert_eq!(told, IntrospectionResponse::inactive(), "{name}");
    }
    let told = world.introspect("other", "elsewhere", &token).await.unwrap();
    assert_eq!(told, IntrospectionResponse::inactive(), "another issuer's");

    world.clock.advance(Duration::from_secs(899));
    assert!(world.is_active(&token).await);
    world.clock.advance(Duration::from_secs(1));
    assert!(!world.is_active(&token).await, "expired to the second");
}

#[tokio::test]
async fn m10_only_its_own_client_ends_a_token() {
    let world = world().await;
    let token = world.token("machine").await.access_token;
    world.revoke("gateway", &token).await.unwrap();
    assert!(
        world.is_active(&token).await,
        "another client's revocation has no effect"
    );
    world.revoke("machine", &token).await.unwrap();
    assert!(!world.is_active(&token).await);
    world.revoke("machine", &token).await.unwrap();

    let document = world.provider.revocation_document(&domain("demo")).unwrap();
    assert_eq!(document.revoked_tokens.len(), 1);
    assert!(
        world
            .provider
            .revocation_document(&domain("other"))
            .unwrap()
            .revoked_tokens
            .is_empty()
    );

    // Another node, and this one after a restart, learn it from the store.
    let restarted = provider(world.ports.clone());
    restarted.maintain().await.unwrap();
    assert_eq!(
        restarted
            .revocation_document(&domain("demo"))
            .unwrap()
            .revoked_tokens
            .len(),
        1
    );
    world.clock.advance(Duration::from_secs(901));
    restarted.maintain().await.unwrap();
    assert!(
        restarted
            .revocation_document(&domain("demo"))
            .unwrap()
            .revoked_tokens
            .is_empty(),
        "forgotten"
    );
}

#[tokio::test]
async fn a_disabled_client_or_domain_ends_what_it_had() {
    let world = world().await;
    let token = world.token("machine").await.access_token;
    let client = world
        .store
        .client(&ClientId::parse("machine").unwrap())
        .await
        .unwrap()
        .unwrap();
    let disabled = client.with_enabled(false, world.clock.now());
    let _ = world.store.replace(client.version(), disabled).await.unwrap();
    assert!(!world.is_active(&token).await);
    assert!(matches!(
        world.token_with(&world.provider, "demo", "machine", "").await,
        Err(TokenError::Denied(_))
    ));

    let gone = Domain::new(domain("other"), "other", false).unwrap();
    let _ = world.store.replace_domain(gone).await.unwrap();
    world.provider.maintain().await.unwrap();
    assert!(!world.provider.issuer_exists(&domain("other")));
    let refused = world.token_with(&world.provider, "other", "elsewhere", "").await;
    assert!(matches!(refused, Err(TokenError::UnknownIssuer)));
}

#[tokio::test]
async fn a_client_of_another_domain_is_refused_and_recorded() {
    let world = world().await;
    let refused = world
        .token_with(&world.provider, "other", "machine", "")
        .await
        .unwrap_err();
    assert_eq!(refused.code().as_str(), "invalid_client");
    let event = world.last_event();
    assert_eq!(
        (event.outcome, event.reason.unwrap().rule()),
        (Outcome::Failure, "disabled_client")
    );
}

/// `reasonCode` of the audit event is the status that the caller saw.
#[tokio::test]
async fn a_body_that_is_too_large_is_recorded_as_such() {
    let world = world().await;
    let domain = domain("demo");
    for (error, status) in [
        (RequestError::Form(FormError::TooLarge), 413),
        (RequestError::MissingGrantType, 400),
    ] {
        world
            .provider
            .token(&domain, Err(error), &peer())
            .await
            .unwrap_err();
        let event = world.last_event();
        assert_eq!(event.reason, Some(Reason::new(status, "malformed_request")));
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_issued() {
    let world = world().await;
    let sinks: [Arc<dyn AuditSink>; 2] = [Arc::new(BrokenSink), Arc::new(LosingSink)];
    for audit in sinks {
        let broken = Ports {
            audit,
            ..world.ports.clone()
        };
        let provider = provider(broken);
        provider.maintain().await.unwrap();
        // The client is read at first, and known then.
        for _ in 0..2 {
            let refused = world
                .token_with(&provider, "demo", "machine", "")
                .await
                .unwrap_err();
            assert_eq!(refused.code().status(), 503);
            assert!(
                !refused.description().contains("disk"),
                "nothing of the inside is told"
            );
        }
    }
}

#[tokio::test]
async fn without_random_octets_nothing_is_issued() {
    let world = world().await;
    let broken = Ports {
        entropy: Arc::new(NoEntropy),
        ..world.ports.clone()
    };
    let provider = provider(broken);
    provider.maintain().await.unwrap();
    let refused = world
        .token_with(&provider, "demo", "machine", "")
        .await
        .unwrap_err();
    assert!(matches!(refused, TokenError::Backend(_)));
}

#[tokio::test]
async fn a_client_gets_the_algorithm_that_it_wants_or_a_fault_of_ours() {
    let world = world().await;
    world
        .register("ed", "demo", json!({"access_token_signing_alg": "EdDSA"}))
        .await;
    world
        .register("rsa", "demo", json!({"access_token_signing_alg": "RS256"}))
        .await;
    let token = world
        .token_with(&world.provider, "demo", "ed", "")
        .await
        .unwrap()
        .access_token;
    assert_eq!(
        UnverifiedJwt::parse(&token).unwrap().header().alg,
        Algorithm::EdDsa
    );
    assert!(world.is_active(&token).await);
    let refused = world
        .token_with(&world.provider, "demo", "rsa", "")
        .await
        .unwrap_err();
    assert!(
        matches!(refused, TokenError::Backend(_)),
        "no key of that kind: the operator's to mend"
    );
}

#[tokio::test]
async fn a_planned_rotation_keeps_every_token_good() {
    let world = world().await;
    let first_keys = world.provider.jwks(&domain("demo")).unwrap();
    let mut tokens = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..900 {
        world.clock.advance(Duration::from_secs(3_600));
        world.provider.maintain().await.unwrap();
        let token = world.token("machine").await.access_token;
        seen.insert(
            UnverifiedJwt::parse(&token)
                .unwrap()
                .header()
                .kid
                .clone()
                .unwrap(),
        );
        tokens.push(token);
        assert!(world.is_active(tokens.last().unwrap()).await);
    }
    assert!(seen.len() > 1, "the keys did rotate");
    assert_ne!(world.provider.jwks(&domain("demo")).unwrap(), first_keys);
}
