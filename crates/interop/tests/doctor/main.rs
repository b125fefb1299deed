//! `sealstone doctor`: every misconfiguration that it knows, made for real.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: what it cannot read has failed"
)]

mod database;
mod files;
mod hsm;
mod issuer;
mod keystone;
mod proxies;
mod registry;
mod world;

use world::{Bench, program};

/// A server that is set up well: nothing of what the cases make is found.
#[test]
fn a_good_server_is_told_to_be_good() {
    let mut bench = Bench::new();
    let server = bench.started();
    let done = server.diagnose(&["--strict"]);
    // It is called `localhost` here, which is right for a test and wrong for a server.
    assert_eq!(done.ids(), ["name-loopback"], "{done:?}");
    let done = server.diagnose(&[]);
    assert_eq!(done.status, 0, "{done:?}");
    for area in [
        "configuration",
        "secrets",
        "certificates",
        "trust",
        "dns",
        "database",
        "keys",
        "clients",
        "issuer",
    ] {
        assert!(done.checked(area), "{area}: {done:?}");
    }
}

#[test]
fn the_list_names_everything_and_usage_is_told() {
    let output = program().args(["doctor", "--list"]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().count() > 100, "{text}");
    let output = program().arg("doctor").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let wrong = ["doctor", "--list", "--config", "x"];
    assert_eq!(program().args(wrong).output().unwrap().status.code(), Some(2));
}

/// What is read at night: the worst first, what was seen, what to do; and no secret.
#[test]
fn people_read_what_is_wrong_and_what_to_do() {
    let mut bench = Bench::new();
    bench.setup.set("server", "base_ulr", "'https://x'");
    bench.setup.set("log", "level", "'debug'");
    let output = bench.output(&["--only", "configuration"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("WRONG    config-unknown-key: "), "{text}");
    assert!(lines[1].starts_with("  seen   `server.base_ulr` in "), "{text}");
    assert!(lines[1].ends_with("did you mean `base_url`?"), "{text}");
    assert!(lines[2].starts_with("  do     "), "{text}");
    assert!(text.contains("\nWARNING  log-debug: "), "{text}");
    assert!(text.ends_with("configuration  1 wrong, 1 to look at\n"), "{text}");
}
