//! `sealstone token` against a server that answers well, and against others.

use sealstone_jose::base64url;
use sealstone_mtls::CertificateThumbprint;
use serde_json::json;

use crate::{
    issuer::{Answer, Request, TestIssuer, write_private},
    program::{Done, sealstone, text, with_env},
};

/// A token that is bound to the certificate of the connection, if there was one.
fn bound(request: &Request) -> Answer {
    let cnf = request
        .certificate
        .as_ref()
        .map(|der| json!({"x5t#S256": CertificateThumbprint::of_der(der).to_string()}));
    let part = |value: serde_json::Value| base64url::encode(value.to_string());
    let token = format!(
        "{}.{}.c2ln",
        part(json!({"alg": "ES256"})),
        part(json!({"sub": "ci", "cnf": cnf}))
    );
    Answer::json(
        "200 OK",
        &json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": "a b"}),
    )
}

fn bearer(_: &Request) -> Answer {
    Answer::json(
        "200 OK",
        &json!({"access_token": "e30.e30.c2ln", "token_type": "bearer"}),
    )
}

impl TestIssuer {
    fn token(&self, more: &[&str]) -> Done {
        let ca = self.ca_pem();
        let mut all = vec![
            "token",
            "--issuer",
            &self.url,
            "--ca",
            text(&ca),
            "--client-id",
            "ci",
        ];
        all.extend(more);
        sealstone(&all)
    }

    fn with_certificate(&self, more: &[&str]) -> Done {
        let (certificate, key) = self.client("ci");
        self.token(&[&["--cert", text(&certificate), "--key", text(&key)], more].concat())
    }

    fn with_secret(&self, secret: &str, more: &[&str]) -> Done {
        let file = self.path("secret");
        write_private(&file, secret);
        self.token(&[&["--client-secret-file", text(&file)], more].concat())
    }
}

#[test]
fn a_certificate_goes_to_the_alias_and_the_token_is_bound() {
    let issuer = TestIssuer::start(bound);
    let done = issuer.with_certificate(&[
        "--scope",
        "a b",
        "--resource",
        "https://r.example",
        "--resource",
        "urn:x",
    ]);
    assert_eq!(done.err, "");
    let token = done.ok();
    assert_eq!(token.split('.').count(), 3);
    let request = issuer.token_requests().remove(0);
    assert!(
        request.certificate.is_some(),
        "the listener that asks for certificates"
    );
    assert!(
        !request.head.to_ascii_lowercase().contains("authorization"),
        "{}",
        request.head
    );
    for part in [
        "grant_type=client_credentials",
        "client_id=ci",
        "scope=a+b",
        "resource=https%3A%2F%2Fr.example",
        "resource=urn%3Ax",
    ] {
        assert!(request.body.contains(part), "{part}: {}", request.body);
    }
}

#[test]
fn every_format() {
    let issuer = TestIssuer::start(bound);
    let token = issuer.with_certificate(&[]).ok();
    assert_eq!(
        issuer.with_certificate(&["--format", "header"]).ok(),
        format!("Authorization: Bearer {token}")
    );
    let mut answer = issuer.with_certificate(&["--format", "json"]).json();
    let left = answer["expires_in"].as_u64().unwrap();
    assert!((3590..=3600).contains(&left), "what is left of it: {left}");
    answer["expires_in"] = 3600.into();
    assert_eq!(
        answer,
        json!({"access_token": token.trim_end(), "token_type": "Bearer", "expires_in": 3600, "scope": "a b"})
    );
    let lines = issuer.with_certificate(&["--format", "env"]).ok();
    assert!(
        lines.starts_with(&format!("export SEALSTONE_ACCESS_TOKEN='{}'\n", token.trim_end())),
        "{lines}"
    );
    assert!(
        lines.contains("\nexport SEALSTONE_ACCESS_TOKEN_EXPIRES_AT='"),
        "{lines}"
    );
}

#[test]
fn secrets_come_by_file_or_environment_and_never_by_argument() {
    let issuer = TestIssuer::start(bearer);
    issuer.with_secret("s3cr_t-\n", &[]).ok();
    let basic = format!("authorization: Basic {}", "Y2k6czNjcl90LQ==");
    assert!(
        issuer.token_requests()[0]
            .head
            .to_ascii_lowercase()
            .contains(&basic.to_ascii_lowercase())
    );
    issuer
        .with_secret("s", &["--auth-method", "client_secret_post"])
        .ok();
    assert!(issuer.token_requests()[1].body.contains("client_secret=s"));
    let ca = issuer.ca_pem();
    let all = [
        "token",
        "--issuer",
        &issuer.url,
        "--ca",
        text(&ca),
        "--client-id",
        "ci",
    ];
    with_env(&all, "SEALSTONE_CLIENT_SECRET", "s").ok();
    assert_eq!(issuer.token_requests().len(), 3);

    issuer
        .token(&["--client-secret", "s"])
        .refused(2, "--client-secret-file");
    issuer.with_secret("\n", &[]).refused(2, "empty");
    // Without a proof it is a person's token, if one has logged in.
    let home = issuer.path("home");
    with_env(&all, "HOME", text(&home)).refused(3, "--cert FILE and --key FILE");
    issuer.token(&["--cert", "x.pem"]).refused(2, "--key");
    assert_eq!(issuer.token_requests().len(), 3, "nothing was sent");
}

#[test]
fn a_secret_file_that_everybody_may_read_is_remarked() {
    use std::os::unix::fs::PermissionsExt as _;
    let issuer = TestIssuer::start(bearer);
    let file = issuer.path("secret");
    std::fs::write(&file, "s").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let done = issuer.token(&["--client-secret-file", text(&file)]);
    assert!(done.err.contains("chmod 600"), "{}", done.err);
    done.ok();
}

#[test]
fn a_token_that_is_not_bound_is_remarked() {
    let issuer = TestIssuer::start(bearer);
    let done = issuer.with_certificate(&[]);
    assert!(done.err.contains("not bound"), "{}", done.err);
    assert_eq!(done.ok(), "e30.e30.c2ln\n");
}

#[test]
fn refusals_are_explained() {
    let issuer = TestIssuer::start(|_| {
        Answer::json(
            "401 Unauthorized",
            &json!({"error": "invalid_client", "error_description": "no \u{1b}[31msuch client"}),
        )
    });
    let said = issuer
        .with_certificate(&[])
        .refused(1, "refused with invalid_client (no ");
    assert!(said.contains("registered") && !said.contains('\u{1b}'), "{said}");
}

#[test]
fn answers_that_are_none() {
    for (status, headers, body, said) in [
        ("200 OK", "", "hello".to_owned(), "did not answer as RFC 6749"),
        (
            "200 OK",
            "",
            json!({"access_token": "a b", "token_type": "Bearer"}).to_string(),
            "holds no bearer token",
        ),
        (
            "200 OK",
            "",
            json!({"access_token": "a'b", "token_type": "Bearer"}).to_string(),
            "holds no bearer token",
        ),
        (
            "200 OK",
            "",
            json!({"access_token": "a", "token_type": "mac"}).to_string(),
            "holds no bearer token",
        ),
        (
            "302 Found",
            "Location: https://evil.example/\r\n",
            String::new(),
            "redirects to https://evil.example/",
        ),
        (
            "307 Temporary Redirect",
            "Location: /\r\n",
            String::new(),
            "redirects",
        ),
        (
            "500 Internal Server Error",
            "",
            String::new(),
            "answered 500 Internal Server Error",
        ),
        ("200 OK", "", "x".repeat(2 * 1024 * 1024), "larger than 1 MiB"),
    ] {
        let issuer = TestIssuer::start(move |_| Answer(status, headers.to_owned(), body.clone()));
        issuer.with_certificate(&[]).refused(1, said);
    }
}

#[test]
fn metadata_of_another_issuer_are_refused() {
    let issuer = TestIssuer::with(bound, |path, _, _| {
        path.contains("well-known")
            .then(|| Answer::json("200 OK", &json!({"issuer": "https://evil.example"})))
    });
    issuer
        .with_certificate(&[])
        .refused(1, "those of https://evil.example");
    assert!(issuer.token_requests().is_empty());
}

#[test]
fn discovery_falls_back_to_openid_and_endpoints_must_be_https() {
    let issuer = TestIssuer::with(bound, |path, base, _| match path {
        "/.well-known/oauth-authorization-server" => Some(Answer::json("404 Not Found", &"{}")),
        "/.well-known/openid-configuration" => Some(Answer::json(
            "200 OK",
            &json!({"issuer": base, "token_endpoint": format!("{base}/token")}),
        )),
        _ => None,
    });
    let done = issuer.with_certificate(&[]);
    assert!(
        done.err.contains("not bound"),
        "no alias, so no certificate was asked for: {}",
        done.err
    );
    done.ok();

    let plain = TestIssuer::with(bound, |path, base, _| {
        path.contains("well-known").then(|| {
            let token = base.replace("https", "http") + "/token";
            Answer::json("200 OK", &json!({"issuer": base, "token_endpoint": token}))
        })
    });
    plain.with_certificate(&[]).refused(1, "no https address");
    let ca = plain.ca_pem();
    let http = plain.url.replace("https", "http");
    sealstone(&["token", "--issuer", &http, "--ca", text(&ca), "--client-id", "ci"])
        .refused(2, "is no issuer");
}

#[test]
fn connections_that_fail_say_what_helps() {
    let issuer = TestIssuer::start(bound);
    let (certificate, key) = issuer.client("ci");
    let pair = ["--cert", text(&certificate), "--key", text(&key)];
    let other = TestIssuer::start(bound);
    let wrong = other.ca_pem();
    let base = ["token", "--issuer", &issuer.url, "--client-id", "ci"];
    sealstone(&[&base[..], &["--ca", text(&wrong)], &pair[..]].concat())
        .refused(1, "name its CA by --ca FILE");
    let nobody = [
        "token",
        "--issuer",
        "https://127.0.0.1:1",
        "--client-id",
        "ci",
        "--ca",
        text(&wrong),
    ];
    let said = sealstone(&[&nobody[..], &pair[..]].concat()).refused(1, "is sealstoned running?");
    assert!(said.contains("sealstoned serve --config FILE"), "{said}");
    // By the name of the machine, which the certificate does not have.
    let named = issuer.url.replace("127.0.0.1", "localhost");
    let ca = issuer.ca_pem();
    let named = [
        "token",
        "--issuer",
        &named,
        "--client-id",
        "ci",
        "--ca",
        text(&ca),
    ];
    sealstone(&[&named[..], &pair[..]].concat()).refused(1, "is for other names");
    let unknown = [
        "token",
        "--issuer",
        "https://id.invalid",
        "--client-id",
        "ci",
        "--ca",
        text(&ca),
    ];
    sealstone(&[&unknown[..], &pair[..]].concat()).refused(1, "the name is not known");

    let (_, stranger) = issuer.client("stranger");
    issuer
        .token(&["--cert", text(&certificate), "--key", text(&stranger)])
        .refused(1, "give the pair");
    issuer
        .token(&["--cert", text(&key), "--key", text(&key)])
        .refused(1, "holds no certificate");
    issuer
        .token(&["--cert", text(&certificate), "--key", text(&certificate)])
        .refused(1, "holds no private key");
    let (foreign, foreign_key) = other.client("ci");
    issuer
        .token(&["--cert", text(&foreign), "--key", text(&foreign_key)])
        .refused(1, "check the certificate and key");
}

#[test]
fn a_demo_folder_says_it_all() {
    let issuer = TestIssuer::start(bound);
    let (certificate, key) = issuer.client("machine");
    let file = json!({
        "issuer": issuer.url, "mtls_base": "https://unused", "ca": issuer.ca_pem(),
        "clients": [
            {"name": "machine", "client_id": "m1", "auth": "tls_client_auth", "cert": certificate, "key": key,
             "client_secret": null, "scope": "demo:read"},
            {"name": "secret", "client_id": "s1", "auth": "client_secret_post", "cert": null, "key": null,
             "client_secret": "s", "scope": "demo:read"},
        ],
    });
    write_private(&issuer.path("dev.json"), &file.to_string());
    let folder = issuer.path("");
    let dev = ["token", "--dev", text(&folder), "--client"];
    sealstone(&[&dev[..], &["machine"]].concat()).ok();
    sealstone(&[&dev[..], &["secret", "--scope", "other"]].concat()).ok();
    let requests = issuer.token_requests();
    assert!(requests[0].body.contains("client_id=m1") && requests[0].body.contains("scope=demo%3Aread"));
    assert!(requests[1].body.contains("client_secret=s") && requests[1].body.contains("scope=other"));
    sealstone(&[&dev[..], &["nobody"]].concat()).refused(2, "machine, secret");
    sealstone(&["token", "--dev", "/does/not/exist", "--client", "a"]).refused(1, "sealstoned dev");
    sealstone(&["token", "--dev", text(&folder)]).refused(1, "--client");
}

#[test]
fn a_demo_server_that_is_not_running_is_said_so() {
    let issuer = TestIssuer::start(bound);
    let other = TestIssuer::start(bound);
    let (certificate, key) = issuer.client("machine");
    let folder = issuer.path("");
    let ask = |at: &str| {
        let file = json!({
            "issuer": at, "mtls_base": "https://unused", "ca": issuer.ca_pem(),
            "clients": [{"name": "machine", "client_id": "m1", "auth": "tls_client_auth", "cert": certificate,
                "key": key, "client_secret": null, "scope": "demo:read"}],
        });
        write_private(&issuer.path("dev.json"), &file.to_string());
        sealstone(&["token", "--dev", text(&folder), "--client", "machine"])
    };
    ask(&issuer.url).ok();
    let start = format!(
        "is sealstoned running? Start it with `sealstoned dev --data {}`",
        text(&folder)
    );
    ask("https://127.0.0.1:1").refused(1, &start);
    ask(&other.url).refused(1, "another server than that of");
}
