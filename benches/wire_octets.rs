//! Octets on the wire for a token, both ways and with all headers: the server and `examples/load-driver` in a network
//! namespace of their own, where nobody else sends anything, by what the kernel counted there. Linux alone, with `unshare`
//! and `ip`.

#[expect(
    dead_code,
    reason = "its servers are on SQLite alone, and what they take is not asked"
)]
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
use std::process::Command;

use deployment::{Deployment, Shared};
use driver::{Asked, Driver, successes};

/// In the namespace.
const INSIDE: &str = "--inside";

const LOADS: [(&str, bool, &[&str]); 4] = [
    ("a token", false, &[]),
    ("bound, by certificate", true, &[]),
    ("a token with a handshake", false, &["--reconnect"]),
    ("bound, with a mutual handshake", true, &["--reconnect"]),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_test = !arguments.iter().any(|argument| argument == "--bench");
    if arguments.iter().any(|argument| argument == INSIDE) {
        return measure(if is_test { 1 } else { 5 });
    }
    // Built out here, where a network is.
    let _driver = Driver::built();
    let _server = server::sealstoned();
    let mut inside = Command::new("unshare");
    inside.args(["--map-root-user", "--net", "--"]);
    inside.arg(std::env::current_exe().expect("this program"));
    let allowed = Command::new("unshare")
        .args(["--map-root-user", "--net", "ip", "link"])
        .output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        println!("not measured: no network namespace can be made here");
        return;
    }
    let ended = inside.args(arguments).arg(INSIDE).status().expect("unshare runs");
    assert!(ended.success(), "{ended}");
}

fn measure(seconds: u32) {
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status();
    assert!(up.expect("ip runs").success(), "loopback is up");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let shared = Shared::new();
    let deployment = runtime.block_on(Deployment::on_sqlite(&shared));
    let driver = Driver::built();
    println!("{:<34} {:>8} {:>8} {:>10}", "", "octets", "packets", "requests");
    for (name, by_certificate, arguments) in LOADS {
        let asked = Asked {
            arguments,
            by_certificate,
            nodes: 1,
            seconds,
        };
        let before = loopback();
        let answered = successes(&driver.ask(&shared, &deployment, &asked));
        let after = loopback();
        println!(
            "{name:<34} {:8.0} {:8.1} {answered:10.0}",
            (after.0 - before.0) as f64 / answered,
            (after.1 - before.1) as f64 / answered,
        );
    }
}

/// Octets and packets that the loopback interface has received, which are all that were sent, either way.
fn loopback() -> (u64, u64) {
    let counted = fs::read_to_string("/proc/net/dev").expect("the kernel counts");
    let line = counted.lines().find_map(|line| line.trim().strip_prefix("lo:"));
    let mut numbers = line
        .expect("loopback")
        .split_whitespace()
        .map(|text| text.parse::<u64>());
    let mut next = || numbers.next().expect("a column").expect("a number");
    (next(), next())
}
