//! `sealstoned dev`, started on free ports over a fresh folder, and what it wrote down of itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustls_pki_types::UnixTime;
use sealstone_testkit::{CertificateSpec, TestCa, TestCertificate, unix_time};
use serde::Deserialize;
use tempfile::TempDir;

use crate::process::{Running, built, faketime, listens};
use crate::{Browser, Client, Https};

/// When [`DevServer::expired`] ends: 2025-06-01.
pub const EXPIRED_AT: UnixTime = unix_time(1_748_736_000);

/// A demo client, as `dev.json` has it.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct DevClient {
    /// What it is for: `machine`, `machine-san`, `machine-self-signed`, `machine-secret`, `gateway`.
    pub name: String,
    /// Its `client_id`.
    pub client_id: String,
    /// Its `token_endpoint_auth_method`.
    pub auth: String,
    /// Path of its certificate in PEM.
    #[serde(default)]
    pub cert: Option<PathBuf>,
    /// Path of its private key in PEM.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// Its secret.
    #[serde(default)]
    pub client_secret: Option<String>,
    /// A scope it may ask for.
    #[serde(default)]
    pub scope: Option<String>,
}

/// Somebody of the demo, as `dev.json` has them.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct DevUser {
    /// What they sign in with.
    pub name: String,
    /// Their password.
    pub password: String,
    /// The secret of their authenticator app, in base32.
    #[serde(default)]
    pub totp_secret: Option<String>,
}

#[derive(Debug, Deserialize)]
struct DevFile {
    issuer: String,
    mtls_base: String,
    ca: PathBuf,
    clients: Vec<DevClient>,
    #[serde(default)]
    users: Vec<DevUser>,
    #[serde(default)]
    relying_party: String,
}

/// A running `sealstoned dev`. It ends when this is dropped; its folder goes with it.
#[derive(Debug)]
pub struct DevServer {
    running: Option<Running>,
    folder: TempDir,
    ports: [u16; 2],
    arguments: &'static [&'static str],
    file: DevFile,
}

impl DevServer {
    /// Starts one and waits until it serves.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one that speaks only what the FAPI 2.0 security profile allows.
    #[must_use]
    pub fn start_fapi() -> Self {
        Self::start_with(&["--fapi"])
    }

    /// Starts one with more arguments.
    #[must_use]
    pub fn start_with(arguments: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Free ports of the system's choice; dev.json tells them.
        let running = run(folder.path(), [0, 0], arguments, None);
        let file = read(folder.path()).expect("dev.json as documented");
        let ports = file.ports().expect("a port in each URL");
        Self {
            running: Some(running),
            folder,
            ports,
            arguments,
            file,
        }
    }

    /// Kills it and starts it again over the same folder and on the same ports.
    pub fn restart(&mut self) {
        self.again(None);
    }

    /// The same, with a clock that is wrong by so much, as libfaketime reads it: `+3m`, `-1d`.
    pub fn restart_at(&mut self, offset: &str) {
        self.again(Some(offset));
    }

    fn again(&mut self, offset: Option<&str>) {
        drop(self.running.take());
        self.running = Some(run(self.folder.path(), self.ports, self.arguments, offset));
        self.file = read(self.folder.path()).expect("dev.json as documented");
    }

    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.file.issuer
    }

    /// Base URL of its mutual-TLS listener, without a slash at the end.
    #[must_use]
    pub fn mtls_base(&self) -> &str {
        self.file.mtls_base.trim_end_matches('/')
    }

    /// The issuer's URL `path` on the mutual-TLS listener, as the endpoint aliases have it.
    #[must_use]
    pub fn mtls_url(&self, path: &str) -> String {
        let host = self.file.issuer.find("/v4/").unwrap_or(self.file.issuer.len());
        let (_, below) = self.file.issuer.split_at(host);
        format!("{}{below}{path}", self.mtls_base())
    }

    /// The port of its public listener, and that of its mutual-TLS listener.
    #[must_use]
    pub const fn ports(&self) -> [u16; 2] {
        self.ports
    }

    /// Path of its CA's certificate.
    #[must_use]
    pub fn ca_path(&self) -> &Path {
        &self.file.ca
    }

    /// A path in a folder that goes with the server.
    #[must_use]
    pub fn scratch(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join("scratch");
        fs::create_dir_all(&folder).expect("a folder");
        folder.join(name)
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its CA, key included: what it issues here is as good as what `sealstone ca issue` makes.
    #[must_use]
    pub fn authority(&self) -> TestCa {
        let folder = self.file.ca.parent().expect("the CA's folder");
        let text = |path: &Path| fs::read_to_string(path).expect("a file of the CA");
        TestCa::from_pem(&text(&self.file.ca), &text(&folder.join("ca.key")))
    }

    /// The demo client called `name`, ready to drive.
    #[must_use]
    pub fn client(&self, name: &str) -> Client<'_> {
        let found = self.file.clients.iter().find(|client| client.name == name);
        Client::new(self, found.expect("a demo client of that name").clone())
    }

    /// The person called `name`: `demo` or `demo-mfa`.
    #[must_use]
    pub fn user(&self, name: &str) -> &DevUser {
        let found = self.file.users.iter().find(|user| user.name == name);
        found.expect("a person of that name")
    }

    /// The address of the demo's own relying party, with a slash at the end.
    #[must_use]
    pub fn relying_party(&self) -> &str {
        &self.file.relying_party
    }

    /// A browser without a cookie that trusts the server's CA.
    #[must_use]
    pub fn browser(&self) -> Browser {
        Browser::new(self.https())
    }

    /// Runs `sealstone` with these arguments on the server's data folder, and returns what it wrote as JSON.
    ///
    /// # Panics
    /// With what it said, when it fails.
    #[must_use]
    pub fn administer(&self, arguments: &[&str]) -> serde_json::Value {
        let program = built(
            "SEALSTONE",
            &["--package", "sealstone-cli", "--bin", "sealstone"],
            "sealstone",
        );
        let output = Command::new(program)
            .args(arguments)
            .arg("--data")
            .arg(self.data())
            .args(["--output", "json"])
            .output()
            .map(|output| crate::serve::looked_through("sealstone", output))
            .expect("sealstone runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// The certificate of the demo client called `name`.
    #[must_use]
    pub fn certificate(&self, name: &str) -> TestCertificate {
        let client = self.client(name).registered().clone();
        let text = |path: Option<PathBuf>| fs::read_to_string(path.expect("a path")).expect("its file");
        TestCertificate::from_pem(&text(client.cert), &text(client.key))
    }

    /// A certificate of the demo CA with the subject of the client called `name`, no longer valid.
    #[must_use]
    pub fn expired(&self, name: &str) -> TestCertificate {
        let spec = CertificateSpec::same_subject(&self.certificate(name));
        self.authority().issue(spec.not_after(EXPIRED_AT))
    }

    /// A self-signed certificate with the subject of the client called `name`.
    #[must_use]
    pub fn self_signed(&self, name: &str) -> TestCertificate {
        CertificateSpec::same_subject(&self.certificate(name)).self_signed()
    }

    /// A certificate of another CA with the subject of the client called `name`.
    #[must_use]
    pub fn foreign(&self, name: &str) -> TestCertificate {
        TestCa::new("Impostor").issue(CertificateSpec::same_subject(&self.certificate(name)))
    }

    /// Sends it a signal by its short name: `HUP`, `TERM`.
    pub fn signal(&self, name: &str) {
        let process = self.running.as_ref().expect("it runs").id();
        let sent = Command::new("kill")
            .args(["-s", name, &process.to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits until it has written this, and gives all that it wrote.
    pub fn wait_until_said(&mut self, words: &str) -> String {
        let running = self.running.as_mut().expect("it runs");
        running.wait_until(|said| said.contains(words));
        running.said()
    }

    /// An HTTPS client without a certificate that trusts the server's CA.
    #[must_use]
    pub fn https(&self) -> Https {
        Https::trusting(&fs::read_to_string(&self.file.ca).expect("the CA"))
    }

    /// What it wrote on standard output and standard error.
    #[must_use]
    pub fn said(&self) -> String {
        self.running.as_ref().map(Running::said).unwrap_or_default()
    }
}

fn run(folder: &Path, [public, mutual]: [u16; 2], arguments: &[&str], offset: Option<&str>) -> Running {
    let program = built(
        "SEALSTONED",
        &["--package", "sealstone-server", "--bin", "sealstoned"],
        "sealstoned",
    );
    let data = folder.join("data");
    let mut command = Command::new(program);
    command
        .arg("dev")
        .args(arguments)
        .args(["--listen", &format!("127.0.0.1:{public}")])
        .args(["--mtls-listen", &format!("127.0.0.1:{mutual}")])
        .arg("--data")
        .arg(&data);
    if let Some(offset) = offset {
        faketime(&mut command, offset);
    }
    let ports = || read(folder).and_then(|file| file.ports());
    Running::start(command, |_| {
        ports().is_some_and(|ports| ports.into_iter().all(listens))
    })
}

/// `dev.json`, once it is there: it appears whole.
fn read(folder: &Path) -> Option<DevFile> {
    let data = folder.join("data");
    let text = fs::read_to_string(data.join("dev.json")).ok()?;
    let mut file: DevFile = serde_json::from_str(&text).expect("dev.json as documented");
    // Paths may be written relative to the folder.
    file.ca = data.join(&file.ca);
    for client in &mut file.clients {
        client.cert = client.cert.as_ref().map(|path| data.join(path));
        client.key = client.key.as_ref().map(|path| data.join(path));
    }
    let users = file
        .users
        .iter()
        .flat_map(|user| [Some(&user.password), user.totp_secret.as_ref()]);
    let clients = file.clients.iter().map(|client| client.client_secret.as_ref());
    let secrets = users.chain(clients).flatten();
    secrets.for_each(|secret| sealstone_testkit::keep_secret(secret));
    for client in &file.clients {
        let key = client.key.as_ref().and_then(|path| fs::read_to_string(path).ok());
        sealstone_testkit::keep_secret(&key.unwrap_or_default());
    }
    Some(file)
}

impl Drop for DevServer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let audit = fs::read_to_string(self.data().join("audit.jsonl")).unwrap_or_default();
            sealstone_testkit::written_down("the audit trail of sealstoned dev", &audit);
        }
    }
}

impl DevFile {
    /// The ports of the public and of the mutual-TLS listener.
    fn ports(&self) -> Option<[u16; 2]> {
        Some([port(&self.issuer)?, port(&self.mtls_base)?])
    }
}

fn port(url: &str) -> Option<u16> {
    let authority = url.strip_prefix("https://")?.split('/').next()?;
    authority.rsplit_once(':')?.1.parse().ok()
}
