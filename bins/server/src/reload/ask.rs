//! `sealstoned reload`: asks a server to reload, and says what became of it.

use super::outcome::{LOADED, Outcome};
use crate::config;
use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How long a reload may take: a database that fails over, receivers of the trail that take their last events.
const LONGEST: Duration = Duration::from_secs(60);
/// How often it is looked whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// One answer of the admin listener.
const ANSWER: Duration = Duration::from_secs(5);
/// The names of a thousand keys and a long error stay below it.
const MOST_OCTETS: u64 = 256 * 1024;

/// Asks, waits, tells.
///
/// # Errors
/// Where the server refused, or could not be asked.
pub(crate) fn ask(path: &Path) -> anyhow::Result<()> {
    // What the server would refuse is told without asking it.
    let config = config::load(path)?;
    let address = config.server.admin_listen.address().context(
        "server.admin_listen is \"off\": nobody can tell what became of it. Send the server SIGHUP, and read its log",
    )?;
    let before = outcome(address)?;
    let process = ours(before.process)?;
    kill_process(process, Signal::HUP).with_context(|| {
        format!(
            "process {} can't be told: run this as the server's user",
            before.process
        )
    })?;
    let mut waited = Duration::ZERO;
    let after = loop {
        let now = outcome(address)?;
        ensure!(
            now.process == before.process,
            "the server was started anew meanwhile: it reads its configuration when it starts"
        );
        if now.number > before.number {
            break now;
        }
        ensure!(
            waited < LONGEST,
            "the server has not answered for {} s: read its log",
            LONGEST.as_secs()
        );
        pause();
        waited = waited.saturating_add(LOOK_EVERY);
    };
    tell(&after)
}

fn tell(outcome: &Outcome) -> anyhow::Result<()> {
    if outcome.outcome != LOADED {
        bail!(
            "reload refused; what was in use before stays so: {}",
            outcome.error.as_deref().unwrap_or("the log says why")
        );
    }
    let mut lines = vec![match outcome.acting.as_slice() {
        [] => "reloaded: files read anew, no key has another value".to_owned(),
        keys => format!("reloaded: {} in force", keys.join(", ")),
    }];
    if !outcome.restart_needed.is_empty() {
        lines.push(format!("after a restart: {}", outcome.restart_needed.join(", ")));
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", lines.join("\n")).context("standard output")
}

#[expect(
    clippy::disallowed_methods,
    reason = "this program only waits, and serves nobody"
)]
fn pause() {
    thread::sleep(LOOK_EVERY);
}

/// The process, if it is this program: somebody else may listen at that address while the server is down.
fn ours(process: u32) -> anyhow::Result<Pid> {
    let program = |of: &str| -> anyhow::Result<PathBuf> {
        let path = fs::read_link(format!("/proc/{of}/exe")).with_context(|| {
            format!("process {of} can't be looked at: run this as the server's user, or as root")
        })?;
        // After an upgrade the old file is gone.
        let text = path.to_string_lossy();
        Ok(PathBuf::from(text.strip_suffix(" (deleted)").unwrap_or(&text)))
    };
    ensure!(
        program(&process.to_string())? == program("self")?,
        "process {process}, which answers at server.admin_listen, is no sealstoned: is another program at that address?"
    );
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    process.context("no process")
}

/// What the server says of its last reload.
fn outcome(address: SocketAddr) -> anyhow::Result<Outcome> {
    let address = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, address.port())),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    };
    let at_fault = || {
        format!("no answer at server.admin_listen {address}: does the server run, with this configuration?")
    };
    let read = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let host = address.ip();
        let head = format!("GET /reload HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        let mut answer = String::new();
        stream.take(MOST_OCTETS).read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = read().with_context(at_fault)?;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(at_fault)?;
    ensure!(
        head.starts_with("HTTP/1.1 200 "),
        "server.admin_listen {address} is not a sealstoned of this version: restart the server once"
    );
    serde_json::from_str(body)
        .with_context(|| format!("the answer at server.admin_listen {address} can't be read"))
}
