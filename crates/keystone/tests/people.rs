//! People: what is asked, how often, and what is made of answers that a real Keystone would not give.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use sealstone_identity::{
    AuthMethod, DomainId, LoginError, LoginRefusal, LoginSource as _, LoginStep, OpenLogin, Passcode,
    PasswordAttempt, Person,
};
use sealstone_keystone::{Authentication, KeystoneIdentity, KeystonePeople, Secret, UserKey};
use sealstone_testkit::{ManualClock, START};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::support::{
    FakeKeystone, PASSWORD, Reply, Seen, TOKEN, client, clock, iso, project_id, shown, token, user_id,
};

const CODE: &str = "123456";

/// What each kind of question is answered, by the start of its path.
type Answers = Arc<Mutex<BTreeMap<&'static str, Reply>>>;

struct World {
    clock: ManualClock,
    fake: FakeKeystone,
    people: KeystonePeople,
    answers: Answers,
}

fn list(member: &str, items: &Value) -> Reply {
    Reply::valid(&json!({member: items, "links": {"next": null}}))
}

fn user(enabled: bool) -> Value {
    json!({"user": {
        "id": "u1", "name": "alice", "domain_id": "d1", "enabled": enabled, "email": "alice@lab.test",
        "options": {},
    }})
}

fn project() -> Value {
    json!({"id": "p1", "name": "web", "domain_id": "d1", "parent_id": "d1", "enabled": true, "is_domain": false})
}

fn assignment() -> Value {
    json!({
        "role": {"id": "r1", "name": "member"}, "user": {"id": "u1", "name": "alice"},
        "scope": {"project": {"id": "p1", "name": "web"}},
    })
}

fn receipt() -> Value {
    json!({
        "receipt": {
            "methods": ["password"],
            "user": {"id": "u1", "name": "alice", "domain": {"id": "d1", "name": "acme"}},
            "expires_at": iso(START + 300), "issued_at": iso(START),
        },
        "required_auth_methods": [["totp", "password"]],
    })
}

fn incomplete(document: &Value) -> Reply {
    Reply::json(401, "Openstack-Auth-Receipt: receipt1\r\n", &document.to_string())
}

fn event(members: &Value, before: u64) -> Value {
    let mut event = members.clone();
    event["issued_before"] = json!(iso(before));
    event["revoked_at"] = json!(iso(before));
    event
}

impl World {
    async fn new() -> Self {
        let clock = clock();
        let domain = json!({"domain": {"id": "d1", "name": "acme", "enabled": true}});
        let group = json!({"id": "g1", "name": "ops", "domain_id": "d1"});
        let answers: Answers = Arc::new(Mutex::new(BTreeMap::from([
            ("login", Reply::issued(TOKEN, &token(START))),
            ("code", Reply::issued(TOKEN, &both())),
            ("/v3/OS-REVOKE", list("events", &json!([]))),
            ("/v3/users/u1", Reply::valid(&user(true))),
            ("/v3/users/u1/groups", list("groups", &json!([group]))),
            ("/v3/users/u1/projects", list("projects", &json!([project()]))),
            ("/v3/domains/d1", Reply::valid(&domain)),
            ("/v3/projects/p1", Reply::valid(&json!({"project": project()}))),
            (
                "/v3/role_assignments",
                list("role_assignments", &json!([assignment()])),
            ),
        ])));
        let known = Arc::clone(&answers);
        let fake = FakeKeystone::start(Arc::new(move |seen: &Seen| {
            let answers = known.lock().unwrap();
            if seen.method == "POST" {
                let body = seen.json().to_string();
                if body.contains("service-account") {
                    return Reply::issued("service", &service_token());
                }
                let kind = if body.contains("totp") { "code" } else { "login" };
                return answers[kind].clone();
            }
            let longest = answers.keys().filter(|path| seen.target.starts_with(**path));
            let longest = longest.max_by_key(|path| path.len());
            longest.map_or_else(|| Reply::refused(404), |path| answers[path].clone())
        }))
        .await;
        let login = Authentication::password(UserKey::Id(user_id("admin")), Secret::from("service-account"));
        let identity = KeystoneIdentity::builder(client(&fake, &clock)).with_service_account(login);
        let people = KeystonePeople::new(identity.build());
        Self {
            clock,
            fake,
            people,
            answers,
        }
    }

    fn on(&self, what: &'static str, reply: Reply) {
        self.answers.lock().unwrap().insert(what, reply);
    }

    fn revoke(&self, events: &[Value]) {
        self.on("/v3/OS-REVOKE", list("events", &json!(events)));
    }

    async fn begin(&self) -> Result<LoginStep, LoginError> {
        let domain = DomainId::parse("d1").unwrap();
        let attempt = PasswordAttempt {
            domain: &domain,
            user_name: "alice",
            password: PASSWORD,
        };
        self.people.begin(&attempt).await
    }

    async fn open(&self) -> OpenLogin {
        self.on("login", incomplete(&receipt()));
        match self.begin().await.unwrap() {
            LoginStep::NeedsCode(open) => open,
            LoginStep::Done(done) => panic!("{done:?}"),
        }
    }

    async fn person(&self) -> Result<Arc<Person>, LoginError> {
        self.people.person(&user_id("u1")).await
    }
}

fn service_token() -> Value {
    let mut document = token(START);
    document["token"]["user"]["id"] = json!("admin");
    document
}

/// A login by password and code.
fn both() -> Value {
    let mut document = token(START);
    document["token"]["methods"] = json!(["totp", "password"]);
    document
}

fn code(text: &str) -> Passcode {
    Passcode::parse(text).unwrap()
}

/// `r`efused with what, `u`navailable, `m`alformed, not `c`onfigured.
fn kind<T: std::fmt::Debug>(outcome: &Result<T, LoginError>) -> (char, Option<LoginRefusal>) {
    match outcome {
        Err(LoginError::Refused(refusal)) => ('r', Some(*refusal)),
        Err(LoginError::Unavailable { .. }) => ('u', None),
        Err(LoginError::Malformed { .. }) => ('m', None),
        Err(LoginError::NotConfigured { .. }) => ('c', None),
        Ok(value) => panic!("{value:?}"),
    }
}

#[tokio::test]
async fn a_person_is_asked_about_once_by_all_who_wait_and_remembered_for_ten_seconds() {
    let world = World::new().await;
    let (one, two, three) = tokio::join!(world.person(), world.person(), world.person());
    assert_eq!(one.unwrap(), two.unwrap());
    three.unwrap();
    let asked = |world: &World| {
        world.fake.seen_at("GET", "/v3/users/u1?") + world.fake.seen_at("GET", "/v3/users/u1")
    };
    assert_eq!(asked(&world), 2, "the user, and the user's groups");
    world.clock.advance(Duration::from_secs(4));
    world.person().await.unwrap();
    assert_eq!(asked(&world), 2);
    world.on("/v3/users/u1", Reply::valid(&user(false)));
    world.clock.advance(Duration::from_secs(6));
    assert_eq!(kind(&world.person().await), ('r', Some(LoginRefusal::Person)));
}

#[tokio::test]
async fn revocations_are_asked_for_before_a_person_is_told_of() {
    let world = World::new().await;
    world.person().await.unwrap();
    let first = world.fake.seen_at("GET", "/v3/OS-REVOKE/events");
    assert_eq!(first, 1);
    let whole = world
        .fake
        .seen()
        .into_iter()
        .find(|seen| seen.target.contains("OS-REVOKE"));
    assert!(
        !whole.unwrap().target.contains("since"),
        "people logged in long ago"
    );
    world.revoke(&[event(&json!({"user_id": "u1"}), START + 10)]);
    world.clock.advance(Duration::from_secs(11));
    let person = world.person().await.unwrap();
    assert_eq!(person.valid_since.map(|since| since.as_secs()), Some(START + 11));
    assert_eq!(world.fake.seen_at("GET", "/v3/OS-REVOKE/events"), 2);
}

#[tokio::test]
async fn nobody_is_told_of_while_revocations_are_unknown() {
    for (reply, want) in [
        (Reply::refused(403), 'c'),
        (Reply::refused(500), 'u'),
        (Reply::Close, 'u'),
        (Reply::json(200, "", "{}"), 'm'),
    ] {
        let world = World::new().await;
        world.on("/v3/OS-REVOKE", reply.clone());
        assert_eq!(kind(&world.person().await).0, want, "{reply:?}");
        assert_eq!(kind(&world.begin().await).0, want, "{reply:?}");
    }
}

#[tokio::test]
async fn events_about_less_than_a_person_end_no_login() {
    let world = World::new().await;
    world.revoke(&[
        event(&json!({"user_id": "u1", "project_id": "p1"}), START),
        event(&json!({"audit_id": "a1"}), START),
        event(&json!({"user_id": "u2"}), START),
    ]);
    assert_eq!(world.person().await.unwrap().valid_since, None);
    world.clock.advance(Duration::from_secs(11));
    let other = json!({"domain_id": "d1"});
    world.revoke(&[event(&json!({"user_id": "u2"}), START), event(&other, START + 5)]);
    assert!(
        world.person().await.unwrap().valid_since.is_some(),
        "the whole domain"
    );
}

#[tokio::test]
async fn r17_an_outage_is_no_refusal_and_a_refusal_is_no_outage() {
    let credentials = Some(LoginRefusal::Credentials);
    for (reply, want) in [
        (Reply::refused(401), ('r', credentials)),
        (Reply::refused(500), ('u', None)),
        (Reply::refused(503), ('u', None)),
        (Reply::Close, ('u', None)),
        (Reply::refused(400), ('m', None)),
        (
            Reply::http(401, "Content-Type: text/html\r\n", b"<h1>401</h1>"),
            ('m', None),
        ),
        (Reply::json(201, "X-Subject-Token: a\r\n", "{}"), ('m', None)),
    ] {
        let world = World::new().await;
        world.on("login", reply.clone());
        let outcome = world.begin().await;
        assert_eq!(kind(&outcome), want, "{reply:?}");
        assert!(!shown(&outcome.unwrap_err()).contains(PASSWORD));
        let world = World::new().await;
        let open = world.open().await;
        world.on("code", reply.clone());
        let outcome = world.people.go_on(&open, &code(CODE)).await;
        let want = (want.0, want.1.map(|_credentials| LoginRefusal::Code));
        assert_eq!(kind(&outcome), want, "{reply:?}");
        assert!(!shown(&outcome.unwrap_err()).contains(CODE));
    }
    let person = Some(LoginRefusal::Person);
    for (path, reply, want) in [
        ("/v3/users/u1", Reply::refused(404), ('r', person)),
        ("/v3/users/u1", Reply::refused(403), ('c', None)),
        ("/v3/users/u1", Reply::refused(401), ('u', None)),
        ("/v3/users/u1", Reply::refused(500), ('u', None)),
        ("/v3/users/u1", Reply::valid(&user(false)), ('r', person)),
        ("/v3/users/u1/groups", Reply::refused(500), ('u', None)),
        ("/v3/domains/d1", Reply::refused(403), ('c', None)),
        ("/v3/domains/d1", Reply::Close, ('u', None)),
    ] {
        let world = World::new().await;
        world.on(path, reply.clone());
        assert_eq!(kind(&world.person().await), want, "{path} {reply:?}");
    }
}

#[tokio::test]
async fn r18_answers_about_others_are_not_believed() {
    let other_user = json!({"user": {"id": "u2", "name": "alice", "domain_id": "d1", "enabled": true}});
    let other_domain = json!({"domain": {"id": "d2", "name": "acme", "enabled": true}});
    for (path, document) in [("/v3/users/u1", other_user), ("/v3/domains/d1", other_domain)] {
        let world = World::new().await;
        world.on(path, Reply::valid(&document));
        assert_eq!(kind(&world.person().await), ('m', None), "{document}");
    }
    let mut of_another_domain = token(START);
    of_another_domain["token"]["user"]["domain"]["id"] = json!("d2");
    let mut more_methods = token(START);
    more_methods["token"]["methods"] = json!(["password", "totp"]);
    let mut fewer_methods = token(START);
    fewer_methods["token"]["methods"] = json!([]);
    for document in [of_another_domain, more_methods, fewer_methods] {
        let world = World::new().await;
        world.on("login", Reply::issued(TOKEN, &document));
        assert_eq!(kind(&world.begin().await), ('m', None), "{document}");
    }
    let mut anothers = both();
    anothers["token"]["user"]["id"] = json!("u2");
    for document in [anothers, token(START)] {
        let world = World::new().await;
        let open = world.open().await;
        world.on("code", Reply::issued(TOKEN, &document));
        assert_eq!(
            kind(&world.people.go_on(&open, &code(CODE)).await),
            ('m', None),
            "{document}"
        );
    }
    let mut receipt_of_another_domain = receipt();
    receipt_of_another_domain["receipt"]["user"]["domain"]["id"] = json!("d2");
    let world = World::new().await;
    world.on("login", incomplete(&receipt_of_another_domain));
    assert_eq!(kind(&world.begin().await), ('m', None));
}

#[tokio::test]
async fn two_steps_tell_what_happened() {
    let world = World::new().await;
    let open = world.open().await;
    assert_eq!(open.ends_at().as_secs(), START + 300);
    let sent = world
        .fake
        .seen()
        .into_iter()
        .find(|seen| seen.method == "POST")
        .unwrap();
    assert_eq!(
        sent.json()["auth"]["scope"],
        json!("unscoped"),
        "no default project matters"
    );
    let step = world.people.go_on(&open, &code(CODE)).await.unwrap();
    let LoginStep::Done(done) = step else {
        panic!("{step:?}")
    };
    assert_eq!(done.methods, [AuthMethod::Password, AuthMethod::OneTimeCode]);
    let with_code = world
        .fake
        .seen()
        .into_iter()
        .find(|seen| seen.header("openstack-auth-receipt").is_some());
    let with_code = with_code.unwrap();
    assert_eq!(with_code.header("openstack-auth-receipt"), Some("receipt1"));
    assert_eq!(
        with_code.json()["auth"]["identity"]["totp"]["user"]["id"],
        json!("u1")
    );
}

#[tokio::test]
async fn a_receipt_that_has_ended_is_shown_to_nobody() {
    let world = World::new().await;
    let open = world.open().await;
    world.clock.advance(Duration::from_secs(300));
    let before = world.fake.seen().len();
    let outcome = world.people.go_on(&open, &code(CODE)).await;
    assert_eq!(kind(&outcome), ('r', Some(LoginRefusal::Ended)));
    let unreadable = OpenLogin::new(open.user().clone(), Zeroizing::new("{".into()), open.ends_at());
    world
        .clock
        .set(rustls_pki_types::UnixTime::since_unix_epoch(Duration::from_secs(
            START,
        )));
    assert_eq!(
        kind(&world.people.go_on(&unreadable, &code(CODE)).await),
        ('m', None)
    );
    assert_eq!(world.fake.seen().len(), before);
}

#[tokio::test]
async fn r14_a_code_is_shown_to_keystone_once_unless_it_was_not_judged() {
    let world = World::new().await;
    let open = world.open().await;
    let used = code(CODE);
    let go_on = || world.people.go_on(&open, &used);
    world.on("code", Reply::Close);
    assert_eq!(kind(&go_on().await).0, 'u');
    world.on("code", Reply::refused(401));
    assert_eq!(kind(&go_on().await), ('r', Some(LoginRefusal::Code)));
    let before = world.fake.seen().len();
    world.on("code", Reply::issued(TOKEN, &both()));
    assert_eq!(kind(&go_on().await), ('r', Some(LoginRefusal::Code)));
    assert_eq!(world.fake.seen().len(), before, "it is not asked");
    assert!(world.people.go_on(&open, &code("654321")).await.is_ok());
}

#[tokio::test]
async fn rules_without_a_page_let_nobody_in() {
    for (rules, gets_on) in [
        (json!([["password", "totp"]]), true),
        (json!([["password", "external"], ["totp", "password"]]), true),
        (json!([["password", "external"]]), false),
        (json!([["password", "totp", "external"]]), false),
        (json!([["password"]]), false),
        (json!([[]]), false),
        (json!([]), false),
    ] {
        let world = World::new().await;
        let mut document = receipt();
        document["required_auth_methods"] = rules.clone();
        world.on("login", incomplete(&document));
        match world.begin().await {
            Ok(LoginStep::NeedsCode(_)) => assert!(gets_on, "{rules}"),
            outcome => {
                assert!(!gets_on, "{rules}");
                assert_eq!(kind(&outcome), ('r', Some(LoginRefusal::Unsupported)), "{rules}");
            }
        }
    }
}

#[tokio::test]
async fn what_does_not_fit_a_token_whole_is_refused() {
    let too_large = ('r', Some(LoginRefusal::TooLarge));
    let group = |name: &str| json!({"id": "g1", "name": name, "domain_id": "d1"});
    let many: Vec<Value> = (0..=256).map(|number| group(&format!("g{number}"))).collect();
    for groups in [json!(many), json!([group("a\nb")])] {
        let world = World::new().await;
        world.on("/v3/users/u1/groups", list("groups", &groups));
        assert_eq!(kind(&world.person().await), too_large);
    }
    for name in ["a,b", " admin", "a\nb"] {
        let world = World::new().await;
        let mut odd = assignment();
        odd["role"]["name"] = json!(name);
        world.on(
            "/v3/role_assignments",
            list("role_assignments", &json!([assignment(), odd])),
        );
        let authority = world.people.authority(&user_id("u1"), &project_id("p1")).await;
        assert_eq!(kind(&authority), too_large, "{name:?}");
        assert_eq!(
            world.people.projects(&user_id("u1")).await.unwrap(),
            [],
            "{name:?}"
        );
    }
}

#[tokio::test]
async fn odd_addresses_are_none() {
    let world = World::new().await;
    let mut odd = user(true);
    odd["user"]["email"] = json!("nobody\nat all");
    world.on("/v3/users/u1", Reply::valid(&odd));
    assert_eq!(world.person().await.unwrap().email, None);
}

#[tokio::test]
async fn an_authority_is_over_the_project_that_was_asked_about() {
    let no_role = ('r', Some(LoginRefusal::NoRole));
    let mut other_project = assignment();
    other_project["scope"]["project"]["id"] = json!("p2");
    let mut inherited = assignment();
    inherited["scope"]["OS-INHERIT:inherited_to"] = json!("projects");
    let mut others = assignment();
    others["user"]["id"] = json!("u2");
    for (assignments, want) in [
        (json!([]), no_role),
        (json!([other_project]), no_role),
        (json!([inherited]), no_role),
        (json!([assignment(), others]), ('m', None)),
    ] {
        let world = World::new().await;
        world.on("/v3/role_assignments", list("role_assignments", &assignments));
        let authority = world.people.authority(&user_id("u1"), &project_id("p1")).await;
        assert_eq!(kind(&authority), want, "{assignments}");
    }
    for (member, value, want) in [
        ("enabled", json!(false), no_role),
        ("is_domain", json!(true), no_role),
        ("id", json!("p2"), ('m', None)),
        ("domain_id", json!(null), no_role),
    ] {
        let world = World::new().await;
        let mut odd = project();
        odd[member] = value;
        world.on("/v3/projects/p1", Reply::valid(&json!({"project": odd})));
        let authority = world.people.authority(&user_id("u1"), &project_id("p1")).await;
        assert_eq!(kind(&authority), want, "{member}");
    }
    let world = World::new().await;
    world
        .people
        .authority(&user_id("u1"), &project_id("p1"))
        .await
        .unwrap();
    let before = world.fake.seen().len();
    world
        .people
        .authority(&user_id("u1"), &project_id("p1"))
        .await
        .unwrap();
    assert_eq!(world.fake.seen().len(), before, "warm: no call");
}

#[tokio::test]
async fn projects_are_offered_with_their_domains_and_none_of_a_disabled_one() {
    let domain = |enabled: bool| {
        let domain = json!({"domain": {"id": "d2", "name": "globex", "enabled": enabled}});
        Reply::valid(&domain)
    };
    let mut other = project();
    other["id"] = json!("p2");
    other["domain_id"] = json!("d2");
    let mut there = assignment();
    there["scope"]["project"]["id"] = json!("p2");
    for (reply, want) in [
        (domain(true), Some(&["acme", "globex"][..])),
        (domain(false), Some(&["acme"][..])),
        (Reply::refused(404), Some(&["acme"][..])),
        (Reply::refused(500), None),
    ] {
        let world = World::new().await;
        world.on("/v3/domains/d2", reply);
        world.on(
            "/v3/users/u1/projects",
            list("projects", &json!([project(), other])),
        );
        world.on(
            "/v3/role_assignments",
            list("role_assignments", &json!([assignment(), there])),
        );
        let choice = world.people.projects(&user_id("u1")).await;
        let names = choice.ok().map(|choice| {
            let mut names: Vec<String> = choice
                .iter()
                .map(|choice| choice.project.domain_name().unwrap().as_str().to_owned())
                .collect();
            names.sort();
            names
        });
        assert_eq!(
            names.as_deref(),
            want.map(|want| want.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
                .as_deref()
        );
    }
}

#[tokio::test]
async fn no_name_and_no_password_that_keystone_stumbles_over_is_sent() {
    let world = World::new().await;
    let domain = DomainId::parse("d1").unwrap();
    let long = "x".repeat(5_000);
    for (user_name, password) in [
        ("", PASSWORD),
        (" \t", PASSWORD),
        ("a\0", PASSWORD),
        (long.as_str(), PASSWORD),
        ("alice", ""),
        ("alice", "a\0b"),
        ("alice", long.as_str()),
    ] {
        let attempt = PasswordAttempt {
            domain: &domain,
            user_name,
            password,
        };
        let outcome = world.people.begin(&attempt).await;
        assert_eq!(kind(&outcome), ('r', Some(LoginRefusal::Credentials)));
    }
    assert!(world.fake.seen().is_empty());
}

#[tokio::test]
async fn a_fresh_login_stands_whatever_changed_before() {
    let world = World::new().await;
    world.revoke(&[event(&json!({"user_id": "u1"}), START - 5)]);
    let step = world.begin().await.unwrap();
    let LoginStep::Done(done) = step else {
        panic!("{step:?}")
    };
    assert!(done.person.stands_since(world.clock.now()));
    assert_eq!(
        done.person.valid_since.map(|since| since.as_secs()),
        Some(START - 5)
    );
}

#[tokio::test]
async fn r17_logins_that_pile_up_leave_calls_for_those_who_are_known() {
    let world = World::new().await;
    let go = Arc::new(tokio::sync::Notify::new());
    world.on("login", Reply::issued(TOKEN, &token(START)).held(&go));
    let people = world.people.clone();
    let logins: Vec<_> = (0..40)
        .map(|_stranger| {
            let people = people.clone();
            tokio::spawn(async move {
                let domain = DomainId::parse("d1").unwrap();
                let attempt = PasswordAttempt {
                    domain: &domain,
                    user_name: "alice",
                    password: PASSWORD,
                };
                people.begin(&attempt).await
            })
        })
        .collect();
    world.fake.came(8).await;
    world.person().await.unwrap();
    let with_keystone = world.fake.seen_at("POST", "/v3/auth/tokens");
    assert!(
        with_keystone <= 9,
        "eight, and the service account's: {with_keystone}"
    );
    for login in &logins {
        login.abort();
    }
}
