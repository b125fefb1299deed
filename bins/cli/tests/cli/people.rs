//! Clients by way of which people sign in.

use crate::store::Data;
use serde_json::{Value, json};

const CALLBACK: &str = "https://grafana.example/login/generic_oauth";

#[test]
fn a_service_and_a_program_from_first_to_last() {
    let data = Data::new();
    let web = data.json(&[
        "client",
        "create",
        "grafana",
        "--scope",
        "openid profile email",
        "--redirect-uri",
        CALLBACK,
    ]);
    assert!(web["client_secret"].is_string());
    assert_eq!(
        (
            &web["grant_types"],
            &web["redirect_uris"],
            &web["consent"],
            &web["require_pkce"]
        ),
        (
            &json!(["authorization_code"]),
            &json!([CALLBACK]),
            &json!("ask"),
            &json!(true)
        )
    );
    let cli = data.json(&[
        "client",
        "create",
        "cli",
        "--public",
        "--native",
        "--scope",
        "openid offline_access openstack:api",
        "--grant",
        "authorization_code",
        "--grant",
        "device_code",
        "--grant",
        "refresh_token",
        "--redirect-uri",
        "http://127.0.0.1/callback",
        "--redirect-uri",
        "http://[::1]/callback",
    ]);
    assert_eq!(cli["client_secret"], Value::Null);
    assert_eq!(cli["token_endpoint_auth_method"], "none");
    assert!(data.client("cli").is_public());

    let changed = data.json(&[
        "client",
        "update",
        "grafana",
        "--grant",
        "authorization_code",
        "--grant",
        "refresh_token",
        "--subject-type",
        "pairwise",
        "--minimum-acr",
        "urn:sealstone:acr:two-factor",
        "--consent",
        "never",
        "--backchannel-logout-uri",
        "https://grafana.example/logout",
        "--backchannel-logout-session",
        "true",
        "--post-logout-redirect-uri",
        "https://grafana.example/",
        "--refresh-lifetime",
        "86400",
        "--refresh-idle",
        "3600",
        "--id-token-alg",
        "ES256",
        "--userinfo-alg",
        "RS256",
        "--default-max-age",
        "600",
        "--default-acr",
        "phr",
        "--client-uri",
        "https://grafana.example/",
    ]);
    for (member, value) in [
        ("redirect_uris", json!([CALLBACK])),
        ("sector_identifier", json!("grafana.example")),
        ("minimum_acr", json!("urn:sealstone:acr:two-factor")),
        ("backchannel_logout_session_required", json!(true)),
        ("refresh_token_idle_s", json!(3600)),
        ("default_max_age", json!(600)),
    ] {
        assert_eq!(changed[member], value, "{member}");
    }
    let public = data.json(&["client", "update", "grafana", "--subject-type", "public"]);
    assert_eq!(public["sector_identifier"], Value::Null);
    // What only people's grants read goes with them.
    let machine = data.json(&[
        "client",
        "update",
        "grafana",
        "--grant",
        "client_credentials",
        "--scope",
        "read",
    ]);
    assert_eq!(
        (&machine["redirect_uris"], &machine["consent"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn g07_g11_n10_what_is_refused_is_said_and_nothing_is_stored() {
    let data = Data::new();
    let create = |options: &[&str]| data.run(&[&["client", "create", "app"], options].concat());
    for (options, said) in [
        (
            &["--redirect-uri", "https://app.example/cb#x"][..],
            "without fragment",
        ),
        (&["--redirect-uri", "javascript:alert(1)"][..], "redirect_uris"),
        (&["--redirect-uri", "http://app.example/cb"][..], "127.0.0.1"),
        (&["--redirect-uri", "com.example.app:/cb"][..], "native"),
        (
            &[
                "--redirect-uri",
                CALLBACK,
                "--backchannel-logout-uri",
                "http://127.0.0.1:22",
            ][..],
            "reached publicly",
        ),
        (
            &[
                "--redirect-uri",
                CALLBACK,
                "--backchannel-logout-uri",
                "https://10.0.0.1/",
            ][..],
            "reached publicly",
        ),
        (
            &["--redirect-uri", CALLBACK, "--public", "--require-pkce", "false"][..],
            "PKCE",
        ),
        (&["--grant", "authorization_code"][..], "redirect_uris"),
        (&["--public"][..], "client_credentials"),
        (&["--refresh-idle", "3600"][..], "refresh_token"),
    ] {
        create(options).refused(1, said);
    }
    for (options, said) in [
        (&["--grant", "password"][..], "possible values"),
        (&["--public", "--subject-dn", "CN=ci"][..], "tls_client_auth"),
        (&["--public", "--auth-method", "client_secret_post"][..], "none"),
        (
            &["--native", "--application-type", "web"][..],
            "cannot be used with",
        ),
    ] {
        create(options).refused(2, said);
    }
    assert_eq!(data.json(&["client", "list"]), json!([]));
}

#[test]
fn g26_an_identifier_is_none_that_a_user_may_have() {
    let data = Data::new();
    let id = "7a6c1f0e5b3d42c8a9e0d1f2b3c4d5e6";
    data.run(&["client", "create", id]).refused(2, "id of a user");
    data.json(&["client", "create", "7a6c1f0e"]);
}
