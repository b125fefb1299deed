//! Help, exit statuses, and what is not offered.

use crate::program::{sealstone, with_env};

#[test]
fn help_names_what_there_is_and_nothing_else() {
    let help = sealstone(&["--help"]).ok();
    for command in [
        "login",
        "logout",
        "whoami",
        "env",
        "exec",
        "token",
        "agent",
        "client",
        "key",
        "keystone",
        "mapping",
        "migrate",
        "ca",
        "cert",
        "jwt",
        "audit",
        "db",
        "doctor",
        "completions",
        "man",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}");
    }
    assert!(!help.contains('\u{1b}'), "no colours without a terminal");
}

#[test]
fn every_command_explains_itself() {
    let tree = [
        ("login", vec![]),
        ("logout", vec![]),
        ("whoami", vec![]),
        ("env", vec![]),
        ("exec", vec![]),
        ("token", vec![]),
        ("agent", vec!["run", "check", "status"]),
        (
            "client",
            vec![
                "create",
                "list",
                "show",
                "update",
                "rotate-secret",
                "disable",
                "enable",
                "delete",
            ],
        ),
        ("key", vec!["list", "rotate", "revoke"]),
        ("keystone", vec!["check", "inventory", "migrate"]),
        ("mapping", vec!["test", "import"]),
        ("migrate", vec!["inventory", "keys", "plan"]),
        ("ca", vec!["init", "issue", "renew", "revoke", "crl", "list"]),
        ("cert", vec!["inspect", "thumbprint"]),
        ("jwt", vec!["inspect", "verify"]),
        ("completions", vec![]),
        ("man", vec![]),
    ];
    for (command, below) in tree {
        let help = sealstone(&[command, "--help"]).ok();
        for name in &below {
            assert!(help.contains(&format!("\n  {name} ")), "{command} {name}");
            let help = sealstone(&[command, name, "--help"]).ok();
            assert!(help.contains("Usage: sealstone"), "{help}");
        }
    }
    assert!(sealstone(&["token", "--help"]).ok().contains("Examples:"));
    assert!(
        !sealstone(&["token", "--help"]).ok().contains("--client-secret <"),
        "a refused option is not offered"
    );
}

#[test]
fn wrong_usage_ends_with_2() {
    sealstone(&[]).refused(2, "Usage:");
    sealstone(&["tokne"]).refused(2, "token");
    sealstone(&["client", "list"]).refused(2, "--data <DIR>");
    sealstone(&["client", "list", "--data", "a", "--config", "b"]).refused(2, "cannot be used with");
    sealstone(&["client", "show", "--data", "a", "no such id"]).refused(2, "ID");
    sealstone(&["ca", "init", "--dir", "x", "--subject", "nonsense"]).refused(2, "write it like");
    sealstone(&["keystone", "check"]).refused(2, "--data <DIR>");
    sealstone(&["migrate", "inventory"]).refused(2, "--node NAME=SOURCE");
    sealstone(&["migrate", "inventory", "--node", "a"]).refused(2, "NAME=SOURCE");
    sealstone(&["migrate", "inventory", "--node", "a=ssh:-oProxyCommand=x"]).refused(2, "user@host");
    sealstone(&["migrate", "inventory", "--node", "a;b=/"]).refused(2, "not a node's name");
    sealstone(&["migrate", "inventory", "--node", "a=/", "--config-file", "b=/x"])
        .refused(2, "--node b=SOURCE");
    sealstone(&["migrate", "inventory", "--node", "a=/", "--config-file", "/x y"])
        .refused(2, "absolute path");
    sealstone(&["migrate", "inventory", "--node", "a=/", "--clock", "a=NaN"]).refused(2, "NAME=SECONDS");
    sealstone(&["migrate", "keys", "verify"]).refused(2, "--inventory <FILE>");
    sealstone(&["migrate", "keys", "make", "--node", "a", "--out", "/dev/null"])
        .refused(1, "cannot make /dev/null: File exists (os error 17); name a folder that is not there yet, in one that is\n");
    sealstone(&["migrate", "keys", "make", "--node", "..", "--out", "x"]).refused(2, "not a node's name");
    let migrate = ["keystone", "migrate"];
    let disable = ["disable-passwords", "--data", "x", "--journal", "j"];
    sealstone(&[&migrate[..], &disable].concat()).refused(2, "--user <USER>|--all");
    let register = [
        "register",
        "--data",
        "x",
        "--journal",
        "j",
        "--user",
        "ci",
        "--owner-password-file",
        "p",
    ];
    sealstone(&[&migrate[..], &register].concat()).refused(2, "--role <NAME>");
    sealstone(&["ca", "issue", "--self-signed", "--san", "host", "--out", "x"]).refused(2, "dns:NAME");
}

#[test]
fn what_is_missing_ends_with_1_and_says_what_to_do() {
    sealstone(&["cert", "inspect", "/does/not/exist"]).refused(1, "name a file");
    sealstone(&["client", "list", "--data", "/does/not/exist"]).refused(1, "start the server once");
    sealstone(&["key", "list", "--config", "/does/not/exist"]).refused(1, "configuration file");
    sealstone(&["ca", "list", "--dir", "/does/not/exist"]).refused(1, "ca init");
    sealstone(&["migrate", "inventory", "--node", "a=/does/not/exist"]).refused(1, "--config-file");
    sealstone(&["migrate", "inventory", "--node", "a=/does/not/exist.tar"]).refused(1, "cannot open");
    sealstone(&["migrate", "plan", "--inventory", "/does/not/exist"]).refused(1, "name a file");
    sealstone(&["keystone", "inventory"]).refused(1, "OS_AUTH_URL");
    with_env(&["keystone", "inventory"], "OS_AUTH_URL", "http://127.0.0.1:1/v3").refused(1, "OS_PASSWORD");
    sealstone(&["keystone", "inventory", "--keystone-log", "/does/not/exist"]).refused(1, "Keystone's log");
}

#[test]
fn completions_and_manual_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            sealstone(&["completions", shell]).ok().contains("thumbprint"),
            "{shell}"
        );
    }
    assert!(sealstone(&["man"]).ok().contains(".TH sealstone 1"));
    let folder = tempfile::tempdir().unwrap();
    sealstone(&["man", "--dir", crate::program::text(folder.path())]).ok();
    assert!(folder.path().join("sealstone-client-create.1").exists());
    assert!(with_env(&["--help"], "NO_COLOR", "1").ok().contains("Usage"));
}
