//! The protected service of `examples/`, in front of which a stolen token must stop.

use std::fs;
use std::path::Path;
use std::process::Command;

use sealstone_testkit::TestCertificate;

use crate::DevServer;
use crate::process::{Running, built};

/// A running `protected-service`, with a certificate of the demo CA. It ends when this is dropped.
#[derive(Debug)]
pub struct ProtectedService {
    running: Running,
    url: String,
}

impl ProtectedService {
    /// Starts one that takes tokens of `server` meant for the OpenStack services of its demo domain.
    #[must_use]
    pub fn start(server: &DevServer) -> Self {
        Self::start_for(server, "openstack-apis:demo")
    }

    /// Starts one that takes tokens of `server` meant for `audience`.
    #[must_use]
    pub fn start_for(server: &DevServer, audience: &str) -> Self {
        let own = server.authority().server();
        let folder = server.scratch("");
        Self::start_with(server.issuer(), audience, server.ca_path(), &own, &folder)
    }

    /// Starts one that takes tokens of `issuer` meant for `audience`: it reaches the issuer by the CA at `ca`, shows the
    /// certificate `own`, and has its files in `folder`.
    #[must_use]
    pub fn start_with(issuer: &str, audience: &str, ca: &Path, own: &TestCertificate, folder: &Path) -> Self {
        let build = [
            "--package",
            "sealstone-examples",
            "--example",
            "protected-service",
        ];
        let program = built("PROTECTED_SERVICE", &build, "protected-service");
        let name = own.thumbprint();
        let (cert, key) = (
            folder.join(format!("{name}.pem")),
            folder.join(format!("{name}.key")),
        );
        fs::write(&cert, own.chain_pem()).expect("a file");
        fs::write(&key, own.key_pem()).expect("a file");
        private(&key);
        let mut command = Command::new(program);
        command.args([issuer, audience, "127.0.0.1:0"]);
        command.arg(ca).arg(&cert).arg(&key);
        let running = Running::start(command, |said| address(said).is_some());
        let url = address(&running.said()).expect("where it serves");
        Self { running, url }
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it wrote on standard output and standard error.
    #[must_use]
    pub fn said(&self) -> String {
        self.running.said()
    }
}

/// Where it says that it serves.
fn address(said: &str) -> Option<String> {
    let mut lines = said.lines().filter_map(|line| line.strip_prefix("serving "));
    lines.next().map(str::to_owned)
}

/// Only its owner may read it, as every Sealstone program demands of a key.
pub(crate) fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions");
}
