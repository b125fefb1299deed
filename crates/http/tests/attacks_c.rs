//! Group C, rows 1 to 15: client assertions. No method that takes one is offered, so each is refused, whatever it
//! says, and the client's registered way goes on working beside it.

use std::sync::Arc;

use sealstone_jose::{Algorithm, JwtEncoder, KeyId, PrivateKey, Signer};
use sealstone_registry::ClientRegistration;
use serde_json::{Value, json};

use crate::support::{Ask, GRANT, TOKEN, World};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ISSUER: &str = "https://id.example/v4/oauth2/demo";

/// Signs assertions with the key that the client `alone` registered.
struct Assertions<'a> {
    world: &'a World,
    encoder: JwtEncoder,
}

impl<'a> Assertions<'a> {
    fn new(world: &'a World) -> Self {
        let key = PrivateKey::from_pkcs8_der(Algorithm::Es256, &world.alone.key().pkcs8_der()).unwrap();
        let signer = Signer::new(&key, KeyId::parse("k1").unwrap()).unwrap();
        Self {
            world,
            encoder: JwtEncoder::new(Arc::new(signer), "JWT").unwrap(),
        }
    }

    /// What a server that took assertions would accept.
    fn good(&self) -> Value {
        let now = self.world.clock.seconds();
        json!({"iss": "alone", "sub": "alone", "aud": ISSUER, "iat": now, "exp": now + 60, "jti": "j1"})
    }

    /// Refused with the claims changed so; the registered way succeeds before and after.
    async fn is_refused(&self, change: impl FnOnce(&mut Value)) {
        let mut claims = self.good();
        change(&mut claims);
        let assertion = self.encoder.encode_to_string(&claims).unwrap();
        self.sent(&format!(
            "client_assertion_type={TYPE}&client_assertion={assertion}"
        ))
        .await;
        self.sent(&format!(
            "client_assertion_type={TYPE}&client_assertion={assertion}&client_id=alone"
        ))
        .await;
    }

    async fn sent(&self, parameters: &str) {
        let issued = self.world.issued();
        self.registered_way_works().await;
        let ask = Ask::post(TOKEN).form(format!("{GRANT}&{parameters}"));
        self.world.send(ask).await.is_refused(401, "invalid_client");
        assert_eq!(self.world.issued(), issued + 1);
    }

    async fn registered_way_works(&self) {
        let ask = Ask::post(TOKEN)
            .certificate(&self.world.alone)
            .form(format!("{GRANT}&client_id=alone"));
        self.world.send(ask).await.is_token();
    }
}

macro_rules! refused {
    ($($name:ident: $($change:expr),+;)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                let world = World::with(unlimited).await;
                let assertions = Assertions::new(&world);
                $(assertions.is_refused($change).await;)+
            }
        )+
    };
}

/// The rows send more wrong authentications than one client is allowed.
fn unlimited(config: sealstone_http::HttpConfig) -> sealstone_http::HttpConfig {
    config.with_rate_limit(sealstone_http::RateLimit::insecure_off())
}

fn set(name: &'static str, value: Value) -> impl FnOnce(&mut Value) {
    move |claims| claims[name] = value
}

fn without(name: &'static str) -> impl FnOnce(&mut Value) {
    move |claims| {
        claims.as_object_mut().unwrap().remove(name);
    }
}

fn moved(name: &'static str, seconds: i64) -> impl FnOnce(&mut Value) {
    move |claims| {
        let now = claims["iat"].as_i64().unwrap();
        claims[name] = json!(now + seconds);
    }
}

refused! {
    c00_the_best_assertion: |_| ();
    c01_exp_missing: without("exp");
    c02_exp_past_and_far: moved("exp", 0), moved("exp", -61), moved("exp", 315_360_000);
    c03_exp_odd_types: set("exp", json!("1")), set("exp", json!(1e308)), set("exp", json!(-1)),
        set("exp", json!(9_223_372_036_854_775_808_u64)), set("exp", json!(true)), set("exp", json!(null));
    c04_nbf_and_iat_ahead: moved("nbf", 300), moved("iat", 300), moved("nbf", 8), moved("iat", 8);
    c05_iss_differs: set("iss", json!("ci")), set("sub", json!("ci"));
    c06_sub_missing: without("sub");
    c07_aud_missing_or_other: without("aud"), set("aud", json!("https://as.example")),
        set("aud", json!(format!("{ISSUER}.evil"))), set("aud", json!(format!("{ISSUER}/")));
    c08_aud_array: set("aud", json!([ISSUER, "https://evil.example"])), set("aud", json!([ISSUER]));
    c09_aud_is_an_endpoint: set("aud", json!(format!("{ISSUER}/token"))), set("aud", json!(format!("{ISSUER}/par")));
    c11_jti_missing_long_or_nul: without("jti"), set("jti", json!("a".repeat(10_000))), set("jti", json!("a\0"));
}

#[tokio::test]
async fn c10_jti_reused() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world);
    assertions.is_refused(|_| ()).await;
    assertions.is_refused(|_| ()).await;
}

/// Nothing is remembered of an assertion, so there is nothing to flood.
#[tokio::test]
async fn c12_replay_store_flooded() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world);
    for number in 0..100 {
        assertions
            .is_refused(set("jti", json!(format!("j{number}"))))
            .await;
    }
    world.token(GRANT).await.is_token();
}

#[tokio::test]
async fn c13_assertion_of_one_client_with_the_id_of_another() {
    let world = World::new().await;
    let assertions = Assertions::new(&world);
    let assertion = assertions.encoder.encode_to_string(&assertions.good()).unwrap();
    let parameters = format!("client_assertion_type={TYPE}&client_assertion={assertion}");
    for other in ["ci", "machine", "nobody"] {
        assertions.sent(&format!("{parameters}&client_id={other}")).await;
    }
}

#[tokio::test]
async fn c14_assertion_of_a_disabled_client() {
    let world = World::new().await;
    let assertions = Assertions::new(&world);
    let mut texts = Vec::new();
    for client in ["off", "nobody", "alone"] {
        let mut claims = assertions.good();
        claims["iss"] = json!(client);
        claims["sub"] = json!(client);
        let assertion = assertions.encoder.encode_to_string(&claims).unwrap();
        let form =
            format!("{GRANT}&client_id={client}&client_assertion_type={TYPE}&client_assertion={assertion}");
        let answer = world.send(Ask::post(TOKEN).form(form)).await;
        answer.is_refused(401, "invalid_client");
        texts.push(answer.text);
    }
    assert!(texts.iter().all(|text| *text == texts[0]));
    assertions.registered_way_works().await;
}

#[tokio::test]
async fn c15_wrong_assertion_type() {
    let world = World::with(unlimited).await;
    let assertions = Assertions::new(&world);
    let assertion = assertions.encoder.encode_to_string(&assertions.good()).unwrap();
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    assertions
        .sent(&format!(
            "client_assertion_type={saml}&client_assertion={assertion}"
        ))
        .await;
    assertions.sent(&format!("client_assertion={assertion}")).await;
    assertions
        .sent(&format!("client_assertion_type={TYPE}&client_id=alone"))
        .await;
    let twice =
        format!("{GRANT}&client_assertion_type={TYPE}&client_assertion_type={TYPE}&client_assertion=x");
    world
        .send(Ask::post(TOKEN).form(twice))
        .await
        .is_refused(400, "invalid_request");
}

/// The method can be neither found nor registered.
#[tokio::test]
async fn c_assertions_are_not_offered() {
    let world = World::new().await;
    let metadata = world
        .send(Ask::get("/v4/oauth2/demo/.well-known/openid-configuration"))
        .await;
    for absent in [
        "private_key_jwt",
        "client_secret_jwt",
        "auth_signing_alg_values_supported",
    ] {
        assert!(!metadata.text.contains(absent), "{absent}");
    }
    for method in ["private_key_jwt", "client_secret_jwt"] {
        let registration = json!({
            "token_endpoint_auth_method": method,
            "jwks": {"keys": [world.alone.key().public_jwk()]},
        });
        let read = ClientRegistration::from_json(registration.to_string().as_bytes());
        assert!(
            read.and_then(|registration| registration.auth_method()).is_err(),
            "{method}"
        );
    }
}
