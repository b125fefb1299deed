//! The two servers, each a process of its own, so that its CPU time and memory are its own.

use crate::floor;
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Server {
    child: Child,
    _folder: Option<tempfile::TempDir>,
    /// The demo's data folder, which both servers take their certificates from.
    pub(crate) data: PathBuf,
    pub(crate) public: String,
    pub(crate) mtls: String,
    pub(crate) token_path: &'static str,
}

impl Server {
    /// The server as it is shipped, on a fresh demo.
    pub(crate) fn sealstoned() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().canonicalize().expect("a path");
        // To see what the audit file costs: SEALSTONE_BENCH_NO_AUDIT=1 sends the events nowhere.
        if std::env::var_os("SEALSTONE_BENCH_NO_AUDIT").is_some() {
            std::os::unix::fs::symlink("/dev/null", data.join("audit.jsonl")).expect("a link");
        }
        // The first start hashes the passwords of the demo's people, 19 MiB each: memory that goes back to the system when
        // it is asked for. What is measured has them already.
        let mut first = dev(&data);
        first.kill().and_then(|()| first.wait()).expect("it ends");
        let child = dev(&data);
        let dev = fs::read(data.join("dev.json")).expect("dev.json");
        let dev: Value = serde_json::from_slice(&dev).expect("JSON");
        let authority = |url: &Value| {
            let rest = url
                .as_str()
                .and_then(|url| url.strip_prefix("https://"))
                .expect("https");
            rest.split('/').next().expect("an authority").to_owned()
        };
        Self {
            child,
            _folder: Some(folder),
            data,
            public: authority(&dev["issuer"]),
            mtls: authority(&dev["mtls_base"]),
            token_path: "/v4/oauth2/demo/token",
        }
    }

    /// The server as it is shipped, with this configuration, over the data of a demo.
    pub(crate) fn beside(config: &Path, data: &Path, public: u16, mtls: u16) -> Self {
        let child = Command::new(build())
            .args(["serve", "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sealstoned starts");
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", mtls)).is_err() {
            assert!(Instant::now() < deadline, "sealstoned serves");
            std::thread::yield_now();
        }
        Self {
            child,
            _folder: None,
            data: data.to_owned(),
            public: format!("127.0.0.1:{public}"),
            mtls: format!("127.0.0.1:{mtls}"),
            token_path: "/v4/oauth2/demo/token",
        }
    }

    /// The same stack with nothing above it but the likes of this answer of `server`.
    pub(crate) fn floor(server: &Self, answer: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("answer");
        fs::write(&file, answer).expect("a file");
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .arg(floor::FLAG)
            .args([&server.data, &file])
            .arg(server.token_path)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the floor starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut address = || lines.next().expect("a line").expect("text");
        let (public, mtls) = (address(), address());
        Self {
            child,
            _folder: Some(folder),
            data: server.data.clone(),
            public,
            mtls,
            token_path: server.token_path,
        }
    }

    /// CPU time of all its threads so far, in nanoseconds.
    pub(crate) fn cpu_ns(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("its threads");
        tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .filter_map(|stat| stat.split(' ').next()?.parse::<u64>().ok())
            .sum()
    }

    /// How often its threads gave way so far, waiting or not.
    pub(crate) fn switches(&self) -> u32 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("its threads");
        let statuses = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
        let counted = |status: String| {
            let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
            let counts = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u32>().ok());
            counts.sum::<u32>()
        };
        statuses.map(counted).sum()
    }

    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .expect("VmRSS");
        line.split_whitespace()
            .nth(1)
            .expect("a number")
            .parse()
            .expect("KiB")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Builds the server in the profile of this program, and tells where it is.
fn build() -> PathBuf {
    let own = std::env::current_exe().expect("this program");
    let folder = own.parent().and_then(Path::parent).expect("target/PROFILE");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "sealstone-server"]);
    if folder.ends_with("release") {
        command.arg("--release");
    }
    assert!(
        command.status().expect("cargo runs").success(),
        "sealstoned builds"
    );
    folder.join("sealstoned")
}

/// `sealstoned dev` over this folder, once it serves.
fn dev(data: &Path) -> Child {
    let mut child = Command::new(build())
        .args([
            "dev",
            "--listen",
            "127.0.0.1:0",
            "--mtls-listen",
            "127.0.0.1:0",
            "--data",
        ])
        .arg(data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("sealstoned starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let ended = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("Stop with")));
    ended.expect("sealstoned serves").expect("text");
    child
}
