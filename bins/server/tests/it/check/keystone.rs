//! `[keystone]`: what is refused, and that a Keystone that is away stops nobody from starting.

use super::{accepted, refused};
use crate::harness::Setup;
use sealstone_testkit::{KeyKind, TestKey};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

/// Nobody listens there.
const NOBODY: &str = "'http://127.0.0.1:9'";

fn beside() -> Setup {
    let mut setup = Setup::new();
    setup.write_private("service.secret", "hush");
    setup.write_private("mint.pem", TestKey::generate(KeyKind::P256).pkcs8_pem());
    for (section, key, value) in [
        ("keystone", "url", NOBODY),
        ("keystone", "call_deadline_s", "1"),
        ("keystone.service", "application_credential_id", "'ac1'"),
        (
            "keystone.service",
            "application_credential_secret_file",
            "'service.secret'",
        ),
        ("keystone.mint", "private_key_file", "'mint.pem'"),
    ] {
        setup.set(section, key, value);
    }
    setup
}

#[test]
fn a_keystone_that_is_away_is_told_and_stops_nobody() {
    let setup = beside();
    let said = accepted(&setup, &[]);
    for word in [
        "keystone   http://127.0.0.1:9, CAN'T BE ASKED now",
        "revocations are asked for every 2 s",
        "makes Keystone tokens under the key",
        "can be used",
    ] {
        assert!(said.contains(word), "{said}");
    }
    assert!(!said.contains("hush"), "{said}");
    let mut setup = Setup::new();
    setup.set("keystone", "url", NOBODY);
    let said = accepted(&setup, &[]);
    for word in [
        "not followed ([keystone.service])",
        "within 10 s",
        "no [keystone.mint]",
    ] {
        assert!(said.contains(word), "{said}");
    }
}

/// The key and its value; words of the complaint.
#[test]
fn broken_values() {
    for (section, key, value, words) in [
        (
            "keystone",
            "url",
            "'keystone.example'",
            &["keystone.url", "https"][..],
        ),
        (
            "keystone",
            "url",
            "'http://keystone.example:5000'",
            &["keystone.url", "readable"],
        ),
        (
            "keystone",
            "url",
            "'https://user@keystone.example'",
            &["keystone.url"],
        ),
        (
            "keystone",
            "url",
            "'https://keystone.example'",
            &["keystone.ca_file", "missing"],
        ),
        (
            "keystone",
            "ca_file",
            "'none.pem'",
            &["keystone.ca_file", "none.pem"],
        ),
        ("keystone", "ca_file", "'pepper'", &["keystone.ca_file"]),
        (
            "keystone",
            "identity_cache_s",
            "0",
            &["keystone.identity_cache_s", "1 to 60"],
        ),
        (
            "keystone",
            "identity_cache_s",
            "3600",
            &["keystone.identity_cache_s", "1 to 60"],
        ),
        (
            "keystone",
            "revocation_poll_s",
            "0",
            &["keystone.revocation_poll_s"],
        ),
        (
            "keystone",
            "call_deadline_s",
            "60",
            &["keystone.call_deadline_s", "1 to 20"],
        ),
        ("keystone", "max_calls", "0", &["keystone.max_calls"]),
        (
            "keystone",
            "urk",
            "''",
            &["`keystone.urk` is no key", "did you mean `url`"],
        ),
        (
            "keystone.service",
            "application_credential_id",
            "'a/b'",
            &["keystone.service.application_credential_id"],
        ),
        (
            "keystone.service",
            "application_credential_secret_file",
            "'none'",
            &["keystone.service.application_credential_secret_file", "none"],
        ),
        (
            "keystone.mint",
            "private_key_file",
            "'none'",
            &["keystone.mint.private_key_file", "none"],
        ),
        (
            "keystone.mint",
            "private_key_file",
            "'kek'",
            &["keystone.mint.private_key_file"],
        ),
        (
            "keystone.mint",
            "algorithm",
            "'HS256'",
            &["keystone.mint.algorithm", "ES256"],
        ),
        (
            "keystone.mint",
            "algorithm",
            "'EdDSA'",
            &["keystone.mint.private_key_file"],
        ),
        (
            "keystone.mint",
            "token_lifetime_s",
            "5",
            &["keystone.mint.token_lifetime_s", "60 to 86400"],
        ),
    ] {
        let mut setup = beside();
        setup.set(section, key, value);
        let said = refused(&setup, &[]);
        for word in words {
            assert!(said.contains(word), "{section}.{key} = {value}: {said}");
        }
        assert!(!said.contains("hush"), "{said}");
    }
}

/// S05: nobody but the owner reads the service account's secret and the key that makes tokens.
#[test]
fn s05_secrets_towards_keystone() {
    for name in ["service.secret", "mint.pem"] {
        let setup = beside();
        fs::set_permissions(setup.path(name), Permissions::from_mode(0o644)).unwrap();
        let said = refused(&setup, &[]);
        assert!(said.contains(name), "{said}");
    }
    let setup = beside();
    setup.write_private("service.secret", "\n");
    assert!(refused(&setup, &[]).contains("is empty"));
}

#[test]
fn every_fault_is_told_at_once() {
    let mut setup = beside();
    setup.set("keystone", "url", "'ftp://x'");
    setup.set("keystone", "max_calls", "0");
    setup.set("keystone.service", "application_credential_id", "''");
    setup.set("keystone.mint", "private_key_file", "'none'");
    let said = refused(&setup, &[]);
    for word in [
        "keystone.url",
        "keystone.max_calls",
        "application_credential_id",
        "keystone.mint.private_key_file",
    ] {
        assert!(said.contains(word), "{said}");
    }
}
