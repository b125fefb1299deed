//! What a cached login costs a command: wall time, processor time and memory of whole processes.
//!
//! `sealstone token` of a login that is kept, beside the program's cold start alone (`--version`) and, where
//! `OS_AUTH_URL` leads to a Keystone and `openstack` is installed, `openstack token issue` with the same variables.
//! `SEALSTONE` names the program to be measured; without it, it is the one beside this bench.

use std::fs;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::PipeFlags;
use sealstone_client::{CacheEntry, CacheSlot, SlotKind, TokenCache};

const ISSUER: &str = "https://id.example.org/v4/oauth2/demo";
/// The clock of `/proc/self/stat`: USER_HZ, which is 100 everywhere.
const TICK: Duration = Duration::from_millis(10);

struct Measured {
    wall: Duration,
    /// The shortest: what it takes where nobody else wants the processor.
    best: Duration,
    cpu: Duration,
    resident: Option<u64>,
}

fn main() {
    let bench = std::env::args().any(|argument| argument == "--bench");
    let Some(program) = program() else {
        println!("no sealstone is built beside this bench: SEALSTONE names one");
        return;
    };
    let runs: u32 = if bench { 300 } else { 3 };
    let folder = tempfile::tempdir().expect("a folder");
    let logins = folder.path().join("logins");
    keep(&logins);
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", folder.path())
            .env("SEALSTONE_CACHE_DIR", &logins);
        command.env("SEALSTONE_KEYRING", "off");
        command
    };
    let token = ["token", "--issuer", ISSUER, "--client-id", "cli"];
    let output = command(&token).output().expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.stdout.starts_with(b"eyJ"), "the token that is kept");

    println!(
        "\nwhole processes, {runs} runs each, one after the other; median of wall time, mean of processor time"
    );
    let cached = measure(runs, || command(&token));
    show("sealstone token, cached", &cached);
    let cold = measure(runs, || command(&["--version"]));
    show("sealstone --version", &cold);
    // What starting any program takes here.
    show("/bin/true", &measure(runs, || Command::new("/bin/true")));
    if let Some(openstack) = openstack() {
        let issue = measure(runs.min(5), || {
            let mut command = Command::new(&openstack);
            command.args(["token", "issue", "-f", "value", "-c", "id"]);
            command
        });
        show("openstack token issue", &issue);
    } else {
        println!(
            "openstack token issue            left out: set OS_AUTH_URL and the other variables of a Keystone"
        );
    }
    println!("targets: cached 5 ms of wall time and 15 MiB; cold start 3 ms of processor time");
}

/// A login as it is kept: tokens of the size that ours have.
fn keep(logins: &Path) {
    let cache = TokenCache::open(logins).expect("a folder of one's own");
    let slot = CacheSlot::new(SlotKind::OAuth, ISSUER, "cli").with_scope("openid profile");
    let text = |length: usize| format!("eyJ{}", "a".repeat(length));
    let record = serde_json::json!({
        "version": 1, "access_token": text(900), "expires_at": 4_000_000_000_u64, "refresh_token": text(43),
        "id_token": text(800), "scope": "openid profile", "person": {"subject": "u1", "name": "demo"},
    });
    let lock = cache.try_lock(&slot).expect("a lock").expect("nobody else");
    lock.replace(&CacheEntry::new(record.to_string().into(), None))
        .expect("room");
}

fn measure(runs: u32, command: impl Fn() -> Command) -> Measured {
    let quiet = |mut command: Command| {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let before = children();
    let mut walls: Vec<Duration> = (0..runs)
        .map(|_| {
            let mut command = quiet(command());
            let start = now();
            assert!(command.status().expect("it runs").success());
            start.elapsed()
        })
        .collect();
    let cpu = children().saturating_sub(before) / runs;
    walls.sort_unstable();
    Measured {
        wall: walls[walls.len() / 2],
        best: walls[0],
        cpu,
        resident: resident(command()),
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures")]
fn now() -> Instant {
    Instant::now()
}

/// Processor time of the children that have ended, user and system.
fn children() -> Duration {
    let text = fs::read_to_string("/proc/self/stat").expect("Linux");
    // Behind the name, which may hold anything.
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks: u32 = [13, 14]
        .iter()
        .filter_map(|at| fields.get(*at)?.parse::<u32>().ok())
        .sum();
    TICK * ticks
}

/// The most memory that it had when it writes its output, KiB: it is held there by a pipe that is full.
fn resident(mut command: Command) -> Option<u64> {
    // Closed in the child, which would else hold its own reader open.
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).ok()?;
    fill(&writer)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    drop(command);
    let status = format!("/proc/{}/status", child.id());
    let mut found = None;
    let mut asleep = 0;
    // It sleeps when it waits for the pipe; a few looks in a row tell that from a pause.
    for _ in 0..2_000 {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim)
        };
        let peak = line("VmHWM:").and_then(|value| value.strip_suffix(" kB")?.parse().ok());
        found = peak.or(found);
        asleep = if line("State:").is_some_and(|state| state.starts_with('S')) {
            asleep + 1
        } else {
            0
        };
        if asleep == 20 || child.try_wait().ok()?.is_some() {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    drop(reader);
    let _ended_by_the_pipe = child.wait();
    found
}

fn fill(writer: &OwnedFd) -> Option<()> {
    let flags = fcntl_getfl(writer).ok()?;
    fcntl_setfl(writer, flags | OFlags::NONBLOCK).ok()?;
    let mut file = fs::File::from(writer.try_clone().ok()?);
    while file.write(&[0; 4096]).is_ok() {}
    fcntl_setfl(writer, flags).ok()
}

fn show(name: &str, measured: &Measured) {
    let memory = measured.resident.map_or_else(String::new, |kib| {
        format!("{:>8.1} MiB", f64::from(u32::try_from(kib).unwrap_or(0)) / 1024.0)
    });
    println!(
        "{name:<28} {:>8.2} ms wall {:>8.2} ms at best {:>8.2} ms CPU{memory}",
        measured.wall.as_secs_f64() * 1e3,
        measured.best.as_secs_f64() * 1e3,
        measured.cpu.as_secs_f64() * 1e3
    );
}

fn program() -> Option<PathBuf> {
    let beside = || {
        let bench = std::env::current_exe().ok()?;
        Some(bench.parent()?.parent()?.join("sealstone"))
    };
    std::env::var_os("SEALSTONE")
        .map(PathBuf::from)
        .or_else(beside)
        .filter(|path| path.exists())
}

fn openstack() -> Option<PathBuf> {
    std::env::var_os("OS_AUTH_URL")?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/interop-python/bin/openstack");
    path.exists().then_some(path)
}
