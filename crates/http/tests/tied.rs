//! Clients tied to a Keystone, on the wire: whose fault a refusal is, and when to come again.

use sealstone_identity::Refusal;
use sealstone_testkit::{Asked, FakeIdentity, IdentityFault};
use serde_json::json;

use crate::support::{Answer, Ask, GRANT, INTROSPECT, Log, TOKEN, World};

const KEYSTONE_SECRET: &str = "what-keystone-made";

async fn world(keystone: &FakeIdentity) -> World {
    let world = World::beside(keystone.clone()).await;
    let tied = json!({
        "scope": "openstack:api read",
        "openstack_application_credential_id": "ac1",
        "openstack_application_credential_secret": KEYSTONE_SECRET,
        "openstack_project_id": "p1",
    });
    world.register("demo", "tied", tied).await;
    world
}

async fn token(world: &World, scope: &str) -> Answer {
    let form = format!("{GRANT}&scope={scope}");
    world.send(Ask::post(TOKEN).basic("tied").form(form)).await
}

async fn introspect(world: &World, token: &str) -> Answer {
    let form = format!("token={token}");
    world
        .send(Ask::post(INTROSPECT).basic("gateway").form(form))
        .await
}

#[tokio::test]
async fn what_keystone_refuses_is_the_clients_grant_and_what_it_cannot_answer_is_ours() {
    let keystone = FakeIdentity::default();
    let world = world(&keystone).await;
    let good = token(&world, "openstack:api").await;
    good.is_token();
    let good = good.json()["access_token"].as_str().unwrap().to_owned();

    keystone.set_fault(Some(IdentityFault::Refused(Refusal::User)));
    token(&world, "openstack:api")
        .await
        .is_refused(400, "invalid_grant");
    assert_eq!(introspect(&world, &good).await.json(), json!({"active": false}));

    let faults = [
        (
            IdentityFault::Unavailable(Some(7)),
            503,
            "temporarily_unavailable",
            Some("7"),
        ),
        (
            IdentityFault::Unavailable(Some(0)),
            503,
            "temporarily_unavailable",
            Some("1"),
        ),
        (
            IdentityFault::Unavailable(None),
            503,
            "temporarily_unavailable",
            Some("2"),
        ),
        (
            IdentityFault::Malformed,
            503,
            "temporarily_unavailable",
            Some("2"),
        ),
        (IdentityFault::NotConfigured, 500, "server_error", None),
    ];
    for (fault, status, code, wait) in faults {
        keystone.set_fault(Some(fault));
        for answer in [
            token(&world, "openstack:api").await,
            introspect(&world, &good).await,
        ] {
            answer.is_refused(status, code);
            assert_eq!(answer.header("retry-after"), wait, "{fault:?}");
            let told = answer.json().to_string();
            assert!(!told.contains("test says") && !told.contains("down"), "{told}");
        }
        token(&world, "read").await.is_token();
    }
    keystone.set_fault(None);
    assert_eq!(introspect(&world, &good).await.json()["active"], true);
}

#[tokio::test]
async fn the_secret_goes_to_keystone_and_nowhere_else() {
    let keystone = FakeIdentity::default();
    let world = world(&keystone).await;
    let log = Log::capture();
    let answer = token(&world, "openstack:api").await;
    let asked = Asked::ApplicationCredential("ac1".into(), KEYSTONE_SECRET.into());
    assert_eq!(keystone.take_asked(), [asked]);
    let claims = world.claims(&answer);
    assert_eq!(claims["delegation_context"]["auth_method"], "app_cred");
    keystone.set_fault(Some(IdentityFault::Malformed));
    let refused = token(&world, "openstack:api").await;
    for text in [
        claims.to_string(),
        refused.json().to_string(),
        format!("{:?}", world.events()),
        log.text(),
    ] {
        assert!(!text.contains(KEYSTONE_SECRET), "{text}");
    }
}

/// Whoever fails to authenticate drives no call to Keystone.
#[tokio::test]
async fn only_a_client_that_proved_itself_drives_a_call_to_keystone() {
    let keystone = FakeIdentity::default();
    let world = world(&keystone).await;
    let form = format!("{GRANT}&scope=openstack:api");
    for ask in [
        Ask::post(TOKEN).basic_with("tied", "guess"),
        Ask::post(TOKEN).basic("other"),
        Ask::post(TOKEN).form("client_id=tied"),
    ] {
        let answer = world.send(ask.form(form.clone())).await;
        assert!(answer.status.is_client_error(), "{}", answer.status);
    }
    assert_eq!(keystone.take_asked(), []);
}
