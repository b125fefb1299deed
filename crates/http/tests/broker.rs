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

/// Something that the profile has not: refused where it was asked, in exactly three members, with one event.
async fn is_outside(feature: &str, rule: &str, ask: Ask) {
    let world = world(Profile::Broker).await;
    let before = world.events().len();
    let answer = world.send(ask).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let told = answer.json();
    assert_eq!(told.as_object().unwrap().len(), 3, "{told}");
    assert_eq!(
        (&told["error"], &told["feature"]),
        (&json!("invalid_profile_usage"), &json!(feature))
    );
    assert!(told["description"].is_string());
    for (name, value) in [
        ("location", None),
        ("cache-control", Some("no-store")),
        ("content-type", Some("application/json")),
    ] {
        assert_eq!(answer.header(name), value);
    }
    let events = world.events();
    assert_eq!(events.len(), before + 1, "one event");
    let event = events.last().unwrap();
    assert_eq!(event.outcome, Outcome::Failure);
    assert_eq!(event.reason.unwrap().rule(), rule);
    assert_eq!(event.request_id, answer.header("x-request-id").unwrap());
    // The same client, within the profile, gets its code.
    let answer = Browser::new(&world).authorize(&request("")).await;
    assert!(answer.header("location").unwrap().contains("code="), "{answer:?}");
}

/// A right request in which this stands in place of that.
fn instead(of: &str, with: &str) -> Ask {
    let right = request("");
    assert!(right.contains(of), "{of}");
    Ask::get(&format!("{ISSUER}/authorize?{}", right.replace(of, with)))
}

/// A right request with this behind it.
fn beside(more: &str) -> Ask {
    Ask::get(&format!("{ISSUER}/authorize?{}", request(more)))
}

fn post(path: &str, form: &str) -> Ask {
    Ask::post(&format!("{ISSUER}/{path}")).form(form)
}

/// One test for each thing that the profile has not.
macro_rules! outside_the_profile {
    ($($name:ident: $feature:literal, $rule:literal, $ask:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                is_outside($feature, $rule, $ask).await;
            }
        )*
    };
}

const CODE: &str = "response_type=code";
const CALLBACK: &str = "https%3A%2F%2Fapp.example%2Fcb";
const CHALLENGE: &str =
    "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

outside_the_profile! {
    keycape_02_another_redirect_uri: "redirect_uri", "unregistered_redirect_uri",
        instead(CALLBACK, "https%3A%2F%2Fapp.example%2Fcb%2F");
    keycape_03_the_implicit_flow: "response_type", "malformed_request", instead(CODE, "response_type=token");
    keycape_03_an_id_token_at_once: "response_type", "malformed_request", instead(CODE, "response_type=id_token");
    keycape_03_the_hybrid_flow: "response_type", "malformed_request", instead(CODE, "response_type=code+id_token");
    keycape_03_no_response_type: "response_type", "malformed_request", instead("response_type=code&", "");
    keycape_03_an_answer_in_the_fragment: "response_mode", "malformed_request", beside("&response_mode=fragment");
    keycape_03_no_pkce: "code_challenge", "no_code_challenge", instead(CHALLENGE, "");
    keycape_03_plain_pkce: "code_challenge_method", "malformed_request", instead("=S256", "=plain");
    keycape_03_a_request_object: "request", "malformed_request", beside("&request=e30.e30.");
    keycape_03_a_request_by_reference: "request_uri", "malformed_request",
        beside("&request_uri=https%3A%2F%2Fapp.example%2Fr");
    keycape_03_a_registration_within_a_request: "registration", "malformed_request", beside("&registration=%7B%7D");
    keycape_03_a_scope_that_is_not_registered: "scope", "scope_not_allowed", instead("scope=openid", "scope=openid+admin");
    keycape_03_an_unknown_client: "client_id", "unknown_client", instead("client_id=app", "client_id=nobody");
    keycape_03_the_password_grant: "grant_type", "unsupported_grant_type",
        post("token", "grant_type=password&client_id=app&username=alice&password=x");
    keycape_03_codes_of_devices: "grant_type", "unsupported_grant_type",
        post("token", "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=tv&device_code=x");
    keycape_03_devices: "grant_type", "unsupported_grant_type",
        post("device_authorization", "client_id=tv&scope=openid");
    keycape_03_registration: "registration", "registration_not_offered",
        Ask::post(&format!("{ISSUER}/register")).header("content-type", "application/json");
    keycape_03_a_look_at_registrations: "registration", "registration_not_offered",
        Ask::get(&format!("{ISSUER}/register"));
    keycape_03_a_pushed_request: "pushed_request", "pushed_request_not_offered", post("par", "client_id=app");
}

/// Nobody types the code of a device that can't have one.
#[tokio::test]
async fn a_broker_has_no_page_for_devices() {
    let world = world(Profile::Broker).await;
    assert_eq!(at(&world, "GET", "device", "").await.status, 404);
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
