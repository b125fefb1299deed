//! Servers as processes of their own, so that their CPU time and memory are their own, and connections to them.

#[path = "server/cpu.rs"]
pub(crate) mod cpu;
#[path = "server/wire.rs"]
pub(crate) mod wire;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// A process, ended with this.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) const fn new(child: Child) -> Self {
        Self(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// CPU time of all its threads so far, in nanoseconds.
    pub(crate) fn cpu_ns(&self) -> u64 {
        cpu::of(self.id())
    }

    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("its status");
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

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// Builds a program of this workspace in the profile of this one, and tells where it is; or the one that the variable names.
pub(crate) fn built(variable: &str, arguments: &[&str], program: &str) -> PathBuf {
    if let Some(named) = std::env::var_os(variable) {
        return named.into();
    }
    let own = std::env::current_exe().expect("this program");
    let folder = own.parent().and_then(Path::parent).expect("target/PROFILE");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet"]).args(arguments);
    if folder.ends_with("release") {
        command.arg("--release");
    }
    assert!(
        command.status().expect("cargo runs").success(),
        "{program} builds"
    );
    folder.join(program)
}

/// The server, built once.
pub(crate) fn sealstoned() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| built("SEALSTONED", &["--package", "sealstone-server"], "sealstoned"))
}

/// `sealstoned dev` over this folder, once it serves.
pub(crate) fn dev(data: &Path) -> Process {
    let mut child = Command::new(sealstoned())
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
    Process::new(child)
}

/// The address and port that a URL names, which `dev.json` holds.
pub(crate) fn authority(url: &serde_json::Value) -> String {
    let rest = url
        .as_str()
        .and_then(|url| url.strip_prefix("https://"))
        .expect("https");
    rest.split('/').next().expect("an authority").to_owned()
}
