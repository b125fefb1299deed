//! The two servers, each a process of its own, so that its CPU time and memory are its own.

use crate::floor;
use crate::server::{Process, authority, dev, sealstoned};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where a server's audit events go, each made and chained.
#[derive(Clone, Copy)]
pub(crate) enum Trail {
    /// Into a file on the disk, as a server's do.
    Kept,
    /// Into `/dev/null`, to see what keeping them costs.
    Dropped,
}

impl Trail {
    /// Puts it where the server will append.
    pub(crate) fn lay(self, path: &Path) {
        if let Self::Dropped = self {
            std::os::unix::fs::symlink("/dev/null", path).expect("a link");
        }
    }
}

pub(crate) struct Server {
    process: Process,
    _folder: Option<tempfile::TempDir>,
    /// The demo's data folder, which both servers take their certificates from.
    pub(crate) data: PathBuf,
    pub(crate) public: String,
    pub(crate) mtls: String,
    pub(crate) token_path: &'static str,
}

impl Server {
    /// The server as it is shipped, on a fresh demo.
    pub(crate) fn sealstoned(trail: Trail) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().canonicalize().expect("a path");
        trail.lay(&data.join("audit.jsonl"));
        // The first start hashes the passwords of the demo's people, 19 MiB each: memory that goes back to the system when
        // it is asked for. What is measured has them already.
        drop(dev(&data));
        let process = dev(&data);
        let dev = fs::read(data.join("dev.json")).expect("dev.json");
        let dev: Value = serde_json::from_slice(&dev).expect("JSON");
        Self {
            process,
            _folder: Some(folder),
            data,
            public: authority(&dev["issuer"]),
            mtls: authority(&dev["mtls_base"]),
            token_path: "/v4/oauth2/demo/token",
        }
    }

    /// The server as it is shipped, with this configuration, over the data of a demo.
    pub(crate) fn beside(config: &Path, data: &Path, public: u16, mtls: u16) -> Self {
        let child = Command::new(sealstoned())
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
            process: Process::new(child),
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
            process: Process::new(child),
            _folder: Some(folder),
            data: server.data.clone(),
            public,
            mtls,
            token_path: server.token_path,
        }
    }

    /// CPU time of all its threads so far, in nanoseconds.
    pub(crate) fn cpu_ns(&self) -> u64 {
        self.process.cpu_ns()
    }

    /// How often its threads gave way so far, waiting or not.
    pub(crate) fn switches(&self) -> u32 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("its threads");
        let statuses = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
        let counted = |status: String| {
            let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
            let counts = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u32>().ok());
            counts.sum::<u32>()
        };
        statuses.map(counted).sum()
    }

    pub(crate) fn resident_kib(&self) -> u64 {
        self.process.resident_kib()
    }
}
