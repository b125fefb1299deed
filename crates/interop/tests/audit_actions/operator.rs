//! What those do who run a server.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::Command;

use sealstone_interop::{DevServer, ServeServer, ServeSetup, built};
use sealstone_jose::{Algorithm, PrivateKey};
use serde_json::Value;

/// `sealstone` on the server's data, for what it does and not for what it prints.
fn administer(server: &DevServer, arguments: &[&str]) {
    let package = ["--package", "sealstone-cli", "--bin", "sealstone"];
    let done = Command::new(built("SEALSTONE", &package, "sealstone"))
        .args(arguments)
        .arg("--data")
        .arg(server.data())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{arguments:?}: {said}");
}

/// An administrator's day on the data of a demo.
pub(crate) fn administers(server: &DevServer) {
    let (copy, key) = (server.scratch("copy.db"), server.scratch("exported.pem"));
    let made = server.administer(&["client", "initial-token", "create", "--domain", "demo"]);
    let token = made["id"].as_str().unwrap();
    let keys = server.administer(&["key", "list", "--domain", "demo"]);
    let kid = keys[0]["kid"].as_str().unwrap();
    let out = key.to_str().unwrap();
    for arguments in [
        &["user", "create", "eve", "--no-password"][..],
        &["user", "disable", "eve"],
        &["user", "delete", "eve", "--yes"],
        &["user", "reset-factors", "demo", "--yes"],
        &["db", "backup", "--to", copy.to_str().unwrap()],
        &["client", "initial-token", "revoke", token],
        &["key", "rotate", "--domain", "demo"],
        &["key", "export", kid, "--dangerous-private-key", "--out", out],
        &["key", "revoke", kid],
        // From here on there are two domains.
        &["client", "create", "extra", "--domain", "extra", "--new-domain"],
        &["client", "update", "extra", "--name", "Extra"],
        &["client", "delete", "extra", "--yes"],
    ] {
        administer(server, arguments);
    }
}

/// A server beside a Keystone that does not answer, of whose administrators two agree on keys.
fn setup() -> ServeSetup {
    let mut setup = ServeSetup::new();
    setup.set("keys", "administrators_file", "'administrators.json'");
    setup.set("keystone", "url", "'http://127.0.0.1:9/v3'");
    setup.set("keystone", "dangerous_plain_http", "true");
    setup.set(
        "administration",
        "cloud_certificates",
        "['tls_client_auth_subject_dn=CN=operator']",
    );
    let mut public = Vec::new();
    for name in ["alice", "bob"] {
        let key = PrivateKey::generate(Algorithm::Es256).unwrap();
        setup.write_private(&format!("{name}.pem"), &key.to_pkcs8_pem().unwrap());
        public.push(key.public_jwk().clone().with_kid(name).unwrap().to_json());
    }
    setup.write(
        "administrators.json",
        &format!("{{\"keys\":[{}]}}", public.join(",")),
    );
    let _client = setup.register("ci", &[]);
    setup
}

#[track_caller]
fn done(setup: &ServeSetup, arguments: &[&str]) -> Value {
    let output = setup.sealstone(&[arguments, &["--output", "json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// A server's life, from its start to a power failure and a restore.
pub(crate) fn operates() -> ServeServer {
    let mut server = setup().start();
    server.wait_for_issuer();
    asks(&server);
    changes_keys(server.setup());
    server.configure(|setup| setup.set("limits", "requests_per_s_per_address", "77"));
    server.signal("HUP");
    server.wait_until_said("requests_per_s_per_address");
    let path = |server: &ServeServer, name: &str| server.setup().path(name).to_str().unwrap().to_owned();
    let copy = path(&server, "copy.db");
    done(server.setup(), &["db", "backup", "--to", &copy]);
    server.signal("TERM");
    assert!(server.ended());
    done(server.setup(), &["db", "restore", "--from", &copy]);
    let trail = path(&server, "audit.jsonl");
    let mut torn = OpenOptions::new().append(true).open(&trail).unwrap();
    torn.write_all(b"{\"action\":\"authenti").unwrap();
    server.restart(|_| {});
    // What is answered is in the trail, behind what was set aside.
    asks(&server);
    server
}

/// Over HTTP: who administers reads, and a client asks for a token of a Keystone that does not answer.
fn asks(server: &ServeServer) {
    let operator = server.holder(&server.setup().ca().client("operator"));
    for path in ["/clients", "/initial-access-tokens", "/keys"] {
        let read = operator.get(&server.mtls_url(path), &[]).unwrap();
        assert_eq!(read.status, 200, "{}", read.text());
    }
    let [public, _] = server.ports();
    let url = format!("https://localhost:{public}/v3/OS-OAUTH2/token");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "nobody"),
        ("client_secret", "nothing"),
    ];
    let refused = server.https().post(&url, &[], &form).unwrap();
    assert!(refused.status >= 400, "{}", refused.text());
}

/// A key comes in, another is revoked by two, and everything is sealed anew.
fn changes_keys(setup: &ServeSetup) {
    let path = |name: &str| setup.path(name).to_str().unwrap().to_owned();
    let key = PrivateKey::generate(Algorithm::Es256).unwrap();
    setup.write_private("elsewhere.pem", &key.to_pkcs8_pem().unwrap());
    let [elsewhere, alice, bob] = ["elsewhere.pem", "alice.pem", "bob.pem"].map(path);
    done(setup, &["key", "import", &elsewhere, "--domain", "demo"]);
    let keys = done(setup, &["key", "list", "--domain", "demo"]);
    let keys = keys.as_array().unwrap();
    let active = keys.iter().find(|key| key["state"] == "active").unwrap();
    let kid = active["kid"].as_str().unwrap();
    let as_alice = ["--as", "alice", "--administrator-key", &alice];
    let asked = setup.sealstone(&[["key", "revoke", kid].as_slice(), &as_alice].concat());
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    let waiting = done(setup, &["key", "requests"]);
    let request = waiting[0]["request"].as_str().unwrap();
    let as_bob = ["--as", "bob", "--administrator-key", &bob];
    done(setup, &[["key", "confirm", request].as_slice(), &as_bob].concat());
    done(setup, &["key", "rewrap"]);
    let text = fs::read_to_string(setup.path("audit.jsonl")).unwrap();
    assert!(text.contains(kid));
}
