//! `sealstoned dev`: from nothing to serving.

use crate::harness::{Ask, Https, INTROSPECT, ISSUER, Process, claims};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sealstone_testkit::TestCertificate;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use tempfile::TempDir;

/// A running demo.
struct Demo {
    process: Process,
    /// `dev.json`.
    file: Value,
}

fn arguments(folder: &Path) -> [&str; 7] {
    let data = folder.to_str().unwrap();
    let any = "127.0.0.1:0";
    ["dev", "--data", data, "--listen", any, "--mtls-listen", any]
}

impl Demo {
    async fn start(folder: &Path) -> Self {
        let process = Process::start(&arguments(folder));
        process.said(|line| line.contains("Ctrl-C").then_some(())).await;
        let file = fs::read_to_string(folder.join("dev.json")).unwrap();
        let file = serde_json::from_str(&file).unwrap();
        Self { process, file }
    }

    fn client(&self, name: &str) -> &Value {
        let clients = self.file["clients"].as_array().unwrap();
        clients.iter().find(|client| client["name"] == name).unwrap()
    }

    fn address(&self, base: &str) -> SocketAddr {
        let rest = self.file[base]
            .as_str()
            .unwrap()
            .strip_prefix("https://")
            .unwrap();
        rest.split('/').next().unwrap().parse().unwrap()
    }

    fn https(&self) -> Https {
        let pem = fs::read(self.file["ca"].as_str().unwrap()).unwrap();
        Https::trusting(&CertificateDer::from_pem_slice(&pem).unwrap())
    }

    fn certificate(&self, name: &str) -> TestCertificate {
        let read = |member: &str| fs::read_to_string(self.client(name)[member].as_str().unwrap()).unwrap();
        TestCertificate::from_pem(&read("cert"), &read("key"))
    }

    /// A token of a client, got as it is registered.
    async fn token(&self, name: &str) -> String {
        let client = self.client(name);
        let (id, scope) = (&client["client_id"], client["scope"].as_str().unwrap());
        let scope = scope.replace(' ', "+").replace(':', "%3A");
        let form = format!("grant_type=client_credentials&scope={scope}");
        let ask = Ask::post(&format!("{ISSUER}/token"));
        let id = id.as_str().unwrap();
        let answer = match client["client_secret"].as_str() {
            Some(secret) => {
                let ask = ask.basic(id, secret).form(form);
                self.https().send(self.address("issuer"), ask).await
            }
            None => {
                let https = self.https().presenting(&self.certificate(name));
                let ask = ask.form(format!("{form}&client_id={id}"));
                https.send(self.address("mtls_base"), ask).await
            }
        };
        answer.token()
    }

    async fn introspect(&self, token: &str) -> Value {
        let gateway = self.client("gateway")["client_secret"].as_str().unwrap();
        let ask = Ask::post(INTROSPECT)
            .basic("gateway", gateway)
            .form(format!("token={token}"));
        self.https().send(self.address("issuer"), ask).await.json()
    }

    async fn keys(&self) -> String {
        let ask = Ask::get(&format!("{ISSUER}/jwks"));
        self.https().send(self.address("issuer"), ask).await.text
    }
}

#[tokio::test]
async fn from_nothing_to_clients_and_people() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("made/by/it");
    let mut demo = Demo::start(&data).await;

    // In order of their names: whether JSON keeps its own is up to whoever else is built with these tests.
    let members =
        |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    let named =
        |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    assert_eq!(
        members(&demo.file),
        named(&["ca", "clients", "issuer", "mtls_base", "relying_party", "users"])
    );
    let people: Vec<_> = demo.file["users"].as_array().unwrap().iter().collect();
    for (person, (name, has_app)) in people.iter().zip([("demo", false), ("demo-mfa", true)]) {
        assert_eq!(person["name"], name);
        assert_eq!(person["password"].as_str().unwrap().len(), 16);
        assert_eq!(person["totp_secret"].is_string(), has_app, "{name}");
    }
    assert_eq!(people.len(), 2);
    let party = demo.file["relying_party"].as_str().unwrap();
    assert!(party.starts_with("http://127.0.0.1:"), "{party}");
    let clients: Vec<_> = demo.file["clients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|client| {
            assert_eq!(
                members(client),
                named(&[
                    "auth",
                    "cert",
                    "client_id",
                    "client_secret",
                    "key",
                    "name",
                    "scope"
                ])
            );
            let by_certificate = client["cert"].is_string();
            assert_eq!(by_certificate, client["key"].is_string());
            let has_secret = client["client_secret"].is_string();
            assert_eq!(by_certificate || has_secret, client["auth"] != "none");
            assert!(!(by_certificate && has_secret));
            json!([client["name"], client["auth"], by_certificate])
        })
        .collect();
    let want = json!([
        ["machine", "tls_client_auth", true],
        ["machine-san", "tls_client_auth", true],
        ["machine-self-signed", "self_signed_tls_client_auth", true],
        ["machine-secret", "client_secret_basic", false],
        ["gateway", "client_secret_basic", false],
        ["web", "client_secret_basic", false],
        ["cli", "none", false],
    ]);
    assert_eq!(Value::from(clients), want);
    let issuer = demo.file["issuer"].as_str().unwrap();
    assert!(issuer.starts_with("https://127.0.0.1:") && issuer.ends_with(ISSUER));

    for name in ["machine", "machine-san", "machine-self-signed"] {
        let token = demo.token(name).await;
        let thumbprint = demo.certificate(name).thumbprint();
        assert_eq!(claims(&token)["cnf"]["x5t#S256"], thumbprint, "{name}");
        assert_eq!(claims(&token)["openstack_context"]["project_id"], "demo-project");
        let told = demo.introspect(&token).await;
        assert_eq!(
            (&told["active"], &told["cnf"]["x5t#S256"]),
            (&json!(true), &json!(thumbprint))
        );
    }
    for name in ["machine-secret", "gateway"] {
        let token = demo.token(name).await;
        assert_eq!(claims(&token)["cnf"], Value::Null);
        assert_eq!(demo.introspect(&token).await["active"], true);
    }
    // With another client's certificate: refused.
    let https = demo.https().presenting(&demo.certificate("machine-san"));
    let ask = Ask::post(&format!("{ISSUER}/token")).form("grant_type=client_credentials&client_id=machine");
    let answer = https.send(demo.address("mtls_base"), ask).await;
    answer.is_refused(401, "invalid_client");
    let said = demo.process.output();
    for command in [
        "sealstone token --dev",
        "curl --cacert",
        "introspect",
        "demo-mfa",
        party,
    ] {
        assert!(said.contains(command), "{said}");
    }
    demo.process.stop().await;
}

#[tokio::test]
async fn a_second_start_keeps_everything() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("demo");
    let mut demo = Demo::start(&data).await;
    let token = demo.token("machine-secret").await;
    let kept = [
        "ca/ca.pem",
        "ca/ca.key",
        "secrets/pepper",
        "secrets/kek",
        "certs/machine.pem",
        "certs/server.pem",
    ];
    let read = || kept.map(|name| fs::read(data.join(name)).unwrap());
    let (first, keys, files) = (demo.file.clone(), demo.keys().await, read());
    for end in ["TERM", "KILL", "INT"] {
        crate::harness::signal(demo.process.id(), end);
        assert_eq!(demo.process.ended().await.success(), end != "KILL");
        demo = Demo::start(&data).await;
        assert_eq!(demo.file["clients"], first["clients"]);
        assert_eq!(demo.file["users"], first["users"], "their passwords are kept");
        assert_eq!(demo.keys().await, keys);
        assert!(read() == files, "a file was made anew");
        assert_eq!(
            demo.introspect(&token).await["active"],
            json!(false),
            "another issuer now: its port is another"
        );
        demo.token("machine").await;
        demo.token("machine-secret").await;
    }
    demo.process.stop().await;
}

/// The same folder and the same port: the issuer is the same, and so are its tokens.
#[tokio::test]
async fn tokens_outlive_a_restart_on_the_same_port() {
    let folder = TempDir::new().unwrap();
    let mut demo = Demo::start(folder.path()).await;
    let token = demo.token("machine").await;
    let (public, mtls) = (demo.address("issuer"), demo.address("mtls_base"));
    demo.process.stop().await;
    let arguments = [
        "dev",
        "--data",
        folder.path().to_str().unwrap(),
        "--listen",
        &public.to_string(),
        "--mtls-listen",
        &mtls.to_string(),
    ];
    let process = Process::start(&arguments);
    process.said(|line| line.contains("Ctrl-C").then_some(())).await;
    demo.process = process;
    assert_eq!(demo.introspect(&token).await["active"], true);
    demo.process.stop().await;
}

/// A second one on the same folder is refused, and the first goes on as if nothing had been.
#[tokio::test]
async fn two_at_once_on_one_folder() {
    let folder = TempDir::new().unwrap();
    let mut first = Demo::start(folder.path()).await;
    let file = fs::read(folder.path().join("dev.json")).unwrap();
    let output = Process::command(&arguments(folder.path())).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("another `sealstoned dev`") && said.contains("--data"),
        "{said}"
    );
    assert_eq!(fs::read(folder.path().join("dev.json")).unwrap(), file);
    first.token("machine").await;
    first.token("machine-secret").await;
    first.process.stop().await;
}

#[tokio::test]
async fn three_first_starts_at_once() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("demo");
    let mut started: Vec<_> = (0..3).map(|_| Process::start(&arguments(&data))).collect();
    let mut serving = 0;
    for process in &mut started {
        let mut ended = false;
        crate::harness::eventually("served or refused", || {
            ended = !process.is_alive();
            let done = ended || process.output().contains("Ctrl-C");
            async move { done }
        })
        .await;
        serving += usize::from(!ended);
    }
    assert_eq!(serving, 1);
    drop(started);
    let mut demo = Demo::start(&data).await;
    for name in ["machine", "machine-secret", "machine-self-signed"] {
        demo.token(name).await;
    }
    demo.process.stop().await;
}

#[tokio::test]
async fn a_taken_port_is_told() {
    let folder = TempDir::new().unwrap();
    let mut demo = Demo::start(&folder.path().join("one")).await;
    let taken = demo.address("issuer").to_string();
    let other = folder.path().join("two");
    for flag in ["--listen", "--mtls-listen"] {
        let free = if flag == "--listen" {
            "--mtls-listen"
        } else {
            "--listen"
        };
        let output = Process::command(&[
            "dev",
            "--data",
            other.to_str().unwrap(),
            flag,
            &taken,
            free,
            "127.0.0.1:0",
        ])
        .output()
        .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains(flag) && said.contains(&taken) && said.contains("another program"),
            "{said}"
        );
    }
    demo.process.stop().await;
}

/// Who else is on the machine reads no key, no secret and no hash of one.
#[tokio::test]
async fn files_are_their_owners() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("demo");
    let mut demo = Demo::start(&data).await;
    demo.token("machine").await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let mut folders = vec![data.clone()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if fs::metadata(&path).unwrap().file_type().is_socket() {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                continue;
            }
            files += 1;
            let text = fs::read(&path).unwrap();
            let shown = path.strip_prefix(&data).unwrap().display().to_string();
            let private = text.windows(11).any(|window| window == b"PRIVATE KEY");
            let named = ["secrets/", "dev.json", "sealstone.db", "audit.jsonl", ".key"];
            if private || named.iter().any(|name| shown.contains(name)) {
                assert_eq!(mode(&path), 0o600, "{shown}");
            }
            assert_eq!(mode(&path) & 0o022, 0, "{shown}");
        }
    }
    assert!(files >= 12, "{files}");
    for name in ["secrets", "certs"] {
        assert_eq!(mode(&data.join(name)), 0o700, "{name}");
    }
    demo.process.stop().await;
}
