//! A server whose keys are in a PKCS#11 token, by SoftHSM.

use std::fs;
use std::process::Command;

use sealstone_interop::{ServeServer, ServeSetup};
use sealstone_testkit::SoftHsm;

use crate::node::{
    active, administer, ask_for_token, eventually, is_active, kid, published, refused, register, token,
};

const LABEL: &str = "sealstone";
const CHILD: &str = "SEALSTONE_TEST_HSM_FOLDER";

/// In a child process, whose own children find the token by `SOFTHSM2_CONF`.
fn with_token(name: &str, test: impl FnOnce(ServeSetup)) {
    if std::env::var_os(CHILD).is_some() {
        let mut setup = ServeSetup::new();
        let module = SoftHsm::module().unwrap();
        setup.write_private("pin", SoftHsm::PIN);
        for (key, value) in [
            ("module", format!("'{}'", module.display())),
            ("token_label", format!("'{LABEL}'")),
            ("pin_file", "'pin'".to_owned()),
        ] {
            setup.set("pkcs11", key, &value);
        }
        return test(setup);
    }
    assert!(
        SoftHsm::module().is_some(),
        "SoftHSM is not installed: `cargo xtask setup`"
    );
    let hsm = SoftHsm::with_token(LABEL);
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name, "--nocapture"]);
    child.env("SOFTHSM2_CONF", hsm.config()).env(CHILD, hsm.tokens());
    let output = child.output().unwrap();
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}", told.concat());
}

fn started(setup: ServeSetup) -> ServeServer {
    register(&setup);
    let server = setup.start();
    server.wait_for_issuer();
    server
}

#[test]
fn tokens_are_signed_by_the_token() {
    with_token("hsm::tokens_are_signed_by_the_token", |setup| {
        let server = started(setup);
        let first = token(&server);
        assert_eq!(kid(&first), active(server.setup(), "ES256"));
        let (_, figures) = server.admin("/metrics");
        let signed = figures
            .lines()
            .find_map(|line| line.strip_prefix("sealstone_hsm_signatures_total{outcome=\"signed\"} "));
        assert!(signed.unwrap().parse::<u64>().unwrap() >= 1, "{figures}");
        assert!(figures.contains("\nsealstone_hsm_reachable 1\n"), "{figures}");
        assert!(
            figures.contains("sealstone_hsm_signature_seconds_bucket{le=\"+Inf\"}"),
            "{figures}"
        );
        assert!(is_active(&server, &first));
        let rs256 = active(server.setup(), "RS256");
        assert!(published(&server).0.contains(&rs256));
        let told = refused(
            server.setup(),
            &[
                "key",
                "export",
                &rs256,
                "--dangerous-private-key",
                "--out",
                "/tmp/never-written",
            ],
        );
        assert!(told.contains("cannot be taken out"), "{told}");

        // The emergency, with the next key in the token too.
        administer(server.setup(), &["key", "revoke", &kid(&first)]);
        eventually("another key of the token signs", || {
            kid(&token(&server)) != kid(&first)
        });
        assert!(!is_active(&server, &first));
    });
}

#[test]
fn a_token_that_is_away_is_said_by_health_and_used_when_it_is_back() {
    with_token(
        "hsm::a_token_that_is_away_is_said_by_health_and_used_when_it_is_back",
        |setup| {
            let mut server = started(setup);
            token(&server);
            assert_eq!(server.admin("/health/ready").0, 200);
            let there: std::path::PathBuf = std::env::var_os(CHILD).unwrap().into();
            let away = there.with_extension("away");
            fs::rename(&there, &away).unwrap();
            let refused = ask_for_token(&server);
            assert_eq!(refused.status, 503, "{}", refused.text());
            assert!(!refused.text().contains("PKCS"), "{}", refused.text());
            eventually("not ready", || server.admin("/health/ready").0 == 503);
            let said = server.wait_until_said("PKCS#11 token can't be used");
            assert!(said.contains("does not answer"), "{said}");
            let (_, figures) = server.admin("/metrics");
            assert!(figures.contains("\nsealstone_hsm_reachable 0\n"), "{figures}");
            let failed = "sealstone_hsm_signatures_total{outcome=\"failed\"} ";
            let failed = figures.lines().find_map(|line| line.strip_prefix(failed));
            assert_ne!(failed, Some("0"), "{figures}");
            fs::rename(&away, &there).unwrap();
            eventually("ready again", || server.admin("/health/ready").0 == 200);
            token(&server);
        },
    );
}

#[test]
fn what_is_wrong_with_a_token_is_said_at_the_start() {
    with_token(
        "hsm::what_is_wrong_with_a_token_is_said_at_the_start",
        |mut setup| {
            register(&setup);
            let started = |setup: &ServeSetup| {
                setup.write_config();
                let output =
                    Command::new(std::env::var_os("SEALSTONED").unwrap_or_else(|| "sealstoned".into()))
                        .args(["check", "--config"])
                        .arg(setup.path("sealstoned.toml"))
                        .output()
                        .unwrap();
                (
                    output.status.success(),
                    String::from_utf8_lossy(&output.stderr).into_owned(),
                )
            };
            assert!(started(&setup).0, "{}", started(&setup).1);
            for (key, value, want) in [
                ("token_label", "'another'", "no PKCS#11 token is called"),
                ("module", "'/etc/hostname'", "can't be used"),
                ("sessions", "0", "pkcs11.sessions"),
                ("pin", "'1234'", "does not belong into this file"),
                ("modul", "'x'", "did you mean"),
            ] {
                let mut other = ServeSetup::new();
                std::mem::swap(&mut other, &mut setup);
                let before = match key {
                    "token_label" => Some(format!("'{LABEL}'")),
                    "module" => Some(format!("'{}'", SoftHsm::module().unwrap().display())),
                    _ => None,
                };
                other.set("pkcs11", key, value);
                let (done, told) = started(&other);
                assert!(!done && told.contains(want), "{key}: {told}");
                match before {
                    Some(before) => other.set("pkcs11", key, &before),
                    None => other.remove("pkcs11", key),
                }
                setup = other;
            }
            setup.write_private("pin", "0000-wrong");
            let (done, told) = started(&setup);
            assert!(!done && told.contains("refuses the PIN"), "{told}");
            assert!(!told.contains("0000-wrong"), "{told}");
            setup.remove("pkcs11", "pin_file");
            let (done, told) = started(&setup);
            assert!(!done && told.contains("without a PIN"), "{told}");
        },
    );
}

#[test]
fn the_key_encryption_key_is_wrapped_by_the_token() {
    with_token(
        "hsm::the_key_encryption_key_is_wrapped_by_the_token",
        |mut setup| {
            setup.set("pkcs11", "signing_keys", "false");
            let mut server = started(setup);
            let before = active(server.setup(), "ES256");
            let listed = administer(server.setup(), &["key", "kek", "list"]);
            let old = listed[0]["id"].as_str().unwrap().to_owned();
            let added = administer(
                server.setup(),
                &["key", "kek", "add", "--wrapped-by", "sealstone-kek"],
            );
            let new = added[1]["id"].as_str().unwrap().to_owned();
            assert_eq!(added[1]["kept_by"], "PKCS#11 token");
            server.wait_until_said("key-encryption keys reloaded");
            administer(server.setup(), &["key", "kek", "use", &new]);
            administer(server.setup(), &["key", "rewrap"]);
            administer(server.setup(), &["key", "kek", "remove", &old]);
            let file = fs::read_to_string(server.setup().path("kek")).unwrap();
            assert!(file.starts_with("wrapped.pkcs11-aes-gcm."), "{file}");
            server.restart(|_setup| {});
            server.wait_for_issuer();
            token(&server);
            assert_eq!(active(server.setup(), "ES256"), before);
            // Without the token nothing opens.
            server.configure(|setup| setup.remove_section("pkcs11"));
            let told = refused(server.setup(), &["key", "list"]);
            assert!(told.contains("[pkcs11]"), "{told}");
        },
    );
}
