//! The metadata advertises exactly what the router serves (S14).

use std::collections::BTreeSet;
use std::sync::Arc;

use sealstone_jose::{Algorithm, JwtEncoder, KeyId, MacAlgorithm, PrivateKey, Signer};
use serde_json::{Value, json};

use crate::assertions::{Assertions, TYPE, under};
use crate::support::{Ask, GRANT, ISSUER, TOKEN, World, mac_secret, secret};

const OPENID: &str = "/v4/oauth2/demo/.well-known/openid-configuration";

/// Each endpoint that the router has, with the member that advertises it; the last two are found by convention.
const SERVED: [(&str, &str); 5] = [
    ("token_endpoint", "/token"),
    ("introspection_endpoint", "/introspect"),
    ("revocation_endpoint", "/revoke"),
    ("jwks_uri", "/jwks"),
    ("issuer", ""),
];

/// Endpoints of later days: neither advertised nor there.
const ABSENT: [(&str, &str); 9] = [
    ("authorization_endpoint", "/authorize"),
    ("pushed_authorization_request_endpoint", "/par"),
    ("device_authorization_endpoint", "/device_authorization"),
    ("userinfo_endpoint", "/userinfo"),
    ("end_session_endpoint", "/logout"),
    ("registration_endpoint", "/register"),
    ("backchannel_authentication_endpoint", "/bc-authorize"),
    ("check_session_iframe", "/session"),
    ("service_documentation", "/docs"),
];

async fn metadata(world: &World) -> Value {
    world.send(Ask::get(OPENID)).await.json()
}

#[tokio::test]
async fn s14_endpoints_advertised_are_those_served() {
    let world = World::new().await;
    let document = metadata(&world).await;
    let member = |name: &str| document.get(name).and_then(Value::as_str);
    for (name, path) in SERVED {
        assert_eq!(
            member(name),
            Some(format!("https://id.example{ISSUER}{path}").as_str()),
            "{name}"
        );
        if !path.is_empty() {
            let status = world
                .send(Ask::new("PATCH", &format!("{ISSUER}{path}")))
                .await
                .status;
            assert_eq!(status, 405, "{name} is routed");
        }
    }
    for (name, path) in ABSENT {
        assert_eq!(member(name), None, "{name}");
        assert_eq!(
            world.send(Ask::get(&format!("{ISSUER}{path}"))).await.status,
            404,
            "{name} is not routed"
        );
    }
    let known: BTreeSet<_> = SERVED.iter().map(|(name, _)| *name).collect();
    for (name, value) in document.as_object().unwrap() {
        let is_url = value.as_str().is_some_and(|text| text.starts_with("http"));
        assert!(
            !is_url || known.contains(name.as_str()),
            "{name} is advertised and not tested"
        );
    }
}

/// RFC 8705 §5: only endpoints, only what the document itself has.
#[tokio::test]
async fn s14_mtls_aliases() {
    let world = World::new().await;
    let document = metadata(&world).await;
    assert_eq!(
        document["tls_client_certificate_bound_access_tokens"],
        json!(true)
    );
    let aliases = document["mtls_endpoint_aliases"].as_object().unwrap();
    assert_eq!(aliases.len(), 3);
    for (name, url) in aliases {
        assert!(
            name.ends_with("_endpoint") && document.get(name).is_some(),
            "{name}"
        );
        let path = url
            .as_str()
            .unwrap()
            .strip_prefix("https://mtls.id.example")
            .unwrap();
        assert_eq!(
            world.send(Ask::new("PATCH", path)).await.status,
            405,
            "{name} is routed"
        );
    }
}

#[tokio::test]
async fn s14_methods_and_grants_advertised_are_those_taken() {
    let world = World::new().await;
    let document = metadata(&world).await;
    let list = |name: &str| -> BTreeSet<String> {
        document[name]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one.as_str().unwrap().to_owned())
            .collect()
    };
    let methods = [
        "client_secret_basic",
        "client_secret_post",
        "tls_client_auth",
        "self_signed_tls_client_auth",
        "private_key_jwt",
        "client_secret_jwt",
    ];
    for name in [
        "token_endpoint_auth_methods_supported",
        "introspection_endpoint_auth_methods_supported",
        "revocation_endpoint_auth_methods_supported",
    ] {
        assert_eq!(
            list(name),
            methods.iter().map(ToString::to_string).collect(),
            "{name}"
        );
    }
    let posted = format!("client_id=poster&client_secret={}", secret("poster"));
    for (endpoint, form) in [(TOKEN, GRANT), (crate::support::REVOKE, "token=x")] {
        for ask in [
            Ask::post(endpoint).basic("ci").form(form),
            Ask::post(endpoint).form(format!("{form}&{posted}")),
            Ask::post(endpoint)
                .certificate(&world.machine)
                .form(format!("{form}&client_id=machine")),
            Ask::post(endpoint)
                .certificate(&world.alone)
                .form(format!("{form}&client_id=alone")),
        ] {
            assert_eq!(world.send(ask).await.status, 200, "{endpoint}");
        }
    }
    assert_eq!(
        list("grant_types_supported"),
        BTreeSet::from(["client_credentials".to_owned()])
    );
    for grant in ["authorization_code", "refresh_token", "password"] {
        world
            .token(&format!("grant_type={grant}"))
            .await
            .is_refused(400, "unsupported_grant_type");
    }
}

/// Each algorithm that is advertised for assertions signs one that is taken, at each endpoint; none is kept back.
#[tokio::test]
async fn s14_assertion_algorithms_advertised_are_those_taken() {
    let world = World::new().await;
    let assertions = Assertions::new(&world).await;
    let document = metadata(&world).await;
    let mut taken = Vec::new();
    for (number, algorithm) in Algorithm::ALL.into_iter().enumerate() {
        let key = PrivateKey::generate(algorithm).unwrap();
        let signer = Arc::new(Signer::new(&key, KeyId::parse("k1").unwrap()).unwrap());
        let jwk: Value = serde_json::from_str(&signer.public_jwk().to_json()).unwrap();
        let client = format!("key-{number}");
        let registration = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [jwk]}});
        assertions.register(&client, registration).await;
        let encoder = JwtEncoder::new(signer, "JWT").unwrap();
        taken.push((
            algorithm.as_str(),
            [(); 2].map(|()| encoder.encode_to_string(&assertions.good(&client)).unwrap()),
        ));
    }
    for algorithm in MacAlgorithm::ALL {
        let signed = [(); 2].map(|()| under(&mac_secret("maced"), algorithm, &assertions.good("maced")));
        taken.push((algorithm.as_str(), signed));
    }
    for (algorithm, [one, other]) in &taken {
        for (endpoint, form, assertion) in [(TOKEN, GRANT, one), (crate::support::REVOKE, "token=x", other)] {
            let form = format!("{form}&client_assertion_type={TYPE}&client_assertion={assertion}");
            let answer = world.send(Ask::post(endpoint).form(form)).await;
            assert_eq!(answer.status, 200, "{algorithm} at {endpoint}: {answer:?}");
        }
    }
    let taken: BTreeSet<&str> = taken.iter().map(|(algorithm, _)| *algorithm).collect();
    for name in [
        "token_endpoint_auth_signing_alg_values_supported",
        "introspection_endpoint_auth_signing_alg_values_supported",
        "revocation_endpoint_auth_signing_alg_values_supported",
    ] {
        let listed: BTreeSet<&str> = document[name]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        assert_eq!(listed, taken, "{name}");
    }
}

#[tokio::test]
async fn s14_both_places_hold_the_same_document() {
    let world = World::new().await;
    let openid = world.send(Ask::get(OPENID)).await;
    let oauth = world
        .send(Ask::get("/.well-known/oauth-authorization-server/v4/oauth2/demo"))
        .await;
    assert_eq!(openid.text, oauth.text);
    for place in [
        "/.well-known/openid-configuration",
        "/v4/oauth2/demo/.well-known/oauth-authorization-server",
    ] {
        assert_eq!(world.send(Ask::get(place)).await.status, 404);
    }
}

#[tokio::test]
async fn a_base_path_moves_every_route() {
    let world = World::with(|config| config.with_base_path("/identity/")).await;
    let served = |path: &'static str| {
        let world = &world;
        async move { world.send(Ask::get(path)).await.status.as_u16() }
    };
    assert_eq!(served("/identity/v4/oauth2/demo/jwks").await, 200);
    assert_eq!(
        served("/identity/v4/oauth2/demo/.well-known/openid-configuration").await,
        200
    );
    assert_eq!(
        served("/.well-known/oauth-authorization-server/identity/v4/oauth2/demo").await,
        200
    );
    assert_eq!(served("/v4/oauth2/demo/jwks").await, 404);
    let token = Ask::post("/identity/v4/oauth2/demo/token")
        .basic("ci")
        .form(GRANT);
    world.send(token).await.is_token();
}
