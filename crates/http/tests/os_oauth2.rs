//! `POST /v3/OS-OAUTH2/token` beside what Keystone itself answers, and what we do otherwise.

use std::collections::BTreeMap;

use crate::support::{Answer, Ask, GRANT, World, basic, secret};
use sealstone_audit::{Action, Outcome};
use sealstone_identity::Refusal;
use sealstone_mtls::KeystoneThumbprint;
use sealstone_testkit::{
    Asked, CertificateSpec, FakeIdentity, IdentityFault, TestCa, TestCertificate, unix_time,
};
use serde::Deserialize;
use serde_json::{Value, json};

const PATH: &str = "/v3/OS-OAUTH2/token";

#[derive(Deserialize)]
struct Captured {
    exchanges: Vec<Exchange>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    name: String,
    method: String,
    #[serde(default)]
    query: String,
    basic: Option<String>,
    authorization: Option<String>,
    content_type: Option<String>,
    body: Option<String>,
    certificate: Option<String>,
    status: u16,
    answer: Option<Value>,
}

/// What Keystone answers otherwise, and why we do not.
fn differences() -> BTreeMap<&'static str, (u16, Value, &'static str)> {
    let required = json!({"error": "invalid_client", "error_description": "The request you have made requires authentication."});
    let failed = json!({"error": "invalid_client", "error_description": "Client authentication failed."});
    let other_grant = json!({
        "error": "unsupported_grant_type", "error_description": "The parameter grant_type is not supported."
    });
    let no_grant =
        json!({"error": "invalid_request", "error_description": "The parameter grant_type is required."});
    let no_method = json!({"error": "other_error", "error_description": "The method is not allowed for the requested URL."});
    BTreeMap::from([
        (
            "oauth2 unknown client",
            (401, required.clone(), "404 tells which ids exist"),
        ),
        (
            "oauth2 other grant_type",
            (400, other_grant, "input is never repeated"),
        ),
        (
            "oauth2 empty grant_type",
            (
                400,
                no_grant,
                "an empty parameter counts as not sent (RFC 6749 §3.2)",
            ),
        ),
        (
            "oauth2 method OPTIONS",
            (405, no_method, "there is nothing to tell that 405 does not"),
        ),
        (
            "mtls nginx: twin-issuer",
            (401, failed, "an authority is trusted by its key, not by its name"),
        ),
        (
            "mtls nginx: user disabled",
            (401, required.clone(), "a token that is dead at birth"),
        ),
        (
            "mtls nginx: default project disabled",
            (401, required, "as for a user who is disabled"),
        ),
        (
            "mtls nginx: expired",
            (
                401,
                json!({
                    "error": "invalid_client", "error_description": "Client authentication failed."
                }),
                "the client is told in JSON, not by nginx in HTML",
            ),
        ),
    ])
}

/// Keystone's state at each exchange: what the capture had changed there.
fn fault(name: &str) -> Option<IdentityFault> {
    Some(IdentityFault::Refused(match name {
        "oauth2 wrong secret"
        | "oauth2 unknown client"
        | "oauth2 expired application credential"
        | "oauth2 owner disabled" => Refusal::Credential,
        "mtls nginx: no role on the default project" => Refusal::NoRole,
        "mtls nginx: user disabled" | "mtls nginx: default project disabled" => Refusal::User,
        _ => return None,
    }))
}

fn certificate(world: &World, name: &str) -> TestCertificate {
    match name {
        "ci-bot" | "ci-bot-second" => world.ca.client("ci-bot"),
        "self-signed" => CertificateSpec::client("ci-bot").self_signed(),
        "other-issuer" => TestCa::new("Other").client("ci-bot"),
        "twin-issuer" => TestCa::new("Clients").client("ci-bot"),
        "expired" => {
            let ended = unix_time(world.now() - 60);
            world.ca.issue(CertificateSpec::client("ci-bot").not_after(ended))
        }
        // Names that Keystone's mapping compares and finds wrong, or other users'.
        _ => world.ca.client("mallory"),
    }
}

/// A machine of a user of Keystone, as Keystone's own mutual-TLS clients are.
fn machine() -> Value {
    json!({
        "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "CN=ci-bot",
        "scope": "openstack:api", "openstack_user_id": "u1", "openstack_project_id": "p1",
    })
}

/// A machine of an application credential that tokens are made for.
fn minted(method: &str) -> Value {
    json!({
        "token_endpoint_auth_method": method, "scope": "openstack:api",
        "openstack_application_credential_id": "ac1", "openstack_user_id": "u1", "openstack_project_id": "p1",
        "openstack_minted": true,
    })
}

async fn world() -> (World, FakeIdentity) {
    let keystone = FakeIdentity::default();
    (World::beside(keystone.clone()).await, keystone)
}

fn ask() -> Ask {
    Ask::post(PATH)
}

fn error(answer: &Answer) -> (u16, String) {
    let code = answer.json()["error"].as_str().unwrap_or_default().to_owned();
    (answer.status.as_u16(), code)
}

#[tokio::test]
async fn answers_are_keystones_own_but_for_those_listed() {
    let captured: Captured = serde_json::from_str(include_str!("vectors/os_oauth2.json")).unwrap();
    let mut differences = differences();
    for exchange in captured.exchanges {
        let (world, keystone) = world().await;
        world.register("demo", "CIBOT", machine()).await;
        keystone.change(|answer| answer.application_credential = None);
        keystone.set_fault(fault(&exchange.name));
        let query = if exchange.query.is_empty() {
            String::new()
        } else {
            format!("?{}", exchange.query)
        };
        let mut ask = Ask::new(&exchange.method, &format!("{PATH}{query}"));
        if let Some(pair) = &exchange.basic {
            ask = ask.header("authorization", basic(pair));
        }
        if let Some(value) = &exchange.authorization {
            ask = ask.header("authorization", value);
        }
        if let Some(name) = &exchange.certificate {
            ask = ask.certificate(&certificate(&world, name));
        }
        let body = exchange.body.clone().unwrap_or_default();
        let ask = match &exchange.content_type {
            Some(other) => ask.header("content-type", other).body(body.into()),
            None => ask.form(body),
        };
        let answer = world.send(ask).await;
        let name = exchange.name.as_str();
        let (status, want) = match differences.remove(name) {
            Some((status, want, _reason)) => {
                assert_ne!(
                    (status, Some(&want)),
                    (exchange.status, exchange.answer.as_ref()),
                    "{name}"
                );
                (status, Some(want))
            }
            None => (exchange.status, exchange.answer.clone()),
        };
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
        let mut got = (exchange.method != "HEAD").then(|| answer.json());
        if let Some(token) = got.as_mut().and_then(|got| got.get_mut("access_token")) {
            *token = json!("TOKEN");
        }
        if exchange.method != "HEAD" {
            assert_eq!(got, want, "{name}");
        }
        assert_eq!(answer.headers["content-type"], "application/json", "{name}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{name}");
        assert!(answer.headers.contains_key("x-openstack-request-id"), "{name}");
        let challenge = answer.headers.get("www-authenticate");
        assert_eq!(challenge.is_some(), status == 401, "{name}");
        assert!(
            challenge.is_none_or(|value| value == "Basic realm=\"sealstone\""),
            "{name}"
        );
    }
    assert!(
        differences.is_empty(),
        "a difference that nothing shows: {differences:?}"
    );
}

#[tokio::test]
async fn who_comes_with_a_certificate_gets_a_token_bound_to_it() {
    let (world, keystone) = world().await;
    world.register("demo", "bound", machine()).await;
    keystone.change(|answer| answer.application_credential = None);
    let certificate = world.ca.client("ci-bot");
    let form = format!("{GRANT}&client_id=bound");
    let answer = world
        .send(ask().certificate(&certificate).form(form.as_str()))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let thumbprint = KeystoneThumbprint::of_der(certificate.der());
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(token, format!("keystone-token-bound-to-{thumbprint}"));
    let asked = Asked::MintedUser("u1".into(), "p1".into());
    assert_eq!(
        keystone.take_asked(),
        [asked.clone(), asked],
        "what it may, then the token"
    );

    // A certificate that ends soon takes the token with it.
    let ends = unix_time(world.now() + 120);
    let short = world.ca.issue(CertificateSpec::client("ci-bot").not_after(ends));
    let answer = world.send(ask().certificate(&short).form(form.as_str())).await;
    assert_eq!(answer.json()["expires_in"], 120);
    // Registered for unbound tokens: who authenticates by certificate gets none here.
    let mut unbound = machine();
    unbound["tls_client_certificate_bound_access_tokens"] = json!(false);
    world.register("demo", "unbound", unbound).await;
    let form = format!("{GRANT}&client_id=unbound");
    let answer = world.send(ask().certificate(&certificate).form(form)).await;
    assert!(
        answer.json()["access_token"]
            .as_str()
            .unwrap()
            .ends_with(&thumbprint.to_string())
    );
}

#[tokio::test]
async fn no_token_outlives_the_credential_that_it_stands_on() {
    let (world, keystone) = world().await;
    let mut ending = minted("tls_client_auth");
    ending["tls_client_auth_subject_dn"] = json!("CN=ci-bot");
    ending["openstack_application_credential_expires_at"] = json!(world.now() + 90);
    world.register("demo", "ending", ending).await;
    let certificate = world.ca.client("ci-bot");
    let form = format!("{GRANT}&client_id=ending");
    let answer = world
        .send(ask().certificate(&certificate).form(form.as_str()))
        .await;
    assert_eq!(answer.json()["expires_in"], 90, "{}", answer.text);
    // The end that Keystone tells counts too.
    keystone.change(|answer| answer.expires_at = Some(unix_time(world.now() + 40)));
    let answer = world
        .send(ask().certificate(&certificate).form(form.as_str()))
        .await;
    assert_eq!(answer.json()["expires_in"], 40, "{}", answer.text);
}

#[tokio::test]
async fn a_bound_token_is_never_replaced_by_an_unbound_one() {
    let (world, keystone) = world().await;
    let mut sealed = minted("tls_client_auth");
    sealed["tls_client_auth_subject_dn"] = json!("CN=ci-bot");
    sealed["openstack_application_credential_secret"] = json!("hush");
    sealed["openstack_minted"] = json!(false);
    world.register("demo", "sealed", sealed).await;
    world.register("demo", "user", machine()).await;
    let mut both = minted("client_secret_basic");
    both["tls_client_certificate_bound_access_tokens"] = json!(true);
    world.register("demo", "secret-and-bound", both).await;
    let certificate = world.ca.client("ci-bot");
    let form = format!("{GRANT}&client_id=sealed");
    let by_certificate = || ask().certificate(&certificate).form(form.as_str());

    // A credential whose secret is kept: Keystone would give an unbound token for it, so one is made.
    assert_eq!(world.send(by_certificate()).await.status, 200);
    let asked = keystone.take_asked();
    assert_eq!(
        asked[0],
        Asked::ApplicationCredential("ac1".into(), "hush".into())
    );
    assert_eq!(
        asked[1],
        Asked::MintedApplicationCredential("ac1".into(), "u1".into(), "p1".into())
    );

    keystone.cannot_bind();
    let answer = world.send(by_certificate()).await;
    assert_eq!(
        error(&answer),
        (400, "unauthorized_client".to_owned()),
        "{}",
        answer.text
    );
    assert!(
        answer.json()["error_description"]
            .as_str()
            .unwrap()
            .contains("[keystone.mint]")
    );
    // Registered for bound tokens, and came without a certificate; with one, its secret does not count.
    let answer = world.send(ask().basic("secret-and-bound").form(GRANT)).await;
    assert_eq!(
        error(&answer),
        (400, "invalid_request".to_owned()),
        "{}",
        answer.text
    );
    let with = ask()
        .basic("secret-and-bound")
        .certificate(&certificate)
        .form(GRANT);
    assert_eq!(error(&world.send(with).await), (401, "invalid_client".to_owned()));
    assert_eq!(world.granted(), 1);
}

#[tokio::test]
async fn a_registered_client_proves_itself_to_us_and_is_passed_on_to_nobody() {
    let (world, keystone) = world().await;
    world
        .register("demo", "ci-keystone", minted("client_secret_basic"))
        .await;
    world
        .register("elsewhere", "abroad", minted("client_secret_post"))
        .await;
    world.register("demo", "machine-user", machine()).await;
    let mut off = minted("client_secret_basic");
    off["enabled"] = json!(false);
    world.register("demo", "off-keystone", off).await;
    assert_eq!(
        world.send(ask().basic("ci-keystone").form(GRANT)).await.status,
        200
    );
    let form = format!("{GRANT}&client_id=abroad&client_secret={}", secret("abroad"));
    assert_eq!(
        world.send(ask().form(form)).await.status,
        200,
        "its domain is the registration's"
    );
    assert_eq!(keystone.take_asked().len(), 4);

    let post = |id: &str, secret: &str| ask().form(format!("{GRANT}&client_id={id}&client_secret={secret}"));
    let denied = [
        (
            "a wrong secret",
            ask().basic_with("ci-keystone", "wrong").form(GRANT),
        ),
        ("a wrong secret, elsewhere", post("abroad", "wrong")),
        ("by the other method", post("ci-keystone", &secret("ci-keystone"))),
        (
            "a secret from a client with a certificate",
            ask().basic_with("machine-user", "s").form(GRANT),
        ),
        ("disabled", ask().basic("off-keystone").form(GRANT)),
        (
            "no credential",
            ask().form(format!("{GRANT}&client_id=ci-keystone")),
        ),
        (
            "no certificate",
            ask().form(format!("{GRANT}&client_id=machine-user")),
        ),
        (
            "another certificate",
            ask()
                .certificate(&world.ca.client("mallory"))
                .form(format!("{GRANT}&client_id=machine-user")),
        ),
    ];
    for (what, ask) in denied {
        let answer = world.send(ask).await;
        assert_eq!(
            error(&answer),
            (401, "invalid_client".to_owned()),
            "{what}: {}",
            answer.text
        );
    }
    assert!(keystone.take_asked().is_empty(), "none of them reached Keystone");
    for (what, ask) in [
        ("no tie", ask().basic("ci").form(GRANT)),
        (
            "no tie, by certificate",
            ask()
                .certificate(&world.machine)
                .form(format!("{GRANT}&client_id=machine")),
        ),
    ] {
        let answer = world.send(ask).await;
        assert_eq!(
            error(&answer),
            (400, "unauthorized_client".to_owned()),
            "{what}: {}",
            answer.text
        );
    }
    assert!(keystone.take_asked().is_empty());
}

/// As Keystone's own `oauth2_cert_dn_mapping_id` has it: the certificate says which user it is.
#[tokio::test]
async fn a_certificate_is_mapped_to_its_user() {
    let (world, keystone) = world().await;
    let rules = json!({"rules": [{
        "local": [{"user": {"id": "{0}"}}],
        "remote": [{"type": "SSL_CLIENT_SUBJECT_DN_UID"},
                   {"type": "SSL_CLIENT_ISSUER_DN_CN", "any_one_of": ["Clients"]}],
    }]});
    let mapped = json!({
        "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "ci.example",
        "scope": "openstack:api", "openstack_mapping": rules, "openstack_project_id": "p1",
    });
    world.register("demo", "mapped", mapped).await;
    keystone.change(|answer| answer.application_credential = None);
    let certificate = |subject: &[(&str, &str)]| {
        let spec = CertificateSpec::client("ci")
            .subject(subject)
            .san_dns("ci.example");
        world.ca.issue(spec)
    };
    let by = |certificate: &TestCertificate| {
        ask()
            .certificate(certificate)
            .form(format!("{GRANT}&client_id=mapped"))
    };
    let own = certificate(&[("CN", "ci"), ("UID", "u1")]);
    let answer = world.send(by(&own)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let thumbprint = KeystoneThumbprint::of_der(own.der()).to_string();
    assert!(
        answer.json()["access_token"]
            .as_str()
            .unwrap()
            .ends_with(&thumbprint)
    );
    let asked = Asked::MintedUser("u1".into(), "p1".into());
    assert_eq!(keystone.take_asked(), [asked.clone(), asked]);

    let nobody = world.send(by(&certificate(&[("CN", "ci")]))).await;
    assert_eq!(
        error(&nobody),
        (400, "invalid_grant".to_owned()),
        "no UID: {}",
        nobody.text
    );
    assert!(keystone.take_asked().is_empty());
    // What Keystone says is another user than the certificate's.
    let other = world.send(by(&certificate(&[("CN", "ci"), ("UID", "u2")]))).await;
    assert_eq!(error(&other), (400, "invalid_grant".to_owned()), "{}", other.text);
    assert_eq!(world.granted(), 1);
}

/// Whether an id is registered can't be told from what is answered to a wrong secret.
#[tokio::test]
async fn f25_an_unknown_client_is_answered_as_a_wrong_secret_is() {
    let (world, keystone) = world().await;
    world
        .register("demo", "ci-keystone", minted("client_secret_basic"))
        .await;
    world.register("demo", "machine-user", machine()).await;
    keystone.set_fault(Some(IdentityFault::Refused(Refusal::Credential)));
    let mut answers = Vec::new();
    for id in [
        "ci-keystone",
        "machine-user",
        "nobody",
        "0123456789abcdef0123456789abcdef",
        "no/id",
        &"x".repeat(200),
    ] {
        let answer = world.send(ask().basic_with(id, "wrong").form(GRANT)).await;
        answers.push((answer.status, answer.text));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn nothing_is_granted_on_a_fault_of_keystone() {
    let (world, keystone) = world().await;
    world
        .register("demo", "ci-keystone", minted("client_secret_basic"))
        .await;
    let registered = || ask().basic("ci-keystone").form(GRANT);
    let passed_on = || {
        ask()
            .basic_with("0123456789abcdef0123456789abcdef", "s")
            .form(GRANT)
    };
    let faults = [
        (
            IdentityFault::Unavailable(Some(7)),
            503,
            "temporarily_unavailable",
            Some("7"),
        ),
        (
            IdentityFault::Malformed,
            503,
            "temporarily_unavailable",
            Some("2"),
        ),
        (IdentityFault::NotConfigured, 500, "server_error", None),
        (IdentityFault::Refused(Refusal::User), 401, "invalid_client", None),
    ];
    for (fault, status, code, retry) in faults {
        keystone.set_fault(Some(fault));
        for ask in [registered(), passed_on()] {
            let answer = world.send(ask).await;
            assert_eq!(error(&answer), (status, code.to_owned()), "{fault:?}");
            let wait = answer
                .headers
                .get("retry-after")
                .map(|value| value.to_str().unwrap());
            assert_eq!(wait, retry, "{fault:?}");
        }
    }
    keystone.set_fault(None);
    // Another user, or a credential that can make others, than was registered.
    keystone.change(|answer| answer.application_credential.as_mut().unwrap().restricted = false);
    assert_eq!(
        error(&world.send(registered()).await),
        (400, "invalid_grant".to_owned())
    );
    keystone.set_roles("p2", &["member"]);
    assert_eq!(
        error(&world.send(registered()).await),
        (400, "invalid_grant".to_owned())
    );
    assert_eq!(world.granted(), 0);
}

#[tokio::test]
async fn every_request_leaves_its_event_and_no_secret() {
    let (world, keystone) = world().await;
    let credential = "0123456789abcdef0123456789abcdef";
    assert_eq!(
        world
            .send(ask().basic_with(credential, "hush").form(GRANT))
            .await
            .status,
        200
    );
    keystone.set_fault(Some(IdentityFault::Refused(Refusal::Credential)));
    assert_eq!(
        world
            .send(ask().basic_with(credential, "hush").form(GRANT))
            .await
            .status,
        401
    );
    assert_eq!(world.send(ask().form("x=y")).await.status, 400);
    let events = world.events();
    let seen: Vec<_> = events
        .iter()
        .filter(|event| event.action != Action::RotateKey)
        .map(|event| {
            (
                event.action,
                event.outcome,
                event.reason.map(|reason| (reason.rule(), reason.detail())),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (Action::IssueKeystoneToken, Outcome::Success, None),
            (
                Action::IssueKeystoneToken,
                Outcome::Failure,
                Some(("keystone_refused", Some("credential_not_accepted")))
            ),
            (
                Action::IssueKeystoneToken,
                Outcome::Failure,
                Some(("malformed_request", None))
            ),
        ]
    );
    let written = format!("{events:?}");
    assert!(
        !written.contains("hush") && !written.contains("keystone-token"),
        "{written}"
    );
}

#[tokio::test]
async fn f26_guessing_secrets_of_application_credentials_ends() {
    let (world, keystone) = world().await;
    keystone.set_fault(Some(IdentityFault::Refused(Refusal::Credential)));
    let guess = || {
        ask()
            .basic_with("0123456789abcdef0123456789abcdef", "guess")
            .form(GRANT)
    };
    for _ in 0..10 {
        assert_eq!(world.send(guess()).await.status, 401);
    }
    assert_eq!(world.send(guess()).await.status, 429);
    assert_eq!(keystone.take_asked().len(), 10, "Keystone is not asked");
}

#[tokio::test]
async fn without_a_keystone_there_is_nothing_at_this_address() {
    let world = World::new().await;
    for ask in [ask().basic("ci").form(GRANT), Ask::get(PATH)] {
        let answer = world.send(ask).await;
        assert_eq!(answer.status, 404);
        assert_eq!(
            answer.json()["error_description"],
            "there is nothing at this address"
        );
    }
    assert_eq!(world.requests() + world.granted(), 0);
}
