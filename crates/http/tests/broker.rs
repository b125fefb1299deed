//! A broker's issuer: what it has that others have not, and how it says what it has not.

use sealstone_audit::Outcome;
use sealstone_provider::people::Profile;
use serde_json::json;

use crate::people::{Browser, People, register_app, request};
use crate::support::{Answer, Ask, ISSUER, TOKEN, World};

async fn world(profile: Profile) -> World {
    let people = People {
        profile,
        ..People::default()
    };
    let world = World::with_people(people).await;
    register_app(&world).await;
    let tv = json!({
        "token_endpoint_auth_method": "none",
        "application_type": "native",
        "grant_types": ["urn:ietf:params:oauth:grant-type:device_code"],
        "scope": "openid",
    });
    world.register("demo", "tv", tv).await;
    world
}

/// What [`world`] answers at an endpoint: by which method, with which body.
async fn at(world: &World, method: &str, path: &str, body: &str) -> Answer {
    let ask = Ask::new(method, &format!("{ISSUER}/{path}"));
    world
        .send(if body.is_empty() { ask } else { ask.form(body) })
        .await
}

#[tokio::test]
async fn what_the_profile_leaves_out_is_refused_by_its_name_with_one_event() {
    let device = "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=tv&device_code=x";
    let cases = [
        ("POST", "register", "", "registration", "registration_not_offered"),
        ("GET", "register", "", "registration", "registration_not_offered"),
        (
            "PUT",
            "register",
            "a=b",
            "registration",
            "registration_not_offered",
        ),
        (
            "POST",
            "par",
            "client_id=app",
            "pushed_request",
            "pushed_request_not_offered",
        ),
        (
            "POST",
            "device_authorization",
            "client_id=tv&scope=openid",
            "grant_type",
            "unsupported_grant_type",
        ),
        ("POST", "token", device, "grant_type", "unsupported_grant_type"),
        (
            "POST",
            "token",
            "grant_type=password&client_id=app&username=alice&password=x",
            "grant_type",
            "unsupported_grant_type",
        ),
    ];
    let world = world(Profile::Broker).await;
    for (method, path, body, feature, rule) in cases {
        let before = world.events().len();
        let answer = at(&world, method, path, body).await;
        assert_eq!(answer.status, 400, "{method} {path}: {answer:?}");
        let told = answer.json();
        let members: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members.len(), 3, "{members:?}");
        assert_eq!(told["error"], "invalid_profile_usage", "{method} {path}");
        assert!(told["description"].is_string());
        assert_eq!(told["feature"], feature, "{method} {path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let events = world.events();
        assert_eq!(events.len(), before + 1, "{method} {path}: one event");
        let event = events.last().unwrap();
        assert_eq!(event.outcome, Outcome::Failure);
        assert_eq!(event.reason.unwrap().rule(), rule, "{method} {path}");
        assert_eq!(event.request_id, answer.header("x-request-id").unwrap());
    }
    // Nobody types the code of a device that can't have one.
    assert_eq!(at(&world, "GET", "device", "").await.status, 404);
    // What the profile has, it gives.
    let answer = Browser::new(&world).authorize(&request("")).await;
    assert!(answer.header("location").unwrap().contains("code="), "{answer:?}");
}

#[tokio::test]
async fn a_brokers_issuer_says_that_it_lives() {
    let world = world(Profile::Broker).await;
    let before = world.events().len();
    let answer = at(&world, "GET", "healthz", "").await;
    assert_eq!(
        (answer.status.as_u16(), answer.json()),
        (200, json!({ "status": "live" }))
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(at(&world, "HEAD", "healthz", "").await.status, 200);
    assert_eq!(at(&world, "POST", "healthz", "a=b").await.status, 405);
    assert_eq!(
        world.events().len(),
        before,
        "whoever looks every second fills no disk"
    );
    let nobody = world.send(Ask::get("/v4/oauth2/nobody/healthz")).await;
    assert_eq!(nobody.status, 404);
}

/// Elsewhere these are addresses of nothing, and devices are welcome.
#[tokio::test]
async fn a_standard_issuer_has_none_of_it() {
    let world = world(Profile::Standard).await;
    for path in ["healthz", "register", "par"] {
        for method in ["GET", "POST"] {
            let answer = at(&world, method, path, "").await;
            assert_eq!(answer.status, 404, "{method} {path}");
            assert!(!answer.text.contains("profile"), "{answer:?}");
        }
    }
    assert_eq!(at(&world, "GET", "device", "").await.status, 200);
    let asked = at(
        &world,
        "POST",
        "device_authorization",
        "client_id=tv&scope=openid",
    )
    .await;
    assert_eq!(asked.status, 200, "{asked:?}");
    let refused = world
        .send(Ask::post(TOKEN).form("grant_type=password&client_id=app&username=a&password=b"))
        .await;
    assert_eq!(refused.json()["error"], "unsupported_grant_type");
}

/// Whoever floods an address of nothing writes no more events than anybody else may.
#[tokio::test]
async fn refusals_of_endpoints_are_limited_by_address() {
    use sealstone_http::{Allowance, RateLimit};
    use std::num::NonZeroU32;
    use std::time::Duration;
    let allowance = Allowance::new(NonZeroU32::new(3).unwrap(), Duration::from_secs(3600));
    let people = People {
        profile: Profile::Broker,
        ..People::default()
    };
    let limit = RateLimit::default().with_requests(allowance);
    let world = World::with_people_and(people, |config| config.with_rate_limit(limit)).await;
    let before = world.events().len();
    let mut refused = 0;
    for _ask in 0..10 {
        let answer = at(&world, "POST", "register", "").await;
        refused += usize::from(answer.status == 429);
    }
    assert_eq!((refused, world.events().len() - before), (7, 3));
}
