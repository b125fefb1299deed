//! People who sign in, and the browser that they sit before.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use sealstone_identity::{
    AuthMethod, Delegated, LoggedIn, LoginError, LoginRefusal, LoginSource, LoginStep, OpenLogin, Passcode,
    PasswordAttempt, Person, PersonProject, ProjectId, UserId, UserRef,
};
use sealstone_jose::Algorithm;
use sealstone_keyring::RotationSettings;
use sealstone_login::{LoginPolicy, SecondFactorAuthority, SessionLimits};
use sealstone_provider::people::{LogoutSendError, LogoutSender, PeopleConfig, PeoplePorts, Profile, Realm};
use sealstone_storage::MemoryStore;

use crate::document::Document;
use crate::support::{Answer, Ask, ISSUER, World};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// `alice`, and how she signs in.
pub(crate) struct People {
    pub(crate) policy: LoginPolicy,
    pub(crate) source: Arc<dyn LoginSource>,
    pub(crate) second_factor: Option<Arc<dyn SecondFactorAuthority>>,
    pub(crate) logout_sender: Arc<dyn LogoutSender>,
    pub(crate) profile: Profile,
    /// What the issuers sign with.
    pub(crate) algorithms: Vec<Algorithm>,
}

impl Default for People {
    fn default() -> Self {
        Self {
            policy: LoginPolicy::password(),
            source: Arc::new(Alice),
            second_factor: None,
            logout_sender: Arc::new(Nobody),
            profile: Profile::Standard,
            algorithms: RotationSettings::default().algorithms,
        }
    }
}

impl People {
    pub(crate) fn ports(self, store: &MemoryStore) -> PeoplePorts {
        let shared = Arc::new(store.clone());
        let realm = Realm {
            source: Some(self.source),
            second_factor: self.second_factor,
            upstream: None,
            config: PeopleConfig {
                policy: self.policy,
                sessions: SessionLimits::default(),
                service_name: "Example".to_owned(),
                upstream_name: "Upstream".to_owned(),
                profile: self.profile,
            },
        };
        PeoplePorts {
            realm: Some(Arc::new(realm)),
            realms: BTreeMap::new(),
            sessions: shared.clone(),
            factors: shared.clone(),
            throttles: shared.clone(),
            interactions: shared.clone(),
            consents: shared.clone(),
            codes: shared.clone(),
            refresh: shared.clone(),
            devices: shared.clone(),
            logouts: shared,
            logout_sender: self.logout_sender,
        }
    }
}

pub(crate) struct Alice;

impl Alice {
    pub(crate) fn person() -> Arc<Person> {
        Arc::new(Person::new(UserRef::new("a11ce", "alice", "demo").unwrap()))
    }
}

#[async_trait]
impl LoginSource for Alice {
    async fn begin(&self, attempt: &PasswordAttempt<'_>) -> Result<LoginStep, LoginError> {
        if (attempt.user_name, attempt.password) != ("alice", PASSWORD) {
            return Err(LoginError::Refused(LoginRefusal::Credentials));
        }
        Ok(LoginStep::Done(LoggedIn {
            person: Self::person(),
            methods: vec![AuthMethod::Password],
        }))
    }

    async fn go_on(&self, _: &OpenLogin, _: &Passcode) -> Result<LoginStep, LoginError> {
        Err(LoginError::Refused(LoginRefusal::Ended))
    }

    async fn person(&self, user: &UserId) -> Result<Arc<Person>, LoginError> {
        if user.as_str() == "a11ce" {
            Ok(Self::person())
        } else {
            Err(LoginError::Refused(LoginRefusal::Person))
        }
    }

    async fn projects(&self, _: &UserId) -> Result<Vec<PersonProject>, LoginError> {
        Ok(Vec::new())
    }

    async fn authority(&self, _: &UserId, _: &ProjectId) -> Result<Arc<Delegated>, LoginError> {
        Err(LoginError::Refused(LoginRefusal::NoRole))
    }
}

struct Nobody;

#[async_trait]
impl LogoutSender for Nobody {
    async fn send(&self, _: &str, _: &str) -> Result<(), LogoutSendError> {
        Err(LogoutSendError::new("nobody listens"))
    }
}

/// A form of a page: where it goes, and its hidden fields.
#[derive(Debug, Clone)]
pub(crate) struct PageForm {
    pub(crate) action: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl PageForm {
    /// The first form of the page.
    #[track_caller]
    pub(crate) fn of(answer: &Answer) -> Self {
        let document = Document::parse(&answer.text);
        let index = document.elements().position(|element| element.name == "form");
        let index = index.unwrap_or_else(|| panic!("no form: {answer:?}"));
        let form = document.elements().nth(index).unwrap();
        let hidden = document
            .inside(index, "input")
            .filter(|input| input.attribute("type") == Some("hidden"));
        Self {
            action: form.attribute("action").unwrap().to_owned(),
            fields: hidden
                .map(|input| {
                    let of = |name| input.attribute(name).unwrap().to_owned();
                    (of("name"), of("value"))
                })
                .collect(),
        }
    }

    /// With these fields; one that is there already gets this value.
    pub(crate) fn with(mut self, fields: &[(&str, &str)]) -> Self {
        self.fields
            .retain(|(name, _)| fields.iter().all(|(other, _)| other != name));
        let fields = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        self.fields.extend(fields);
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(other, _)| other != name);
        self
    }

    pub(crate) fn encoded(&self) -> String {
        let pairs = self
            .fields
            .iter()
            .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

/// Percent-encoded, all but letters and digits.
pub(crate) fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, octet| {
        if octet.is_ascii_alphanumeric() {
            escaped.push(char::from(octet));
        } else {
            escaped.push_str(&format!("%{octet:02X}"));
        }
        escaped
    })
}

/// A browser with its cookies.
pub(crate) struct Browser<'a> {
    world: &'a World,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) languages: &'static str,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self {
            world,
            cookies: BTreeMap::new(),
            languages: "en",
        }
    }

    /// Sends this with the cookies, keeps those that come, follows nothing.
    pub(crate) async fn send(&mut self, ask: Ask) -> Answer {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut ask = ask.header("accept-language", self.languages);
        if !cookies.is_empty() {
            ask = ask.header("cookie", cookies.join("; "));
        }
        let answer = self.world.send(ask).await;
        for line in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = line.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub(crate) async fn get(&mut self, uri: &str) -> Answer {
        self.send(Ask::get(uri).header("sec-fetch-site", "none")).await
    }

    pub(crate) async fn post(&mut self, form: &PageForm) -> Answer {
        let ask = Ask::post(&form.action)
            .header("sec-fetch-site", "same-origin")
            .header("origin", "null")
            .form(form.encoded());
        self.send(ask).await
    }

    /// Follows redirects for as long as they lead to us.
    pub(crate) async fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..8 {
            let location = answer
                .header("location")
                .filter(|location| location.starts_with('/'));
            let Some(location) = location.map(str::to_owned) else {
                return answer;
            };
            answer = self.get(&location).await;
        }
        panic!("redirected without end: {answer:?}");
    }

    /// From a page that asks for name and password to whatever is next.
    pub(crate) async fn sign_in(&mut self, page: &Answer) -> Answer {
        let form =
            PageForm::of(page).with(&[("user_name", "alice"), ("password", PASSWORD), ("do", "password")]);
        let answer = self.post(&form).await;
        self.follow(answer).await
    }

    /// The authorization endpoint, signed in and allowed, up to where it leads away.
    pub(crate) async fn authorize(&mut self, query: &str) -> Answer {
        let page = self.get(&format!("{ISSUER}/authorize?{query}")).await;
        let page = self.follow(page).await;
        let consent = if page.text.contains("name=\"password\"") {
            self.sign_in(&page).await
        } else {
            page
        };
        if consent.status != 200 || !consent.text.contains("value=\"allow\"") {
            return consent;
        }
        let form = PageForm::of(&consent).with(&[("do", "allow")]);
        let answer = self.post(&form).await;
        self.follow(answer).await
    }
}

/// Registers `app`, a public client.
pub(crate) async fn register_app(world: &World) {
    let app = serde_json::json!({
        "client_name": "Grafana",
        "token_endpoint_auth_method": "none",
        "application_type": "web",
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": ["https://app.example/cb"],
        "post_logout_redirect_uris": ["https://app.example/out"],
        "scope": "openid profile",
    });
    world.register("demo", "app", app).await;
}

/// A request of `app`, with more parameters behind it.
pub(crate) fn request(more: &str) -> String {
    format!(
        "client_id=app&response_type=code&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&scope=openid\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256{more}"
    )
}
