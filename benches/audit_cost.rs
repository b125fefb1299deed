//! What audit costs a token: two servers that differ in where their trail goes, a file or nowhere, asked in turn by
//! `examples/load-driver`; and, in this process, what an event costs that goes nowhere: its text, its place in the chain, a
//! write to `/dev/null`. Their sum is all of audit.

#[expect(dead_code, reason = "its servers are on SQLite alone")]
#[path = "several_nodes/deployment.rs"]
mod deployment;
#[path = "several_nodes/driver.rs"]
mod driver;
#[path = "server/nodes.rs"]
mod nodes;
#[expect(dead_code, reason = "its servers are no demos")]
#[path = "server.rs"]
mod server;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::time::Duration;

use deployment::{Deployment, Shared};
use driver::{Asked, Driver, successes};
use rustix::time::{ClockId, clock_gettime};
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Actor, AuditSink as _, Event, EventId, Outcome, Target};
use sealstone_trail::{Rotation, TrailFile};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// All of audit, of the token endpoint.
const TARGET: f64 = 0.10;

fn main() {
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let (rounds, seconds, events) = if is_test { (1, 1, 100) } else { (15, 2, 20_000) };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let [kept, dropped] = [Shared::new(), Shared::new()];
    symlink("/dev/null", dropped.path("file-0.jsonl")).expect("a link");
    let with = runtime.block_on(Deployment::on_sqlite(&kept));
    let without = runtime.block_on(Deployment::on_sqlite(&dropped));
    let driver = Driver::built();
    let ask = |shared: &Shared, deployment: &Deployment| {
        let asked = Asked {
            arguments: &[],
            by_certificate: false,
            nodes: 1,
            seconds,
        };
        let before = deployment.cpu_ns();
        let answered = successes(&driver.ask(shared, deployment, &asked));
        (deployment.cpu_ns() - before) as f64 / 1e3 / answered
    };
    let (mut file, mut nowhere, mut event) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        // Each is first in every other round: what comes second meets the disk's work of the first.
        if round % 2 == 0 {
            file.push(ask(&kept, &with));
            nowhere.push(ask(&dropped, &without));
        } else {
            nowhere.push(ask(&dropped, &without));
            file.push(ask(&kept, &with));
        }
        event.push(event_us(events));
    }
    let differences = file.iter().zip(&nowhere).map(|(file, nowhere)| file - nowhere);
    let (more, event) = (median(differences.collect()), median(event));
    let (file, nowhere) = (median(file), median(nowhere));
    let share = (more + event) / (nowhere - event);
    println!(
        "median of {rounds} interleaved rounds of {seconds} s; microseconds of the server's CPU for a token"
    );
    println!("{:<50} {file:8.2}", "trail in a file");
    println!("{:<50} {nowhere:8.2}", "trail to /dev/null");
    println!(
        "{:<50} {more:8.2}",
        "the file (median of the rounds' differences)"
    );
    println!("{:<50} {event:8.2}", "an event to /dev/null, in this process");
    println!(
        "{:<50} {:8.2}, {:.1} % of a token without it (target: {:.0} %)",
        "all of audit",
        more + event,
        share * 100.0,
        TARGET * 100.0
    );
    sizes(&kept);
}

/// Thread CPU time of an event that goes nowhere.
fn event_us(count: u32) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    symlink("/dev/null", folder.path().join("null")).expect("a link");
    let key = folder.path().join("audit.key");
    let trail = TrailFile::open(&folder.path().join("null"), &key, Rotation::default()).expect("a trail");
    trail.record(&event(0)).expect("an event");
    let before = thread_ns();
    for number in 0..count {
        trail.record(&event(number)).expect("an event");
    }
    (thread_ns() - before) as f64 / 1e3 / f64::from(count)
}

fn event(number: u32) -> Event<'static> {
    Event {
        id: EventId::from_random(u128::from(number).to_be_bytes()),
        time: UnixTime::since_unix_epoch(Duration::from_secs(1_767_322_984)),
        action: Action::IssueToken,
        outcome: Outcome::Success,
        reason: None,
        initiator: Actor {
            client_id: Some("by-secret".into()),
            user_id: None,
            address: Some([127, 0, 0, 1].into()),
        },
        target: Target::Token("q0yM0Kc1TnyTb1v3mJ5zZg".into()),
        request_id: "01JK8YQ4Z9T7M3".into(),
    }
}

/// What the events of this run are on a disk.
fn sizes(shared: &Shared) {
    let trail = shared.path("file-0.jsonl");
    let text = fs::read(&trail).expect("a trail");
    let lines = text.iter().filter(|octet| **octet == b'\n').count().max(1) as u64;
    let packed = Command::new("gzip")
        .args(["-6", "--stdout"])
        .arg(&trail)
        .stderr(Stdio::null())
        .output();
    let packed = packed.map_or(0, |output| output.stdout.len() as u64);
    println!(
        "an event: {} octets, {} by gzip -6",
        text.len() as u64 / lines,
        packed / lines
    );
}

fn thread_ns() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
