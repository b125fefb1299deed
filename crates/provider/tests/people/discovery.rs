//! What an issuer with people says of itself.

use super::support::*;
use sealstone_login::FactorKind;
use serde_json::{Value, json};

async fn document(config: sealstone_provider::people::PeopleConfig) -> Value {
    let world = world_with(config, None, None).await;
    serde_json::to_value(&*world.provider.metadata(&demo()).unwrap()).unwrap()
}

#[tokio::test]
async fn discovery_says_what_is_served_and_nothing_else() {
    let document = document(config()).await;
    let issuer = "https://id.example/v4/oauth2/demo";
    for (member, path) in [
        ("authorization_endpoint", "authorize"),
        ("token_endpoint", "token"),
        ("userinfo_endpoint", "userinfo"),
        ("end_session_endpoint", "logout"),
        ("device_authorization_endpoint", "device_authorization"),
        ("jwks_uri", "jwks"),
    ] {
        assert_eq!(document[member], format!("{issuer}/{path}"), "{member}");
    }
    for (member, want) in [
        ("response_types_supported", json!(["code"])),
        ("response_modes_supported", json!(["query", "form_post"])),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("subject_types_supported", json!(["public", "pairwise"])),
        ("authorization_response_iss_parameter_supported", json!(true)),
        ("request_parameter_supported", json!(false)),
        ("request_uri_parameter_supported", json!(false)),
        ("backchannel_logout_supported", json!(true)),
        ("backchannel_logout_session_supported", json!(true)),
        (
            "grant_types_supported",
            json!([
                "client_credentials",
                "authorization_code",
                "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code"
            ]),
        ),
    ] {
        assert_eq!(document[member], want, "{member}");
    }
    for absent in [
        "registration_endpoint",
        "pushed_authorization_request_endpoint",
        "frontchannel_logout_supported",
    ] {
        assert!(document.get(absent).is_none(), "{absent}");
    }
}

#[tokio::test]
async fn a_broker_names_no_device_grant() {
    let mut config = config();
    config.profile = sealstone_provider::people::Profile::Broker;
    let document = document(config).await;
    assert!(document.get("device_authorization_endpoint").is_none());
    let aliases = &document["mtls_endpoint_aliases"];
    assert!(
        aliases.get("device_authorization_endpoint").is_none(),
        "{aliases}"
    );
    let grants = json!(["client_credentials", "authorization_code", "refresh_token"]);
    assert_eq!(document["grant_types_supported"], grants);
}

#[tokio::test]
async fn the_classes_are_those_that_a_login_can_reach() {
    let (one, two) = ("urn:sealstone:acr:one-factor", "urn:sealstone:acr:two-factor");
    for (kinds, want) in [
        (vec![], json!([one])),
        (vec![FactorKind::Totp], json!([one, two])),
        (
            vec![FactorKind::Passkey, FactorKind::Totp],
            json!([one, two, "phr"]),
        ),
    ] {
        let mut config = config();
        config.policy.first.passkey = false;
        config.policy.kinds = kinds;
        assert_eq!(document(config).await["acr_values_supported"], want);
    }
}
