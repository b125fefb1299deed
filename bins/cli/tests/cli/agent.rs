//! `sealstone agent`, without a server.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use crate::program::{Done, sealstone};

const EXAMPLE: &str = include_str!("../../../../examples/agent/agent.toml");

/// The example's files, with a CA of this folder.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    sealstone(&["ca", "init", "--dir", &at("ca"), "--subject", "CN=Machines"]).ok();
    let issue = [
        "ca",
        "issue",
        "--dir",
        &at("ca"),
        "--subject",
        "CN=ci",
        "--out",
        &at("ci"),
    ];
    sealstone(&issue).ok();
    for name in ["server-ca.pem", "client-ca.pem", "est-ca.pem"] {
        fs::copy(folder.path().join("ca/ca.pem"), folder.path().join(name)).unwrap();
    }
    folder
}

fn put(folder: &Path, text: &str) {
    fs::write(folder.join("agent.toml"), text).unwrap();
}

fn check(folder: &Path) -> Done {
    let path = folder.join("agent.toml").display().to_string();
    sealstone(&["agent", "check", "--config", &path])
}

/// Every key that the guide leads to is in the example, and the program takes it: the ways of renewal that are commented
/// out as well.
#[test]
fn the_example_is_right_in_each_of_its_ways() {
    let folder = folder();
    put(folder.path(), EXAMPLE);
    let told = check(folder.path()).ok();
    for line in [
        "client       ci",
        "renewed      by an EST server",
        "proxies      2",
    ] {
        assert!(told.contains(line), "{told}");
    }
    let est = &EXAMPLE[EXAMPLE.find("[renewal.est]").unwrap()..EXAMPLE.find("# [renewal.command]").unwrap()];
    for (section, until, says) in [
        ("# [renewal.command]", "# [renewal.ca]", "by a program"),
        (
            "# [renewal.ca]",
            "# The token in a file",
            "by the authority in a folder",
        ),
    ] {
        let commented = &EXAMPLE[EXAMPLE.find(section).unwrap()..EXAMPLE.find(until).unwrap()];
        let section: String = commented
            .lines()
            .map(|line| line.strip_prefix("# ").unwrap_or(line).to_owned() + "\n")
            .collect();
        let text = EXAMPLE.replace(est, &section.replace("/var/lib/sealstone-ca", "ca"));
        put(folder.path(), &text);
        let told = check(folder.path()).ok();
        assert!(told.contains(says), "{told}");
    }
}

#[test]
fn faults_are_all_said_at_once_and_name_what_to_do() {
    let folder = folder();
    let text = EXAMPLE
        .replace("ci.pem", "none.pem")
        .replace("https://compute", "http://compute")
        .replace(
            "https://est.example.org/machines",
            "https://est.example.org/a/b/c",
        );
    put(folder.path(), &text);
    let said = check(folder.path()).refused(1, "that `run` would refuse");
    for says in [
        "none.pem",
        "there is no such file or folder",
        "is no address of an EST server",
        "write https://HOST",
    ] {
        assert!(said.contains(says), "{says}: {said}");
    }
    for (from, to, says) in [
        ("form = \"token\"", "form = \"jwt\"", "unknown variant `jwt`"),
        ("[state]", "[stat]", "unknown field `stat`"),
        ("key = \"p256\"", "key = \"rsa512\"", "unknown variant `rsa512`"),
        (
            "allowed_uids = [990]\n# Whether",
            "allowed_uids = [-1]\n# Whether",
            "invalid value",
        ),
        (
            "secret_file = ",
            "# secret_file = ",
            "set secret_file, or listen at unix:PATH",
        ),
    ] {
        assert!(EXAMPLE.contains(from), "{from}");
        put(folder.path(), &EXAMPLE.replace(from, to));
        check(folder.path()).refused(1, says);
    }
    put(folder.path(), EXAMPLE);
    fs::set_permissions(folder.path().join("ci.key"), fs::Permissions::from_mode(0o640)).unwrap();
    check(folder.path()).refused(1, "run chmod 600 on it");
    sealstone(&["agent", "status", "--config", "none.toml"]).refused(1, "none.toml cannot be read");
    sealstone(&["agent", "run"]).refused(2, "--config <FILE>");
}
