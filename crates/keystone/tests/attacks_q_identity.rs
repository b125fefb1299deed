//! Attack group Q, where it is about what an identity becomes.

use std::{sync::Arc, time::Duration};

use sealstone_fernet::{JwsAlgorithm, JwsPrivateKey};
use sealstone_identity::{IdentitySource, IdentitySourceError, MachineLogin, Refusal};
use sealstone_keystone::Authentication;
use sealstone_testkit::START;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    identity::{World, is_malformed, is_refused, is_unavailable, mint},
    support::{
        Log, PASSWORD, PATIENCE, Reply, TOKEN, credential_id, credential_token, iso, project_id,
        project_token, shown, user_id,
    },
};

#[tokio::test]
async fn q09_an_identity_is_bounded_by_what_is_believed_of_its_token() {
    let world = World::new().await;
    let mut endless = credential_token(START);
    endless["token"]["expires_at"] = json!("9999-12-31T23:59:59.999999Z");
    world.on_login(Reply::issued(TOKEN, &endless));
    assert_eq!(
        world.ask().await.unwrap().expires_at.unwrap().as_secs(),
        START + 24 * 3600
    );
    let world = World::new().await;
    let mut ended = credential_token(START - 7200);
    ended["token"]["expires_at"] = json!(iso(START - 3600));
    world.on_login(Reply::issued(TOKEN, &ended));
    assert!(is_malformed(&world.ask().await));
}

/// The document with one member of its token changed.
fn changed(mut document: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    document.pointer_mut(parent).unwrap()[name] = value;
    document
}

#[tokio::test]
async fn q10_an_identity_of_another_is_no_identity_and_is_told() {
    let log = Log::capture();
    let right = || credential_token(START);
    let trust = json!({"id": "t1", "trustor_user": {"id": "u9"}, "trustee_user": {"id": "u1"}, "impersonation": true});
    for (name, document) in [
        (
            "another credential",
            changed(right(), "/token/application_credential/id", json!("ac2")),
        ),
        ("no credential", project_token(START)),
        ("a trust", changed(right(), "/token/OS-TRUST:trust", trust)),
        ("a domain's", changed(right(), "/token/project", Value::Null)),
    ] {
        let world = World::new().await;
        world.on_login(Reply::issued(TOKEN, &document));
        let outcome = world.ask().await;
        assert!(is_malformed(&outcome), "{name}: {outcome:?}");
        world.on_login(Reply::issued(TOKEN, &right()));
        world.clock.advance(Duration::from_secs(1));
        assert!(world.ask().await.is_ok(), "{name}: nothing of it was kept");
    }
    let key = JwsPrivateKey::generate(JwsAlgorithm::Es256).unwrap();
    let used = json!({"id": "ac1", "name": "ci", "restricted": true});
    for (name, document) in [
        (
            "another user",
            changed(project_token(START), "/token/user/id", json!("u2")),
        ),
        (
            "another project",
            changed(project_token(START), "/token/project/id", json!("p2")),
        ),
        (
            "a credential",
            changed(project_token(START), "/token/application_credential", used),
        ),
    ] {
        let world = World::with(|builder| builder.with_mint(mint(&key))).await;
        world.on_validation(Reply::valid(&document));
        let outcome = world.ask_minted().await;
        assert!(is_malformed(&outcome), "{name}: {outcome:?}");
    }
    assert_eq!(
        log.text().matches("about another than was asked").count(),
        4,
        "each of the source's own finding"
    );
}

#[tokio::test]
async fn q10_a_renewal_about_another_ends_what_was_known() {
    for (pointer, value) in [
        ("/token/application_credential/id", json!("ac2")),
        ("/token/project", Value::Null),
    ] {
        let world = World::new().await;
        world.ask().await.unwrap();
        world.on_validation(Reply::valid(&changed(credential_token(START), pointer, value)));
        world.on_login(Reply::Close);
        world.clock.advance(Duration::from_secs(5));
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while world.ask().await.is_ok() {
            assert!(tokio::time::Instant::now() < deadline);
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn q11_what_does_not_fit_a_token_is_refused_whole() {
    let role = |name: &str| json!([{"id": "r1", "name": "reader"}, {"id": "r2", "name": name}]);
    let many = |count: usize| {
        (0..count)
            .map(|at| json!({"id": format!("r{at}"), "name": format!("n{at}")}))
            .collect()
    };
    for (name, pointer, value, want) in [
        (
            "quotes and letters",
            "/token/roles",
            role("\"Prüfer's\" {role}"),
            None,
        ),
        ("the most roles", "/token/roles", many(64), None),
        ("one role twice", "/token/roles", role("reader"), None),
        (
            "too many roles",
            "/token/roles",
            many(65),
            Some(Refusal::TooLarge),
        ),
        ("no role", "/token/roles", json!([]), Some(Refusal::NoRole)),
        (
            "a line break",
            "/token/roles",
            role("a\nb"),
            Some(Refusal::TooLarge),
        ),
        (
            "two in one",
            "/token/roles",
            role("member,admin"),
            Some(Refusal::TooLarge),
        ),
        (
            "a blank before",
            "/token/roles",
            role(" admin"),
            Some(Refusal::TooLarge),
        ),
        (
            "a turned text",
            "/token/roles",
            role("\u{202e}nimda"),
            Some(Refusal::TooLarge),
        ),
        ("an empty name", "/token/roles", role(""), Some(Refusal::TooLarge)),
        (
            "an odd user",
            "/token/user/name",
            json!("a\r\nX-Roles: admin"),
            Some(Refusal::TooLarge),
        ),
        (
            "an odd project",
            "/token/project/name",
            json!("a\0"),
            Some(Refusal::TooLarge),
        ),
        (
            "an odd domain",
            "/token/user/domain/name",
            json!("a\n"),
            Some(Refusal::TooLarge),
        ),
        (
            "an odd credential",
            "/token/application_credential/name",
            json!("a\n"),
            Some(Refusal::TooLarge),
        ),
    ] {
        let world = World::new().await;
        world.on_login(Reply::issued(
            TOKEN,
            &changed(credential_token(START), pointer, value),
        ));
        let outcome = world.ask().await;
        match want {
            None => assert!(outcome.is_ok(), "{name}: {outcome:?}"),
            Some(refusal) => assert!(is_refused(&outcome, refusal), "{name}: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn q13_an_identitys_age_is_counted_by_our_own_clock() {
    for skew in [-600_i64, 600] {
        let issued = START.checked_add_signed(skew).unwrap();
        let world = World::new().await;
        world.on_login(Reply::issued(TOKEN, &credential_token(issued)));
        world.on_validation(Reply::Close);
        let known = world.ask().await.unwrap();
        assert_eq!(
            (known.read_at.as_secs(), known.expires_at.unwrap().as_secs()),
            (START, START + 3600),
            "{skew}"
        );
        world.clock.advance(Duration::from_secs(9));
        assert!(world.ask().await.is_ok(), "{skew}");
        world.clock.advance(Duration::from_secs(1));
        world.on_login(Reply::Close);
        assert!(is_unavailable(&world.ask().await), "{skew}");
    }
    // A clock that is set back makes nothing younger than it is.
    let world = World::new().await;
    world.ask().await.unwrap();
    world.clock.set(sealstone_testkit::unix_time(START - 60));
    world.on_login(Reply::Close);
    world.on_validation(Reply::Close);
    assert!(is_unavailable(&world.ask().await));
}

#[tokio::test]
async fn q14_no_failure_of_the_source_shows_a_secret() {
    let log = Log::capture();
    let body = format!(r#"{{"error":{{"code":401,"message":"{PASSWORD} {TOKEN}"}}}}"#);
    for reply in [
        Reply::json(401, &format!("X-Echo: {PASSWORD}\r\n"), &body),
        Reply::json(500, "", &body),
        Reply::json(201, &format!("X-Subject-Token: {TOKEN}\r\n"), &body),
        Reply::issued(TOKEN, &project_token(START)),
    ] {
        let world = World::new().await;
        world.on_login(reply);
        let id = credential_id("ac1");
        let login = MachineLogin::ApplicationCredential {
            id: &id,
            secret: PASSWORD,
        };
        let error = world.source.machine(&login).await.unwrap_err();
        let text = format!("{} {login:?} {:?}", shown(&error), world.source);
        assert!(!text.contains(PASSWORD) && !text.contains(TOKEN), "{text}");
    }
    let world = World::new().await;
    world.ask().await.unwrap();
    let log = log.text();
    assert!(!log.contains(PASSWORD) && !log.contains(TOKEN), "{log}");
}

#[tokio::test]
async fn q15_a_credential_revoked_upstream_ends_with_the_age_of_what_is_known() {
    let world = World::new().await;
    world.ask().await.unwrap();
    world.on_login(Reply::refused(401));
    world.on_validation(Reply::refused(404));
    world.clock.advance(Duration::from_secs(4));
    assert!(world.ask().await.is_ok(), "younger than half of the stated age");
    world.clock.advance(Duration::from_secs(6));
    assert!(is_refused(&world.ask().await, Refusal::Credential));
    world.clock.advance(Duration::from_secs(1));
    assert!(is_refused(&world.ask().await, Refusal::Credential));
}

/// What is told without waiting is what would be told anyway, and never where there is something to ask or to renew.
#[tokio::test]
async fn q15_what_is_remembered_is_no_older_than_what_is_asked_for() {
    let world = World::new().await;
    let id = credential_id("ac1");
    let told = |secret: &str| {
        let login = MachineLogin::ApplicationCredential { id: &id, secret };
        world.source.remembered(&login)
    };
    assert_eq!(told(PASSWORD), None, "nothing was asked yet");
    let asked = MachineLogin::ApplicationCredential {
        id: &id,
        secret: PASSWORD,
    };
    let known = world.source.machine(&asked).await.unwrap();
    assert_eq!(told(PASSWORD), Some(known));
    assert_eq!(told("another secret"), None, "a wrong secret meets nothing");
    world.clock.advance(Duration::from_secs(4));
    assert!(told(PASSWORD).is_some());
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(told(PASSWORD), None, "due to be renewed");
    world.source.machine(&asked).await.unwrap();
    world.source.forget_all();
    assert_eq!(told(PASSWORD), None);
}

#[tokio::test]
async fn q15_a_renewal_in_the_background_ends_it_sooner() {
    let world = World::new().await;
    world.ask().await.unwrap();
    world.on_login(Reply::refused(401));
    world.on_validation(Reply::refused(404));
    world.clock.advance(Duration::from_secs(5));
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while world.ask().await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    assert!(is_refused(&world.ask().await, Refusal::Credential));
}

fn event(member: &str, id: &str, at: u64) -> Value {
    json!({member: id, "issued_before": iso(at), "revoked_at": iso(at)})
}

fn events(events: &[Value]) -> Reply {
    Reply::json(
        200,
        "",
        &json!({"events": events, "links": {"next": null}}).to_string(),
    )
}

async fn following() -> (World, tokio::task::JoinHandle<()>) {
    let world = World::with(|builder| {
        let account =
            Authentication::application_credential(credential_id("service-account"), PASSWORD.into());
        builder
            .with_service_account(account)
            .with_poll_interval(Duration::from_millis(5))
    })
    .await;
    let source = world.source.clone();
    let follower = tokio::spawn(async move { source.follow_revocations(std::future::pending()).await });
    (world, follower)
}

/// Waits until the follower has asked `more` times again.
async fn polled(world: &World, more: usize) {
    let path = "/v3/OS-REVOKE/events";
    let wanted = world.fake.seen_at("GET", path) + more;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while world.fake.seen_at("GET", path) < wanted {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the follower does not poll"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn q15_a_revocation_event_ends_it_at_once() {
    let meant = [
        ("user_id", "u1"),
        ("project_id", "p1"),
        ("domain_id", "d1"),
        ("role_id", "r1"),
        ("audit_id", "_HdC-Rj1SPyX1YfPk9B7cg"),
        ("audit_chain_id", "_HdC-Rj1SPyX1YfPk9B7cg"),
        ("something_new", "x"),
    ];
    let others = [
        ("user_id", "u2"),
        ("project_id", "p2"),
        ("domain_id", "d2"),
        ("role_id", "r9"),
        ("audit_id", "AAAAAAAAAAAAAAAAAAAAAA"),
        ("OS-TRUST:trust_id", "t1"),
    ];
    let cases = meant
        .iter()
        .map(|case| (case, 2))
        .chain(others.iter().map(|case| (case, 1)));
    for ((member, id), want) in cases {
        let (world, follower) = following().await;
        world.ask().await.unwrap();
        *world.events.lock().unwrap() = events(&[event(member, id, START)]);
        polled(&world, 2).await;
        world.ask().await.unwrap();
        let logins = world.logins() - 1;
        assert_eq!(logins, want, "{member} {id}");
        // The same event is seen again and again, and counts once.
        polled(&world, 3).await;
        world.ask().await.unwrap();
        assert_eq!(world.logins() - 1, want, "{member} {id}");
        follower.abort();
    }
}

#[tokio::test]
async fn q15_a_disabled_user_is_refused_at_the_next_request() {
    let (world, follower) = following().await;
    world.ask().await.unwrap();
    world.on_login(Reply::refused(401));
    world.on_validation(Reply::refused(404));
    *world.events.lock().unwrap() = events(&[event("user_id", "u1", START)]);
    polled(&world, 2).await;
    assert!(is_refused(&world.ask().await, Refusal::Credential));
    follower.abort();
}

#[tokio::test]
async fn q15_what_was_asked_before_a_revocation_is_not_kept_after_it() {
    let (world, follower) = following().await;
    let go = Arc::new(Notify::new());
    world.on_login(Reply::issued(TOKEN, &credential_token(START)).held(&go));
    let id = credential_id("ac1");
    let source = world.source.clone();
    let early = tokio::spawn(async move {
        let login = MachineLogin::ApplicationCredential {
            id: &id,
            secret: PASSWORD,
        };
        source.machine(&login).await
    });
    while world.logins() < 2 {
        tokio::task::yield_now().await;
    }
    *world.events.lock().unwrap() = events(&[event("user_id", "u1", START)]);
    polled(&world, 2).await;
    world.on_login(Reply::refused(401));
    let own = world.ask().await;
    assert!(
        is_refused(&own, Refusal::Credential),
        "it does not wait for the earlier one: {own:?}"
    );
    go.notify_one();
    assert!(
        early.await.unwrap().is_ok(),
        "who asked before it is answered as of before"
    );
    let later = world.ask().await;
    assert!(
        is_refused(&later, Refusal::Credential),
        "nobody after it is: {later:?}"
    );
    follower.abort();
}

#[tokio::test]
async fn q02_q15_a_follower_that_is_lied_to_forgets_everything_and_goes_on() {
    let (world, follower) = following().await;
    world.ask().await.unwrap();
    *world.events.lock().unwrap() = Reply::json(200, "", r#"{"events": "none"}"#);
    polled(&world, 2).await;
    world.ask().await.unwrap();
    assert!(world.logins() > 2);
    let before = world.source.followed_at();
    world.clock.advance(Duration::from_secs(1));
    *world.events.lock().unwrap() = events(&[]);
    polled(&world, 2).await;
    assert!(world.source.followed_at() > before);
    follower.abort();
}

#[tokio::test]
async fn the_follower_stops_when_it_is_told_to() {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let world = World::new().await;
    let source = world.source.clone();
    let idle = tokio::spawn(async move { source.follow_revocations(async { drop(stopped.await) }).await });
    stop.send(()).unwrap();
    tokio::time::timeout(PATIENCE, idle).await.unwrap().unwrap();
    assert!(
        world.fake.seen().is_empty(),
        "without a service account nothing is asked"
    );
    assert_eq!(world.source.followed_at(), None);
}

#[tokio::test]
async fn q16_access_rules_are_carried_exactly_or_not_at_all() {
    let rule = |service: &str, method: &str, path: &str| json!({"id": "x", "service": service, "method": method, "path": path});
    let pointer = "/token/application_credential/access_rules";
    let world = World::new().await;
    let rules = json!([
        rule("compute", "GET", "/v2.1/servers"),
        rule("identity", "GET", "/v3/projects/**")
    ]);
    world.on_login(Reply::issued(
        TOKEN,
        &changed(credential_token(START), pointer, rules),
    ));
    let known = world.ask().await.unwrap();
    let rules = known.authority.access_rules().unwrap();
    let allowed = |service, method, path| rules.iter().any(|rule| rule.allows(service, method, path));
    assert!(allowed("compute", "GET", "/v2.1/servers"));
    assert!(allowed("identity", "GET", "/v3/projects/a/b"));
    for (service, method, path) in [
        ("compute", "GET", "/v2.1/servers/1"),
        ("compute", "POST", "/v2.1/servers"),
        ("identity", "GET", "/v3/users"),
        ("identity", "GET", "/v3/projects/../users"),
        ("network", "GET", "/v2.1/servers"),
    ] {
        assert!(!allowed(service, method, path), "{service} {method} {path}");
    }
    let world = World::new().await;
    world.on_login(Reply::issued(
        TOKEN,
        &changed(credential_token(START), pointer, json!([])),
    ));
    assert_eq!(
        world.ask().await.unwrap().authority.access_rules().unwrap().len(),
        0,
        "nothing is allowed"
    );
    for odd in [
        rule("compute", "GET", "no slash"),
        rule("Compute!", "GET", "/"),
        rule("compute", "TRACE", "/"),
    ] {
        let world = World::new().await;
        world.on_login(Reply::issued(
            TOKEN,
            &changed(credential_token(START), pointer, json!([odd])),
        ));
        assert!(is_refused(&world.ask().await, Refusal::TooLarge), "{odd}");
    }
    let world = World::new().await;
    let many: Value = (0..65)
        .map(|at| rule("compute", "GET", &format!("/{at}")))
        .collect();
    world.on_login(Reply::issued(
        TOKEN,
        &changed(credential_token(START), pointer, many),
    ));
    assert!(is_refused(&world.ask().await, Refusal::TooLarge));
}

#[tokio::test]
async fn q16_a_minted_credential_is_asked_about_with_its_rules() {
    let key = JwsPrivateKey::generate(JwsAlgorithm::Es256).unwrap();
    let world = World::with(|builder| builder.with_mint(mint(&key))).await;
    let rules = json!([{"id": "x", "service": "compute", "method": "GET", "path": "/v2.1/servers"}]);
    let pointer = "/token/application_credential/access_rules";
    world.on_validation(Reply::valid(&changed(credential_token(START), pointer, rules)));
    let (id, user_id, project_id) = (credential_id("ac1"), user_id("u1"), project_id("p1"));
    let login = MachineLogin::MintedApplicationCredential {
        id: &id,
        user_id: &user_id,
        project_id: &project_id,
    };
    let known = world.source.machine(&login).await.unwrap();
    assert_eq!(known.authority.access_rules().unwrap().len(), 1);
    assert_eq!(known.application_credential.as_ref().unwrap().id, id);
    assert_eq!(
        world.fake.seen()[0].header("openstack-identity-access-rules"),
        Some("1.0")
    );
    let refused: Result<_, IdentitySourceError> = {
        world.on_validation(Reply::valid(&project_token(START)));
        world.clock.advance(Duration::from_secs(10));
        world.source.machine(&login).await
    };
    assert!(is_malformed(&refused), "the answer must name the credential");
}
