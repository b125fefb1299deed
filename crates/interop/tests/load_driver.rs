//! `examples/load-driver` as somebody uses it: what it finds out about a server, and what it says when things are wrong.

use std::path::PathBuf;
use std::process::{Command, Output};

use sealstone_interop::{ServeServer, ServeSetup, built};
use serde_json::Value;

fn driver() -> PathBuf {
    let build = ["--package", "sealstone-examples", "--example", "load-driver"];
    built("LOAD_DRIVER", &build, "examples/load-driver")
}

/// A server with a client by secret, whose tokens it may ask about, and one by certificate.
fn server() -> ServeServer {
    let mut setup = ServeSetup::new();
    let [public, mutual] = sealstone_interop::free_ports();
    for (key, port) in [("listen", public), ("mtls_listen", mutual)] {
        setup.set("server", key, &format!("'127.0.0.1:{port}'"));
    }
    for (key, port) in [("base_url", public), ("mtls_base_url", mutual)] {
        setup.set("server", key, &format!("'https://localhost:{port}'"));
    }
    let machine = setup.register(
        "machine",
        &["--scope", "metrics:read", "--introspection", "domain"],
    );
    setup.write_private("secret", machine["client_secret"].as_str().unwrap());
    setup.write_private("wrong", "not-the-secret");
    setup.register_subject("bound", "CN=bound");
    let certificate = setup.ca().client("bound");
    setup.write("bound.pem", &certificate.chain_pem());
    setup.write_private("bound.key", &certificate.key_pem());
    let server = setup.start();
    server.wait_for_issuer();
    server
}

fn drive(server: &ServeServer, arguments: &[&str]) -> Output {
    let path = |name: &str| server.setup().path(name);
    let mut command = Command::new(driver());
    command.args(["--issuer", &server.public_url(""), "--duration-s", "1"]);
    command.arg("--ca").arg(path("ca.pem"));
    for argument in arguments {
        // A file of the server's folder.
        match argument.strip_prefix('@') {
            Some(name) => command.arg(path(name)),
            None => command.arg(argument),
        };
    }
    command.output().unwrap()
}

#[track_caller]
fn result(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

const BY_SECRET: [&str; 6] = [
    "--client",
    "machine",
    "--secret-file",
    "@secret",
    "--output",
    "json",
];

#[test]
fn it_says_what_a_server_bears() {
    let server = server();
    let by_certificate = [
        "--client",
        "bound",
        "--certificate",
        "@bound.pem",
        "--key",
        "@bound.key",
        "--output",
        "json",
    ];
    for (name, who, what, handshakes) in [
        (
            "tokens",
            BY_SECRET.as_slice(),
            ["--connections", "3"].as_slice(),
            Some(3),
        ),
        ("bound tokens", &by_certificate, &["--connections", "2"], Some(2)),
        ("introspection", &BY_SECRET, &["--flow", "introspection"], Some(8)),
        ("revocation", &BY_SECRET, &["--flow", "revocation"], Some(8)),
        ("new connections", &by_certificate, &["--reconnect"], None),
    ] {
        let output = drive(&server, &[who, what].concat());
        let result = result(&output);
        assert!(output.status.success(), "{name}: {result}");
        let successes = result["successes"].as_u64().unwrap();
        assert!(successes > 0, "{name}: {result}");
        assert_eq!(result["errors"], serde_json::json!({}), "{name}");
        let made = result["handshakes"].as_u64().unwrap();
        assert_eq!(made, handshakes.unwrap_or(successes), "{name}: {result}");
        let latency = |name: &str| result["latency_us"][name].as_u64().unwrap();
        assert!(
            0 < latency("p50") && latency("p50") <= latency("p99"),
            "{name}: {result}"
        );
        assert!(latency("p99") <= latency("max"), "{name}: {result}");
    }
    // Twenty requests in a second, and no more.
    let output = drive(&server, &[BY_SECRET.as_slice(), &["--rate", "20"]].concat());
    let successes = result(&output)["successes"].as_u64().unwrap();
    assert!((1..=20).contains(&successes), "{successes}");
}

#[test]
fn it_says_what_is_wrong() {
    let server = server();
    let wrong = [
        "--client",
        "machine",
        "--secret-file",
        "@wrong",
        "--connections",
        "1",
    ];
    let output = drive(
        &server,
        &[wrong.as_slice(), &["--output", "json", "--rate", "4"]].concat(),
    );
    assert_eq!(output.status.code(), Some(1));
    let told = result(&output);
    assert_eq!(told["successes"], 0);
    assert!(told["errors"]["invalid_client"].as_u64().unwrap() > 0, "{told}");
    let output = drive(&server, &[wrong.as_slice(), &["--rate", "4"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("refused or failed:") && text.contains("invalid_client"),
        "{text}"
    );

    let by_secret = &BY_SECRET[..4];
    for (arguments, wanted, status) in [
        (
            [by_secret, &["--issuer", "https://localhost:1/v4/oauth2/demo"]].concat(),
            "cannot be used multiple times",
            2,
        ),
        (
            [by_secret, &["--connect", "127.0.0.1:1"]].concat(),
            "cannot be reached",
            1,
        ),
        (
            vec!["--client", "machine", "--secret-file", "@none"],
            "No such file",
            1,
        ),
        (vec!["--client", "machine"], "--secret-file", 2),
        (
            [by_secret, &["--flow", "refresh-token"]].concat(),
            "--refresh-tokens",
            2,
        ),
        (
            [
                by_secret,
                &["--flow", "refresh-token", "--refresh-tokens", "@secret"],
            ]
            .concat(),
            "1 refresh tokens are too few for 8 connections",
            1,
        ),
    ] {
        let output = drive(&server, &arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(wanted), "{arguments:?}: {said}");
        assert_eq!(output.status.code(), Some(status), "{said}");
        let secret = std::fs::read_to_string(server.setup().path("secret")).unwrap();
        assert!(!said.contains(&secret), "a secret is said");
    }
}

/// Its help says how to ask and how to read what comes.
#[test]
fn its_help_teaches() {
    let output = Command::new(driver()).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for wanted in [
        "Examples:",
        "How to read the result",
        "Exit status",
        "--rate",
        "p99",
    ] {
        assert!(help.contains(wanted), "{wanted}: {help}");
    }
}
