//! A real Keystone on loopback, seeded with a small cloud.

pub(crate) mod api;
mod place;
mod seed;
mod template;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use serde::Deserialize;

use self::place::{Keeper, PortBlock};
use crate::process::listens;

pub use self::api::LabMachine;
pub use self::seed::{Seed, SeededCertificate, SeededCredential, SeededEc2, SeededUser};

/// How often a start is tried on other ports, when another program took one.
const TRIES: u16 = 3;
/// Makes passwords and secrets cheap to check: what Keystone costs is not what tests are about.
const HASHING: [&str; 2] = ["--hash-rounds", "4"];

/// How a lab is started.
#[derive(Clone, Debug, Default)]
pub struct LabOptions(Vec<String>);

impl LabOptions {
    /// One node with Fernet tokens, and no front.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// JWS tokens (ES256).
    #[must_use]
    pub fn jws(self) -> Self {
        self.with(&["--provider", "jws"])
    }

    /// That many nodes over one database.
    #[must_use]
    pub fn nodes(self, count: u8) -> Self {
        self.with(&["--nodes", &count.to_string()])
    }

    /// A balancer before the nodes: [`KeystoneLab::balancer`].
    #[must_use]
    pub fn balancer(self) -> Self {
        self.with(&["--lb"])
    }

    /// nginx and Apache before it with TLS that ask for a certificate: [`KeystoneLab::tls`].
    #[must_use]
    pub fn tls(self) -> Self {
        self.with(&["--tls", "nginx", "--tls", "apache"])
    }

    /// Another option of `keystone.conf`, on every node.
    #[must_use]
    pub fn set(self, section_key: &str, value: &str) -> Self {
        self.with(&["--set", &format!("{section_key}={value}")])
    }

    /// Whether its keys are like any other lab's.
    fn is_usual(&self) -> bool {
        let odd = ["--own-keys", "--jws-algorithm"];
        !self.0.iter().any(|argument| odd.contains(&argument.as_str()))
    }

    /// Other arguments of the lab's `up`.
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.0
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }
}

/// A front of the lab that speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LabFront {
    /// nginx before uWSGI.
    Nginx,
    /// Apache before uWSGI.
    Apache,
}

/// A running Keystone. One that was started here ends when this is dropped, and its state goes with it.
#[derive(Debug)]
pub struct KeystoneLab {
    name: String,
    folder: PathBuf,
    environment: BTreeMap<String, String>,
    seed: Seed,
    arguments: Vec<String>,
    admin: Mutex<Option<String>>,
    // In this order: the ports are free when the lab is down.
    own: Option<(Keeper, PortBlock)>,
}

#[derive(Deserialize)]
struct LabFile {
    env: BTreeMap<String, String>,
    port: u16,
}

impl KeystoneLab {
    /// Starts a lab of the caller's own with a cloud in it; takes some 5 s, the first of a day 15 s. For tests that stop nodes, change what was
    /// seeded or need other options than the shared labs have.
    #[must_use]
    pub fn start(options: &LabOptions) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        place::install();
        let serial = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{}-{serial}", std::process::id());
        let keeper = Keeper::of(&name);
        for skipped in 0..TRIES {
            let ports = PortBlock::take(skipped);
            let first = ports.first().to_string();
            let is_seeded = options.is_usual() && template::copy(&name, &first);
            if !is_seeded {
                place::name_password(&folder(&name));
            }
            let mut arguments = vec!["--name".to_owned(), name.clone(), "--port".to_owned(), first];
            arguments.extend(HASHING.map(str::to_owned));
            arguments.extend(options.0.iter().cloned());
            match up(&arguments) {
                Err(message) if message.contains("is taken") => {}
                started => {
                    started.expect("the lab starts");
                    if !is_seeded {
                        place::run("seed", &["--name", &name]).expect("the lab is seeded");
                        place::mend(&folder(&name).join("keystone.db"));
                        if options.is_usual() {
                            template::keep(&name);
                        }
                    }
                    return Self::read(&name, arguments, Some((keeper, ports)));
                }
            }
        }
        unstarted()
    }

    /// The lab with Fernet tokens that all tests use: one node, TLS by nginx and by Apache. `cargo xtask lab` and the
    /// suite's step `keystone` start it; without them this process starts one of its own.
    ///
    /// Nobody changes what was seeded: see [`Self::machine`].
    #[must_use]
    pub fn shared() -> &'static Self {
        static LAB: OnceLock<KeystoneLab> = OnceLock::new();
        LAB.get_or_init(|| Self::attached("suite-fernet", &LabOptions::new().tls()))
    }

    /// The same with JWS tokens: [`Self::trust_jws_key`] lets it believe other signers.
    #[must_use]
    pub fn shared_jws() -> &'static Self {
        static LAB: OnceLock<KeystoneLab> = OnceLock::new();
        LAB.get_or_init(|| Self::attached("suite-jws", &LabOptions::new().tls().jws()))
    }

    fn attached(name: &str, otherwise: &LabOptions) -> Self {
        let folder = folder(name);
        let runs =
            folder.join("seed.json").exists() && read_file(&folder).is_some_and(|file| listens(file.port));
        if runs {
            place::mend(&folder.join("keystone.db"));
            Self::read(name, Vec::new(), None)
        } else {
            Self::start(otherwise)
        }
    }

    fn read(name: &str, arguments: Vec<String>, own: Option<(Keeper, PortBlock)>) -> Self {
        let folder = folder(name);
        Self {
            name: name.to_owned(),
            environment: read_file(&folder).expect("the lab's JSON").env,
            seed: Seed::read(&folder.join("seed.json")),
            folder,
            arguments,
            admin: Mutex::new(None),
            own,
        }
    }

    /// What was seeded.
    #[must_use]
    pub const fn seed(&self) -> &Seed {
        &self.seed
    }

    /// The first node: `http://127.0.0.1:port/v3`.
    #[must_use]
    pub fn url(&self) -> &str {
        self.variable("OS_AUTH_URL")
    }

    /// Every node, as [`Self::url`].
    #[must_use]
    pub fn nodes(&self) -> Vec<&str> {
        self.variable("KEYSTONE_LAB_NODES").split(' ').collect()
    }

    /// The balancer's URL, if the lab was started with one.
    #[must_use]
    pub fn balancer(&self) -> Option<&str> {
        self.environment.get("KEYSTONE_LAB_LB").map(String::as_str)
    }

    /// The URL of a front with TLS: `https://localhost:port/v3`. Its CA is [`Seed::ca`], its clients' too.
    #[must_use]
    pub fn tls(&self, front: LabFront) -> &str {
        self.variable(match front {
            LabFront::Nginx => "KEYSTONE_LAB_TLS_NGINX",
            LabFront::Apache => "KEYSTONE_LAB_TLS_APACHE",
        })
    }

    /// What the lab's `up` exports: `OS_AUTH_URL`, `OS_PASSWORD`, …, for the administrator.
    #[must_use]
    pub const fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    fn variable(&self, name: &str) -> &str {
        self.environment.get(name).expect("a variable of the lab")
    }

    /// A program of the lab's virtual environment: `python`, `openstack`, `uwsgi`, …
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        Path::new(self.variable("KEYSTONE_LAB_BIN")).join(name)
    }

    /// The Python of the lab's virtual environment, where Keystone itself is installed; no lab is started.
    #[must_use]
    pub fn python() -> PathBuf {
        place::python()
    }

    /// `openstack` with these arguments, as the administrator; other credentials by [`Command::env`].
    #[must_use]
    pub fn openstack(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program("openstack"));
        let own = self
            .environment
            .iter()
            .filter(|(name, _)| name.starts_with("OS_"));
        command.args(arguments).envs(own).env("PYTHONWARNINGS", "ignore");
        command
    }

    /// Its state: `keystone.db`, `keys/`, `node1/keystone.conf`, `pki/`, `front/`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The log of a node, counted from 1.
    #[must_use]
    pub fn log(&self, node: u8) -> String {
        let path = self.folder.join(format!("node{node}/keystone.log"));
        String::from_utf8_lossy(&fs::read(path).expect("a node's log")).into_owned()
    }

    /// Puts a public key (PEM, SPKI) among those whose JWS tokens this Keystone believes; it looks at each validation.
    /// The name must be the caller's own.
    pub fn trust_jws_key(&self, name: &str, pem: &str) {
        let part = self.folder.join(format!("{name}.part"));
        fs::write(&part, pem).expect("a file");
        let public = self.folder.join("keys/jws/public");
        fs::rename(&part, public.join(format!("{name}.pem"))).expect("a file in the key repository");
    }

    /// Takes such a key away again.
    pub fn distrust_jws_key(&self, name: &str) {
        let path = self.folder.join(format!("keys/jws/public/{name}.pem"));
        fs::remove_file(path).expect("a key of that name");
    }

    /// Stops every node and front; the state stays.
    ///
    /// # Panics
    /// For a lab that others use.
    pub fn stop(&mut self) {
        assert!(self.own.is_some(), "others use this lab");
        place::run("down", &["--name", &self.name]).expect("the lab stops");
    }

    /// Starts it again, on the same ports and over the same state; with more arguments of `up`, if given.
    ///
    /// # Panics
    /// For a lab that others use.
    pub fn restart(&mut self, more: &[&str]) {
        assert!(self.own.is_some(), "others use this lab");
        self.arguments
            .extend(more.iter().map(|&argument| argument.to_owned()));
        up(&self.arguments).expect("the lab starts again");
        self.environment = read_file(&self.folder).expect("the lab's JSON").env;
        self.admin = Mutex::new(None);
    }

    /// The process id of a node's master, counted from 1: what a test may stop or kill.
    #[must_use]
    pub fn process(&self, node: u8) -> u32 {
        let path = self.folder.join(format!("node{node}/uwsgi.pid"));
        let text = fs::read_to_string(path).expect("a node's process id");
        text.trim().parse().expect("a number")
    }
}

impl Drop for KeystoneLab {
    fn drop(&mut self) {
        if self.own.is_some() && std::thread::panicking() {
            let log = fs::read(self.folder.join("node1/keystone.log")).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default();
            // Shown by the test runner beside the failure.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), tail.join("\n").as_bytes());
        }
    }
}

#[expect(clippy::panic, reason = "the test has failed; this says why")]
fn unstarted() -> ! {
    panic!("the lab does not start: whatever block of ports it takes, another program takes one of them")
}

fn up(arguments: &[String]) -> Result<(), String> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    place::run("up", &arguments).map(drop)
}

fn folder(name: &str) -> PathBuf {
    // The lab resolves its own: paths in its files are without links.
    let root = place::root();
    fs::canonicalize(&root).unwrap_or(root).join("run").join(name)
}

fn read_file(folder: &Path) -> Option<LabFile> {
    let text = fs::read_to_string(folder.join("lab.json")).ok()?;
    serde_json::from_str(&text).ok()
}
