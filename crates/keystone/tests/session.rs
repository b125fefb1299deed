//! Calls in the name of a token: what is sent, and what is read.

use std::sync::{Arc, Mutex};

use sealstone_identity::{AccessRule, DomainId};
use sealstone_keystone::{
    Assignee, AssignmentFilter, AssignmentScope, Fault, KeystoneRefusal, KeystoneSession, Label,
    NewApplicationCredential, PasswordChange, RoleKey, Secret, UserFilter, UserOptions, UserUpdate,
};
use sealstone_testkit::{ManualClock, START};
use serde_json::{Value, json};

use crate::support::{
    FakeKeystone, PASSWORD, Reply, Seen, a_token, always, by_credential, client, clock, credential_id,
    credential_token, fault, iso, user_id,
};

fn session(fake: &FakeKeystone) -> KeystoneSession {
    KeystoneSession::with_token(client(fake, &clock()), a_token())
}

async fn answering(body: Value) -> FakeKeystone {
    always(move || Reply::json(200, "", &body.to_string())).await
}

#[tokio::test]
async fn users_are_read_with_what_keystone_knows_of_them() {
    let fake = answering(json!({"users": [
        {"id": "u1", "name": "bücher\n", "domain_id": "default", "enabled": false, "email": "a@b", "password_expires_at": null,
         "options": {"multi_factor_auth_enabled": true, "new_option": 7}, "federated": [{"idp_id": "idp", "protocols": []}]},
        {"id": "u2", "name": "plain", "domain_id": "d1", "password_expires_at": "2027-01-15T08:00:00.000000"},
    ], "links": {"next": null, "self": "x", "previous": null}}))
    .await;
    let filter = UserFilter {
        domain_id: Some(DomainId::parse("default").unwrap()),
        name: Some("a&b=c d/ü".to_owned()),
        enabled: Some(true),
    };
    let users = session(&fake).users(&filter).await.unwrap();
    assert_eq!(
        fake.seen()[0].target,
        "/v3/users?domain_id=default&name=a%26b%3Dc%20d%2F%C3%BC&enabled=true"
    );
    assert_eq!((users[0].name.as_str(), users[0].enabled), ("bücher\n", false));
    assert_eq!(users[0].options.others["new_option"], 7);
    assert_eq!(users[0].federated.len(), 1);
    assert!(users[1].enabled, "absent means enabled");
    assert_eq!(users[1].password_expires_at.unwrap().as_secs(), START);
}

#[tokio::test]
async fn a_user_is_changed_in_what_is_named_and_nothing_else() {
    let rules = vec![vec![Label::from("application_credential")]];
    let mut options = UserOptions::default();
    options.multi_factor_auth_enabled = Some(true);
    options.multi_factor_auth_rules = Some(rules);
    for (update, want) in [
        (UserUpdate::default(), json!({})),
        (
            UserUpdate {
                enabled: Some(false),
                ..UserUpdate::default()
            },
            json!({"enabled": false}),
        ),
        (
            UserUpdate {
                password: Some(PasswordChange::Removed),
                ..UserUpdate::default()
            },
            json!({"password": null}),
        ),
        (
            UserUpdate {
                password: Some(PasswordChange::To(Secret::from(PASSWORD))),
                ..UserUpdate::default()
            },
            json!({"password": PASSWORD}),
        ),
        (
            UserUpdate {
                options: Some(options),
                ..UserUpdate::default()
            },
            json!({"options": {
                "multi_factor_auth_enabled": true, "multi_factor_auth_rules": [["application_credential"]],
            }}),
        ),
    ] {
        assert!(!format!("{update:?}").contains(PASSWORD));
        let fake =
            answering(json!({"user": {"id": "u1", "name": "alice", "domain_id": "d1", "enabled": true}}))
                .await;
        session(&fake).update_user(&user_id("u1"), &update).await.unwrap();
        let seen = &fake.seen()[0];
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            ("PATCH", "/v3/users/u1")
        );
        assert_eq!(seen.json(), json!({"user": want}));
    }
}

#[tokio::test]
async fn assignments_are_read_in_each_of_their_forms() {
    let role = json!({"id": "r1", "name": "member"});
    let fake = answering(json!({"role_assignments": [
        {"role": role, "user": {"id": "u1"}, "scope": {"project": {"id": "p1"}}, "links": {}},
        {"role": role, "group": {"id": "g1"}, "scope": {"domain": {"id": "d1"}, "OS-INHERIT:inherited_to": "projects"}},
        {"role": role, "user": {"id": "u1"}, "scope": {"system": {"all": true}}},
    ]}))
    .await;
    let filter = AssignmentFilter {
        user_id: Some(user_id("u1")),
        system: true,
        effective: true,
        names: true,
        ..AssignmentFilter::default()
    };
    let found = session(&fake).assignments(&filter).await.unwrap();
    let target = "/v3/role_assignments?user%2Eid=u1".replace("%2E", ".");
    assert_eq!(
        fake.seen()[0].target,
        format!("{target}&scope.system=all&effective=true&include_names=true")
    );
    assert!(matches!(found[0].scope, AssignmentScope::Project(_)) && !found[0].inherited);
    assert!(matches!(found[1].assignee, Assignee::Group(_)) && found[1].inherited);
    assert!(matches!(found[2].scope, AssignmentScope::System));
    for odd in [
        json!({"role": role, "scope": {"project": {"id": "p1"}}}),
        json!({"role": role, "user": {"id": "u1"}, "group": {"id": "g1"}, "scope": {"project": {"id": "p1"}}}),
        json!({"role": role, "user": {"id": "u1"}, "scope": {}}),
        json!({"role": role, "user": {"id": "u1"}, "scope": {"project": {"id": "p1"}, "OS-INHERIT:inherited_to": "all"}}),
        json!({"role": role, "user": {"id": "../u1"}, "scope": {"project": {"id": "p1"}}}),
    ] {
        let fake = answering(json!({"role_assignments": [odd]})).await;
        let outcome = session(&fake).assignments(&AssignmentFilter::default()).await;
        assert_eq!(fault(outcome), Fault::Shape, "{odd}");
    }
}

#[tokio::test]
async fn an_application_credential_is_made_restricted_unless_danger_is_named() {
    let created = json!({"application_credential": {
        "id": "ac1", "name": "ci", "secret": PASSWORD, "project_id": "p1", "roles": [{"id": "r1", "name": "reader"}],
        "expires_at": "2027-01-15T08:00:00.000000", "unrestricted": false, "description": null, "links": {},
        "access_rules": [{"id": "a1", "service": "compute", "method": "GET", "path": "/v2.1/servers", "links": {}}],
    }});
    let fake = always(move || Reply::json(201, "", &created.to_string())).await;
    let new = NewApplicationCredential::new("ci")
        .with_roles(vec![RoleKey::Name("reader".to_owned())])
        .with_access_rules(vec![AccessRule::new("compute", "GET", "/v2.1/servers").unwrap()])
        .ending_at(sealstone_testkit::unix_time(START));
    let made = session(&fake)
        .create_application_credential(&user_id("u1"), &new)
        .await
        .unwrap();
    assert_eq!(
        (made.credential.id.as_str(), made.secret.expose()),
        ("ac1", PASSWORD)
    );
    assert_eq!(made.credential.expires_at.unwrap().as_secs(), START);
    assert_eq!(made.credential.access_rules.as_ref().unwrap().len(), 1);
    assert!(!format!("{made:?}").contains(PASSWORD));
    assert_eq!(
        fake.seen()[0].json(),
        json!({"application_credential": {
            "name": "ci", "roles": [{"name": "reader"}], "expires_at": iso(START), "unrestricted": false,
            "access_rules": [{"service": "compute", "method": "GET", "path": "/v2.1/servers"}],
        }})
    );
    let dangerous = NewApplicationCredential::new("ci").dangerous_unrestricted();
    session(&fake)
        .create_application_credential(&user_id("u1"), &dangerous)
        .await
        .unwrap();
    assert_eq!(
        fake.seen()[1].json(),
        json!({"application_credential": {"name": "ci", "unrestricted": true}})
    );
}

#[tokio::test]
async fn q10_an_application_credential_of_another_id_or_owner_is_not_believed() {
    for (id, owner, listed, want) in [
        ("ac1", json!("u1"), "none", None),
        ("ac1", Value::Null, "ac1", None),
        ("ac1", Value::Null, "ac3", Some(Fault::Mismatch("user"))),
        ("ac1", json!("u2"), "ac1", Some(Fault::Mismatch("user"))),
        (
            "ac2",
            json!("u1"),
            "none",
            Some(Fault::Mismatch("application credential")),
        ),
    ] {
        let shown = json!({"id": id, "name": "ci", "user_id": owner, "project_id": "p1", "roles": []});
        let mut other = shown.clone();
        other["id"] = json!(listed);
        let fake = FakeKeystone::start(Arc::new(move |seen: &Seen| {
            let body = if seen.target.ends_with("/ac1") {
                json!({"application_credential": shown})
            } else {
                json!({"application_credentials": [other]})
            };
            Reply::json(200, "", &body.to_string())
        }))
        .await;
        let outcome = session(&fake)
            .application_credential(&user_id("u1"), &credential_id("ac1"))
            .await;
        match want {
            None => assert!(outcome.is_ok(), "{outcome:?}"),
            Some(want) => assert_eq!(fault(outcome), want, "{owner} {listed}"),
        }
    }
}

#[tokio::test]
async fn deleting_is_done_once_and_answers_nothing() {
    for (reply, want) in [
        (Reply::http(204, "", b""), None),
        (Reply::refused(404), Some(KeystoneRefusal::NotFound)),
        (Reply::refused(403), Some(KeystoneRefusal::Forbidden)),
    ] {
        let fake = always(move || reply.clone()).await;
        let outcome = session(&fake)
            .delete_application_credential(&user_id("u1"), &credential_id("ac1"))
            .await;
        assert_eq!(outcome.err().and_then(|error| error.refusal()), want);
        assert_eq!(fake.seen()[0].target, "/v3/users/u1/application_credentials/ac1");
        assert_eq!(fake.seen().len(), 1);
    }
}

#[tokio::test]
async fn membership_is_told_by_head() {
    use sealstone_keystone::GroupId;
    for (reply, want) in [
        (Reply::http(204, "", b""), Ok(true)),
        (Reply::http(404, "", b""), Ok(false)),
        (Reply::http(403, "", b""), Err(())),
    ] {
        let fake = always(move || reply.clone()).await;
        let outcome = session(&fake)
            .is_member(&GroupId::parse("g1").unwrap(), &user_id("u1"))
            .await;
        assert_eq!(outcome.map_err(drop), want);
        assert_eq!(fake.seen()[0].method, "HEAD");
    }
}

/// Issues `t1`, `t2`, …, each for an hour from the clock's time.
async fn issuing(clock: &ManualClock, reply: Arc<Mutex<Option<Reply>>>) -> FakeKeystone {
    let clock = clock.clone();
    let serial = std::sync::atomic::AtomicUsize::new(1);
    FakeKeystone::start(Arc::new(move |seen: &Seen| {
        if seen.method != "POST" {
            return Reply::json(200, "", r#"{"domains": [], "links": {"next": null}}"#);
        }
        if let Some(reply) = reply.lock().unwrap().clone() {
            return reply;
        }
        let serial = serial.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Reply::issued(&format!("t{serial}"), &credential_token(clock.seconds()))
    }))
    .await
}

#[tokio::test]
async fn a_session_renews_its_token_before_the_end_and_logs_in_once_for_many() {
    let clock = clock();
    let fake = issuing(&clock, Arc::default()).await;
    let session = Arc::new(KeystoneSession::login(client(&fake, &clock), by_credential()));
    let asking = (0..20).map(|_| {
        let session = Arc::clone(&session);
        tokio::spawn(async move { session.domains().await })
    });
    for asked in asking.collect::<Vec<_>>() {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(fake.seen_at("POST", "/v3/auth/tokens"), 1);
    clock.advance(std::time::Duration::from_secs(3539));
    session.domains().await.unwrap();
    assert_eq!(fake.seen_at("POST", "/v3/auth/tokens"), 1);
    clock.advance(std::time::Duration::from_secs(1));
    session.domains().await.unwrap();
    assert_eq!(fake.seen_at("POST", "/v3/auth/tokens"), 2);
    assert_eq!(fake.seen().last().unwrap().header("x-auth-token"), Some("t2"));
}

#[tokio::test]
async fn a_refused_login_is_not_tried_again_and_again() {
    let clock = clock();
    let refusal = Arc::new(Mutex::new(Some(Reply::refused(401))));
    let fake = issuing(&clock, Arc::clone(&refusal)).await;
    let session = KeystoneSession::login(client(&fake, &clock), by_credential());
    for _ in 0..10 {
        let error = session.domains().await.unwrap_err();
        assert_eq!(error.refusal(), Some(KeystoneRefusal::Unauthenticated));
    }
    assert_eq!(
        fake.seen().len(),
        1,
        "accounts are locked after a few wrong passwords"
    );
    *refusal.lock().unwrap() = None;
    clock.advance(std::time::Duration::from_secs(30));
    assert!(session.domains().await.is_ok());
    // An outage is tried again at once.
    let session = KeystoneSession::login(client(&fake, &clock), by_credential());
    *refusal.lock().unwrap() = Some(Reply::refused(500));
    assert!(session.domains().await.is_err());
    *refusal.lock().unwrap() = None;
    assert!(session.domains().await.is_ok());
}

#[tokio::test]
async fn a_token_that_was_given_is_not_renewed() {
    let fake = always(|| Reply::refused(401)).await;
    let error = session(&fake).domains().await.unwrap_err();
    assert_eq!(error.refusal(), Some(KeystoneRefusal::Unauthenticated));
    assert_eq!(fake.seen().len(), 1);
}
