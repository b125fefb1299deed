//! Servers with a configuration.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::{Process, sealstoned};

/// Until a server serves: it makes an RSA key first.
const START_LIMIT: Duration = Duration::from_secs(120);

/// `sealstoned serve` with this configuration and these variables, once it listens at the port.
pub(crate) fn serve(config: &Path, port: u16, variables: &[(&str, String)]) -> Process {
    let child = Command::new(sealstoned())
        .args(["serve", "--config"])
        .arg(config)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("sealstoned starts");
    let process = Process::new(child);
    let deadline = Instant::now() + START_LIMIT;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "sealstoned serves");
        std::thread::yield_now();
    }
    process
}

/// Ports that nobody has, of this machine alone.
pub(crate) fn free_ports() -> [u16; 2] {
    let listeners = [0, 1].map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}
