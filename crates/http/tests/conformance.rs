//! What the OpenID Foundation's conformance suite demands of a provider, module by module: a function for each, named
//! after it. `docs/reference/conformance.md` lists them.

mod basic;
mod logout;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sealstone_identity::{
    AuthMethod, Delegated, Email, LoggedIn, LoginError, LoginRefusal, LoginSource, LoginStep, Name,
    OpenLogin, Passcode, PasswordAttempt, Person, PersonProject, ProjectId, UserId,
};
use sealstone_jose::{Algorithm, JwkSet, UnverifiedJwt, VerifierSet};
use serde_json::{Value, json};

use crate::people::{Alice, Browser, PASSWORD, PageForm, People, escaped};
use crate::support::{Answer, Ask, ISSUER, TOKEN, World};

pub(crate) const REDIRECT: &str = "https://rp.example/callback";
pub(crate) const BYE: &str = "https://rp.example/bye";
pub(crate) const NONCE: &str = "n-0S6_WzA2Mj";

/// How answers travel: the form post plan is the basic plan in another mode.
pub(crate) const MODES: [&str; 2] = ["query", "form_post"];

/// `alice`, of whom more is known than her name.
struct Known;

fn known() -> Arc<Person> {
    let mut person = Person::clone(&Alice::person());
    person.full_name = Name::parse("Alice Example").ok();
    person.email = Email::new("alice@example.org", true).ok();
    person.groups = vec![Name::parse("staff").unwrap()];
    Arc::new(person)
}

#[async_trait]
impl LoginSource for Known {
    async fn begin(&self, attempt: &PasswordAttempt<'_>) -> Result<LoginStep, LoginError> {
        if (attempt.user_name, attempt.password) != ("alice", PASSWORD) {
            return Err(LoginError::Refused(LoginRefusal::Credentials));
        }
        Ok(LoginStep::Done(LoggedIn {
            person: known(),
            methods: vec![AuthMethod::Password],
        }))
    }

    async fn go_on(&self, _: &OpenLogin, _: &Passcode) -> Result<LoginStep, LoginError> {
        Err(LoginError::Refused(LoginRefusal::Ended))
    }

    async fn person(&self, user: &UserId) -> Result<Arc<Person>, LoginError> {
        if user.as_str() == "a11ce" {
            Ok(known())
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

/// A provider with the suite's clients: they do without PKCE, as the suite does.
pub(crate) async fn world_of(people: People) -> World {
    let world = World::with_people(People {
        source: Arc::new(Known),
        ..people
    })
    .await;
    let client = |method: &str| {
        json!({
            "token_endpoint_auth_method": method, "require_pkce": false,
            "grant_types": ["authorization_code", "refresh_token"], "redirect_uris": [REDIRECT],
            "post_logout_redirect_uris": [BYE], "scope": "openid profile email groups offline_access",
            "backchannel_logout_uri": "https://rp.example/backchannel", "backchannel_logout_session_required": true,
        })
    };
    world.register("demo", "rp", client("client_secret_basic")).await;
    world.register("demo", "rp2", client("client_secret_basic")).await;
    world
        .register("demo", "rp-post", client("client_secret_post"))
        .await;
    world
}

pub(crate) async fn world() -> World {
    world_of(People::default()).await
}

/// An authorization request of the suite, with more behind it.
pub(crate) fn request(mode: &str, more: &str) -> String {
    format!(
        "client_id=rp&response_type=code&redirect_uri={}&scope=openid&state=af0ifjsldkj&nonce={NONCE}\
         &response_mode={mode}{more}",
        escaped(REDIRECT)
    )
}

/// The parameters of an answer that arrived at the client, in whichever mode; `None`: it did not.
pub(crate) fn arrived(answer: &Answer, mode: &str) -> Option<BTreeMap<String, String>> {
    if mode == "form_post" {
        if answer.status != 200 || !answer.text.contains(REDIRECT) {
            return None;
        }
        let form = PageForm::of(answer);
        return (form.action == REDIRECT).then(|| form.fields.into_iter().collect());
    }
    let (uri, query) = answer.header("location")?.split_once('?')?;
    assert!(matches!(answer.status.as_u16(), 302 | 303));
    (uri == REDIRECT).then(|| pairs(query))
}

pub(crate) fn pairs(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs
        .map(|(name, value)| (name.to_owned(), unescaped(value)))
        .collect()
}

fn unescaped(text: &str) -> String {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet == b'%' {
            let digits: String = rest.by_ref().take(2).map(char::from).collect();
            octets.push(u8::from_str_radix(&digits, 16).unwrap());
        } else {
            octets.push(octet);
        }
    }
    String::from_utf8(octets).unwrap()
}

/// What one login of `rp` came to.
pub(crate) struct Tokens {
    pub(crate) code: String,
    pub(crate) id_token: String,
    pub(crate) claims: Value,
    pub(crate) access_token: String,
}

/// A request that succeeds, and the exchange of its code.
#[track_caller]
pub(crate) fn code_of(answer: &Answer, mode: &str) -> String {
    let mut sent = arrived(answer, mode).unwrap_or_else(|| panic!("{answer:?}"));
    assert_eq!(sent.remove("state").as_deref(), Some("af0ifjsldkj"), "{answer:?}");
    // RFC 9207: the metadata say that it comes.
    assert_eq!(
        sent.remove("iss").as_deref(),
        Some("https://id.example/v4/oauth2/demo")
    );
    let code = sent.remove("code").unwrap_or_else(|| panic!("{answer:?}"));
    assert!(sent.is_empty(), "{sent:?}");
    code
}

pub(crate) async fn redeem(world: &World, client: &str, code: &str) -> Answer {
    let form = format!(
        "grant_type=authorization_code&code={code}&redirect_uri={}",
        escaped(REDIRECT)
    );
    world.send(Ask::post(TOKEN).basic(client).form(form)).await
}

pub(crate) async fn tokens(world: &World, browser: &mut Browser<'_>, mode: &str, more: &str) -> Tokens {
    let answer = browser.authorize(&request(mode, more)).await;
    let code = code_of(&answer, mode);
    let answer = redeem(world, "rp", &code).await;
    answer.is_clean();
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    assert!(body["expires_in"].is_u64());
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let id_token = text("id_token").unwrap();
    Tokens {
        code,
        claims: verified(world, &id_token).await,
        id_token,
        access_token: text("access_token").unwrap(),
    }
}

/// The claims of an ID token whose signature is by a key of the published set.
pub(crate) async fn verified(world: &World, token: &str) -> Value {
    let jwks = world.send(Ask::get(&format!("{ISSUER}/jwks"))).await;
    let set = JwkSet::parse_strict(jwks.text.as_bytes()).unwrap();
    let keys = VerifierSet::new(&set, &[Algorithm::Es256, Algorithm::Rs256]).unwrap();
    let token = UnverifiedJwt::parse(token).unwrap();
    assert!(token.header().kid.is_some());
    keys.verify(token).unwrap().claims().unwrap()
}

pub(crate) async fn userinfo(world: &World, access_token: &str) -> Answer {
    let ask = Ask::get(&format!("{ISSUER}/userinfo"));
    world
        .send(ask.header("authorization", format!("Bearer {access_token}")))
        .await
}

/// The error that arrived at the client, and nothing else of use.
#[track_caller]
pub(crate) fn error_of(answer: &Answer, mode: &str) -> String {
    let sent = arrived(answer, mode).unwrap_or_else(|| panic!("{answer:?}"));
    assert_eq!(
        sent.get("state").map(String::as_str),
        Some("af0ifjsldkj"),
        "{answer:?}"
    );
    assert!(sent.contains_key("iss") && !sent.contains_key("code"), "{sent:?}");
    sent["error"].clone()
}

pub(crate) async fn ask(browser: &mut Browser<'_>, query: &str) -> Answer {
    let answer = browser.get(&format!("{ISSUER}/authorize?{query}")).await;
    browser.follow(answer).await
}

/// A page that tells of a fault, and leads nowhere.
#[track_caller]
pub(crate) fn is_fault_page(answer: &Answer) {
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(answer.header("location"), None, "{answer:?}");
    assert!(
        answer.header("content-type").unwrap().starts_with("text/html"),
        "{answer:?}"
    );
}

/// `seconds` go by.
pub(crate) fn wait(world: &World, seconds: u64) {
    world.clock.advance(Duration::from_secs(seconds));
}

/// A module may share its function with another: `oidcc_a_and_oidcc_b`.
#[test]
fn the_page_lists_every_module_that_is_tested() {
    let page = include_str!("../../../docs/reference/conformance.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut listed: Vec<String> = rows
        .map(|row| row.split('`').next().unwrap().replace('-', "_"))
        .collect();
    let sources = [
        include_str!("conformance/basic.rs"),
        include_str!("conformance/logout.rs"),
    ];
    let functions = sources.iter().flat_map(|source| source.lines());
    let functions = functions.filter_map(|line| line.strip_prefix("async fn oidcc"));
    let mut tested: Vec<String> = functions
        .map(|rest| format!("oidcc{}", rest.split('(').next().unwrap()))
        .flat_map(|name| name.split("_and_").map(str::to_owned).collect::<Vec<_>>())
        .collect();
    listed.sort();
    tested.sort();
    assert_eq!(listed, tested);
    assert_eq!(listed.len(), 38 + 11 + 2);
}
