//! The commands of the guides and runbooks, run as they are written.
//!
//! See `script` for what a document may hold. Runbooks start from what `docs/guides/serve.md` installs.

mod cli;
mod script;
mod snippets;

use script::{Document, Surroundings};
use std::collections::BTreeSet;
use std::fs;

const SERVE: &str = "guides/serve.md";

/// Runs a document, after the one that it builds upon.
fn follow(names: &[&str]) {
    let documents: Vec<Document> = names.iter().map(|name| Document::read(name)).collect();
    script::run(&documents, &Surroundings::default());
}

macro_rules! documents {
    ($($test:ident: $($name:literal),+;)+) => {
        $(#[test]
        fn $test() {
            follow(&[$($name),+]);
        })+

        const TESTED: &[&[&str]] = &[$(&[$($name),+]),+];
    };
}

documents! {
    guide_agent: "guides/agent.md";
    guide_bound_token: "guides/bound-token.md";
    guide_claims_mapping: "guides/claims-mapping.md";
    guide_fernet_to_jws: "guides/fernet-to-jws.md";
    guide_serve: "guides/serve.md";
    guide_audit: "guides/serve.md", "guides/audit.md";
    guide_behind_a_proxy: "guides/serve.md", "guides/behind-a-proxy.md";
    guide_keys: "guides/serve.md", "guides/keys.md";
    guide_people: "guides/serve.md", "guides/people.md";
    guide_doctor: "guides/serve.md", "guides/doctor.md";
    guide_operations: "guides/serve.md", "guides/operations.md";
    guide_clients: "guides/serve.md", "guides/clients.md";
    guide_broker: "guides/serve.md", "guides/broker.md";
    runbook_stolen_certificate: "guides/serve.md", "runbooks/stolen-certificate.md";
    runbook_leaked_secret: "guides/serve.md", "runbooks/leaked-secret.md";
    runbook_suspected_key: "guides/serve.md", "runbooks/suspected-key.md";
    runbook_certificates_end: "guides/serve.md", "runbooks/certificates-end.md";
    runbook_audit_disk_full: "guides/serve.md", "runbooks/audit-disk-full.md";
    runbook_database: "guides/serve.md", "runbooks/database.md";
    runbook_invalid_client: "guides/serve.md", "runbooks/invalid-client.md";
    runbook_somebody_cannot_sign_in: "guides/serve.md", "runbooks/somebody-cannot-sign-in.md";
    runbook_server_does_not_start: "guides/serve.md", "runbooks/server-does-not-start.md";
}

/// With somebody before a browser, and a home of its own.
#[test]
fn guide_terminal_login() {
    let documents = [Document::read("guides/terminal-login.md")];
    let prelude = format!(
        "cat >\"$ROOT/bin/browser\" <<'END'\n{}END\nchmod +x \"$ROOT/bin/browser\"\nexport HOME=\"$ROOT/home\" DISPLAY=:0 \
         BROWSER=\"$ROOT/bin/browser\" SEALSTONE_KEYRING=off\nunset XDG_CACHE_HOME XDG_CONFIG_HOME CI SSH_CONNECTION SSH_TTY \
         SSH_CLIENT\n",
        include_str!("browser.py")
    );
    let surroundings = Surroundings {
        prelude,
        ..Surroundings::default()
    };
    script::run(&documents, &surroundings);
}

/// Documents that another test runs, with more around them.
const RUN_ELSEWHERE: [&str; 5] = [
    "runbooks/fernet-to-jws.md",
    "guides/off-passwords.md",
    "guides/branding.md",
    "guides/terminal-login.md",
    "guides/several-nodes.md",
];

/// Documents without a command of their own.
const WITHOUT_COMMANDS: [&str; 4] = [
    "guides/login-with-openstack.md",
    "guides/protect-a-rust-service.md",
    "guides/openstack-services.md",
    "guides/machine-identity.md",
];

#[test]
fn every_guide_and_runbook_is_run() {
    let tested = TESTED.iter().filter_map(|names| names.last().copied());
    let known: BTreeSet<String> = tested
        .chain(RUN_ELSEWHERE)
        .chain(WITHOUT_COMMANDS)
        .map(str::to_owned)
        .collect();
    let mut found = BTreeSet::new();
    for folder in ["guides", "runbooks"] {
        for entry in fs::read_dir(script::docs().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            found.insert(format!("{folder}/{name}"));
        }
    }
    assert_eq!(found, known);
    for name in WITHOUT_COMMANDS {
        assert!(
            Document::read(name).is_empty(),
            "{name} has commands: list it above"
        );
    }
    for names in TESTED.iter().filter(|names| names.len() > 1) {
        assert_eq!(names[0], SERVE, "runbooks start from what this guide installs");
    }
}

/// Rust code in a guide is an excerpt of what is compiled elsewhere.
#[test]
fn rust_code_is_that_of_the_examples() {
    let sources = ["../crates/resource/README.md", "../examples/protected-service.rs"]
        .map(|path| fs::read_to_string(script::docs().join(path)).unwrap());
    let text = fs::read_to_string(script::docs().join("guides/protect-a-rust-service.md")).unwrap();
    let excerpts: Vec<&str> = text
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(excerpts.len(), 3);
    for excerpt in excerpts {
        assert!(sources.iter().any(|source| source.contains(excerpt)), "{excerpt}");
    }
}
