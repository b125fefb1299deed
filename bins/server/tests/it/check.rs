//! `sealstoned check`, and what `serve` refuses: each fault by key or file, with its reason and its remedy (S05).

mod administration;
mod keystone;
mod traces;

use crate::harness::{Process, Setup, World, in_seconds};
use sealstone_testkit::{CrlSpec, TestCa};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Output;

fn run(command: &str, setup: &Setup, environment: &[(&str, &str)]) -> Output {
    let config = setup.write_config();
    Process::command(&[command, "--config", config.to_str().unwrap()])
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// What `check` says to a configuration that can't be used; `serve` does not start with it.
fn refused(setup: &Setup, environment: &[(&str, &str)]) -> String {
    let said = ["check", "serve"].map(|command| {
        let output = run(command, setup, environment);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}: {}", setup.toml());
        assert_eq!(output.stdout, b"", "{said}");
        assert!(!said.contains("panicked"), "{said}");
        said
    });
    said[0].clone()
}

fn accepted(setup: &Setup, environment: &[(&str, &str)]) -> String {
    let output = run("check", setup, environment);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_good_configuration() {
    let mut setup = Setup::new();
    let said = accepted(&setup, &[]);
    for word in [
        "https://id.example.test/v4/oauth2/{domain_id}",
        "127.0.0.1:0",
        "https://mtls.id.example.test",
        "WITHOUT revocation lists",
        "will be made at the first start",
        "can be used",
    ] {
        assert!(said.contains(word), "{said}");
    }
    // Nothing is made by looking.
    assert!(!setup.path("sealstone.db").exists() && !setup.path("audit.jsonl").exists());
    let list = setup.ca.crl(&CrlSpec::new(1));
    setup.revocation_lists(&[&list]);
    assert!(accepted(&setup, &[]).contains("with revocation lists"));
    setup.unset("server", "mtls_listen");
    setup.unset("server", "mtls_base_url");
    assert!(accepted(&setup, &[]).contains("mutual TLS off"));
    assert!(accepted(&setup, &[]).contains("admin      127.0.0.1:0"));
    setup.set("server", "admin_listen", "'off'");
    assert!(accepted(&setup, &[]).contains("admin      off"));
    let back = ("SEALSTONE__SERVER__ADMIN_LISTEN", "127.0.0.3:7777");
    assert!(accepted(&setup, &[back]).contains("admin      127.0.0.3:7777"));
}

/// Files are found beside the configuration, wherever the program is started.
#[test]
fn a_configuration_named_without_a_folder() {
    let setup = Setup::new();
    let config = setup.write_config();
    let output = Process::command(&["check", "--config", "sealstoned.toml"])
        .current_dir(config.parent().unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A list that nobody renewed refuses every client with a certificate: `check` says so.
#[test]
fn a_late_revocation_list_is_told() {
    let mut setup = Setup::new();
    let late = setup.ca.crl(&CrlSpec::new(1).next_update(in_seconds(-60)));
    setup.revocation_lists(&[&late]);
    let said = accepted(&setup, &[]);
    assert!(said.contains("nextUpdate"), "{said}");
}

#[test]
fn the_environment_comes_before_the_file() {
    let setup = Setup::new();
    let said = accepted(&setup, &[("SEALSTONE__SERVER__LISTEN", "127.0.0.3:7777")]);
    assert!(said.contains("listens    127.0.0.3:7777"), "{said}");
    let said = refused(&setup, &[("SEALSTONE__SERVER__LISTEN", "banana")]);
    assert!(said.contains("`server.listen`"), "{said}");
    let said = refused(&setup, &[("SEALSTONE__SERVER__LISTN", "127.0.0.1:1")]);
    assert!(
        said.contains("`server.listn` is no key: did you mean `listen`?"),
        "{said}"
    );
    let lists = [("SEALSTONE__TLS__CLIENT_CA_FILES", "['clients.pem', 'none.pem']")];
    assert!(refused(&setup, &lists).contains("none.pem"));
}

/// The key and its value; words of the complaint.
#[test]
fn broken_values() {
    for (section, key, value, words) in [
        (
            "server",
            "base_url",
            "'http://id.example.test'",
            &["server.base_url", "https"][..],
        ),
        (
            "server",
            "base_url",
            "'https://id.example.test/'",
            &["server.base_url", "final slash"],
        ),
        (
            "server",
            "base_url",
            "'https://id.example.test?x=y'",
            &["server.base_url", "query"],
        ),
        ("server", "base_url", "''", &["server.base_url"]),
        (
            "server",
            "mtls_base_url",
            "'https://u@id.example.test'",
            &["server.mtls_base_url", "user"],
        ),
        ("server", "listen", "8443", &["`server.listen`"]),
        ("server", "listen", "'localhost'", &["`server.listen`", "address"]),
        (
            "server",
            "admin_listen",
            "'none'",
            &["`server.admin_listen`", "off"],
        ),
        ("server", "admin_listen", "false", &["`server.admin_listen`"]),
        (
            "server",
            "bse_url",
            "'x'",
            &["`server.bse_url` is no key", "`base_url`"],
        ),
        (
            "tls",
            "profile",
            "'nice'",
            &["`tls.profile`", "modern, fapi, custom"],
        ),
        ("tls", "versions", "['1.1']", &["`tls.versions", "1.2, 1.3"]),
        (
            "tls",
            "versions",
            "['1.3']",
            &["tls.versions", "tls.profile = \"custom\""],
        ),
        (
            "tls",
            "cipher_suites",
            "['TLS_NULL']",
            &["tls.cipher_suites", "custom"],
        ),
        (
            "tls",
            "certificate_file",
            "'nothing.pem'",
            &["nothing.pem", "No such file"],
        ),
        ("tls", "key_file", "'server.pem'", &["server.pem"]),
        (
            "tls",
            "client_ca_files",
            "['nothing.pem']",
            &["tls.client_ca_files", "nothing.pem"],
        ),
        (
            "tls",
            "crl_files",
            "['nothing.crl']",
            &["tls.crl_files", "nothing.crl"],
        ),
        (
            "tls",
            "crl_files",
            "['clients.pem']",
            &["tls.crl_files", "clients.pem", "X509 CRL"],
        ),
        (
            "storage",
            "path",
            "'nothing/x.db'",
            &["storage.path", "does not exist", "make it"],
        ),
        (
            "storage",
            "path",
            "'server.pem'",
            &["server.pem", "not an SQLite database"],
        ),
        (
            "secrets",
            "pepper_file",
            "'nothing'",
            &["secrets.pepper_file", "openssl rand -hex 32"],
        ),
        (
            "secrets",
            "key_encryption_key_file",
            "'nothing'",
            &["secrets.key_encryption_key_file", "openssl"],
        ),
        (
            "keys",
            "algorithms",
            "['HS256']",
            &["`keys.algorithms", "HS256", "ES256"],
        ),
        ("keys", "algorithms", "[]", &["[keys]"]),
        ("keys", "retire_lifetime_s", "10", &["[keys]", "retire_lifetime"]),
        ("keys", "publish_lead_s", "1", &["[keys]", "publish_lead"]),
        (
            "limits",
            "max_connections",
            "0",
            &["limits.max_connections", "at least 1"],
        ),
        (
            "limits",
            "max_connections_per_address",
            "0",
            &["limits.max_connections_per_address"],
        ),
        (
            "limits",
            "requests_per_s_per_address",
            "0",
            &["limits.requests_per_s_per_address"],
        ),
        (
            "limits",
            "body_deadline_s",
            "0",
            &["limits.body_deadline_s", "1 to 20"],
        ),
        ("limits", "idle_timeout_s", "0", &["limits.idle_timeout_s"]),
        (
            "limits",
            "insecure_unlimited_networks",
            "['10.0.0.1/8']",
            &["limits.insecure_unlimited_networks"],
        ),
        ("proxy", "form", "'rfc9440'", &["trusted_networks", "missing"]),
        ("log", "level", "'loud'", &["`log.level`", "debug"]),
        ("banana", "x", "1", &["`banana` is no key"]),
    ] {
        let mut setup = Setup::new();
        setup.set(section, key, value);
        let said = refused(&setup, &[]);
        for word in words {
            assert!(
                said.contains(word),
                "{section}.{key} = {value}: no {word:?} in {said}"
            );
        }
        let (head, last) = said.trim_end().rsplit_once(": ").unwrap_or_default();
        assert!(!head.contains(last) || last.is_empty(), "said twice: {said}");
    }
    let mut setup = Setup::new();
    setup.unset("server", "mtls_base_url");
    let said = refused(&setup, &[]);
    assert!(
        said.contains("server.mtls_listen and server.mtls_base_url belong together"),
        "{said}"
    );
    setup.unset("server", "base_url");
    assert!(refused(&setup, &[]).contains("`server.base_url` is missing"));
}

#[test]
fn several_faults_are_told_at_once() {
    let mut setup = Setup::new();
    setup.set("server", "base_url", "'http://x'");
    setup.set("limits", "max_connections", "0");
    setup.set("storage", "path", "'nothing/x.db'");
    fs::remove_file(setup.path("pepper")).unwrap();
    let said = refused(&setup, &[]);
    for word in ["server.base_url", "limits.max_connections", "secrets.pepper_file"] {
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn no_configuration() {
    let output = Process::command(&["check", "--config", "/nothing.toml"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("/nothing.toml") && said.contains("--config FILE"),
        "{said}"
    );
    let setup = Setup::new();
    let config = setup.write_config();
    fs::write(&config, "[server\n").unwrap();
    let output = Process::command(&["check", "--config", config.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        Process::command(&["serve"]).output().unwrap().status.code(),
        Some(2)
    );
}

/// S05: the server's key, the pepper and the key-encryption key.
#[test]
fn s05_key_files() {
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for name in ["server.key", "pepper", "kek", "proxy.secret"] {
        let mut setup = Setup::new();
        setup.write_private("proxy.secret", "0123456789abcdef0123456789abcdef");
        for (key, value) in [
            ("trusted_networks", "['127.0.0.9']"),
            ("form", "'rfc9440'"),
            ("secret_header", "'X-Proxy-Secret'"),
            ("secret_file", "'proxy.secret'"),
        ] {
            setup.set("proxy", key, value);
        }
        accepted(&setup, &[]);
        let path = setup.path(name);
        let good = fs::read_to_string(&path).unwrap();
        for open in [0o640, 0o604, 0o620, 0o660, 0o644] {
            mode(&path, open);
            let said = refused(&setup, &[]);
            assert!(
                said.contains(name) && said.contains("chmod 600"),
                "{open:o}: {said}"
            );
        }
        mode(&path, 0o400);
        accepted(&setup, &[]);
        mode(&path, 0o600);
        for (text, word) in [("", "empty"), (&good[..good.len() / 2], name), ("nonsense", name)] {
            fs::write(&path, text).unwrap();
            let said = refused(&setup, &[]);
            assert!(
                said.contains(name) || said.contains("at least 32"),
                "{name} {text:?}: {said}"
            );
            assert!(
                said.contains(word) || said.contains("at least 32"),
                "{name} {text:?}: {said}"
            );
            // What stands in a key file is nobody's to read.
            assert!(
                text.len() < 9 || !said.contains(&text[..text.len().min(40)]),
                "{said}"
            );
        }
        fs::remove_file(&path).unwrap();
        assert!(refused(&setup, &[]).contains(name));
        fs::create_dir(&path).unwrap();
        assert!(refused(&setup, &[]).contains(name));
        fs::remove_dir(&path).unwrap();
        setup.write_private("elsewhere", &good);
        symlink(setup.path("elsewhere"), &path).unwrap();
        let said = refused(&setup, &[]);
        assert!(said.contains(name) && said.contains("symbolic link"), "{said}");
        fs::remove_file(&path).unwrap();
        setup.write_private(name, &good);
        accepted(&setup, &[]);
    }
    // Two private keys: nobody says which is meant.
    let setup = Setup::new();
    let good = fs::read_to_string(setup.path("server.key")).unwrap();
    setup.write_private("server.key", format!("{good}{good}"));
    assert!(refused(&setup, &[]).contains("has 2 private keys"));
    // The key of another certificate.
    setup.write_private("server.key", TestCa::new("Others").server().key_pem());
    assert!(refused(&setup, &[]).contains("does not belong to"));
}

/// Another key-encryption key than the one that sealed the keys: the server says so, and touches nothing.
#[tokio::test]
async fn s05_another_key_encryption_key() {
    let mut world = World::start().await;
    let kek = fs::read_to_string(world.setup.path("kek")).unwrap();
    world.process.stop().await;
    let other: String = kek.chars().rev().collect();
    world.setup.write_private("kek", &other);
    let output = run("serve", &world.setup, &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("key-encryption key"), "{said}");
    assert!(!said.contains(&other), "{said}");
    world.setup.write_private("kek", &kek);
    world.start_again().await;
    world.end().await;
}

/// Two servers on one port: the second says which key to change.
#[tokio::test]
async fn a_taken_port() {
    let mut world = World::start().await;
    let taken = world.public.to_string();
    let output = run("serve", &world.setup, &[("SEALSTONE__SERVER__LISTEN", &taken)]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("server.listen") && said.contains(&taken) && said.contains("another program"),
        "{said}"
    );
    assert!(world.process.is_alive());
    world.end().await;
}
