use sealstone_client::{
    ClientCredentialsRequest, Keystone, KeystoneError, KeystoneScope, KeystoneToken, ScopeChoice, TokenSet,
};
use serde_json::{Value, json};

use crate::support::{Fake, Said, TestClock, context, said};

pub(crate) const AUTH: &str = "POST /v3/OS-FEDERATION/identity_providers/sealstone/protocols/openid/auth";
const LOGIN: (&str, &str) = ("sealstone", "openid");

/// What Keystone says of a token of alice's.
pub(crate) fn document(members: &Value) -> Value {
    let mut token = json!({
        "methods": ["openid"], "expires_at": "2026-08-01T13:00:00.000000Z", "issued_at": "2026-08-01T12:00:00.000000Z",
        "user": {"id": "u1", "name": "alice", "domain": {"id": "d1", "name": "Demo"}, "OS-FEDERATION": {}},
        "audit_ids": ["a"],
    });
    for (name, value) in members.as_object().unwrap() {
        token[name] = value.clone();
    }
    json!({"token": token})
}

pub(crate) fn token(id: &str, members: &Value) -> Said {
    let headers = vec![("X-Subject-Token".to_owned(), id.to_owned())];
    Said(201, headers, document(members).to_string())
}

fn scopes(fake: &Fake, projects: &Value, domains: &Value, system: &Value) {
    fake.says(
        "GET /v3/auth/projects",
        said(200, &json!({"projects": projects, "links": {}})),
    );
    fake.says(
        "GET /v3/auth/domains",
        said(200, &json!({"domains": domains, "links": {}})),
    );
    fake.says(
        "GET /v3/auth/system",
        said(200, &json!({"system": system, "links": {}})),
    );
}

async fn tokens(fake: &Fake) -> TokenSet {
    let access = json!({"access_token": "at-1", "token_type": "Bearer"});
    fake.says("POST /token", said(200, &access));
    let party = fake.party(&TestClock::new()).await;
    party
        .client_credentials(&ClientCredentialsRequest::new())
        .await
        .unwrap()
}

fn keystone(fake: &Fake) -> Keystone {
    Keystone::new(&context(&TestClock::new()), &fake.base, None).unwrap()
}

#[tokio::test]
async fn an_access_token_becomes_a_token_of_the_project() {
    let fake = Fake::start().await;
    let tokens = tokens(&fake).await;
    fake.says(AUTH, token("unscoped-1", &json!({})));
    scopes(
        &fake,
        &json!([{"id": "p1", "name": "demo", "domain_id": "d1", "enabled": true}]),
        &json!([]),
        &json!([]),
    );
    let project = json!({"id": "p1", "name": "demo", "domain": {"id": "d1", "name": "Demo"}});
    fake.says(
        "POST /v3/auth/tokens",
        token(
            "scoped-1",
            &json!({"project": project, "roles": [{"id": "r", "name": "member"}]}),
        ),
    );
    let keystone = keystone(&fake);
    let got = keystone
        .exchange(LOGIN, &tokens, &ScopeChoice::Any, |_several| {
            panic!("there is one")
        })
        .await
        .unwrap();
    assert_eq!(got.token().expose(), "scoped-1");
    assert_eq!(got.scope().unwrap().to_string(), "project demo of domain Demo");
    assert_eq!(
        (got.user().name.as_str(), got.roles()),
        ("alice", &["member".to_owned()][..])
    );
    assert_eq!(fake.asked(AUTH)[0].headers["authorization"], "Bearer at-1");
    let sent: Value = serde_json::from_str(&fake.asked("POST /v3/auth/tokens")[0].body).unwrap();
    assert_eq!(
        sent,
        json!({"auth": {"identity": {"methods": ["token"], "token": {"id": "unscoped-1"}},
                        "scope": {"project": {"id": "p1"}}}})
    );
    assert!(!format!("{got:?}").contains("scoped-1"));
    assert_eq!(KeystoneToken::from_record(&got.to_record()).unwrap(), got);
    assert!(
        KeystoneToken::from_record(&tokens.to_record()).is_err(),
        "a record of another kind"
    );
    fake.says("DELETE /v3/auth/tokens", Said(204, Vec::new(), String::new()));
    keystone.revoke(&got).await.unwrap();
    assert_eq!(
        fake.asked("DELETE /v3/auth/tokens")[0].headers["x-subject-token"],
        "scoped-1"
    );
}

#[tokio::test]
async fn the_scope_is_the_one_that_is_meant() {
    let fake = Fake::start().await;
    let tokens = tokens(&fake).await;
    fake.says(AUTH, token("unscoped-1", &json!({})));
    fake.says("POST /v3/auth/tokens", token("scoped-1", &json!({})));
    let projects = json!([
        {"id": "p1", "name": "demo", "domain_id": "d1"},
        {"id": "p2", "name": "demo", "domain_id": "d2"},
        {"id": "p3", "name": "old", "domain_id": "d1", "enabled": false},
    ]);
    let domains = json!([{"id": "d2", "name": "Other"}]);
    scopes(&fake, &projects, &domains, &json!([{"all": true}]));
    let keystone = keystone(&fake);
    let project = |name: &str, domain: Option<&str>| ScopeChoice::Project {
        project: name.to_owned(),
        domain: domain.map(str::to_owned),
    };
    let last = || {
        let sent = fake.asked("POST /v3/auth/tokens").pop().unwrap();
        serde_json::from_str::<Value>(&sent.body).unwrap()["auth"]["scope"].clone()
    };
    for (choice, want) in [
        (project("p1", None), json!({"project": {"id": "p1"}})),
        (project("demo", Some("d2")), json!({"project": {"id": "p2"}})),
        (project("demo", Some("Other")), json!({"project": {"id": "p2"}})),
        (
            ScopeChoice::Domain("Other".to_owned()),
            json!({"domain": {"id": "d2"}}),
        ),
        (ScopeChoice::System, json!({"system": {"all": true}})),
    ] {
        let none = |_several: &[KeystoneScope]| panic!("{choice} is one");
        keystone.exchange(LOGIN, &tokens, &choice, none).await.unwrap();
        assert_eq!(last(), want, "{choice}");
    }
    let mut shown = Vec::new();
    let second = |several: &[KeystoneScope]| {
        shown = several.iter().map(ToString::to_string).collect();
        Some(1)
    };
    keystone
        .exchange(LOGIN, &tokens, &project("demo", None), second)
        .await
        .unwrap();
    assert_eq!(shown, ["project demo of domain d1", "project demo of domain d2"]);
    assert_eq!(last(), json!({"project": {"id": "p2"}}));
    let none = |_several: &[KeystoneScope]| panic!("nothing is scoped");
    let unscoped = keystone
        .exchange(LOGIN, &tokens, &ScopeChoice::Unscoped, none)
        .await
        .unwrap();
    assert_eq!(unscoped.token().expose(), "unscoped-1");

    // Keystone 30 breaks when a federated user asks for the system: the others are there all the same.
    fake.says("GET /v3/auth/system", Said(500, Vec::new(), String::new()));
    keystone
        .exchange(LOGIN, &tokens, &ScopeChoice::Any, |several| {
            several.len().checked_sub(1)
        })
        .await
        .unwrap();
    assert_eq!(last(), json!({"domain": {"id": "d2"}}));
    fake.says("GET /v3/auth/domains", Said(500, Vec::new(), String::new()));
    let error = keystone
        .exchange(LOGIN, &tokens, &ScopeChoice::Any, |_several| None)
        .await
        .unwrap_err();
    assert!(matches!(error, KeystoneError::Call(_)), "{error}");
    scopes(&fake, &projects, &domains, &json!([{"all": true}]));

    for index in [None, Some(9)] {
        let error = keystone
            .exchange(LOGIN, &tokens, &ScopeChoice::Any, |_several| index)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, KeystoneError::Ambiguous(names) if names.len() == 4),
            "{error}"
        );
    }
    for choice in [
        project("old", None),
        project("Demo", None),
        project("demo", Some("d3")),
    ] {
        let error = keystone
            .exchange(LOGIN, &tokens, &choice, |_several| None)
            .await
            .unwrap_err();
        assert!(
            matches!(error, KeystoneError::UnknownScope { .. }),
            "{choice}: {error}"
        );
    }
    scopes(&fake, &json!([]), &json!([]), &json!([]));
    let error = keystone
        .exchange(LOGIN, &tokens, &ScopeChoice::Any, |_several| None)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("alice has no role"), "{error}");
}

#[tokio::test]
async fn what_keystone_refuses_is_told_in_its_words() {
    let fake = Fake::start().await;
    let tokens = tokens(&fake).await;
    let keystone = keystone(&fake);
    let message =
        json!({"error": {"code": 401, "message": "Group\u{1b}[31m 'x' not found", "title": "Unauthorized"}});
    fake.says(AUTH, said(401, &message));
    let error = keystone
        .federate("sealstone", "openid", &tokens)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("(Group\u{fffd}[31m 'x' not found)"),
        "{error}"
    );
    fake.says(AUTH, said(403, &json!({"error": {"message": "no"}})));
    let error = keystone
        .federate("sealstone", "openid", &tokens)
        .await
        .unwrap_err();
    assert!(matches!(error, KeystoneError::Forbidden(_)), "{error}");
    for (name, answer) in [
        ("no header", said(201, &document(&json!({})))),
        ("bad header", token("a b", &json!({}))),
        ("no user", token("t", &json!({"user": null}))),
        ("no end", token("t", &json!({"expires_at": "soon"}))),
        (
            "two scopes",
            token(
                "t",
                &json!({"project": {"id": "p", "name": "p"}, "domain": {"id": "d", "name": "d"}}),
            ),
        ),
        (
            "page",
            Said(200, vec![("X-Subject-Token".into(), "t".into())], "<html>".into()),
        ),
        (
            "redirect",
            Said(
                302,
                vec![("Location".into(), "http://127.0.0.1/".into())],
                String::new(),
            ),
        ),
        ("down", Said(503, Vec::new(), String::new())),
    ] {
        fake.says(AUTH, answer);
        let error = keystone
            .federate("sealstone", "openid", &tokens)
            .await
            .unwrap_err();
        assert!(matches!(error, KeystoneError::Call(_)), "{name}: {error}");
        assert!(!error.to_string().contains("at-1"), "{name}");
    }
}

#[tokio::test]
async fn addresses_and_names_are_what_they_seem() {
    let fake = Fake::start().await;
    let tokens = tokens(&fake).await;
    let context = context(&TestClock::new());
    for (given, want) in [
        (
            "https://keystone.example:5000",
            "https://keystone.example:5000/v3",
        ),
        (
            "https://keystone.example/identity/v3/",
            "https://keystone.example/identity/v3",
        ),
        (
            "https://keystone.example/identity",
            "https://keystone.example/identity/v3",
        ),
    ] {
        assert_eq!(Keystone::new(&context, given, None).unwrap().auth_url(), want);
    }
    for wrong in [
        "http://keystone.example/v3",
        "keystone.example",
        "https://keystone.example/v3?x",
        "https://user@keystone.example/v3",
        "https://keystone.example/../v3",
        "",
    ] {
        let error = Keystone::new(&context, wrong, None).unwrap_err();
        assert!(matches!(error, KeystoneError::Address(_)), "{wrong}");
    }
    let keystone = keystone(&fake);
    for wrong in ["", "..", "a/b", "a?b", "a%2fb", "a b"] {
        let error = keystone.federate(wrong, "openid", &tokens).await.unwrap_err();
        assert!(matches!(error, KeystoneError::Address(_)), "{wrong}");
    }
}
