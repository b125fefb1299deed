//! `sealstoned serve` over a folder of its own, configured as a test wants it, and the clients that are registered
//! with its command line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use sealstone_testkit::{TestCa, TestCertificate, sha256};
use serde_json::Value;
use tempfile::TempDir;

use crate::Https;
use crate::process::{Running, built};
use crate::service::private;

/// What a server is started with: certificates, secrets and a configuration that serves on free ports.
#[derive(Debug)]
pub struct ServeSetup {
    folder: TempDir,
    sections: BTreeMap<String, BTreeMap<String, String>>,
    ca: TestCa,
    /// The `/etc/hosts` that the server sees, if it is another than the machine's.
    hosts: Option<String>,
    /// What must turn up in no log: files for the owner alone, and clients' secrets.
    confidential: Mutex<Vec<String>>,
}

impl Default for ServeSetup {
    fn default() -> Self {
        Self::new()
    }
}

impl ServeSetup {
    /// A server at `https://localhost`, for `localhost` and 127.0.0.1. One CA stands behind its certificate and those
    /// of its clients.
    #[must_use]
    pub fn new() -> Self {
        let mut this = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            sections: BTreeMap::new(),
            ca: TestCa::new("Machines"),
            hosts: None,
            confidential: Mutex::default(),
        };
        let own = this.ca.server();
        this.write("server.pem", &own.chain_pem());
        this.write_private("server.key", &own.key_pem());
        this.write("ca.pem", &this.ca.pem());
        this.write_private("pepper", &digits("pepper"));
        this.write_private("kek", &digits("kek"));
        for (section, key, value) in [
            ("server", "base_url", "'https://localhost'"),
            ("server", "mtls_base_url", "'https://localhost'"),
            ("server", "listen", "'127.0.0.1:0'"),
            ("server", "mtls_listen", "'127.0.0.1:0'"),
            ("server", "admin_listen", "'127.0.0.1:0'"),
            ("tls", "certificate_file", "'server.pem'"),
            ("tls", "key_file", "'server.key'"),
            ("tls", "client_ca_files", "['ca.pem']"),
            ("storage", "path", "'sealstone.db'"),
            ("secrets", "pepper_file", "'pepper'"),
            ("secrets", "key_encryption_key_file", "'kek'"),
            ("limits", "insecure_unlimited_networks", "['127.0.0.0/8']"),
            ("log", "level", "'debug'"),
            ("log", "format", "'json'"),
        ] {
            this.set(section, key, value);
        }
        this
    }

    /// Sets a key of a section to a value as TOML has it; a section may be `keystone.service`.
    pub fn set(&mut self, section: &str, key: &str, value: &str) {
        let section = self.sections.entry(section.to_owned()).or_default();
        section.insert(key.to_owned(), value.to_owned());
    }

    /// Has the server read these lines as its `/etc/hosts`. `false` where this may not be done: it takes root.
    #[must_use]
    pub fn set_hosts(&mut self, lines: &str) -> bool {
        let tried = Command::new("unshare").args(["--mount", "true"]).status();
        let may = tried.is_ok_and(|status| status.success());
        self.hosts = may.then(|| lines.to_owned());
        may
    }

    fn serve(&self) -> Running {
        let mut command = sealstoned(&["serve"], &self.path("sealstoned.toml"));
        if let Some(hosts) = &self.hosts {
            self.write("hosts", hosts);
            let mut unshared = Command::new("unshare");
            let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
            unshared.args(["--mount", "sh", "-c", script]);
            unshared.arg(self.path("hosts")).arg(command.get_program());
            unshared.args(command.get_args());
            command = unshared;
        }
        Running::start(command, |said| served(said).is_some())
    }

    /// Takes a key out of a section.
    pub fn remove(&mut self, section: &str, key: &str) {
        if let Some(section) = self.sections.get_mut(section) {
            section.remove(key);
        }
    }

    /// Takes a whole section out.
    pub fn remove_section(&mut self, section: &str) {
        self.sections.remove(section);
    }

    /// A file beside the configuration.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    /// A file beside the configuration that only its owner may read.
    pub fn write_private(&self, name: &str, text: &str) {
        self.write(name, text);
        private(&self.path(name));
        self.keep_secret(text);
    }

    /// A path beside the configuration.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The CA of the server and of its clients.
    #[must_use]
    pub const fn ca(&self) -> &TestCa {
        &self.ca
    }

    /// Writes the configuration as it is set.
    pub fn write_config(&self) {
        let mut text = String::new();
        for (section, keys) in &self.sections {
            text.push_str(&format!("[{section}]\n"));
            for (key, value) in keys {
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        self.write("sealstoned.toml", &text);
    }

    /// `sealstone` with these arguments and `--config` of this server, before it runs or while it does.
    #[must_use]
    pub fn sealstone(&self, arguments: &[&str]) -> Output {
        self.sealstone_as(arguments, &[])
    }

    /// The same with these variables in its environment: `OS_TOKEN`, …
    #[must_use]
    pub fn sealstone_as(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        self.write_config();
        if !self.path("sealstone.db").exists() {
            let mut migrate = sealstoned(&["db", "migrate"], &self.path("sealstoned.toml"));
            let done = migrate.output().expect("the program runs");
            assert!(done.status.success(), "{done:?}");
        }
        let build = ["--package", "sealstone-cli", "--bin", "sealstone"];
        Command::new(built("SEALSTONE", &build, "sealstone"))
            .args(arguments)
            .arg("--config")
            .arg(self.path("sealstoned.toml"))
            .envs(environment.iter().copied())
            .output()
            .map(|output| looked_through("sealstone", output))
            .expect("the program runs")
    }

    /// Registers a client of domain `demo` with more arguments of `sealstone client create`; what it printed as JSON.
    #[must_use]
    #[track_caller]
    pub fn register(&self, id: &str, arguments: &[&str]) -> Value {
        let mut all = vec!["client", "create", id, "--domain", "demo", "--new-domain"];
        all.extend(arguments);
        all.extend(["--output", "json"]);
        let output = self.sealstone(&all);
        assert!(output.status.success(), "{id}: {output:?}");
        let made: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        if let Some(secret) = made.get("client_secret").and_then(Value::as_str) {
            self.keep_secret(secret);
        }
        made
    }

    /// Something that the server may write down nowhere: it is looked for when the server ends.
    pub fn keep_secret(&self, secret: &str) {
        // Of a key its longest line: the armour is everybody's.
        let telling = secret
            .lines()
            .max_by_key(|line| line.len())
            .unwrap_or_default()
            .trim();
        sealstone_testkit::keep_secret(telling);
        if telling.len() >= LEAST_TELLING {
            self.confidential
                .lock()
                .expect("not poisoned")
                .push(telling.to_owned());
        }
    }

    /// No secret is in what the server wrote: its streams, its audit trail.
    fn nothing_leaked(&self, said: &str) {
        let audit = fs::read_to_string(self.path("audit.jsonl")).unwrap_or_default();
        sealstone_testkit::written_down("the audit trail", &audit);
        for secret in self.confidential.lock().expect("not poisoned").iter() {
            let found = said.contains(secret) || audit.contains(secret);
            assert!(
                !found,
                "a secret that begins {:?} was written down",
                secret.get(..4)
            );
        }
    }

    /// Registers a client that shows a certificate with this subject.
    #[track_caller]
    pub fn register_subject(&self, id: &str, subject: &str) {
        let _made = self.register(id, &["--subject-dn", subject]);
    }

    /// Starts the server and waits until it serves.
    #[must_use]
    pub fn start(self) -> ServeServer {
        self.write_config();
        let running = self.serve();
        let said = running.said();
        let ports = served(&said).expect("where it serves");
        ServeServer {
            running: Some(running),
            setup: self,
            ports,
            admin: port_of(&said, "admin"),
        }
    }
}

/// A running `sealstoned serve`. It ends when this is dropped; its folder goes with it.
#[derive(Debug)]
pub struct ServeServer {
    running: Option<Running>,
    setup: ServeSetup,
    ports: [u16; 2],
    admin: Option<u16>,
}

impl ServeServer {
    /// What it was started with.
    #[must_use]
    pub const fn setup(&self) -> &ServeSetup {
        &self.setup
    }

    /// Ends it, and starts it anew with the setup changed. It takes other ports, where none were set.
    pub fn restart(&mut self, change: impl FnOnce(&mut ServeSetup)) {
        drop(self.running.take());
        change(&mut self.setup);
        self.setup.write_config();
        let running = self.setup.serve();
        let said = running.said();
        self.ports = served(&said).expect("where it serves");
        self.admin = port_of(&said, "admin");
        self.running = Some(running);
    }

    /// The port for everybody, and the one that asks for a certificate.
    #[must_use]
    pub const fn ports(&self) -> [u16; 2] {
        self.ports
    }

    /// Changes what is configured, and writes it: the server reads it when it is told to.
    pub fn configure(&mut self, change: impl FnOnce(&mut ServeSetup)) {
        change(&mut self.setup);
        self.setup.write_config();
    }

    /// The port of health and metrics.
    #[must_use]
    pub const fn admin_port(&self) -> Option<u16> {
        self.admin
    }

    /// What the admin listener answers: the status and the body.
    #[must_use]
    pub fn admin(&self, path: &str) -> (u16, String) {
        let port = self.admin.expect("an admin listener");
        plain_get(port, path).expect("an answer of the admin listener")
    }

    /// Sends it a signal by its short name: `HUP`, `TERM`, `KILL`.
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

    /// Waits for its own end; whether it was in order.
    pub fn ended(&mut self) -> bool {
        let running = self.running.as_mut().expect("it runs");
        running.ended()
    }

    /// A path of domain `demo`'s issuer at the port for everybody: `https://localhost:port/v4/oauth2/demo/token`.
    #[must_use]
    pub fn public_url(&self, path: &str) -> String {
        let [public, _] = self.ports;
        format!("https://localhost:{public}/v4/oauth2/demo{path}")
    }

    /// The same at the port that asks for a certificate.
    #[must_use]
    pub fn mtls_url(&self, path: &str) -> String {
        let [_, mutual] = self.ports;
        format!("https://localhost:{mutual}/v4/oauth2/demo{path}")
    }

    /// Waits until the server knows domain `demo`, which the command line made while it ran.
    #[track_caller]
    pub fn wait_for_issuer(&self) {
        let (https, url) = (self.https(), self.public_url("/jwks"));
        // It looks four times a second; a request takes a millisecond or more.
        let is_there = |_attempt| https.get(&url, &[]).expect("an answer").status == 200;
        assert!((0..5_000).any(is_there), "the server does not see domain `demo`");
    }

    /// An HTTPS client that trusts the server's CA.
    #[must_use]
    pub fn https(&self) -> Https {
        Https::trusting(&self.setup.ca.pem())
    }

    /// The same with a certificate.
    #[must_use]
    pub fn holder(&self, certificate: &TestCertificate) -> Https {
        self.https().with_certificate(certificate)
    }

    /// What the audit file holds so far, in order.
    #[must_use]
    pub fn audit(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.setup.path("audit.jsonl")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a JSON document on each line"))
            .filter(|event: &Value| {
                // What the server records of itself is another matter.
                event.pointer("/initiator/request_id").and_then(Value::as_str) != Some("node")
            })
            .collect()
    }

    /// What it wrote on standard output and standard error.
    #[must_use]
    pub fn said(&self) -> String {
        self.running.as_ref().map(Running::said).unwrap_or_default()
    }
}

impl Drop for ServeServer {
    /// Every secret that was made is looked for in everything that was logged.
    fn drop(&mut self) {
        if !std::thread::panicking()
            && let Some(running) = &self.running
        {
            self.setup.nothing_leaked(&running.said());
        }
    }
}

/// Shorter words turn up by themselves.
const LEAST_TELLING: usize = 12;

/// What it was asked to print is secret where its name says so; what it said besides holds no secret.
pub(crate) fn looked_through(program: &str, output: Output) -> Output {
    if let Ok(document) = serde_json::from_slice(&output.stdout) {
        sealstone_testkit::keep_secrets_of_json(&document);
    }
    sealstone_testkit::written_down(program, &String::from_utf8_lossy(&output.stderr));
    output
}

/// 64 hexadecimal digits that look random.
fn digits(of: &str) -> String {
    let digest = sha256(of.as_bytes());
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn sealstoned(arguments: &[&str], config: &Path) -> Command {
    let build = ["--package", "sealstone-server", "--bin", "sealstoned"];
    let mut command = Command::new(built("SEALSTONED", &build, "sealstoned"));
    command.args(arguments).arg("--config").arg(config);
    command
}

/// `GET` without TLS on the loopback interface.
fn plain_get(port: u16, path: &str) -> std::io::Result<(u16, String)> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.unwrap_or_default(), body.to_owned()))
}

/// The port of one listener, as the line says that tells of all.
fn port_of(said: &str, name: &str) -> Option<u16> {
    let mut lines = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.find(|line| line.get("message").is_some_and(|message| message == "serving"))?;
    line.get(name)?.as_str()?.rsplit_once(':')?.1.parse().ok()
}

/// The ports that it says it serves on.
fn served(said: &str) -> Option<[u16; 2]> {
    Some([port_of(said, "public")?, port_of(said, "mutual_tls")?])
}
