//! From one key-encryption key to the next, with a server at work; and keys that come and go by file.

use sealstone_interop::ServeSetup;
use sealstone_jose::{Algorithm, PrivateKey};

use crate::node::{active, administer, eventually, refused, register, token};

#[test]
fn another_key_encryption_key_while_the_server_runs() {
    let setup = ServeSetup::new();
    register(&setup);
    let _mac = setup.register(
        "mac",
        &["--auth-method", "client_secret_jwt", "--scope", "metrics:read"],
    );
    let mut server = setup.start();
    server.wait_for_issuer();
    let before = active(server.setup(), "ES256");
    let listed = administer(server.setup(), &["key", "kek", "list"]);
    let old = listed[0]["id"].as_str().unwrap().to_owned();

    let added = administer(server.setup(), &["key", "kek", "add"]);
    let new = added[1]["id"].as_str().unwrap().to_owned();
    assert_eq!(added[1]["seals"], false);
    server.wait_until_said("key-encryption keys reloaded");
    administer(server.setup(), &["key", "kek", "use", &new]);
    token(&server);

    // Too early: things are sealed under it.
    let told = refused(server.setup(), &["key", "kek", "remove", &old]);
    assert!(told.contains("rewrap"), "{told}");
    let told = refused(server.setup(), &["key", "kek", "remove", &new]);
    assert!(told.contains("the key that seals"), "{told}");

    let counted = administer(server.setup(), &["key", "rewrap", "--dry-run"]);
    assert_eq!(counted["sealed"][0]["under_earlier_keys"], 1, "{counted}");
    let moved = administer(server.setup(), &["key", "rewrap"]);
    assert_eq!(moved["key"], new.as_str());
    for (place, count) in [(0, 1), (1, 1)] {
        assert_eq!(moved["sealed"][place]["moved"], count, "{moved}");
    }
    let again = administer(server.setup(), &["key", "rewrap"]);
    assert_eq!(again["sealed"][0]["moved"], 0, "{again}");
    administer(server.setup(), &["key", "kek", "remove", &old]);
    let left = administer(server.setup(), &["key", "kek", "list"]);
    assert_eq!(left.as_array().map(Vec::len), Some(1));
    token(&server);
    assert_eq!(active(server.setup(), "ES256"), before, "no signing key changed");

    // A start by the new key alone.
    server.restart(|_setup| {});
    server.wait_for_issuer();
    token(&server);
    assert!(
        server
            .audit()
            .iter()
            .any(|event| event["action"] == "update/key_encryption")
    );
}

#[test]
fn s05_a_file_without_the_key_in_use_is_not_taken() {
    let setup = ServeSetup::new();
    register(&setup);
    let mut server = setup.start();
    server.wait_for_issuer();
    let kek = std::fs::read_to_string(server.setup().path("kek")).unwrap();
    let other: String = kek.chars().rev().collect();
    server.setup().write_private("kek", &other);
    let said = server.wait_until_said("was not reloaded");
    assert!(!said.contains(other.trim()));
    token(&server);
    server.setup().write_private("kek", "not a key at all");
    server.wait_until_said("what was in use before stays so");
    token(&server);
}

#[test]
fn a_key_from_the_environment_and_never_from_the_configuration() {
    let mut setup = ServeSetup::new();
    register(&setup);
    let kek = std::fs::read_to_string(setup.path("kek")).unwrap();
    setup.remove("secrets", "key_encryption_key_file");
    let told = refused(&setup, &["key", "list"]);
    assert!(told.contains("key_encryption_key"), "{told}");
    let given = [("SEALSTONE__SECRETS__KEY_ENCRYPTION_KEY", kek.trim())];
    let output = setup.sealstone_as(&["key", "rewrap", "--dry-run"], &given);
    assert!(output.status.success(), "{output:?}");
    let output = setup.sealstone_as(&["key", "kek", "add"], &given);
    assert!(!output.status.success());
}

#[test]
fn keys_come_in_and_go_out_by_files_only() {
    let setup = ServeSetup::new();
    register(&setup);
    let server = setup.start();
    server.wait_for_issuer();
    let setup = server.setup();
    let key = PrivateKey::generate(Algorithm::Rs256).unwrap();
    let (name, wrong) = (setup.path("issuer.pem"), setup.path("open.pem"));
    setup.write_private("issuer.pem", &key.to_pkcs8_pem().unwrap());
    setup.write("open.pem", &key.to_pkcs8_pem().unwrap());
    setup.write_private(
        "weak.pem",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    let weak = setup.path("weak.pem");
    let ed = PrivateKey::generate(Algorithm::EdDsa).unwrap();
    setup.write_private("ed.jwk", &ed.to_private_jwk().unwrap());
    let unwanted = setup.path("ed.jwk");
    for (path, want) in [
        (&wrong, "chmod 600"),
        (&weak, "no private key"),
        (&unwanted, "keys.algorithms"),
    ] {
        let told = refused(setup, &["key", "import", path.to_str().unwrap()]);
        assert!(told.contains(want), "{told}");
    }
    administer(setup, &["key", "import", name.to_str().unwrap()]);
    let told = refused(setup, &["key", "import", name.to_str().unwrap()]);
    assert!(told.contains("in this ring already"), "{told}");
    let kid = key.public_jwk().thumbprint().to_string();
    eventually("the imported key is published", || {
        crate::node::published(&server).0.contains(&kid)
    });

    let shown = setup.sealstone(&["key", "export", &kid]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(&kid) && !shown.contains("\"d\""), "{shown}");
    for (form, start) in [("pem", "-----BEGIN PRIVATE KEY"), ("jwk", "{"), ("der", "0")] {
        let out = setup.path(&format!("out.{form}"));
        let out = out.to_str().unwrap();
        let arguments = [
            "key",
            "export",
            &kid,
            "--dangerous-private-key",
            "--out",
            out,
            "--form",
            form,
        ];
        let output = setup.sealstone(&arguments);
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
        use std::os::unix::fs::MetadataExt as _;
        assert_eq!(std::fs::metadata(out).unwrap().mode() & 0o777, 0o600);
        assert!(std::fs::read(out).unwrap().starts_with(start.as_bytes()));
        let told = refused(setup, &arguments);
        assert!(told.contains(out), "nothing is overwritten: {told}");
    }
    for arguments in [
        ["key", "export", &kid, "--dangerous-private-key"].as_slice(),
        &[
            "key",
            "export",
            &kid,
            "--dangerous-private-key",
            "--out",
            "/dev/tty",
        ],
        &["key", "export", &kid, "--out", "somewhere"],
        &["key", "export", "nobody"],
    ] {
        refused(setup, arguments);
    }
    assert!(
        server
            .audit()
            .iter()
            .any(|event| event["action"] == "create/key" && event["outcome"] == "success")
    );
    assert!(
        server
            .audit()
            .iter()
            .any(|event| event["action"] == "read/key" && event["outcome"] == "success")
    );
}
