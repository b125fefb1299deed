//! A stolen key, and two administrators.

use std::time::Duration;

use sealstone_interop::{ProtectedService, ServeServer, ServeSetup, free_ports};
use sealstone_testkit::PostgresCluster;

use crate::node::{
    AUDIENCE, access_token, active, administer, ask_with, eventually, forged, is_active, kid, published,
    refused, register, token,
};

/// What administrators are promised: a change on one node acts on all.
const WITHIN: Duration = Duration::from_secs(1);
/// How often `sealstone-resource` reads the revocation document, and a little.
const POLL: Duration = Duration::from_secs(12);

fn nodes(cluster: &PostgresCluster) -> [ServeServer; 3] {
    let url = cluster.database();
    let mut is_first = true;
    [(); 3].map(|()| {
        let mut setup = ServeSetup::new();
        setup.remove("storage", "path");
        setup.set("storage.postgres", "url", &format!("'{url}'"));
        setup.set("audit", "path", "'audit.jsonl'");
        if std::mem::take(&mut is_first) {
            register(&setup);
        }
        let server = setup.start();
        server.wait_for_issuer();
        server
    })
}

#[test]
fn s02_a_revoked_key_is_dead_on_every_node_within_a_second() {
    let cluster = PostgresCluster::start();
    let nodes = nodes(&cluster);
    let setup = nodes[0].setup();
    let stolen = active(setup, "ES256");
    let tokens = nodes.each_ref().map(token);
    assert!(tokens.iter().all(|token| kid(token) == stolen));
    let out = setup.path("stolen.pem");
    let out = out.to_str().unwrap();
    administer_export(setup, &stolen, out);
    let pem = std::fs::read_to_string(out).unwrap();
    let before = forged(&tokens[0], &pem, "forged-before");
    for node in &nodes {
        assert!(
            is_active(node, &before),
            "a stolen key signs: that is the emergency"
        );
    }

    let revoked = administer(setup, &["key", "revoke", &stolen]);
    let fresh = active(setup, "ES256");
    assert_ne!(fresh, stolen, "{revoked}");
    for node in &nodes {
        let took = eventually("the key is gone", || {
            let (keys, listed) = published(node);
            !keys.contains(&stolen) && listed.contains(&stolen)
        });
        assert!(took < WITHIN, "{took:?}");
        assert_eq!(kid(&token(node)), fresh, "another key signs at once");
        for dead in tokens
            .iter()
            .chain([&before, &forged(&tokens[1], &pem, "forged-after")])
        {
            assert!(!is_active(node, dead));
        }
        assert!(
            is_active(node, &token(&nodes[2])),
            "a token of the fresh key is good everywhere"
        );
    }
}

#[track_caller]
fn administer_export(setup: &ServeSetup, kid: &str, out: &str) {
    let output = setup.sealstone(&["key", "export", kid, "--dangerous-private-key", "--out", out]);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty());
}

#[test]
fn s02_a_resource_stops_believing_a_revoked_key_within_its_poll() {
    let [public, mutual]: [u16; 2] = free_ports();
    let mut setup = ServeSetup::new();
    for (key, value) in [
        ("base_url", format!("'https://localhost:{public}'")),
        ("mtls_base_url", format!("'https://localhost:{mutual}'")),
        ("listen", format!("'127.0.0.1:{public}'")),
        ("mtls_listen", format!("'127.0.0.1:{mutual}'")),
    ] {
        setup.set("server", key, &value);
    }
    register(&setup);
    let server = setup.start();
    server.wait_for_issuer();
    let setup = server.setup();
    let (issuer, own) = (server.public_url(""), setup.ca().server());
    let (ca, folder) = (setup.path("ca.pem"), setup.path(""));
    let service = ProtectedService::start_with(&issuer, AUDIENCE, &ca, &own, &folder);
    let machine = setup.ca().client("machine");
    let token = |server: &ServeServer| access_token(&ask_with(server, &machine));
    let holder = server.holder(&machine);
    let shown = |token: &str| {
        let bearer = format!("Bearer {token}");
        holder
            .get(service.url(), &[("authorization", &bearer)])
            .unwrap()
            .status
    };

    let seen = token(&server);
    assert_eq!(shown(&seen), 200, "{}", service.said());
    let stolen = active(setup, "ES256");
    let out = setup.path("stolen.pem");
    administer_export(setup, &stolen, out.to_str().unwrap());
    let pem = std::fs::read_to_string(&out).unwrap();
    assert_eq!(shown(&forged(&seen, &pem, "forged-1")), 200);
    administer(setup, &["key", "revoke", &stolen]);
    let took = eventually("the resource refuses", || {
        shown(&forged(&seen, &pem, "forged-2")) == 401
    });
    assert!(took < POLL, "{took:?}");
    assert_eq!(shown(&seen), 401);
    // It fetches the key set for an unknown key, but not more often than every 10 s.
    let fresh = token(&server);
    let took = eventually("the resource learns the fresh key", || shown(&fresh) == 200);
    assert!(took < POLL, "{took:?}");
    assert_eq!(shown(&seen), 401);
}

/// What an administrator gives away, as the guide makes it: never the private key.
fn public_half(setup: &ServeSetup, name: &str) -> String {
    let path = setup.path(&format!("{name}.pem"));
    let program = std::env::var("SEALSTONE").expect("SEALSTONE");
    let made = std::process::Command::new(program)
        .args(["key", "administrator", "--as", name, "--administrator-key"])
        .arg(path)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let jwk = String::from_utf8(made.stdout).unwrap();
    let read: serde_json::Value = serde_json::from_str(&jwk).unwrap();
    assert_eq!(read["kid"], name, "{jwk}");
    assert!(read.get("d").is_none(), "a private key is given away");
    jwk
}

#[test]
fn s02_two_must_agree_where_that_is_configured() {
    let mut setup = ServeSetup::new();
    setup.set("keys", "administrators_file", "'administrators.json'");
    let mut keys = Vec::new();
    for name in ["alice", "bob", "mallory"] {
        let key = sealstone_jose::PrivateKey::generate(sealstone_jose::Algorithm::Es256).unwrap();
        setup.write_private(&format!("{name}.pem"), &key.to_pkcs8_pem().unwrap());
        keys.push(public_half(&setup, name));
    }
    setup.write(
        "administrators.json",
        &format!("{{\"keys\":[{},{}]}}", keys[0], keys[1]),
    );
    register(&setup);
    let server = setup.start();
    server.wait_for_issuer();
    let setup = server.setup();
    let suspected = active(setup, "ES256");
    let path = |name: &str| setup.path(&format!("{name}.pem")).to_str().unwrap().to_owned();
    let [alice, bob, mallory] = ["alice", "bob", "mallory"].map(path);

    for (name, arguments, want) in [
        ("nobody", vec![], "two administrators must agree"),
        (
            "another's key",
            vec!["--as", "alice", "--administrator-key", &bob],
            "signature",
        ),
        (
            "a stranger",
            vec!["--as", "mallory", "--administrator-key", &mallory],
            "not in the file",
        ),
    ] {
        let told = refused(
            setup,
            &[["key", "revoke", &suspected].as_slice(), &arguments].concat(),
        );
        assert!(told.contains(want), "{name}: {told}");
    }
    assert_eq!(
        administer(setup, &["key", "requests"]).as_array().map(Vec::len),
        Some(0)
    );

    let as_alice = ["--as", "alice", "--administrator-key", &alice];
    let told = refused(
        setup,
        &[["key", "revoke", &suspected].as_slice(), &as_alice].concat(),
    );
    assert!(told.contains("NOT revoked yet"), "{told}");
    assert_eq!(active(setup, "ES256"), suspected, "one is not enough");
    let waiting = administer(setup, &["key", "requests"]);
    let request = waiting[0]["request"].as_str().unwrap();
    assert_eq!(waiting[0]["requested_by"], "alice");

    for (name, id, arguments, want) in [
        (
            "the same",
            request,
            as_alice.to_vec(),
            "whoever asked cannot confirm",
        ),
        (
            "the same with another's key",
            request,
            vec!["--as", "alice", "--administrator-key", &bob],
            "signature",
        ),
        (
            "a stranger",
            request,
            vec!["--as", "mallory", "--administrator-key", &mallory],
            "not in the file",
        ),
        ("nobody", request, vec![], "two administrators must agree"),
        (
            "no such request",
            "0000",
            vec!["--as", "bob", "--administrator-key", &bob],
            "no such request",
        ),
    ] {
        let told = refused(setup, &[["key", "confirm", id].as_slice(), &arguments].concat());
        assert!(told.contains(want), "{name}: {told}");
        assert_eq!(active(setup, "ES256"), suspected, "{name}");
    }
    let as_bob = ["--as", "bob", "--administrator-key", &bob];
    administer(setup, &[["key", "confirm", request].as_slice(), &as_bob].concat());
    assert_ne!(active(setup, "ES256"), suspected);
    let told = refused(setup, &[["key", "confirm", request].as_slice(), &as_bob].concat());
    assert!(told.contains("confirmed before"), "{told}");

    let trail = server.audit();
    let found = |action: &str, outcome: &str, by: &str| {
        trail.iter().any(|event| {
            event["action"] == action
                && event["outcome"] == outcome
                && event["initiator"]["id"]
                    .as_str()
                    .is_some_and(|id| id.ends_with(by))
        })
    };
    assert!(found("create/key_request", "success", "/alice"));
    assert!(found("allow/key_request", "failure", "/alice"));
    assert!(found("allow/key_request", "success", "/bob"));
    assert!(found("revoke/key", "success", ""));
}
