//! openid-client, oauth4webapi and Authlib: a token that works, and every way in which it must not be had or used.

use std::fs;
use std::path::Path;
use std::process::Command;

use sealstone_interop::{Client, DevServer, Program, ProtectedService, built};
use sealstone_testkit::{KeyKind, TestKey};
use serde_json::{Value, json};

/// A client's token works at the protected service, with every way of naming the client by its certificate.
fn succeeds(program: Program) {
    let server = DevServer::start();
    let service = ProtectedService::start(&server);
    for name in ["machine", "machine-san", "machine-self-signed"] {
        let run = server
            .client(name)
            .with("resource_url", service.url())
            .run(program);
        assert_eq!(run.error(), "", "{name}: {run:?}");
        let kind = run
            .at("/token/token_type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        assert!(kind.eq_ignore_ascii_case("bearer"), "{name}: {run:?}");
        assert!(
            run.at("/token/expires_in").is_some_and(Value::is_u64),
            "{name}: {run:?}"
        );
        assert_eq!(run.at("/token/refresh_token"), None, "{name}: RFC 6749 §4.4.3");
        assert_eq!(run.resource_status(), 200, "{name}: {run:?}");
    }
    let run = server.client("machine-secret").run(program);
    assert!(!run.access_token().is_empty());
}

/// No certificate, another client's, an expired one, a self-signed one, one of another authority, a wrong secret.
fn refused(program: Program) {
    let server = DevServer::start();
    let machine = server.client("machine");
    let ok = machine.run(program);
    assert_eq!(ok.error(), "", "{ok:?}");
    let attacks = [
        ("d01 no certificate", machine.clone().without_certificate()),
        (
            "d02 another client's",
            machine
                .clone()
                .with_certificate(&server.certificate("machine-san")),
        ),
        (
            "d03 another authority's",
            machine.clone().with_certificate(&server.foreign("machine")),
        ),
        (
            "d04 self-signed",
            machine.clone().with_certificate(&server.self_signed("machine")),
        ),
        (
            "d07 expired",
            machine.clone().with_certificate(&server.expired("machine")),
        ),
        (
            "wrong secret",
            server.client("machine-secret").with_secret("wrong"),
        ),
    ];
    for (name, client) in attacks {
        let run = client.run(program);
        assert_eq!(run.error(), "invalid_client", "{name}: {run:?}");
        assert_eq!(run.at("/token"), None, "{name}");
    }
    let self_signed = server.client("machine-self-signed");
    assert_eq!(self_signed.run(program).error(), "");
    let other_key = self_signed.with_certificate(&server.self_signed("machine-self-signed"));
    assert_eq!(
        other_key.run(program).error(),
        "invalid_client",
        "d05: same name, a key that is not registered"
    );
}

/// A token replayed from another certificate, and from none.
fn replay_stops(program: Program) {
    let server = DevServer::start();
    let service = ProtectedService::start(&server);
    let machine = server.client("machine").with("resource_url", service.url());
    let run = machine.run(program);
    assert_eq!(run.resource_status(), 200, "{run:?}");
    let stolen = |client: Client<'_>| {
        let thief = client
            .with("resource_url", service.url())
            .with("access_token", run.access_token());
        thief.run(program)
    };
    assert_eq!(
        stolen(server.client("machine")).resource_status(),
        200,
        "its holder"
    );
    let thieves = [
        ("d33 another client", server.client("machine-san")),
        (
            "d32 no certificate",
            server.client("machine").without_certificate(),
        ),
        (
            "expired, same subject",
            server
                .client("machine")
                .with_certificate(&server.expired("machine")),
        ),
        (
            "foreign, same subject",
            server
                .client("machine")
                .with_certificate(&server.foreign("machine")),
        ),
    ];
    for (name, client) in thieves {
        let run = stolen(client);
        assert_eq!(run.resource_status(), 401, "{name}: {run:?}");
    }
}

/// The gateway sees the token with its binding; once its owner revoked it, nobody does.
fn introspected_and_revoked(program: Program) {
    let server = DevServer::start();
    let token = server.client("machine").run(program).access_token().to_owned();
    let gateway = server
        .client("gateway")
        .with("access_token", "unused")
        .with("introspect", &token);
    let gateway = gateway.with("use_aliases", "yes");
    let run = gateway.run(program);
    assert_eq!(run.at("/introspection/active"), Some(&json!(true)), "{run:?}");
    assert_eq!(
        run.at("/introspection/cnf/x5t#S256"),
        Some(&json!(server.certificate("machine").thumbprint())),
        "{run:?}"
    );
    assert!(
        run.at("/introspection/sub").is_some_and(Value::is_string),
        "client rule 5: sub always"
    );
    let owner = server
        .client("machine")
        .with("access_token", "unused")
        .with("revoke", &token);
    assert_eq!(owner.run(program).at("/revoked"), Some(&json!(true)));
    let run = gateway.run(program);
    assert_eq!(
        run.at("/introspection"),
        Some(&json!({"active": false})),
        "{run:?}"
    );
    let outsider = server
        .client("machine-san")
        .with("access_token", "unused")
        .with("introspect", &token);
    assert_ne!(
        outsider.run(program).at("/introspection/active"),
        Some(&json!(true))
    );
}

/// A client of the server under another identifier, registered by the command line with more arguments.
fn registered<'a>(server: &'a DevServer, id: &str, method: &str, arguments: &[&str]) -> Client<'a> {
    let program = built(
        "SEALSTONE",
        &["--package", "sealstone-cli", "--bin", "sealstone"],
        "sealstone",
    );
    let made = Command::new(program)
        .args([
            "client",
            "create",
            id,
            "--auth-method",
            method,
            "--introspection",
            "own",
        ])
        .args(["--output", "json", "--data"])
        .arg(server.data())
        .args(arguments)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let secret = made["client_secret"].as_str().unwrap_or_default();
    let client = server
        .client("machine-secret")
        .with("client_id", id)
        .with("auth", method);
    client.with("client_secret", secret).with("scope", "")
}

/// Assertions by key and under a secret, as the program makes them: a token, a look at it, its end; and none of it with
/// another key, another secret, or for a client that was switched off.
fn by_assertions(program: Program) {
    let server = DevServer::start();
    let key = TestKey::generate(KeyKind::P256);
    let (keys, file) = (server.scratch("keys.json"), server.scratch("signer.key"));
    let mut jwk = key.public_jwk();
    jwk["kid"] = json!("k1");
    fs::write(&keys, json!({"keys": [jwk]}).to_string()).unwrap();
    fs::write(&file, key.pkcs8_pem()).unwrap();
    let other = server.scratch("other.key");
    fs::write(&other, TestKey::generate(KeyKind::P256).pkcs8_pem()).unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let signer = registered(&server, "signer", "private_key_jwt", &["--jwks", &path(&keys)]);
    let signer = signer.with("jwt_key", &path(&file)).with("kid", "k1");
    let maced = registered(&server, "maced", "client_secret_jwt", &[]);
    for (client, thief) in [
        (signer.clone(), signer.with("jwt_key", &path(&other))),
        (maced.clone(), maced.with("client_secret", &"x".repeat(64))),
    ] {
        let run = client.run(program);
        assert_eq!(run.error(), "", "{run:?}");
        let token = run.access_token().to_owned();
        let seen = client
            .clone()
            .with("access_token", "unused")
            .with("introspect", &token);
        assert_eq!(seen.run(program).at("/introspection/active"), Some(&json!(true)));
        let end = client
            .clone()
            .with("access_token", "unused")
            .with("revoke", &token);
        assert_eq!(end.run(program).at("/revoked"), Some(&json!(true)));
        assert_eq!(
            seen.run(program).at("/introspection"),
            Some(&json!({"active": false}))
        );
        let refused = thief.run(program);
        assert_eq!(
            (refused.error(), refused.at("/token")),
            ("invalid_client", None),
            "{refused:?}"
        );
    }
}

macro_rules! programs {
    ($($module:ident: $program:expr;)+) => {$(
        mod $module {
            use super::Program;

            #[test]
            fn succeeds() {
                super::succeeds($program);
            }

            #[test]
            fn refused() {
                super::refused($program);
            }

            #[test]
            fn replay_stops() {
                super::replay_stops($program);
            }

            #[test]
            fn by_assertions() {
                super::by_assertions($program);
            }

            #[test]
            fn introspected_and_revoked() {
                super::introspected_and_revoked($program);
            }
        }
    )+};
}

programs! {
    openid_client: Program::OpenidClient;
    oauth4webapi: Program::Oauth4webapi;
    authlib: Program::Authlib;
}

#[test]
fn javascript_discovers_by_both_documents() {
    let server = DevServer::start();
    for program in [Program::OpenidClient, Program::Oauth4webapi] {
        for algorithm in ["oidc", "oauth2"] {
            let run = server.client("machine").with("algorithm", algorithm).run(program);
            assert_eq!(run.error(), "", "{program:?} {algorithm}: {run:?}");
            assert!(!run.access_token().is_empty());
        }
    }
}

#[test]
fn oauth4webapi_validates_our_access_token() {
    let server = DevServer::start();
    let secret = server.client("machine-secret");
    let audience = secret.registered().client_id.clone();
    let run = secret
        .clone()
        .with("audience", &audience)
        .run(Program::Oauth4webapi);
    assert_eq!(run.at("/claims/client_id"), Some(&json!(audience)), "{run:?}");
    assert_eq!(run.at("/claims/iss"), Some(&json!(server.issuer())), "{run:?}");
    let other = secret
        .with("audience", "somebody-else")
        .run(Program::Oauth4webapi);
    assert_eq!(other.at("/claims"), None, "{other:?}");
}

#[test]
fn a_restart_keeps_clients_and_certificates() {
    let mut server = DevServer::start();
    let before = server.client("machine").registered().client_id.clone();
    let secret = server.client("machine-secret").registered().client_secret.clone();
    assert_eq!(server.client("machine").run(Program::Authlib).error(), "");
    server.restart();
    assert_eq!(server.client("machine").registered().client_id, before);
    assert_eq!(server.client("machine-secret").registered().client_secret, secret);
    assert_eq!(server.client("machine").run(Program::Authlib).error(), "");
    assert_eq!(server.client("machine-secret").run(Program::Authlib).error(), "");
}
