//! `sealstone client … --url` and `sealstone key … --url`: an administrator without a shell on the server, by each way to
//! prove who asks.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: what it cannot read has failed"
)]

mod keys;

use std::process::{Command, Output};

use sealstone_interop::{KeystoneLab, ServeServer, ServeSetup, built, free_ports};
use serde_json::{Value, json};

struct World {
    server: ServeServer,
}

impl World {
    /// Two domains; a machine of `demo` and one of `global` that administer, each with a secret, and a certificate that
    /// administers `demo` alone.
    fn new(change: impl FnOnce(&mut ServeSetup)) -> Self {
        let mut setup = ServeSetup::new();
        // The command line believes only an issuer that is called as it was asked.
        let [public, mutual] = free_ports();
        for (key, value) in [
            ("base_url", format!("'https://localhost:{public}'")),
            ("listen", format!("'127.0.0.1:{public}'")),
            ("mtls_base_url", format!("'https://localhost:{mutual}'")),
            ("mtls_listen", format!("'127.0.0.1:{mutual}'")),
        ] {
            setup.set("server", key, &value);
        }
        setup.set(
            "administration",
            "cloud_certificates",
            "['tls_client_auth_subject_dn=CN=operator']",
        );
        setup.set(
            "administration",
            "domain_certificates",
            "['demo tls_client_auth_subject_dn=CN=manager']",
        );
        change(&mut setup);
        for (id, domain, scope) in [
            ("manager", "demo", "sealstone:clients metrics:read"),
            ("operator", "global", "sealstone:clients sealstone:keys"),
            ("reader", "demo", "metrics:read"),
            ("other", "elsewhere", "metrics:read"),
        ] {
            let made = setup.sealstone(&[
                "client",
                "create",
                id,
                "--domain",
                domain,
                "--new-domain",
                "--scope",
                scope,
                "--output",
                "json",
            ]);
            assert!(made.status.success(), "{made:?}");
            let made: Value = serde_json::from_slice(&made.stdout).unwrap();
            let secret = made["client_secret"].as_str().unwrap();
            setup.keep_secret(secret);
            setup.write_private(&format!("{id}.secret"), secret);
        }
        for name in ["operator", "manager", "stranger"] {
            let holder = setup.ca().client(name);
            setup.write_private(&format!("{name}.pem"), &holder.chain_pem());
            setup.write_private(&format!("{name}.key"), &holder.key_pem());
        }
        let server = setup.start();
        server.wait_for_issuer();
        Self { server }
    }

    fn issuer(&self, domain: &str) -> String {
        let [public, _] = self.server.ports();
        format!("https://localhost:{public}/v4/oauth2/{domain}")
    }

    fn path(&self, name: &str) -> String {
        self.server.setup().path(name).display().to_string()
    }

    fn program(&self) -> Command {
        let build = ["--package", "sealstone-cli", "--bin", "sealstone"];
        let mut program = Command::new(built("SEALSTONE", &build, "sealstone"));
        for name in ["OS_TOKEN", "OS_CLOUD", "OS_AUTH_URL", "SEALSTONE_ACCESS_TOKEN"] {
            program.env_remove(name);
        }
        program
    }

    fn token(&self, client: &str, domain: &str, scope: &str) -> String {
        let done = self
            .program()
            .args([
                "token",
                "--issuer",
                &self.issuer(domain),
                "--ca",
                &self.path("ca.pem"),
            ])
            .args(["--client-id", client, "--scope", scope, "--client-secret-file"])
            .arg(self.path(&format!("{client}.secret")))
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        let token = String::from_utf8(done.stdout).unwrap().trim().to_owned();
        self.server.setup().keep_secret(&token);
        token
    }

    /// `sealstone client VERB …` for the clients of `demo`.
    fn client(&self, proof: Proof<'_>, arguments: &[&str]) -> Done {
        self.client_of("demo", proof, arguments)
    }

    fn client_of(&self, domain: &str, proof: Proof<'_>, arguments: &[&str]) -> Done {
        self.asked(domain, proof, &[&["client"], arguments].concat())
    }

    /// `sealstone …` for this domain's issuer.
    fn asked(&self, domain: &str, proof: Proof<'_>, arguments: &[&str]) -> Done {
        let mut program = self.program();
        program.args(arguments);
        program.args(["--url", &self.issuer(domain), "--ca", &self.path("ca.pem")]);
        match proof {
            Proof::Token(token) => {
                program.env("SEALSTONE_ACCESS_TOKEN", token);
            }
            Proof::File(name) => {
                program.args(["--token-file", &self.path(name)]);
            }
            Proof::Certificate(name) => {
                let [cert, key] = ["pem", "key"].map(|end| self.path(&format!("{name}.{end}")));
                program.args(["--cert", &cert, "--key", &key]);
            }
            Proof::Environment(variables) => {
                program.envs(variables.iter().copied());
            }
        }
        Done(program.output().unwrap())
    }
}

#[derive(Clone, Copy)]
enum Proof<'a> {
    Token(&'a str),
    File(&'a str),
    Certificate(&'a str),
    Environment(&'a [(&'a str, &'a str)]),
}

struct Done(Output);

impl Done {
    #[track_caller]
    fn json(&self) -> Value {
        assert!(self.0.status.success(), "{:?}", self.0);
        serde_json::from_slice(&self.0.stdout).unwrap()
    }

    #[track_caller]
    fn refused(&self, status: i32, words: &str) -> String {
        let told = String::from_utf8_lossy(&self.0.stderr).into_owned();
        assert_eq!(self.0.status.code(), Some(status), "{:?}", self.0);
        assert!(told.contains(words), "{words}: {told}");
        assert!(self.0.stdout.is_empty(), "{:?}", self.0);
        told
    }
}

const JSON: [&str; 2] = ["--output", "json"];

/// The whole life of a client; what is printed is what the same command prints on the server's machine.
#[test]
fn a_client_is_looked_after_from_elsewhere() {
    let world = World::new(|_| {});
    let token = world.token("manager", "demo", "sealstone:clients metrics:read");
    world.server.setup().write_private("token", &token);
    for proof in [
        Proof::Token(&token),
        Proof::File("token"),
        Proof::Certificate("operator"),
    ] {
        let with = |arguments: &[&str]| world.client(proof, &[arguments, &JSON].concat());
        let made = with(&["create", "exporter", "--scope", "metrics:read"]).json();
        assert_eq!(
            (&made["client_id"], &made["domain"]),
            (&json!("exporter"), &json!("demo"))
        );
        // One that was made anew under its id goes on with the versions of the one before.
        let version = made["version"].as_u64().unwrap();
        let first = made["client_secret"].as_str().unwrap().to_owned();
        with(&["create", "exporter", "--scope", "metrics:read"]).refused(1, "409");

        let here = world
            .server
            .setup()
            .sealstone(&["client", "show", "exporter", "--output", "json"]);
        let here: Value = serde_json::from_slice(&here.stdout).unwrap();
        assert_eq!(with(&["show", "exporter"]).json(), here);
        let here = world
            .server
            .setup()
            .sealstone(&["client", "list", "--domain", "demo", "--output", "json"]);
        let here: Value = serde_json::from_slice(&here.stdout).unwrap();
        assert_eq!(with(&["list"]).json(), here);
        let table = world.client(proof, &["list"]);
        let table = String::from_utf8(table.0.stdout).unwrap();
        assert!(table.starts_with("ID ") && table.contains("exporter"), "{table}");

        let changed = with(&[
            "update",
            "exporter",
            "--name",
            "An exporter",
            "--token-lifetime",
            "60",
        ])
        .json();
        assert_eq!(changed["client_name"], "An exporter");
        assert_eq!(
            (&changed["scope"], &changed["version"]),
            (&json!("metrics:read"), &json!(version + 1))
        );
        assert!(changed.get("client_secret").is_none());
        let rotated = with(&["rotate-secret", "exporter", "--overlap", "0s"]).json();
        assert_ne!(rotated["client_secret"], json!(first));
        assert_eq!(with(&["disable", "exporter"]).json()["enabled"], false);
        assert_eq!(with(&["enable", "exporter"]).json()["enabled"], true);
        world.client(proof, &["delete", "exporter"]).refused(2, "--yes");
        let deleted = world.client(proof, &["delete", "exporter", "--yes"]);
        assert!(deleted.0.status.success(), "{:?}", deleted.0);
        world
            .client(proof, &["show", "exporter"])
            .refused(1, "`sealstone client list` with the same --url");
    }
    // An id that the server draws, and a client of people.
    let made = world.client(
        Proof::Certificate("operator"),
        &[
            "create",
            "--redirect-uri",
            "https://a.example/cb",
            "--scope",
            "openid",
            "--output",
            "json",
        ],
    );
    assert_eq!(made.json()["client_id"].as_str().unwrap().len(), 32);
}

#[test]
fn o01_whoever_is_no_administrator_is_told_why_and_what_to_do() {
    let world = World::new(|_| {});
    let reader = world.token("reader", "demo", "metrics:read");
    let manager = world.token("manager", "demo", "sealstone:clients");
    let operator = world.token("operator", "global", "sealstone:clients");
    let list = ["list"];
    for (name, done, status, words) in [
        (
            "nobody",
            world.client(Proof::Environment(&[]), &list),
            1,
            "nothing says who you are",
        ),
        (
            "a token of another scope",
            world.client(Proof::Token(&reader), &list),
            1,
            "refused (40",
        ),
        (
            "no token of ours",
            world.client(Proof::Token("made-up"), &list),
            1,
            "give another token",
        ),
        (
            "a token of two lines",
            world.client(Proof::Token("a\nb"), &list),
            1,
            "the token is none",
        ),
        (
            "a certificate that nobody named",
            world.client(Proof::Certificate("stranger"), &list),
            1,
            "refused (403",
        ),
        (
            "a manager elsewhere",
            world.client_of("elsewhere", Proof::Token(&manager), &list),
            1,
            "refused (401",
        ),
        (
            "a certificate of a manager elsewhere",
            world.client_of("elsewhere", Proof::Certificate("manager"), &list),
            1,
            "refused (403",
        ),
        (
            "more than the token holds",
            world.client(
                Proof::Token(&manager),
                &["create", "x", "--scope", "metrics:read"],
            ),
            1,
            "refused (403",
        ),
        (
            "a domain of one's choice",
            world.client(Proof::Token(&manager), &["list", "--domain", "elsewhere"]),
            2,
            "the issuer says the domain",
        ),
        (
            "what is for the server's machine",
            world.client(
                Proof::Token(&manager),
                &["create", "x", "--dangerous-without-keystone-check"],
            ),
            2,
            "the server asks Keystone",
        ),
        (
            "a registration that breaks a rule",
            world.client(
                Proof::Token(&manager),
                &["create", "x", "--redirect-uri", "http://x.example/cb"],
            ),
            1,
            "https",
        ),
    ] {
        let told = done.refused(status, words);
        for secret in [&reader, &manager, &operator] {
            assert!(!told.contains(secret.as_str()), "{name}");
        }
    }
    // Who administers the cloud administers each domain.
    let all = world.client_of(
        "elsewhere",
        Proof::Token(&operator),
        &["list", "--output", "json"],
    );
    assert_eq!(all.json().as_array().unwrap().len(), 1);
    // A server that is not the one that is meant is told nothing.
    let mut program = world.program();
    program.args(["client", "list", "--url", &world.issuer("demo")]);
    let done = Done(program.env("SEALSTONE_ACCESS_TOKEN", &operator).output().unwrap());
    done.refused(1, "cannot be reached");
    // Both places at once cannot be meant.
    let mut program = world.program();
    program.args(["client", "list", "--config", "x", "--url", &world.issuer("demo")]);
    Done(program.output().unwrap()).refused(2, "cannot be used with");
    let mut program = world.program();
    Done(program.args(["client", "list"]).output().unwrap()).refused(2, "--url <ISSUER>");
}

/// More than one page of clients.
#[test]
fn o17_all_pages_are_read() {
    let world = World::new(|_| {});
    let operator = world.server.setup().ca().client("operator");
    let https = world.server.holder(&operator);
    let [_, mutual] = world.server.ports();
    for number in 0..230 {
        let url = format!("https://localhost:{mutual}/v4/oauth2/demo/clients/c-{number}");
        let headers = [("content-type", "application/json"), ("if-none-match", "*")];
        let made = https.send("PUT", &url, &headers, b"{}").unwrap();
        assert_eq!(made.status, 201, "{}", made.text());
    }
    let listed = world
        .client(Proof::Certificate("manager"), &["list", "--output", "json"])
        .json();
    assert_eq!(listed.as_array().unwrap().len(), 232, "and two of the set-up");
}

/// By Keystone: a token, and the variables of a login.
#[test]
fn o01_a_login_at_keystone_says_who_asks() {
    let lab = KeystoneLab::shared();
    let world = World::new(|setup| {
        setup.set("keystone", "url", &format!("'{}'", lab.url()));
        setup.set("keystone", "dangerous_plain_http", "true");
    });
    let machine = lab.machine(&["member"]);
    let admin = lab.admin_token();
    let url = lab.url().to_owned();
    let member = lab.password_token(&machine.user_id, &machine.password, &machine.project_id);
    let as_admin = [("OS_TOKEN", admin.as_str()), ("OS_AUTH_URL", url.as_str())];
    let made = world.client(
        Proof::Environment(&as_admin),
        &["create", "board", "--scope", "metrics:read", "--output", "json"],
    );
    assert_eq!(made.json()["client_id"], "board");
    let as_member = [("OS_TOKEN", member.as_str()), ("OS_AUTH_URL", url.as_str())];
    world
        .client(Proof::Environment(&as_member), &["disable", "board"])
        .refused(1, "refused (403");
    let by_credential = [
        ("OS_AUTH_URL", url.as_str()),
        ("OS_APPLICATION_CREDENTIAL_ID", machine.credential_id.as_str()),
        ("OS_APPLICATION_CREDENTIAL_SECRET", "wrong"),
    ];
    let told = world
        .client(Proof::Environment(&by_credential), &["list"])
        .refused(1, "Keystone does not let you in");
    assert!(!told.contains("wrong"), "{told}");
    // A cloud of clouds.yaml.
    let clouds = json!({ "clouds": { "lab": { "auth_type": "v3token", "auth": { "auth_url": url, "token": admin } } } });
    world
        .server
        .setup()
        .write_private("clouds.yaml", &clouds.to_string());
    let file = world.path("clouds.yaml");
    let environment = [("OS_CLIENT_CONFIG_FILE", file.as_str())];
    let shown = world.client(
        Proof::Environment(&environment),
        &["show", "board", "--cloud", "lab", "--output", "json"],
    );
    assert_eq!(shown.json()["client_id"], "board");
}
