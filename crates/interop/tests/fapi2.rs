//! The FAPI 2.0 security profile's client-credentials plan, mutual TLS for both client authentication and sender
//! constraint: the demand of each of its five modules.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, SupportedCipherSuite};
use sealstone_interop::{Answer, DevServer, Https, ProtectedService};
use serde_json::Value;

const FORM: (&str, &str) = ("grant_type", "client_credentials");

fn holder(server: &DevServer, name: &str) -> Https {
    server.https().with_certificate(&server.certificate(name))
}

fn ask(server: &DevServer, https: &Https, name: &str) -> Answer {
    let client = server.client(name).registered().clone();
    let scope = client.scope.unwrap_or_default();
    let mut form = vec![FORM, ("client_id", client.client_id.as_str())];
    if !scope.is_empty() {
        form.push(("scope", &scope));
    }
    https.post(&server.mtls_url("/token"), &[], &form).unwrap()
}

fn token(server: &DevServer, name: &str) -> String {
    let answer = ask(server, &holder(server, name), name);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

fn call(https: &Https, url: &str, scheme: &str, token: &str) -> Answer {
    https
        .get(url, &[("authorization", &format!("{scheme} {token}"))])
        .unwrap()
}

fn is_error(answer: &Answer, codes: &[&str]) -> bool {
    (400..500).contains(&answer.status)
        && answer
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/json"))
        && answer.json()["error"]
            .as_str()
            .is_some_and(|code| codes.contains(&code))
}

#[test]
fn fapi2_discovery_end_point_verification() {
    let server = DevServer::start_fapi();
    let url = format!("{}/.well-known/openid-configuration", server.issuer());
    let document = server.https().get(&url, &[]).unwrap().json();
    assert_eq!(document["issuer"], server.issuer());
    // RFC 8705 §3.3: the boolean, not a string.
    assert_eq!(
        document["tls_client_certificate_bound_access_tokens"],
        Value::Bool(true)
    );
    let methods = document["token_endpoint_auth_methods_supported"]
        .as_array()
        .unwrap();
    assert!(
        methods.contains(&"tls_client_auth".into())
            && methods.contains(&"self_signed_tls_client_auth".into())
    );
    // RFC 8705 §5: only `*_endpoint`, never the authorization endpoint, nothing that the top lacks.
    let aliases = document["mtls_endpoint_aliases"].as_object().unwrap();
    assert!(aliases.contains_key("token_endpoint"));
    for (name, url) in aliases {
        assert!(
            name.ends_with("_endpoint") && name != "authorization_endpoint",
            "{name}"
        );
        assert!(document.get(name).is_some(), "{name} is not at the top");
        assert!(url.as_str().unwrap().starts_with("https://"), "{name}");
    }
    let keys = server
        .https()
        .get(document["jwks_uri"].as_str().unwrap(), &[])
        .unwrap()
        .json();
    let allowed = ["PS256", "ES256", "EdDSA", "Ed25519", "ES384", "RS256"];
    for key in keys["keys"].as_array().unwrap() {
        assert!(allowed.contains(&key["alg"].as_str().unwrap()), "{key}");
        let octets = key.get("n").map_or(256, |n| n.as_str().unwrap().len() * 3 / 4);
        assert!(octets >= 256, "FAPI2FinalEnsureMinimumServerKeyLength");
    }
}

#[test]
fn fapi2_happy_flow_two_clients() {
    let server = DevServer::start_fapi();
    let service = ProtectedService::start(&server);
    for (name, other) in [("machine", "machine-san"), ("machine-san", "machine")] {
        let https = holder(&server, name);
        let answer = ask(&server, &https, name);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(
            answer
                .header("content-type")
                .unwrap()
                .starts_with("application/json")
        );
        let body = answer.json();
        assert!(
            body["expires_in"].is_u64()
                && body["token_type"]
                    .as_str()
                    .unwrap()
                    .eq_ignore_ascii_case("bearer")
        );
        assert!(body.get("refresh_token").is_none(), "RFC 6749 §4.4.3");
        let token = body["access_token"].as_str().unwrap();
        let distinct: BTreeSet<char> = token.chars().collect();
        assert!(
            token.len() >= 64 && distinct.len() >= 32,
            "at least 96 bits of entropy"
        );
        assert_eq!(call(&https, service.url(), "Bearer", token).status, 200);
        // The sender constraint.
        assert_eq!(
            call(&holder(&server, other), service.url(), "Bearer", token).status,
            401
        );
        assert_eq!(call(&server.https(), service.url(), "Bearer", token).status, 401);
        // RFC 6750 §2.3 is not offered.
        let in_query = format!("{}?access_token={token}", service.url());
        assert!((400..500).contains(&https.get(&in_query, &[]).unwrap().status));
    }
}

#[test]
fn fapi2_happy_flow_accept_header_forms() {
    let server = DevServer::start_fapi();
    let service = ProtectedService::start(&server);
    let https = holder(&server, "machine");
    let bearer = format!("Bearer {}", token(&server, "machine"));
    for accept in [
        "application/json",
        "application/json;charset=UTF-8",
        "*/*",
        "application/*, text/plain;q=0.5",
    ] {
        let headers = [("authorization", bearer.as_str()), ("accept", accept)];
        assert_eq!(
            https.get(service.url(), &headers).unwrap().status,
            200,
            "{accept}"
        );
        let client = server.client("machine").registered().clone();
        let form = [FORM, ("client_id", client.client_id.as_str())];
        let answer = https
            .post(&server.mtls_url("/token"), &[("accept", accept)], &form)
            .unwrap();
        assert_eq!(answer.status, 200, "{accept}");
    }
}

#[test]
fn fapi2_happy_flow_tls_versions_and_ciphers() {
    let server = DevServer::start_fapi();
    let urls = [
        format!("{}/jwks", server.issuer()),
        format!("{}/.well-known/openid-configuration", server.issuer()),
    ];
    for (version, expected) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        for url in &urls {
            let answer = server.https().with_versions(&[version]).get(url, &[]).unwrap();
            assert_eq!((answer.status, answer.version), (200, Some(expected)), "{url}");
        }
        let https = holder(&server, "machine").with_versions(&[version]);
        assert_eq!(
            ask(&server, &https, "machine").status,
            200,
            "{version:?} with a certificate"
        );
    }
    for port in server.ports() {
        let old = ["-tls1", "-tls1_1"];
        for version in old {
            assert!(
                !openssl(port, &[version, "-cipher", "ALL:@SECLEVEL=0"]),
                "{version} on {port}"
            );
        }
        assert!(openssl(port, &["-tls1_2"]), "openssl itself works");
        // Good ciphers too, if the profile does not name them.
        for weak in [
            "ECDHE-ECDSA-CHACHA20-POLY1305",
            "ECDHE-RSA-CHACHA20-POLY1305",
            "AES128-SHA",
            "AES128-GCM-SHA256",
            "AES256-SHA256",
            "ECDHE-ECDSA-AES128-SHA",
            "ECDHE-RSA-AES256-SHA384",
            "DHE-RSA-AES128-GCM-SHA256",
            "NULL-SHA256",
            "ADH-AES128-SHA",
            "ECDHE-ECDSA-AES128-CCM",
        ] {
            let cipher = format!("{weak}:@SECLEVEL=0");
            assert!(
                !openssl(port, &["-tls1_2", "-cipher", &cipher]),
                "{weak} on {port}"
            );
        }
    }
}

/// Whether `openssl s_client` completes a handshake with a loopback port.
fn openssl(port: u16, arguments: &[&str]) -> bool {
    let target = format!("127.0.0.1:{port}");
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &target]).args(arguments);
    let output = command.stdin(Stdio::null()).output().expect("openssl runs");
    let said = String::from_utf8_lossy(&output.stdout);
    output.status.success() && !said.contains("Cipher is (NONE)")
}

#[test]
fn fapi2_happy_flow_every_recommended_suite_is_spoken() {
    let server = DevServer::start_fapi();
    let url = format!("{}/jwks", server.issuer());
    let suites = rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;
    let of = |name: &str| -> Vec<SupportedCipherSuite> {
        suites
            .iter()
            .filter(|suite| format!("{:?}", suite.suite()) == name)
            .copied()
            .collect()
    };
    // RFC 9325 §4.2 and RFC 8446; the server's key is of one kind, so one half of the TLS 1.2 suites applies.
    let pairs = [
        (
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        ),
        (
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        ),
        ("TLS13_AES_128_GCM_SHA256", "TLS13_AES_128_GCM_SHA256"),
        ("TLS13_AES_256_GCM_SHA384", "TLS13_AES_256_GCM_SHA384"),
    ];
    for (one, other) in pairs {
        let works = |name: &str| server.https().with_suites(&of(name)).get(&url, &[]).is_ok();
        assert!(works(one) || works(other), "{one} or {other}");
    }
}

#[test]
fn fapi2_access_token_type_header_case_sensitivity() {
    let server = DevServer::start_fapi();
    let service = ProtectedService::start(&server);
    let https = holder(&server, "machine");
    let token = token(&server, "machine");
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert_eq!(
            call(&https, service.url(), scheme, &token).status,
            200,
            "{scheme}"
        );
    }
}

#[test]
fn fapi2_ensure_client_id_in_token_endpoint() {
    let server = DevServer::start_fapi();
    let https = holder(&server, "machine");
    assert_eq!(ask(&server, &https, "machine").status, 200);
    // The second client's client_id with the first one's authentication.
    assert!(is_error(
        &ask(&server, &https, "machine-san"),
        &["invalid_client"]
    ));
    // No client_id at all: EnsureClientIdIsPresentOnTokenRequest.
    let answer = https.post(&server.mtls_url("/token"), &[], &[FORM]).unwrap();
    assert!(
        is_error(&answer, &["invalid_client", "invalid_request"]),
        "{}",
        answer.text()
    );
}

#[test]
fn fapi2_ensure_holder_of_key_required() {
    let server = DevServer::start_fapi();
    let service = ProtectedService::start(&server);
    let https = holder(&server, "machine");
    assert_eq!(ask(&server, &https, "machine").status, 200);
    let answer = ask(&server, &server.https(), "machine");
    assert!(
        is_error(&answer, &["invalid_client", "invalid_request"]),
        "{}",
        answer.text()
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let description = answer.json()["error_description"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        description
            .bytes()
            .all(|b| (0x20..=0x7e).contains(&b) && b != b'"' && b != b'\\'),
        "{description}"
    );
    for endpoint in ["/introspect", "/revoke"] {
        let form = [
            ("token", "x"),
            (
                "client_id",
                server.client("machine").registered().client_id.as_str(),
            ),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = server
            .https()
            .post(&server.mtls_url(endpoint), &[], &form)
            .unwrap();
        assert!(
            is_error(&answer, &["invalid_client", "invalid_request"]),
            "{endpoint}: {}",
            answer.text()
        );
    }
    let token = token(&server, "machine");
    assert_eq!(call(&https, service.url(), "Bearer", &token).status, 200);
    assert_eq!(call(&server.https(), service.url(), "Bearer", &token).status, 401);
}
