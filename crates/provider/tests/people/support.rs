use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_audit::MemorySink;
use sealstone_grants::GrantStoreError;
use sealstone_grants::logout::{LogoutNotice, LogoutStore};
use sealstone_identity::{
    AuthMethod, Authority, Delegated, DelegationMethod, DomainId, Email, LoggedIn, LoginError, LoginRefusal,
    LoginSource, LoginStep, Name, OpenLogin, Passcode, PasswordAttempt, Person, PersonProject, ProjectId,
    ProjectScope, RoleName, UserId, UserRef,
};
use sealstone_jose::base64url;
use sealstone_keyring::{KeyEncryptionKey, RotationPolicy, RotationSettings};
use sealstone_login::{SecondFactorAuthority, SessionLimits, UpstreamLogin};
use sealstone_oauth_types::{ClientId, Form, Secret, TokenId, TokenRequest, TokenResponse};
use sealstone_provider::people::{
    BrowserAnswer, BrowserContent, BrowserContext, LogoutSendError, LogoutSender, PageForm, PeopleConfig,
    PeoplePorts, Realm, SessionCookie, View,
};
use sealstone_provider::{
    BaseUrl, Clock, Entropy, EntropyError, Peer, Ports, Provider, ProviderConfig, TokenError,
};
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, ClientStore as _, Domain, DomainStore as _, Pepper,
    SecretSet,
};
use sealstone_storage::MemoryStore;
use sealstone_testkit::{ManualClock, SeededBytes, unix_time};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub(crate) const CALLBACK: &str = "https://app.example/cb";
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

struct TestClock(ManualClock);

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        self.0.now()
    }
}

struct Seeded(Mutex<SeededBytes>);

impl Entropy for Seeded {
    fn fill(&self, octets: &mut [u8]) -> Result<(), EntropyError> {
        self.0.lock().unwrap().fill(octets);
        Ok(())
    }
}

/// People whom the test changes. `ada` and `bob` have the same password; `ada` may act in `p1` and `p2`.
#[derive(Default)]
pub(crate) struct People {
    pub(crate) gone: bool,
    pub(crate) down: bool,
    pub(crate) valid_since: Option<u64>,
    pub(crate) roles: Vec<String>,
    pub(crate) wants_code: bool,
}

#[derive(Clone, Default)]
pub(crate) struct FakePeople(pub(crate) Arc<Mutex<People>>);

pub(crate) fn person(id: &str) -> Person {
    let name = if id == "u1" { "ada" } else { "bob" };
    let mut person = Person::new(UserRef::new(id, name, "demo").unwrap());
    person.full_name = Some(Name::parse("Ada Lovelace").unwrap());
    person.email = Some(Email::new("ada@example.org", true).unwrap());
    person.groups = vec![Name::parse("staff").unwrap()];
    person
}

impl FakePeople {
    pub(crate) fn change(&self, change: impl FnOnce(&mut People)) {
        change(&mut self.0.lock().unwrap());
    }

    fn now(&self, id: &str) -> Result<Arc<Person>, LoginError> {
        let people = self.0.lock().unwrap();
        if people.down {
            return Err(LoginError::unavailable("down"));
        }
        if people.gone || !matches!(id, "u1" | "u2") {
            return Err(LoginError::Refused(LoginRefusal::Person));
        }
        let mut person = person(id);
        person.valid_since = people.valid_since.map(unix_time);
        Ok(Arc::new(person))
    }
}

#[async_trait]
impl LoginSource for FakePeople {
    async fn begin(&self, attempt: &PasswordAttempt<'_>) -> Result<LoginStep, LoginError> {
        let id = match attempt.user_name {
            "ada" => "u1",
            "bob" => "u2",
            _ => return Err(LoginError::Refused(LoginRefusal::Credentials)),
        };
        let person = self.now(id).map_err(|error| match error {
            LoginError::Refused(_) => LoginError::Refused(LoginRefusal::Credentials),
            other => other,
        })?;
        if attempt.password != PASSWORD {
            return Err(LoginError::Refused(LoginRefusal::Credentials));
        }
        if self.0.lock().unwrap().wants_code {
            let end = unix_time(u64::MAX / 4);
            return Ok(LoginStep::NeedsCode(OpenLogin::new(
                person.user.clone(),
                String::from("receipt").into(),
                end,
            )));
        }
        Ok(LoginStep::Done(LoggedIn {
            person,
            methods: vec![AuthMethod::Password],
        }))
    }

    async fn go_on(&self, open: &OpenLogin, code: &Passcode) -> Result<LoginStep, LoginError> {
        if code.expose() != "424242" {
            return Err(LoginError::Refused(LoginRefusal::Code));
        }
        Ok(LoginStep::Done(LoggedIn {
            person: self.now(open.user().id().as_str())?,
            methods: vec![AuthMethod::Password, AuthMethod::OneTimeCode],
        }))
    }

    async fn person(&self, user: &UserId) -> Result<Arc<Person>, LoginError> {
        self.now(user.as_str())
    }

    async fn projects(&self, user: &UserId) -> Result<Vec<PersonProject>, LoginError> {
        self.now(user.as_str())?;
        let ids: &[&str] = if user.as_str() == "u1" { &["p1", "p2"] } else { &[] };
        Ok(ids
            .iter()
            .map(|id| PersonProject {
                project: ProjectScope::new(id, id, "demo").unwrap(),
                roles: vec![RoleName::parse("member").unwrap()],
            })
            .collect())
    }

    async fn authority(&self, user: &UserId, project: &ProjectId) -> Result<Arc<Delegated>, LoginError> {
        let person = self.now(user.as_str())?;
        let roles = self.0.lock().unwrap().roles.clone();
        if roles.is_empty() {
            return Err(LoginError::Refused(LoginRefusal::NoRole));
        }
        let roles = roles.iter().map(|role| RoleName::parse(role).unwrap()).collect();
        let project = ProjectScope::new(project.as_str(), project.as_str(), "demo").unwrap();
        Ok(Arc::new(Delegated {
            authority: Authority::project(person.user.clone(), project, roles).unwrap(),
            method: DelegationMethod::MappedUser,
            application_credential: None,
            expires_at: None,
            read_at: unix_time(0),
        }))
    }
}

/// Takes logout tokens, or fails as told.
#[derive(Clone, Default)]
pub(crate) struct FakeReceiver {
    pub(crate) taken: Arc<Mutex<Vec<(String, String)>>>,
    pub(crate) fails: Arc<Mutex<bool>>,
}

#[async_trait]
impl LogoutSender for FakeReceiver {
    async fn send(&self, address: &str, logout_token: &str) -> Result<(), LogoutSendError> {
        if *self.fails.lock().unwrap() {
            return Err(LogoutSendError::new("500"));
        }
        let taken = (address.to_owned(), logout_token.to_owned());
        self.taken.lock().unwrap().push(taken);
        Ok(())
    }
}

/// Keeps notices in the store, or says that it can't, as told.
#[derive(Clone)]
pub(crate) struct Notices {
    store: Arc<MemoryStore>,
    pub(crate) down: Arc<Mutex<bool>>,
}

#[async_trait]
impl LogoutStore for Notices {
    async fn insert_notices(&self, notices: &[LogoutNotice]) -> Result<u64, GrantStoreError> {
        if *self.down.lock().unwrap() {
            return Err(GrantStoreError::new("the disk is full"));
        }
        self.store.insert_notices(notices).await
    }

    async fn take_due(&self, now: UnixTime, limit: usize) -> Result<Vec<LogoutNotice>, GrantStoreError> {
        self.store.take_due(now, limit).await
    }

    async fn remove_notice(&self, id: &TokenId) -> Result<(), GrantStoreError> {
        self.store.remove_notice(id).await
    }

    async fn postpone_notice(&self, notice: &LogoutNotice) -> Result<(), GrantStoreError> {
        self.store.postpone_notice(notice).await
    }

    async fn next_due(&self) -> Result<Option<UnixTime>, GrantStoreError> {
        self.store.next_due().await
    }
}

pub(crate) struct World {
    pub(crate) notices: Notices,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: ManualClock,
    pub(crate) audit: MemorySink,
    pub(crate) people: FakePeople,
    pub(crate) receiver: FakeReceiver,
    pub(crate) provider: Provider,
}

pub(crate) fn demo() -> DomainId {
    DomainId::parse("demo").unwrap()
}

fn pepper() -> Pepper {
    Pepper::from_bytes([7; 32])
}

pub(crate) fn config() -> PeopleConfig {
    PeopleConfig {
        sessions: SessionLimits::default(),
        ..PeopleConfig::password("Example")
    }
}

pub(crate) async fn world() -> World {
    world_with(config(), None, None).await
}

pub(crate) async fn world_with(
    config: PeopleConfig,
    second_factor: Option<Arc<dyn SecondFactorAuthority>>,
    upstream: Option<Arc<dyn UpstreamLogin>>,
) -> World {
    let store = Arc::new(MemoryStore::new());
    for domain in ["demo", "other"] {
        let domain = Domain::new(DomainId::parse(domain).unwrap(), domain, true).unwrap();
        let _ = store.insert_domain(domain).await.unwrap();
    }
    let (clock, audit) = (ManualClock::default(), MemorySink::default());
    let (people, receiver) = (FakePeople::default(), FakeReceiver::default());
    people.change(|people| people.roles = vec!["member".to_owned(), "reader".to_owned()]);
    let notices = Notices {
        store: store.clone(),
        down: Arc::default(),
    };
    let realm = Realm {
        source: Some(Arc::new(people.clone())),
        second_factor,
        upstream,
        config,
    };
    let ports = Ports {
        clients: store.clone(),
        domains: store.clone(),
        keys: store.clone(),
        revocations: store.clone(),
        assertions: store.clone(),
        audit: Arc::new(audit.clone()),
        identity: None,
        people: Some(PeoplePorts {
            realm: Some(Arc::new(realm)),
            realms: BTreeMap::new(),
            sessions: store.clone(),
            factors: store.clone(),
            throttles: store.clone(),
            interactions: store.clone(),
            consents: store.clone(),
            codes: store.clone(),
            refresh: store.clone(),
            devices: store.clone(),
            logouts: Arc::new(notices.clone()),
            logout_sender: Arc::new(receiver.clone()),
        }),
        clock: Arc::new(TestClock(clock.clone())),
        entropy: Arc::new(Seeded(Mutex::new(SeededBytes::new(7)))),
    };
    let config = ProviderConfig {
        base: BaseUrl::parse("https://id.example").unwrap(),
        mtls_base: None,
        rotation: RotationPolicy::new(RotationSettings::default()).unwrap(),
        pepper: pepper(),
        key_encryption_key: KeyEncryptionKey::from_bytes([2; 32]),
    };
    let provider = Provider::new(config, ports);
    provider.maintain().await.unwrap();
    let world = World {
        notices,
        store,
        clock,
        audit,
        people,
        receiver,
        provider,
    };
    world.register("web", web()).await;
    world
}

/// A server with a secret, whose people are not asked what it may have.
pub(crate) fn web() -> Value {
    json!({
        "client_name": "Web",
        "token_endpoint_auth_method": "client_secret_post",
        "redirect_uris": [CALLBACK],
        "post_logout_redirect_uris": ["https://app.example/bye"],
        "grant_types": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code"
        ],
        "scope": "openid profile email groups offline_access openstack:api reports",
        "consent": "never",
    })
}

pub(crate) fn with(registration: Value, member: &str, value: Value) -> Value {
    let mut changed = registration;
    changed[member] = value;
    changed
}

fn secret(id: &str) -> ClientSecretText {
    let mut octets = [3; 32];
    for (octet, byte) in octets.iter_mut().zip(id.bytes()) {
        *octet = byte;
    }
    ClientSecretText::from_random(octets)
}

pub(crate) fn peer() -> Peer {
    Peer {
        address: Some([192, 0, 2, 7].into()),
        certificate: None,
        request_id: "r1".into(),
    }
}

pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64url::decode(payload).unwrap()).unwrap()
}

impl World {
    pub(crate) async fn register_in(&self, domain: &str, id: &str, registration: Value) -> Client {
        let registration = ClientRegistration::from_json(registration.to_string().as_bytes()).unwrap();
        let secrets = registration
            .needs_secret()
            .unwrap()
            .then(|| SecretSet::new(secret(id).hash(&pepper()), None));
        let (domain, name) = (DomainId::parse(domain).unwrap(), ClientId::parse(id).unwrap());
        let client = registration
            .into_client(domain, name, secrets, self.clock.now())
            .unwrap();
        let _ = self.store.insert(client.clone()).await.unwrap();
        client
    }

    pub(crate) async fn register(&self, id: &str, registration: Value) -> Client {
        self.register_in("demo", id, registration).await
    }

    pub(crate) async fn update(&self, id: &str, change: impl FnOnce(&Client) -> Client) {
        let id = ClientId::parse(id).unwrap();
        let before = self.store.client(&id).await.unwrap().unwrap();
        let after = change(&before);
        let _ = self.store.replace(before.version(), after).await.unwrap();
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser {
            world: self,
            session: None,
            cookie: None,
        }
    }

    pub(crate) async fn token_at(
        &self,
        domain: &str,
        id: &str,
        rest: &str,
    ) -> Result<TokenResponse, TokenError> {
        let text = format!("client_id={id}&client_secret={}&{rest}", secret(id).expose());
        self.token_of(domain, &text).await
    }

    pub(crate) fn form(&self, id: &str, rest: &str) -> Form {
        let text = format!("client_id={id}&client_secret={}&{rest}", secret(id).expose());
        Form::parse(text.as_bytes()).unwrap()
    }

    pub(crate) async fn token_of(&self, domain: &str, text: &str) -> Result<TokenResponse, TokenError> {
        let form = Form::parse(text.as_bytes()).unwrap();
        let domain = DomainId::parse(domain).unwrap();
        self.provider
            .token(&domain, TokenRequest::parse(None, &form), &peer())
            .await
    }

    pub(crate) async fn token(&self, rest: &str) -> Result<TokenResponse, TokenError> {
        self.token_at("demo", "web", rest).await
    }

    pub(crate) async fn exchange(&self, code: &str) -> Result<TokenResponse, TokenError> {
        self.token(&exchange(code)).await
    }

    /// Why the last event says that something was refused.
    pub(crate) fn last_rule(&self) -> String {
        let events = self.audit.events();
        let reason = events.last().unwrap().reason;
        reason.map_or_else(String::new, |reason| match reason.detail() {
            Some(detail) => format!("{}/{detail}", reason.rule()),
            None => reason.rule().to_owned(),
        })
    }

    pub(crate) fn actions(&self) -> Vec<&'static str> {
        self.audit
            .events()
            .iter()
            .map(|event| event.action.as_str())
            .collect()
    }
}

pub(crate) fn exchange(code: &str) -> String {
    format!(
        "grant_type=authorization_code&code={code}&code_verifier={VERIFIER}&redirect_uri={}",
        encoded(CALLBACK)
    )
}

pub(crate) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The request of `web`, with more parameters behind it.
pub(crate) fn request(more: &str) -> String {
    request_of("web", more)
}

pub(crate) fn request_of(client: &str, more: &str) -> String {
    format!(
        "client_id={client}&response_type=code&redirect_uri={}&code_challenge={CHALLENGE}\
         &code_challenge_method=S256&state=s1{more}",
        encoded(CALLBACK)
    )
}

/// A browser with its cookies.
pub(crate) struct Browser<'a> {
    world: &'a World,
    pub(crate) session: Option<String>,
    pub(crate) cookie: Option<String>,
}

impl Browser<'_> {
    pub(crate) fn context(&self) -> BrowserContext {
        BrowserContext {
            session: self.session.as_deref().map(Secret::from),
            browser: self.cookie.as_deref().map(Secret::from),
            user_agent: Some("Test/1.0".to_owned()),
            peer: peer(),
        }
    }

    pub(crate) fn keep(&mut self, answer: BrowserAnswer) -> Answer {
        if let Some(cookie) = &answer.browser {
            self.cookie = Some(cookie.expose().to_owned());
        }
        match &answer.session {
            SessionCookie::Keep => {}
            SessionCookie::Set(value) => self.session = Some(value.expose().to_owned()),
            SessionCookie::Clear => self.session = None,
        }
        Answer(answer.content)
    }

    /// The answer to a request, after every redirect to ourselves.
    pub(crate) async fn authorize(&mut self, query: &str) -> Answer {
        let context = self.context();
        let answer = self
            .world
            .provider
            .authorize(&demo(), query.as_bytes(), &context)
            .await;
        let answer = self.keep(answer.unwrap());
        self.follow(answer).await
    }

    pub(crate) async fn device_page(&mut self, query: &str) -> Answer {
        let context = self.context();
        let form = Form::parse(query.as_bytes()).map_err(Into::into);
        let answer = self.world.provider.device_page(&demo(), form, &context).await;
        self.keep(answer.unwrap())
    }

    pub(crate) async fn logout(&mut self, query: &str) -> Answer {
        let context = self.context();
        let answer = self
            .world
            .provider
            .end_session(&demo(), query.as_bytes(), &context)
            .await;
        self.keep(answer.unwrap())
    }

    pub(crate) async fn account(&mut self) -> Answer {
        let context = self.context();
        let answer = self.world.provider.account(&demo(), &context).await;
        self.keep(answer.unwrap())
    }

    pub(crate) async fn follow(&mut self, answer: Answer) -> Answer {
        let mut answer = answer;
        while let BrowserContent::See(path) = &answer.0 {
            let context = self.context();
            let (page, query) = path.split_once('?').unwrap_or((path, ""));
            let next = match page {
                "/account" => self.world.provider.account(&demo(), &context).await,
                "/interaction" => {
                    let form = Form::parse(query.as_bytes()).map_err(Into::into);
                    self.world.provider.interaction(&demo(), form, &context).await
                }
                other => panic!("{other}"),
            };
            answer = self.keep(next.unwrap());
        }
        answer
    }

    /// Sends a page's form with these fields, and follows.
    pub(crate) async fn send(&mut self, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let body = page.body(fields);
        self.post(&body).await
    }

    pub(crate) async fn post(&mut self, body: &str) -> Answer {
        let context = self.context();
        let form = Form::parse(body.as_bytes()).map_err(Into::into);
        let answer = self.world.provider.submit(&demo(), form, &context).await;
        let answer = self.keep(answer.unwrap());
        self.follow(answer).await
    }

    pub(crate) async fn sign_in(&mut self, page: &Answer) -> Answer {
        self.sign_in_as(page, "ada").await
    }

    pub(crate) async fn sign_in_as(&mut self, page: &Answer, name: &str) -> Answer {
        let fields = [("user_name", name), ("password", PASSWORD), ("do", "password")];
        self.send(page, &fields).await
    }

    /// A code for `ada`, signed in on the way.
    pub(crate) async fn code(&mut self, more: &str) -> String {
        let page = self.authorize(&request(more)).await;
        let answer = match page.view() {
            Some(View::Login(_)) => self.sign_in(&page).await,
            _ => page,
        };
        answer.parameter("code").unwrap_or_else(|| panic!("{answer:?}"))
    }
}

/// What a browser was answered.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) BrowserContent);

impl Answer {
    pub(crate) fn view(&self) -> Option<&View> {
        match &self.0 {
            BrowserContent::Page(view) => Some(view),
            BrowserContent::See(_)
            | BrowserContent::Leave(_)
            | BrowserContent::FormPost(_)
            | BrowserContent::Refusal(_) => None,
        }
    }

    pub(crate) fn url(&self) -> Option<&str> {
        match &self.0 {
            BrowserContent::Leave(url) => Some(url.expose()),
            BrowserContent::Page(_)
            | BrowserContent::See(_)
            | BrowserContent::FormPost(_)
            | BrowserContent::Refusal(_) => None,
        }
    }

    /// A parameter of the redirect, decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.url()?.split_once('?')?;
        let form = Form::parse(query.as_bytes()).unwrap();
        form.get(name).map(str::to_owned)
    }

    pub(crate) fn form(&self) -> &PageForm {
        match self.view().unwrap_or_else(|| panic!("{self:?}")) {
            View::Login(view) => &view.form,
            View::Code(view) => &view.form,
            View::Wait(view) => &view.form,
            View::EnrolChoice(view) => &view.form,
            View::EnrolTotp(view) => &view.form,
            View::RecoveryCodes(view) => &view.form,
            View::EnrolPasskey(view) => &view.form,
            View::SelectAccount(view) => &view.form,
            View::Consent(view) => &view.form,
            View::DeviceEnter(view) => &view.form,
            View::DeviceConfirm(view) => &view.form,
            View::Account(view) => &view.form,
            View::Logout(view) => &view.form,
            View::DeviceDone(_) | View::LoggedOut(_) | View::Error(_) => panic!("{self:?}"),
        }
    }

    pub(crate) fn body(&self, fields: &[(&str, &str)]) -> String {
        let hidden = self.form().hidden.iter();
        let hidden = hidden.map(|(name, value)| (*name, value.expose()));
        hidden
            .chain(fields.iter().copied())
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect::<Vec<_>>()
            .join("&")
    }

    /// The page's kind, or the error that the client is told, or `code`.
    pub(crate) fn kind(&self) -> String {
        if let Some(error) = self.parameter("error") {
            return error;
        }
        if self.parameter("code").is_some() {
            return "code".to_owned();
        }
        let text = format!("{:?}", self.0);
        match self.view() {
            Some(View::Error(error)) => format!("{:?}", error.kind),
            Some(view) => format!("{view:?}").split('(').next().unwrap().to_owned(),
            None => text,
        }
    }
}
