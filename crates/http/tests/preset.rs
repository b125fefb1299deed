//! What `external_oauth2_token` of keystonemiddleware is told of a token: flat names, and nothing that it would widen.

use serde_json::{Value, json};

use crate::support::{Answer, Ask, GRANT, INTROSPECT, TOKEN, World};

fn authority(scope: Value, roles: &[&str]) -> Value {
    json!({
        "user": {"id": "u1", "name": "runner", "domain_id": "d1", "domain_name": "Users"},
        "scope": scope,
        "roles": roles,
    })
}

fn project() -> Value {
    json!({"type": "project", "id": "p1", "name": "builds", "domain_id": "d2", "domain_name": "Projects"})
}

/// A client with this authority, and its token for OpenStack services.
async fn token(world: &World, id: &str, authority: Value, more: Value) -> String {
    let mut registration = json!({"scope": "openstack:api read", "authority": authority});
    registration
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    world.register("demo", id, registration).await;
    let form = format!("{GRANT}&scope=openstack:api");
    let answer = world.send(Ask::post(TOKEN).basic(id).form(form)).await;
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

async fn service(world: &World, id: &str, right: &str, format: &str) {
    let registration = json!({"introspection": right, "introspection_format": format});
    world.register("demo", id, registration).await;
}

async fn introspect(world: &World, client: &str, token: &str) -> Answer {
    let form = format!("token={token}&token_type_hint=access_token");
    world.send(Ask::post(INTROSPECT).basic(client).form(form)).await
}

#[tokio::test]
async fn each_scope_is_told_by_flat_names() {
    let world = World::new().await;
    service(&world, "service", "own", "keystonemiddleware").await;
    let domain = json!({"type": "domain", "id": "d3", "name": "Third"});
    for (id, scope, want) in [
        (
            "by-project",
            project(),
            json!({"project_id": "p1", "project_name": "builds", "project_domain_id": "d2",
                "project_domain_name": "Projects", "system_scope": false}),
        ),
        (
            "by-domain",
            domain,
            json!({"project_id": null, "project_domain_id": "d3", "project_domain_name": "Third",
                "system_scope": false}),
        ),
        (
            "by-system",
            json!({"type": "system"}),
            json!({"project_id": null, "system_scope": true}),
        ),
    ] {
        let token = token(&world, id, authority(scope, &["member", "reader"]), json!({})).await;
        let answer = introspect(&world, "service", &token).await;
        answer.is_clean();
        let told = answer.json();
        assert_eq!(told["active"], true, "{answer:?}");
        for (name, value) in want.as_object().unwrap() {
            assert_eq!(&told[name], value, "{id} {name}");
        }
        assert_eq!(told["roles"], "member,reader");
        assert_eq!(
            (
                &told["user_id"],
                &told["username"],
                &told["user_domain_id"],
                &told["user_domain_name"]
            ),
            (&json!("u1"), &json!("runner"), &json!("d1"), &json!("Users"))
        );
        assert!(told["exp"].is_u64() && told["iat"].is_u64());
        assert_eq!((&told["client_id"], &told["sub"]), (&json!(id), &json!(id)));
        assert!(told.as_object().unwrap().keys().all(|name| !name.contains('.')));
        assert_eq!(told.get("openstack_context"), None);
    }
}

#[tokio::test]
async fn m06_the_binding_is_told_unpadded() {
    let world = World::new().await;
    service(&world, "service", "own", "keystonemiddleware").await;
    let bound = json!({
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": "CN=machine",
        "scope": "openstack:api",
        "authority": authority(project(), &["member"]),
    });
    world.register("demo", "bound", bound).await;
    let ask = Ask::post(TOKEN)
        .certificate(&world.machine)
        .form(format!("{GRANT}&client_id=bound&scope=openstack:api"));
    let token = world.send(ask).await.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let told = introspect(&world, "service", &token).await.json();
    let thumbprint = told["cnf"]["x5t#S256"].as_str().unwrap();
    assert_eq!(thumbprint, world.machine.thumbprint().to_string());
    assert_eq!((thumbprint.len(), thumbprint.contains('=')), (43, false));
}

/// The middleware looks at no audience, enforces no access rules, and takes roles apart at commas: what it would widen
/// is inactive, whatever right the service has.
#[tokio::test]
async fn what_the_middleware_would_widen_is_inactive() {
    let world = World::new().await;
    for (service_id, right) in [("own", "own"), ("all", "domain")] {
        service(&world, service_id, right, "keystonemiddleware").await;
    }
    service(&world, "plain", "domain", "standard").await;
    let good = token(&world, "good", authority(project(), &["member"]), json!({})).await;
    let rules = json!([{"service": "compute", "method": "GET", "path": "/v2.1/servers"}]);
    let mut narrowed = authority(project(), &["member"]);
    narrowed["access_rules"] = rules;
    let narrowed = token(&world, "narrowed", narrowed, json!({})).await;
    let joined = token(
        &world,
        "joined",
        authority(project(), &["reader,admin"]),
        json!({}),
    )
    .await;
    let other_audience = world.token_of("ci").await;
    let unscoped = authority(json!({"type": "unscoped"}), &[]);
    let unscoped = token(&world, "unscoped", unscoped, json!({})).await;
    for service in ["own", "all"] {
        assert_eq!(introspect(&world, service, &good).await.json()["active"], true);
        for (what, token) in [
            ("access rules", &narrowed),
            ("a comma in a role", &joined),
            ("another audience", &other_audience),
            ("no scope", &unscoped),
        ] {
            let answer = introspect(&world, service, token).await;
            assert_eq!(answer.text, r#"{"active":false}"#, "{what}");
            assert_eq!(
                introspect(&world, "plain", token).await.json()["active"],
                true,
                "{what}"
            );
        }
    }
}

/// A claim of a client's template can't pass for a member that the token does not have.
#[tokio::test]
async fn a_template_adds_nothing() {
    let world = World::new().await;
    service(&world, "service", "own", "keystonemiddleware").await;
    service(&world, "plain", "domain", "standard").await;
    let claims = json!({"claims": {"project": "p9", "is_admin": "true", "team": "a"}});
    let system = authority(
        json!({"type": "domain", "id": "d3", "name": "Third"}),
        &["member"],
    );
    let token = token(&world, "templated", system, claims).await;
    let told = introspect(&world, "service", &token).await.json();
    assert_eq!(
        (told.get("project_id"), &told["system_scope"]),
        (None, &json!(false))
    );
    let plain = introspect(&world, "plain", &token).await.json();
    for name in ["project", "is_admin", "team"] {
        assert_eq!(
            (told.get(name), plain.get(name).is_some()),
            (None, true),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_revoked_and_an_expired_token_is_inactive() {
    let world = World::new().await;
    service(&world, "service", "own", "keystonemiddleware").await;
    let token = token(&world, "good", authority(project(), &["member"]), json!({})).await;
    assert_eq!(introspect(&world, "service", &token).await.json()["active"], true);
    world.clock.advance(std::time::Duration::from_secs(901));
    assert_eq!(
        introspect(&world, "service", &token).await.text,
        r#"{"active":false}"#
    );
}
