//! A whole server without sockets: router, provider, memory stores, a clock and a certificate authority.

use std::cell::RefCell;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, AuditSink, Event, MemorySink, Outcome, Target};
use sealstone_http::{HttpConfig, HttpEdge};
use sealstone_identity::{DomainId, IdentitySource};
use sealstone_keyring::{
    KeyEncryptionKey, KeyHome, RotationPolicy, RotationSettings, SecretPlace, SecretPurpose,
};
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::{ClientId, Secret};
use sealstone_provider::{
    Administration, BaseUrl, Clock, Ports, Provider, ProviderConfig, SystemEntropy, Upkeep,
};
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, ClientStore, Domain, DomainStore, Insertion, Pepper,
    SealedSecret, SecretKind, SecretSet,
};
use sealstone_storage::MemoryStore;
use sealstone_testkit::{CertificateSpec, FakeIdentity, ManualClock, TestCa, TestCertificate};
use sealstone_tls::{ClientTrust, CrlPolicy, PeerAddr, PeerCertificate, TrustHandle};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::people::People;

/// Where the demonstration domain's endpoints are.
pub(crate) const ISSUER: &str = "/v4/oauth2/demo";
pub(crate) const TOKEN: &str = "/v4/oauth2/demo/token";
pub(crate) const INTROSPECT: &str = "/v4/oauth2/demo/introspect";
pub(crate) const REVOKE: &str = "/v4/oauth2/demo/revoke";
/// A request that succeeds for every client here.
pub(crate) const GRANT: &str = "grant_type=client_credentials";

const PEPPER: [u8; 32] = [1; 32];
const KEY_ENCRYPTION_KEY: [u8; 32] = [2; 32];

/// The time that the server runs by.
struct TestClock(ManualClock);

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        self.0.now()
    }
}

/// The secret of a client, known to the tests.
pub(crate) fn secret(client: &str) -> String {
    let mut random = [0x5a; 32];
    for (to, from) in random.iter_mut().zip(client.bytes()) {
        *to = from;
    }
    ClientSecretText::from_random(random).expose().to_owned()
}

/// The secret of a client that makes assertions with it: long enough for every algorithm.
pub(crate) fn mac_secret(client: &str) -> String {
    format!("{}-{}", secret(client), "0123456789abcdefghij")
}

/// How clients are administered, over this store.
pub(crate) type Administrators = fn(Arc<MemoryStore>) -> Administration;

/// What there is beside a server, if anything.
#[derive(Default)]
pub(crate) struct Beside {
    pub(crate) identity: Option<Arc<dyn IdentitySource>>,
    pub(crate) people: Option<People>,
    pub(crate) administration: Option<Administrators>,
    /// Where its keys are made and stay.
    pub(crate) home: Option<Arc<dyn KeyHome>>,
    /// What keeps the events, instead of the memory.
    pub(crate) audit: Option<Arc<dyn AuditSink>>,
}

pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) edge: HttpEdge,
    pub(crate) provider: Provider,
    pub(crate) store: MemoryStore,
    pub(crate) clock: ManualClock,
    pub(crate) ca: TestCa,
    /// The certificate of the client `machine`.
    pub(crate) machine: TestCertificate,
    /// The certificate of the client `alone`, signed by itself.
    pub(crate) alone: TestCertificate,
    audit: MemorySink,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|config| config).await
    }

    /// A world whose edge is configured further.
    pub(crate) async fn with(change: impl FnOnce(HttpConfig) -> HttpConfig) -> Self {
        Self::build(change, |clients| clients).await
    }

    /// A world whose provider reads its clients through something else.
    pub(crate) async fn build(
        change: impl FnOnce(HttpConfig) -> HttpConfig,
        wrap: impl FnOnce(Arc<dyn ClientStore>) -> Arc<dyn ClientStore>,
    ) -> Self {
        Self::build_beside(change, wrap, Beside::default()).await
    }

    /// A world with people.
    pub(crate) async fn with_people(people: People) -> Self {
        Self::with_people_and(people, |config| config).await
    }

    /// The same with an edge that is configured further.
    pub(crate) async fn with_people_and(
        people: People,
        change: impl FnOnce(HttpConfig) -> HttpConfig,
    ) -> Self {
        let people = Some(people);
        let beside = Beside {
            people,
            ..Beside::default()
        };
        Self::build_beside(change, |clients| clients, beside).await
    }

    /// A world beside a Keystone.
    pub(crate) async fn beside(keystone: FakeIdentity) -> Self {
        Self::beside_with(keystone, |config| config).await
    }

    /// The same with an edge that is configured further.
    pub(crate) async fn beside_with(
        keystone: FakeIdentity,
        change: impl FnOnce(HttpConfig) -> HttpConfig,
    ) -> Self {
        let beside = Beside {
            identity: Some(Arc::new(keystone)),
            ..Beside::default()
        };
        Self::build_beside(change, |clients| clients, beside).await
    }

    /// A world whose clients are administered over HTTP; with people, where some are given.
    pub(crate) async fn administered(administration: Administrators, people: Option<People>) -> Self {
        let beside = Beside {
            people,
            administration: Some(administration),
            ..Beside::default()
        };
        Self::build_beside(|config| config, |clients| clients, beside).await
    }

    /// A world of all of it.
    pub(crate) async fn build_beside(
        change: impl FnOnce(HttpConfig) -> HttpConfig,
        wrap: impl FnOnce(Arc<dyn ClientStore>) -> Arc<dyn ClientStore>,
        beside: Beside,
    ) -> Self {
        Log::install();
        let store = MemoryStore::new();
        for domain in ["demo", "elsewhere"] {
            let domain = Domain::new(DomainId::parse(domain).unwrap(), domain, true).unwrap();
            assert_eq!(store.insert_domain(domain).await.unwrap(), Insertion::Inserted);
        }
        if beside.administration.is_some() {
            let cloud = Domain::new(DomainId::parse("global").unwrap(), "Cloud", true).unwrap();
            assert_eq!(store.insert_domain(cloud).await.unwrap(), Insertion::Inserted);
        }
        let (clock, audit) = (ManualClock::default(), MemorySink::default());
        let provider = provider((&store, &clock, &audit), wrap, beside);
        provider.maintain().await.unwrap();
        let ca = TestCa::new("Clients");
        let trust = ClientTrust::new(&[ca.certificate_der()], &[], CrlPolicy::default()).unwrap();
        let config = HttpConfig::default().with_client_trust(TrustHandle::new(trust));
        let edge = HttpEdge::new(
            provider.clone(),
            Arc::new(TestClock(clock.clone())),
            change(config),
        );
        let machine = ca.client("machine");
        let alone = CertificateSpec::client("alone").self_signed();
        let world = Self {
            router: edge.router(),
            edge,
            provider,
            store,
            clock,
            ca,
            machine,
            alone,
            audit,
        };
        world.register_all().await;
        world
    }

    /// Another server on the same store, which knows what is stored now.
    pub(crate) async fn another(
        &self,
        administration: Administrators,
        home: Arc<dyn KeyHome>,
    ) -> (Provider, Router) {
        let beside = Beside {
            administration: Some(administration),
            home: Some(home),
            ..Beside::default()
        };
        let of = (&self.store, &self.clock, &self.audit);
        let provider = provider(of, |clients| clients, beside);
        provider.load(Upkeep::Follows).await.unwrap();
        let clock = Arc::new(TestClock(self.clock.clone()));
        let edge = HttpEdge::new(provider.clone(), clock, HttpConfig::default());
        (provider, edge.router())
    }

    async fn register_all(&self) {
        let scoped = |method: &str| {
            json!({
                "token_endpoint_auth_method": method,
                "scope": "read write",
                "default_scope": "read",
                "resources": ["https://api.example"],
            })
        };
        let basic = || scoped("client_secret_basic");
        self.register("demo", "ci", basic()).await;
        self.register("demo", "other", basic()).await;
        self.register("elsewhere", "foreign", basic()).await;
        self.register("demo", "poster", scoped("client_secret_post"))
            .await;
        let mut gateway = basic();
        gateway["introspection"] = json!("domain");
        self.register("demo", "gateway", gateway).await;
        let mut resource = basic();
        resource["introspection"] = json!("own");
        self.register("demo", "resource", resource).await;
        let mut both = basic();
        both["tls_client_certificate_bound_access_tokens"] = json!(true);
        self.register("demo", "both", both).await;
        let mut off = basic();
        off["enabled"] = json!(false);
        self.register("demo", "off", off).await;
        let mut machine = scoped("tls_client_auth");
        machine["tls_client_auth_subject_dn"] = json!("CN=machine");
        self.register("demo", "machine", machine).await;
        let mut alone = scoped("self_signed_tls_client_auth");
        alone["jwks"] = json!({ "keys": [self.alone.key().public_jwk()] });
        self.register("demo", "alone", alone).await;
    }

    /// Registers a client; one with a secret gets [`secret`], or [`mac_secret`].
    pub(crate) async fn register(&self, domain: &str, id: &str, registration: Value) -> Client {
        let mut registration = ClientRegistration::from_json(registration.to_string().as_bytes()).unwrap();
        let hash = || Pepper::from_bytes(PEPPER).hash(&Secret::from(secret(id)));
        let place = SecretPlace {
            purpose: SecretPurpose::ClientSecret,
            domain,
            client: id,
        };
        let kek = KeyEncryptionKey::from_bytes(KEY_ENCRYPTION_KEY);
        let sealed = || SealedSecret::parse(&kek.seal_secret(place, &mac_secret(id)).unwrap()).unwrap();
        let place = SecretPlace {
            purpose: SecretPurpose::ApplicationCredential,
            ..place
        };
        registration
            .seal_application_credential_secret(|secret| {
                let sealed = kek.seal_secret(place, secret.expose()).unwrap();
                Ok::<_, std::convert::Infallible>(SealedSecret::parse(&sealed).unwrap())
            })
            .unwrap();
        let secrets = registration.secret_kind().unwrap().map(|kind| match kind {
            SecretKind::Hashed => SecretSet::new(hash(), None),
            SecretKind::Sealed => SecretSet::new(sealed(), None),
        });
        let domain = DomainId::parse(domain).unwrap();
        let client = registration
            .into_client(domain, ClientId::parse(id).unwrap(), secrets, self.clock.now())
            .unwrap();
        assert_eq!(
            self.store.insert(client.clone()).await.unwrap(),
            Insertion::Inserted
        );
        client
    }

    /// The secret of a person's authenticator app, as the server keeps it.
    pub(crate) fn sealed_totp(&self, user: &str, secret: &str) -> String {
        let place = SecretPlace {
            purpose: SecretPurpose::OneTimeCodes,
            domain: "demo",
            client: user,
        };
        let kek = KeyEncryptionKey::from_bytes(KEY_ENCRYPTION_KEY);
        kek.seal_secret(place, secret).unwrap()
    }

    pub(crate) async fn send(&self, ask: Ask) -> Answer {
        send(self.router.clone(), ask).await
    }

    /// Asks for a token as `ci`, with this body.
    pub(crate) async fn token(&self, body: &str) -> Answer {
        self.send(Ask::post(TOKEN).basic("ci").form(body)).await
    }

    /// A good token of a client with a secret.
    pub(crate) async fn token_of(&self, client: &str) -> String {
        let answer = self.send(Ask::post(TOKEN).basic(client).form(GRANT)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Audit events of requests so far.
    pub(crate) fn events(&self) -> Vec<Event<'static>> {
        self.audit.events()
    }

    /// Requests for a token that the provider saw.
    pub(crate) fn requests(&self) -> usize {
        self.events()
            .iter()
            .filter(|event| event.action == Action::IssueToken)
            .count()
    }

    /// The claims of a token answer; its signature is not the matter here.
    pub(crate) fn claims(&self, answer: &Answer) -> Value {
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let payload = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap()).unwrap()
    }

    /// Seconds since 1970, by the server's clock.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now().as_secs()
    }

    /// Keystone tokens handed out so far.
    pub(crate) fn granted(&self) -> usize {
        let granted = |event: &&Event<'_>| {
            event.action == Action::IssueKeystoneToken && event.outcome == Outcome::Success
        };
        self.events().iter().filter(granted).count()
    }

    /// Tokens issued so far.
    pub(crate) fn issued(&self) -> usize {
        let issued = |event: &&Event<'_>| matches!(event.target, Target::Token(_));
        self.events()
            .iter()
            .filter(|event| event.action == Action::IssueToken)
            .filter(issued)
            .count()
    }
}

/// What the router answers.
pub(crate) async fn send(router: Router, ask: Ask) -> Answer {
    let response = router.oneshot(ask.into_request()).await.unwrap();
    let (parts, body) = response.into_parts();
    // Whatever is answered, and wherever it was made.
    let ids: Vec<_> = parts.headers.get_all("x-request-id").iter().collect();
    assert!(
        matches!(&ids[..], [id] if !id.is_empty() && *id != "unnamed"),
        "{ids:?}"
    );
    let nosniff: Vec<_> = parts.headers.get_all("x-content-type-options").iter().collect();
    assert_eq!(nosniff, ["nosniff"]);
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text,
    }
}

fn provider(
    (store, clock, audit): (&MemoryStore, &ManualClock, &MemorySink),
    wrap: impl FnOnce(Arc<dyn ClientStore>) -> Arc<dyn ClientStore>,
    beside: Beside,
) -> Provider {
    let mut rotation = RotationSettings::default();
    if let Some(people) = &beside.people {
        rotation.algorithms.clone_from(&people.algorithms);
    }
    let rotation = RotationPolicy::new(rotation).unwrap();
    let rotation = match beside.home {
        Some(home) => rotation.with_home(home),
        None => rotation,
    };
    let shared = Arc::new(store.clone());
    let administration = beside.administration.map(|make| make(shared.clone()));
    Provider::with_administration(
        ProviderConfig {
            base: BaseUrl::parse("https://id.example").unwrap(),
            mtls_base: Some(BaseUrl::parse("https://mtls.id.example").unwrap()),
            rotation,
            pepper: Pepper::from_bytes(PEPPER),
            key_encryption_key: KeyEncryptionKey::from_bytes(KEY_ENCRYPTION_KEY),
        },
        Ports {
            clients: wrap(shared.clone()),
            domains: shared.clone(),
            keys: shared.clone(),
            revocations: shared.clone(),
            assertions: shared,
            audit: beside.audit.unwrap_or_else(|| Arc::new(audit.clone())),
            identity: beside.identity,
            people: beside.people.map(|people| people.ports(store)),
            clock: Arc::new(TestClock(clock.clone())),
            entropy: Arc::new(SystemEntropy),
        },
        administration,
    )
}

/// A request in the making.
#[derive(Clone)]
pub(crate) struct Ask {
    builder: Arc<Mutex<Parts>>,
}

struct Parts {
    method: String,
    uri: String,
    headers: HeaderMap,
    body: Option<Body>,
    peer: Option<SocketAddr>,
    certificate: Option<Arc<PeerCertificate>>,
}

impl Ask {
    pub(crate) fn new(method: &str, uri: &str) -> Self {
        let peer = Some("192.0.2.10:40000".parse().unwrap());
        let parts = Parts {
            method: method.to_owned(),
            uri: uri.to_owned(),
            headers: HeaderMap::new(),
            body: None,
            peer,
            certificate: None,
        };
        Self {
            builder: Arc::new(Mutex::new(parts)),
        }
    }

    pub(crate) fn post(uri: &str) -> Self {
        Self::new("POST", uri)
    }

    pub(crate) fn get(uri: &str) -> Self {
        Self::new("GET", uri)
    }

    fn change(self, change: impl FnOnce(&mut Parts)) -> Self {
        change(&mut self.builder.lock());
        self
    }

    /// Adds a header line.
    pub(crate) fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
        let value = http::HeaderValue::from_bytes(value.as_ref()).unwrap();
        self.change(|parts| {
            parts.headers.append(name, value);
        })
    }

    /// `Authorization: Basic` with the right secret.
    pub(crate) fn basic(self, client: &str) -> Self {
        self.basic_with(client, &secret(client))
    }

    pub(crate) fn basic_with(self, client: &str, secret: &str) -> Self {
        self.header("authorization", basic(&format!("{client}:{secret}")))
    }

    /// A form with its content type.
    pub(crate) fn form(self, body: impl Into<Vec<u8>>) -> Self {
        self.header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body.into()))
    }

    pub(crate) fn body(self, body: Body) -> Self {
        self.change(|parts| parts.body = Some(body))
    }

    /// The other end of the socket.
    pub(crate) fn peer(self, address: &str) -> Self {
        let address = SocketAddr::new(address.parse().unwrap(), 40_000);
        self.change(|parts| parts.peer = Some(address))
    }

    /// No address: a Unix socket.
    pub(crate) fn without_address(self) -> Self {
        self.change(|parts| parts.peer = None)
    }

    /// The certificate that the TLS handshake proved.
    pub(crate) fn certificate(self, certificate: &TestCertificate) -> Self {
        let leaf = ClientCertificate::from_der(certificate.der()).unwrap();
        let chain = certificate.chain().into_iter().skip(1).collect();
        self.change(|parts| parts.certificate = Some(Arc::new(PeerCertificate::new(leaf, chain))))
    }

    pub(crate) fn into_request(self) -> Request<Body> {
        let mut parts = self.builder.lock();
        let mut request = Request::builder()
            .method(parts.method.as_str())
            .uri(parts.uri.as_str());
        *request.headers_mut().unwrap() = parts.headers.clone();
        if !parts.headers.contains_key("host") {
            request = request.header("host", "id.example");
        }
        if let Some(peer) = parts.peer {
            request = request.extension(PeerAddr(peer));
        }
        if let Some(certificate) = &parts.certificate {
            request = request.extension(Arc::clone(certificate));
        }
        request.body(parts.body.take().unwrap_or_default()).unwrap()
    }
}

/// A `Basic` header value.
pub(crate) fn basic(halves: &str) -> String {
    format!("Basic {}", base64_simd::STANDARD.encode_to_string(halves))
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// A refusal with this status and code, in the form that RFC 6749 §5.2 asks for.
    #[track_caller]
    pub(crate) fn is_refused(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), self.json()["error"].as_str()),
            (status, Some(code)),
            "{self:?}"
        );
        self.is_clean();
        let challenge = self.header("www-authenticate");
        assert_eq!(
            challenge.is_some_and(|value| value.starts_with("Basic realm=")),
            status == 401,
            "{self:?}"
        );
        let description = self.json()["error_description"].as_str().unwrap().to_owned();
        let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(description.bytes().all(allowed), "{description}");
        assert!(self.json().get("access_token").is_none());
    }

    /// A token answer.
    #[track_caller]
    pub(crate) fn is_token(&self) {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.json()["token_type"], "Bearer");
        assert!(self.json()["expires_in"].is_u64());
        assert!(self.json().get("refresh_token").is_none());
        self.is_clean();
    }

    /// What every answer of a client's endpoint has.
    #[track_caller]
    pub(crate) fn is_clean(&self) {
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{self:?}");
        assert!(self.header("x-request-id").is_some(), "{self:?}");
        for absent in [
            "set-cookie",
            "access-control-allow-origin",
            "access-control-allow-credentials",
        ] {
            assert_eq!(self.header(absent), None, "{self:?}");
        }
    }
}

thread_local! {
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Everything that is logged on this thread from its making to [`Log::text`].
pub(crate) struct Log;

impl Log {
    pub(crate) fn capture() -> Self {
        LOG.set(Some(Vec::new()));
        Self
    }

    pub(crate) fn text(self) -> String {
        String::from_utf8(LOG.take().unwrap()).unwrap()
    }

    /// One subscriber for all threads: scoped ones race with each other for what is enabled at all.
    fn install() {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_ansi(false)
                .with_writer(|| LogWriter)
                .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
    }
}

struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.iter_mut().for_each(|log| log.extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
