//! An agent as its users start it: the program, a configuration, a folder.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustls_pki_types::UnixTime;
use sealstone_ca::{CaFolder, CertificateRequest, Subject};
use sealstone_interop::{DevServer, built};
use sealstone_mtls::ClientCertificate;
use serde_json::Value;

/// For what must come on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const SUBJECT: &str = "CN=machine,O=Sealstone Demo";

/// Until it holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// A folder with a configuration for the demo's machine.
#[derive(Debug)]
pub(crate) struct Place {
    folder: PathBuf,
}

impl Place {
    /// With a certificate of this many seconds, and `more` in the configuration.
    pub(crate) fn new(server: &DevServer, name: &str, lifetime: u64, more: &str) -> Self {
        let folder = server.scratch(name);
        fs::create_dir(&folder).unwrap();
        let this = Self { folder };
        this.put_certificate(server, lifetime);
        let head = format!(
            "[client]\nissuer = '{}'\nclient_id = 'machine'\nscope = 'openstack:api'\ncertificate_file = 'machine.pem'\n\
             key_file = 'machine.key'\nca_file = '{}'\n[state]\npath = 'state'\n",
            server.issuer(),
            server.ca_path().display(),
        );
        fs::write(this.path("agent.toml"), head + more).unwrap();
        this
    }

    /// A certificate of the demo's CA, in the files that the configuration names.
    pub(crate) fn put_certificate(&self, server: &DevServer, lifetime: u64) {
        let ca = CaFolder::open(&server.data().join("ca")).unwrap();
        let request = CertificateRequest::client(Subject::parse(SUBJECT).unwrap())
            .with_lifetime(Duration::from_secs(lifetime));
        let issued = ca.issue(&request, UnixTime::now()).unwrap();
        fs::write(self.path("machine.pem"), &issued.certificate_pem).unwrap();
        self.put_key(&issued.private_key_pem);
    }

    fn put_key(&self, text: &str) {
        let path = self.path("machine.key");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn sealstone(&self, arguments: &[&str]) -> Output {
        Command::new(program())
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .unwrap()
    }

    /// `sealstone agent status`, and its exit status.
    pub(crate) fn status(&self) -> (i32, Value) {
        let told = self.sealstone(&["agent", "status", "--config", "agent.toml", "--output", "json"]);
        let document = serde_json::from_slice(&told.stdout).unwrap_or_default();
        (told.status.code().unwrap_or(-1), document)
    }

    pub(crate) fn fault(&self) -> String {
        let (_, status) = self.status();
        status["faults"][0]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn start(&self) -> Agent {
        let log = File::create(self.path("agent.log")).unwrap();
        let child = Command::new(program())
            .args(["agent", "run", "--config", "agent.toml"])
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        let log = self.path("agent.log");
        Agent { child, log }
    }

    /// Starts it and waits for its first token.
    pub(crate) fn start_ready(&self) -> Agent {
        let mut agent = self.start();
        until("ready", || {
            assert!(
                agent.child.try_wait().unwrap().is_none(),
                "{}",
                self.text("agent.log")
            );
            self.text("agent.log").contains("ready: ")
        });
        agent
    }

    /// Where the proxy to `upstream` listens.
    pub(crate) fn proxy(&self, upstream: &str) -> String {
        let log = self.text("agent.log");
        let mut lines = log
            .lines()
            .filter_map(|line| line.strip_prefix(upstream)?.strip_prefix(" at http://"));
        lines
            .next()
            .unwrap_or_else(|| panic!("no proxy to {upstream} in\n{log}"))
            .to_owned()
    }

    /// The certificate and the token that lie in the state folder together, as a program reads them.
    pub(crate) fn current(&self) -> Option<(ClientCertificate, String)> {
        let state = self.path("state");
        let folder = state.join(fs::read_link(state.join("current")).ok()?);
        let certificate = fs::read_to_string(folder.join("certificate.pem")).ok()?;
        let token = fs::read_to_string(folder.join("token")).ok()?;
        // The pair is whole, too.
        sealstone_agent::MachinePair::read(&folder.join("certificate.pem"), &folder.join("private-key.pem"))
            .unwrap();
        Some((ClientCertificate::from_pem(&certificate).unwrap(), token))
    }
}

/// Ends by SIGKILL when it is dropped.
#[derive(Debug)]
pub(crate) struct Agent {
    child: Child,
    log: PathBuf,
}

impl Agent {
    pub(crate) fn terminate(mut self) -> i32 {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Waits for an end of its own.
    pub(crate) fn ended(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            sealstone_testkit::written_down("sealstone agent", &log);
        }
    }
}

pub(crate) fn program() -> PathBuf {
    built(
        "SEALSTONE",
        &["--package", "sealstone-cli", "--bin", "sealstone"],
        "sealstone",
    )
}

/// `cnf` of a token.
pub(crate) fn bound_to(token: &str) -> String {
    let payload = token.split('.').nth(1).unwrap();
    let payload = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    claims["cnf"]["x5t#S256"].as_str().unwrap().to_owned()
}

/// A program that keeps its connection, as most do.
#[derive(Debug)]
pub(crate) struct Program {
    stream: BufReader<TcpStream>,
    address: String,
    secret: String,
}

impl Program {
    pub(crate) fn new(address: &str, secret: &str) -> Self {
        Self {
            stream: BufReader::new(TcpStream::connect(address).unwrap()),
            address: address.to_owned(),
            secret: secret.to_owned(),
        }
    }

    pub(crate) fn get(&mut self, path: &str) -> (u16, String) {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\r\n",
            self.address, self.secret
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest.split(' ').next().unwrap().parse().unwrap();
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap())
    }
}

/// One answer at a Unix socket.
pub(crate) fn at_socket(path: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
