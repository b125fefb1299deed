//! What these tests ask of a server.

use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sealstone_interop::{Answer, ServeServer, ServeSetup};
use sealstone_jose::{Algorithm, JwtEncoder, KeyId, PrivateKey, Signer};
use sealstone_testkit::TestCertificate;
use serde_json::Value;

/// What anything may take on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
pub(crate) const AUDIENCE: &str = "https://metrics.example";

/// Until it holds; how long that took.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        std::thread::sleep(LOOK_AGAIN);
    }
    begun.elapsed()
}

/// A client that gets tokens, and one that may ask about them.
pub(crate) fn register(setup: &ServeSetup) {
    let _machine = setup.register(
        "machine",
        &[
            "--subject-dn",
            "CN=machine",
            "--scope",
            "metrics:read",
            "--resource",
            AUDIENCE,
        ],
    );
    let _gateway = setup.register(
        "gateway",
        &["--subject-dn", "CN=gateway", "--introspection", "domain"],
    );
}

/// `sealstone` as JSON.
#[track_caller]
pub(crate) fn administer(setup: &ServeSetup, arguments: &[&str]) -> Value {
    let output = setup.sealstone(&[arguments, &["--output", "json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// `sealstone`, which must refuse; what it says.
#[track_caller]
pub(crate) fn refused(setup: &ServeSetup, arguments: &[&str]) -> String {
    let output = setup.sealstone(arguments);
    assert!(!output.status.success(), "{arguments:?}: {}", said(&output));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn said(output: &Output) -> String {
    let [out, error] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{error}")
}

/// The key that signs with `algorithm`, by `sealstone key list`.
#[track_caller]
pub(crate) fn active(setup: &ServeSetup, algorithm: &str) -> String {
    let keys = administer(setup, &["key", "list", "--domain", "demo"]);
    let keys = keys.as_array().unwrap();
    let key = keys
        .iter()
        .find(|key| key["alg"] == algorithm && key["state"] == "active");
    key.unwrap()["kid"].as_str().unwrap().to_owned()
}

pub(crate) fn ask_for_token(server: &ServeServer) -> Answer {
    ask_with(server, &server.setup().ca().client("machine"))
}

/// A token that is bound to this very certificate.
pub(crate) fn ask_with(server: &ServeServer, certificate: &TestCertificate) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "machine"),
        ("scope", "metrics:read"),
        ("resource", AUDIENCE),
    ];
    let https = server.holder(certificate);
    https.post(&server.mtls_url("/token"), &[], &form).unwrap()
}

#[track_caller]
pub(crate) fn token(server: &ServeServer) -> String {
    access_token(&ask_for_token(server))
}

#[track_caller]
pub(crate) fn access_token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

#[track_caller]
pub(crate) fn is_active(server: &ServeServer, token: &str) -> bool {
    let certificate = server.setup().ca().client("gateway");
    let form = [("client_id", "gateway"), ("token", token)];
    let answer = server
        .holder(&certificate)
        .post(&server.mtls_url("/introspect"), &[], &form);
    let answer = answer.unwrap();
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), server.said());
    answer.json()["active"] == true
}

fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    let octets = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).unwrap();
    serde_json::from_slice(&octets).unwrap()
}

/// Which key signed it.
pub(crate) fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

/// The thief's: everything as in a token that he saw, under another `jti`.
pub(crate) fn forged(seen: &str, stolen: &str, jti: &str) -> String {
    let key = PrivateKey::from_pkcs8_pem(Algorithm::Es256, stolen).unwrap();
    let signer = Signer::new(&key, KeyId::parse(&kid(seen)).unwrap()).unwrap();
    let encoder = JwtEncoder::new(Arc::new(signer), "at+jwt").unwrap();
    let mut claims = part(seen, 1);
    claims["jti"] = jti.into();
    encoder.encode_to_string(&claims).unwrap()
}

/// The key set of a server, and its revocation document.
pub(crate) fn published(server: &ServeServer) -> (Vec<String>, Vec<String>) {
    let get = |path| server.https().get(&server.public_url(path), &[]).unwrap().json();
    let texts = |values: &Value, member: Option<&str>| {
        let values = values.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| {
            member
                .map_or(value, |member| &value[member])
                .as_str()
                .map(str::to_owned)
        };
        values.iter().filter_map(text).collect()
    };
    let (keys, document) = (get("/jwks"), get("/jwks/revocation"));
    (
        texts(&keys["keys"], Some("kid")),
        texts(&document["revoked_keys"], None),
    )
}
