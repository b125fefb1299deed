//! Clients and keys, on a database as the server leaves it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use crate::program::{Done, now, sealstone, text, with_input};
use sealstone_identity::DomainId;
use sealstone_keyring::{KeyEncryptionKey, RotationPolicy, RotationSettings, maintain};
use sealstone_oauth_types::{ClientId, Secret};
use sealstone_registry::{Client, ClientStore as _, Domain, DomainStore as _, Pepper};
use sealstone_storage::SqlStore;
use serde_json::Value;
use tempfile::TempDir;

const PEPPER: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
pub(crate) const KEK: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

fn private(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A data folder with the domain `demo` and its key ring.
pub(crate) struct Data(TempDir);

impl Data {
    pub(crate) fn new() -> Self {
        let data = Self(tempfile::tempdir().unwrap());
        private(&data.0.path().join("secrets/pepper"), PEPPER);
        private(&data.0.path().join("secrets/kek"), KEK);
        let policy = RotationPolicy::new(RotationSettings::default()).unwrap();
        let kek = KeyEncryptionKey::parse(KEK).unwrap();
        data.with_store(async |store| {
            let demo = Domain::new(DomainId::parse("demo").unwrap(), "Demo", true).unwrap();
            let _ = store.insert_domain(demo).await.unwrap();
            maintain(store, "demo", &policy, &kek, now()).await.unwrap();
        });
        data
    }

    pub(crate) fn with_store<T>(&self, work: impl AsyncFnOnce(&SqlStore) -> T) -> T {
        wait(async {
            let store = SqlStore::open(&self.0.path().join("sealstone.db")).await.unwrap();
            let done = work(&store).await;
            store.close().await;
            done
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        sealstone(&[arguments, &["--data", text(self.0.path())]].concat())
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--output", "json"]].concat()).json()
    }

    pub(crate) fn client(&self, id: &str) -> Arc<Client> {
        let id = ClientId::parse(id).unwrap();
        self.with_store(async |store| store.client(&id).await.unwrap().unwrap())
    }

    /// Whether the server would take this secret.
    fn takes(&self, id: &str, secret: &Value) -> bool {
        let secret = Secret::from(secret.as_str().unwrap().to_owned());
        let (client, pepper) = (self.client(id), Pepper::from_hex(PEPPER).unwrap());
        client.auth().secrets().unwrap().verify(&pepper, &secret, now())
    }
}

#[test]
fn a_client_with_a_secret_from_first_to_last() {
    let data = Data::new();
    let made = data.run(&[
        "client",
        "create",
        "exporter",
        "--scope",
        "metrics:read",
        "--output",
        "json",
    ]);
    assert!(made.err.contains("not shown again"), "{}", made.err);
    let made = made.json();
    assert_eq!(made["domain"], "demo");
    assert!(data.takes("exporter", &made["client_secret"]));
    data.run(&["client", "create", "exporter"]).refused(1, "already");

    let shown = data.json(&["client", "show", "exporter"]);
    assert_eq!(shown["client_secret"], Value::Null);
    assert_eq!(shown["token_endpoint_auth_method"], "client_secret_basic");

    let rotated = data.json(&["client", "rotate-secret", "exporter", "--overlap", "1h"]);
    assert!(
        data.takes("exporter", &made["client_secret"]) && data.takes("exporter", &rotated["client_secret"])
    );
    assert!(rotated["previous_secret_expires_at"].is_string());
    let again = data.json(&["client", "rotate-secret", "exporter", "--overlap", "0s"]);
    assert!(
        !data.takes("exporter", &rotated["client_secret"]) && data.takes("exporter", &again["client_secret"])
    );

    let changed = data.json(&[
        "client",
        "update",
        "exporter",
        "--name",
        "Exporter",
        "--token-lifetime",
        "120",
    ]);
    assert_eq!(
        (&changed["client_name"], &changed["scope"]),
        (&"Exporter".into(), &"metrics:read".into())
    );
    assert_eq!(changed["client_secret"], Value::Null);
    assert!(
        data.takes("exporter", &again["client_secret"]),
        "what is not named stays"
    );
    data.run(&["client", "update", "exporter", "--token-lifetime", "3600"])
        .refused(1, "900");
}

#[test]
fn clients_are_switched_off_and_on() {
    let data = Data::new();
    data.run(&["client", "create", "exporter"]).ok();
    assert_eq!(data.json(&["client", "disable", "exporter"])["enabled"], false);
    assert!(data.run(&["client", "list"]).ok().contains("disabled"));
    assert_eq!(data.json(&["client", "enable", "exporter"])["enabled"], true);
    assert!(
        data.run(&["client", "enable", "exporter"])
            .err
            .contains("Nothing to do")
    );
}

#[test]
fn a_deleted_client_is_gone() {
    let data = Data::new();
    data.run(&["client", "create", "exporter"]).ok();
    data.run(&["client", "delete", "exporter"]).refused(2, "--yes");
    data.run(&["client", "delete", "exporter", "--yes"]).ok();
    data.run(&["client", "show", "exporter"])
        .refused(1, "client list");
    assert_eq!(data.json(&["client", "list"]), serde_json::json!([]));
}

#[test]
fn clients_with_certificates_have_no_secret_and_bound_tokens() {
    let data = Data::new();
    let made = data.json(&["client", "create", "ci", "--subject-dn", "CN=ci,O=Example"]);
    assert_eq!(made["client_secret"], Value::Null);
    assert_eq!(made["tls_client_certificate_bound_access_tokens"], true);
    // Another subject replaces the first.
    let changed = data.json(&["client", "update", "ci", "--san-uri", "spiffe://example.org/ci"]);
    assert_eq!(changed["tls_client_auth_subject_dn"], Value::Null);
    assert_eq!(changed["tls_client_auth_san_uri"], "spiffe://example.org/ci");
    data.run(&["client", "create", "x", "--subject-dn", "CN=x", "--san-dns", "x"])
        .refused(2, "cannot be used with");
    data.run(&[
        "client",
        "create",
        "x",
        "--subject-dn",
        "CN=x",
        "--auth-method",
        "client_secret_basic",
    ])
    .refused(2, "does not go with");
    data.run(&["client", "rotate-secret", "ci"])
        .refused(1, "certificate");

    let out = data.0.path().join("probe");
    sealstone(&[
        "ca",
        "issue",
        "--self-signed",
        "--subject",
        "CN=probe",
        "--out",
        text(&out),
    ])
    .ok();
    let certificate = out.with_extension("pem");
    let probe = data.json(&["client", "create", "probe", "--certificate", text(&certificate)]);
    assert_eq!(probe["token_endpoint_auth_method"], "self_signed_tls_client_auth");
    assert_eq!(probe["jwks"]["keys"][0]["crv"], "P-256");
    assert_eq!(probe["jwks"]["keys"][0]["d"], Value::Null);

    // From a secret to a certificate and back: the binding comes, and stays.
    data.run(&["client", "create", "m"]).ok();
    let bound = data.json(&["client", "update", "m", "--san-dns", "m.example.org"]);
    assert_eq!(bound["tls_client_certificate_bound_access_tokens"], true);
    let back = data.json(&["client", "update", "m", "--auth-method", "client_secret_post"]);
    assert_eq!(back["tls_client_certificate_bound_access_tokens"], true);
    assert!(data.takes("m", &back["client_secret"]));
}

#[test]
fn a_registration_document_is_read_strictly() {
    let data = Data::new();
    let folder = text(data.0.path());
    let create = [
        "client",
        "create",
        "j",
        "--data",
        folder,
        "--output",
        "json",
        "--registration",
        "-",
    ];
    let document = br#"{"client_name": "J", "scope": "a b", "resources": ["https://r.example"]}"#;
    let made = with_input(&[&create[..], &["--scope", "a"]].concat(), document).json();
    assert_eq!((&made["client_name"], &made["scope"]), (&"J".into(), &"a".into()));
    with_input(&create, br#"{"client_nam": "J"}"#).refused(1, "did you mean `client_name`");
    with_input(&create, br#"{"token_endpoint_auth_method": "banana"}"#)
        .refused(1, "token_endpoint_auth_method");
    with_input(&create, b"[]").refused(1, "-");
}

#[test]
fn domains_are_named_when_there_are_several() {
    let data = Data::new();
    data.run(&["client", "create", "a", "--domain", "other"])
        .refused(1, "--new-domain");
    data.run(&["client", "create", "a", "--domain", "other", "--new-domain"])
        .ok();
    data.run(&["client", "create", "b"]).refused(2, "demo, other");
    data.run(&["client", "create", "b", "--domain", "demo"]).ok();
    assert_eq!(data.json(&["client", "list"]).as_array().unwrap().len(), 2);
    assert_eq!(
        data.json(&["client", "list", "--domain", "demo"])[0]["client_id"],
        "b"
    );
    let drawn = data.json(&["client", "create", "--domain", "demo"]);
    assert_eq!(drawn["client_id"].as_str().unwrap().len(), 32);
}

#[test]
fn keys_rotate_and_are_revoked() {
    let data = Data::new();
    let first = data.json(&["key", "list"]);
    assert_eq!(
        (&first[0]["state"], &first[0]["domain"]),
        (&"active".into(), &"demo".into())
    );
    let rotated = data.run(&["key", "rotate", "--output", "json"]);
    assert!(rotated.err.contains("signs from"), "{}", rotated.err);
    let states = |keys: &Value| -> Vec<String> {
        keys.as_array()
            .unwrap()
            .iter()
            .map(|key| key["state"].as_str().unwrap().to_owned())
            .collect()
    };
    // The successor, and the first key of the other algorithm.
    assert_eq!(states(&rotated.json()), ["active", "published", "published"]);
    let again = data.run(&["key", "rotate", "--output", "json"]);
    assert!(again.err.contains("was published already"), "{}", again.err);
    assert_eq!(states(&again.json()), ["active", "published", "published"]);

    let stolen = first[0]["kid"].as_str().unwrap();
    let after = data.json(&["key", "revoke", stolen]);
    assert_eq!(states(&after), ["revoked", "published", "published", "active"]);
    assert_eq!(data.json(&["key", "list"]), after);
    data.run(&["key", "revoke", stolen]).refused(1, "already revoked");
    data.run(&["key", "revoke", "nobody"]).refused(1, "key list");
    // Base64url may begin with a hyphen.
    data.run(&["key", "revoke", "-9nobody"]).refused(1, "key list");
    data.run(&["key", "revoke", "--isnobody"]).refused(1, "key list");
    data.run(&["key", "list", "--domain", "other"])
        .refused(1, "key ring");
}

#[test]
fn s05_secret_files() {
    let data = Data::new();
    let kek = data.0.path().join("secrets/kek");
    data.run(&["key", "list"]).ok();
    fs::set_permissions(&kek, fs::Permissions::from_mode(0o640)).unwrap();
    data.run(&["key", "list"]).refused(1, "chmod 600");
    private(&kek, "");
    data.run(&["key", "list"]).refused(1, "is empty");
    private(&kek, &KEK[..40]);
    data.run(&["key", "list"]).refused(1, "64 hexadecimal digits");
    private(&kek, PEPPER);
    data.run(&["key", "list"])
        .refused(1, "sealed under the key-encryption key");
    private(&kek.with_file_name("real"), KEK);
    fs::remove_file(&kek).unwrap();
    std::os::unix::fs::symlink("real", &kek).unwrap();
    data.run(&["key", "list"]).refused(1, "symbolic link");
    let pepper = data.0.path().join("secrets/pepper");
    fs::set_permissions(&pepper, fs::Permissions::from_mode(0o604)).unwrap();
    data.run(&["client", "create", "a"]).refused(1, "chmod 600");
    data.run(&["client", "create", "a", "--subject-dn", "CN=a"]).ok();
}

#[test]
fn s06_nothing_prints_key_material() {
    let data = Data::new();
    for output in ["table", "json"] {
        let done = data.run(&["key", "list", "--output", output]);
        let all = format!("{}{}", done.out, done.err);
        for secret in ["sealed", "PRIVATE", "\"d\"", KEK, PEPPER] {
            assert!(!all.contains(secret), "{secret}");
        }
    }
}

#[test]
fn a_server_configuration_names_the_same_places() {
    let data = Data::new();
    let file = data.0.path().join("sealstoned.toml");
    let config = "[server]\nbase_url = \"https://id.example.org\"\n[storage]\npath = \"sealstone.db\"\n[secrets]\n\
        pepper_file = \"secrets/pepper\"\nkey_encryption_key_file = \"secrets/kek\"\n[keys]\npublish_lead_s = 400\n";
    fs::write(&file, config).unwrap();
    let config = ["--config", text(&file), "--output", "json"];
    let run = |arguments: &[&str]| sealstone(&[arguments, &config[..]].concat());
    run(&["client", "create", "a"]).json();
    assert!(
        run(&["key", "rotate"]).err.contains("(in 6 min)"),
        "the server's own policy counts"
    );
    fs::write(&file, "[storage]\npath = \"sealstone.db\"\n").unwrap();
    run(&["client", "list"]).refused(1, "pepper_file");
    fs::write(&file, "[keys]\npublish_lead_s = \"long\"\n").unwrap();
    run(&["client", "list"]).refused(1, "sealstoned check");
}
