//! The OpenID Connect configuration plan (`oidcc-config-certification-test-plan`): what it demands of discovery.

use std::collections::BTreeSet;

use sealstone_interop::DevServer;
use serde_json::Value;

/// Members of OpenID Connect Discovery 1.0 §3, RP-Initiated Logout §2.1, Back-Channel Logout §2.1, Prompt Create §4, RFC 8414
/// §2, RFC 8628 §4, RFC 8705 §3.3 and §5, and their JSON type.
const MEMBERS: &[(&str, Kind)] = &[
    ("issuer", Kind::Url),
    ("authorization_endpoint", Kind::Url),
    ("token_endpoint", Kind::Url),
    ("userinfo_endpoint", Kind::Url),
    ("jwks_uri", Kind::Url),
    ("registration_endpoint", Kind::Url),
    ("introspection_endpoint", Kind::Url),
    ("revocation_endpoint", Kind::Url),
    ("device_authorization_endpoint", Kind::Url),
    ("end_session_endpoint", Kind::Url),
    ("scopes_supported", Kind::Strings),
    ("acr_values_supported", Kind::Strings),
    ("claim_types_supported", Kind::Strings),
    ("prompt_values_supported", Kind::Strings),
    ("userinfo_signing_alg_values_supported", Kind::Strings),
    ("backchannel_logout_supported", Kind::Boolean),
    ("backchannel_logout_session_supported", Kind::Boolean),
    ("response_types_supported", Kind::Strings),
    ("response_modes_supported", Kind::Strings),
    ("grant_types_supported", Kind::Strings),
    ("subject_types_supported", Kind::Strings),
    ("id_token_signing_alg_values_supported", Kind::Strings),
    ("token_endpoint_auth_methods_supported", Kind::Strings),
    ("token_endpoint_auth_signing_alg_values_supported", Kind::Strings),
    ("introspection_endpoint_auth_methods_supported", Kind::Strings),
    (
        "introspection_endpoint_auth_signing_alg_values_supported",
        Kind::Strings,
    ),
    ("revocation_endpoint_auth_methods_supported", Kind::Strings),
    (
        "revocation_endpoint_auth_signing_alg_values_supported",
        Kind::Strings,
    ),
    ("claims_supported", Kind::Strings),
    ("code_challenge_methods_supported", Kind::Strings),
    ("service_documentation", Kind::Url),
    ("ui_locales_supported", Kind::Strings),
    ("claims_parameter_supported", Kind::Boolean),
    ("request_parameter_supported", Kind::Boolean),
    ("request_uri_parameter_supported", Kind::Boolean),
    ("require_request_uri_registration", Kind::Boolean),
    ("authorization_response_iss_parameter_supported", Kind::Boolean),
    ("tls_client_certificate_bound_access_tokens", Kind::Boolean),
    ("mtls_endpoint_aliases", Kind::Object),
];

#[derive(Clone, Copy)]
enum Kind {
    Url,
    Strings,
    Boolean,
    Object,
}

fn fits(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Url => value
            .as_str()
            .is_some_and(|url| url.starts_with("https://") && !url.contains(['#', ' '])),
        Kind::Strings => value.as_array().is_some_and(|list| {
            let distinct: BTreeSet<_> = list.iter().filter_map(Value::as_str).collect();
            distinct.len() == list.len()
        }),
        Kind::Boolean => value.is_boolean(),
        Kind::Object => value.is_object(),
    }
}

fn discovery(server: &DevServer) -> Value {
    let url = format!("{}/.well-known/openid-configuration", server.issuer());
    let answer = server.https().get(&url, &[]).unwrap();
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type").unwrap();
    assert_eq!(kind.split(';').next(), Some("application/json"));
    answer.json()
}

#[test]
fn oidcc_config_issuer_equals_the_configured_url_byte_for_byte() {
    let server = DevServer::start();
    assert_eq!(discovery(&server)["issuer"], server.issuer());
    assert!(!server.issuer().ends_with('/'));
}

#[test]
fn oidcc_config_every_member_is_known_and_of_its_type() {
    let server = DevServer::start();
    for (name, value) in discovery(&server).as_object().unwrap() {
        let known = MEMBERS.iter().find(|(known, _)| known == name);
        let (_, kind) = known.unwrap_or_else(|| panic!("unknown member {name}"));
        assert!(fits(*kind, value), "{name}: {value}");
    }
}

#[test]
fn oidcc_config_required_members_are_there() {
    let server = DevServer::start();
    let document = discovery(&server);
    for name in ["issuer", "token_endpoint", "jwks_uri"] {
        assert!(document.get(name).is_some(), "{name}");
    }
    let grants: Vec<&str> = document["grant_types_supported"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        grants.contains(&"client_credentials"),
        "client rule 4: every grant in use is listed"
    );
    let code = grants.contains(&"authorization_code");
    assert_eq!(
        code,
        document.get("authorization_endpoint").is_some(),
        "an endpoint for each grant and no other"
    );
}

#[test]
fn oidcc_config_every_endpoint_it_names_is_served() {
    let server = DevServer::start();
    let document = discovery(&server);
    let aliases = document["mtls_endpoint_aliases"].as_object().unwrap();
    let top = document.as_object().unwrap().iter();
    for (name, url) in top.chain(aliases).filter(|(name, _)| name.ends_with("_endpoint")) {
        let answer = server.https().post(url.as_str().unwrap(), &[], &[]).unwrap();
        // People are told on a page; that nobody is signed in is no error of theirs.
        if matches!(name.as_str(), "authorization_endpoint" | "end_session_endpoint") {
            assert!(matches!(answer.status, 200 | 400), "{name}: {}", answer.status);
            let kind = answer.header("content-type").unwrap();
            assert!(kind.starts_with("text/html"), "{name}: {kind}");
        } else {
            assert!(
                (400..500).contains(&answer.status) && answer.status != 404,
                "{name}: {}",
                answer.status
            );
            // RFC 6750 §3.1: who showed no token is asked for one, and told no error.
            let is_asked = answer
                .header("www-authenticate")
                .is_some_and(|asked| asked.starts_with("Bearer"));
            assert!(
                is_asked || answer.json()["error"].is_string(),
                "{name}: an OAuth error"
            );
        }
    }
}

#[test]
fn oidcc_config_key_set() {
    let server = DevServer::start();
    let document = discovery(&server);
    let answer = server
        .https()
        .get(document["jwks_uri"].as_str().unwrap(), &[])
        .unwrap();
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type").unwrap().to_owned();
    assert!(
        kind.starts_with("application/json") || kind.starts_with("application/jwk-set+json"),
        "{kind}"
    );
    let set = answer.json();
    let keys = set["keys"].as_array().unwrap();
    assert!(!keys.is_empty());
    let kids: BTreeSet<&str> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(kids.len(), keys.len(), "distinct kid");
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{private} in {}", key["kid"]);
        }
        assert_eq!(key["use"], "sig");
        assert!(key["alg"].is_string());
    }
    let rsa = keys.iter().any(|key| key["alg"] == "RS256");
    let listed = &document["id_token_signing_alg_values_supported"];
    assert!(
        rsa || listed
            .as_array()
            .is_none_or(|algorithms| !algorithms.contains(&"RS256".into()))
    );
}

#[test]
fn oidcc_config_both_documents_say_the_same() {
    let server = DevServer::start();
    let (base, below) = server.issuer().split_at(server.issuer().find("/v4/").unwrap());
    let answer = server
        .https()
        .get(
            &format!("{base}/.well-known/oauth-authorization-server{below}"),
            &[],
        )
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), discovery(&server));
}
