//! `examples/load-driver`, and what it says.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::deployment::{Deployment, Shared};
use crate::server;

/// Connections to each node.
const CONNECTIONS: usize = 8;

/// What is asked, of how many nodes, for how long.
pub(crate) struct Asked<'a> {
    pub(crate) arguments: &'a [&'a str],
    pub(crate) by_certificate: bool,
    pub(crate) nodes: usize,
    pub(crate) seconds: u32,
}

/// The program, built once.
pub(crate) struct Driver(PathBuf);

impl Driver {
    pub(crate) fn built() -> Self {
        let build = ["--package", "sealstone-examples", "--example", "load-driver"];
        let built = server::built("LOAD_DRIVER", &build, "examples/load-driver");
        assert!(built.exists(), "{}", built.display());
        Self(built)
    }

    /// Asks, and says what it counted.
    pub(crate) fn ask(&self, shared: &Shared, deployment: &Deployment, asked: &Asked<'_>) -> Value {
        let mut command = Command::new(&self.0);
        command.args(["--issuer", &deployment.issuer(), "--scope", "metrics:read"]);
        command.args(["--output", "json", "--duration-s", &asked.seconds.to_string()]);
        command.arg("--ca").arg(shared.path("ca.pem"));
        if asked.by_certificate {
            command.args(["--client", "by-certificate", "--certificate"]);
            command
                .arg(shared.path("machine.pem"))
                .arg("--key")
                .arg(shared.path("machine.key"));
        } else {
            command
                .args(["--client", "by-secret", "--secret-file"])
                .arg(shared.path("secret"));
        }
        for address in deployment.addresses(asked.nodes, asked.by_certificate) {
            command.args(["--connect", &address]);
        }
        if !asked.arguments.contains(&"--connections") {
            command.args(["--connections", &(CONNECTIONS * asked.nodes).to_string()]);
        }
        command.args(asked.arguments);
        let output = command.output().expect("the driver runs");
        assert!(output.status.success(), "{:?}: {output:?}", asked.arguments);
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

/// How many requests succeeded.
pub(crate) fn successes(said: &Value) -> f64 {
    said["successes"].as_f64().expect("a number")
}
