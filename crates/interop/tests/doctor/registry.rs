//! Keys and clients in the database.

use std::{fs, process::Command};

use sealstone_interop::{EXPIRED_AT, ServeSetup};
use sealstone_testkit::{CertificateSpec, KeyKind, TestKey};
use serde_json::json;

use crate::world::{Bench, Case, at, each_is_found, program};

#[test]
fn keys() {
    let mut bench = Bench::new();
    bench.register("ci", &[]);
    bench
        .diagnose(&["--only", "keys"])
        .has("keys-none", "domain demo");
    let server = bench.started();
    let only = ["--only", "keys"];
    let good = server.diagnose(&only);
    assert!(good.ids().is_empty(), "{good:?}");
    let more = [("", "[keys]\nalgorithms = ['ES256', 'RS256', 'EdDSA']")];
    server
        .with(&more, &only)
        .has("keys-algorithm-missing", "no active EdDSA key");
    let setup = server.0.setup();
    let other: String = sealstone_testkit::sha256(b"another")
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    setup.write_private("other-kek", &other);
    let other = [("key_encryption_key_file", "key_encryption_key_file = 'other-kek'")];
    server
        .with(&other, &only)
        .has("key-encryption-key-other", "domain demo");
    // Two months later, and nobody has rotated.
    if let Some(done) = server.at("+60d", &only) {
        done.has("keys-overdue", "was to be replaced");
    }
}

/// `sealstone` on this folder, so many days ago.
fn ago(setup: &ServeSetup, days: u32, arguments: &[&str]) -> bool {
    let mut program = program();
    let Some(program) = at(&mut program, &format!("-{days}d")) else {
        return false;
    };
    let output = program
        .args(arguments)
        .arg("--config")
        .arg(setup.path("sealstoned.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    true
}

#[test]
fn clients() {
    each_is_found(
        "clients",
        &[
            Case::new("client-secret-ends-soon", "client batch", |bench| {
                bench.register("batch", &[]);
                let output =
                    bench
                        .setup
                        .sealstone(&["client", "rotate-secret", "batch", "--expires-in", "3d"]);
                assert!(output.status.success(), "{output:?}");
            }),
            Case::new("client-certificate-ended", "client robot", |bench| {
                let key = TestKey::generate(KeyKind::P256);
                let old = CertificateSpec::client("robot")
                    .key(&key)
                    .not_after(EXPIRED_AT)
                    .self_signed();
                let der = base64_simd::STANDARD.encode_to_string(old.der());
                let mut jwk = key.public_jwk();
                jwk["x5c"] = json!([der]);
                bench
                    .setup
                    .write("jwks.json", &json!({"keys": [jwk]}).to_string());
                let path = bench.setup.path("jwks.json");
                let jwks = path.to_str().unwrap();
                bench.register(
                    "robot",
                    &["--auth-method", "self_signed_tls_client_auth", "--jwks", jwks],
                );
            }),
            Case::new("client-without-mtls", "client ci", |bench| {
                bench.register("ci", &["--subject-dn", "CN=ci"]);
                bench.setup.remove("server", "mtls_listen");
                bench.setup.remove("server", "mtls_base_url");
            }),
            Case::new("client-without-ca", "client ci", |bench| {
                bench.register("ci", &["--subject-dn", "CN=ci"]);
                bench.setup.remove("tls", "client_ca_files");
                bench.setup.remove("tls", "crl_files");
            }),
            Case::new(
                "client-without-people",
                "client grafana of domain demo",
                |bench| {
                    bench.register("grafana", &["--redirect-uri", "https://localhost/callback"]);
                },
            ),
            Case::new("client-without-keystone", "client tied", |bench| {
                bench.setup.set("keystone", "url", "'http://127.0.0.1:1/v3'");
                let key = TestKey::generate(KeyKind::P256);
                bench.setup.write_private("mint.pem", &key.pkcs8_pem());
                bench.setup.set("keystone.mint", "private_key_file", "'mint.pem'");
                let (user, project) = (
                    "6f1c3e0d9b7a4c52a1f0e8d7c6b5a493",
                    "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
                );
                bench.register(
                    "tied",
                    &[
                        "--subject-dn",
                        "CN=tied",
                        "--scope",
                        "openstack:api",
                        "--openstack-user",
                        user,
                        "--openstack-project",
                        project,
                        "--dangerous-without-keystone-check",
                    ],
                );
                bench.setup.remove_section("keystone.mint");
                bench.setup.remove_section("keystone");
            }),
            Case::new("client-algorithm-missing", "wants PS256", |bench| {
                bench.register("modern", &["--signing-alg", "PS256"]);
            }),
            Case::new("client-domain-disabled", "domain demo: 1 clients", |bench| {
                bench.register("ci", &[]);
                let script = "import sqlite3, sys, json\nc = sqlite3.connect(sys.argv[1])\n\
                (record,) = c.execute('SELECT record FROM domains').fetchone()\nd = json.loads(record)\n\
                assert d['enabled'] is True\nd['enabled'] = False\n\
                c.execute('UPDATE domains SET record = ?', (json.dumps(d),))\nc.commit()";
                let mut python = Command::new("python3");
                python.args(["-c", script]).arg(bench.setup.path("sealstone.db"));
                assert!(python.status().unwrap().success());
            }),
        ],
    );
    each_is_found(
        "dns",
        &[Case::new(
            "name-redirect-unknown",
            "https://nothing.invalid/cb",
            |bench| {
                bench.register("app", &["--redirect-uri", "https://nothing.invalid/cb"]);
            },
        )],
    );
}

/// What takes time to go wrong.
#[test]
fn clients_of_long_ago() {
    let bench = Bench::new();
    bench.register("first", &[]);
    fs::remove_file(bench.setup.path("audit.jsonl")).unwrap();
    if !ago(
        &bench.setup,
        200,
        &["client", "create", "forgotten", "--domain", "demo"],
    ) {
        return;
    }
    let rotate = ["client", "rotate-secret", "first", "--expires-in", "7d"];
    assert!(ago(&bench.setup, 100, &rotate));
    let done = bench.diagnose(&["--only", "clients"]);
    done.has("client-secret-ended", "client first");
    done.has("client-unused", "client forgotten");
}
