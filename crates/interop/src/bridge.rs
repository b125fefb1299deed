//! `sealstone migrate bridge` before a node.

use std::path::Path;
use std::process::Command;

use crate::process::{Running, built};

/// A running bridge; it ends when this is dropped.
#[derive(Debug)]
pub struct BridgeProgram {
    running: Running,
    url: String,
}

impl BridgeProgram {
    /// Before the node at `http://127.0.0.1:port`, whose configuration is in that file; waits until it listens.
    #[must_use]
    pub fn start(keystone_conf: &Path, upstream: &str, more: &[&str]) -> Self {
        let build = ["--package", "sealstone-cli", "--bin", "sealstone"];
        let mut command = Command::new(built("SEALSTONE", &build, "sealstone"));
        command.args([
            "migrate",
            "bridge",
            "--listen",
            "127.0.0.1:0",
            "--upstream",
            upstream,
            "--config-file",
        ]);
        command.arg(keystone_conf).args(more);
        let address = |said: &str| {
            let mut lines = said.lines();
            lines
                .find(|line| line.starts_with("http://") || line.starts_with("https://"))
                .map(str::to_owned)
        };
        let running = Running::start(command, |said| address(said).is_some());
        let url = address(&running.said()).expect("it has said its address");
        Self { running, url }
    }

    /// `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Everything that it wrote so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.running.said()
    }

    /// Waits until it has said this as often.
    pub fn wait_for(&mut self, text: &str, times: usize) {
        self.running
            .wait_until(|said| said.matches(text).count() >= times);
    }

    /// `HUP`, `TERM`, …
    pub fn signal(&self, name: &str) {
        let id = self.running.id().to_string();
        let status = Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .expect("kill runs");
        assert!(status.success(), "the bridge still runs");
    }
}
