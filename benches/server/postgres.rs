//! What a PostgreSQL server takes of the machine.

use std::fs;

use sealstone_testkit::PostgresCluster;

use crate::cpu;

/// A server that flushes what it acknowledges, as one that is in use does; none where PostgreSQL is not installed.
pub(crate) fn durable() -> Option<PostgresCluster> {
    if PostgresCluster::is_installed() {
        return Some(PostgresCluster::with(&["max_connections=100"]));
    }
    println!("PostgreSQL is not installed: `cargo xtask setup`; left out");
    None
}

/// CPU time of all its processes so far, in nanoseconds.
pub(crate) fn cpu_ns(cluster: &PostgresCluster) -> u64 {
    let file = fs::read_to_string(cluster.data().join("postmaster.pid")).expect("it runs");
    let first: u32 = file
        .lines()
        .next()
        .expect("a line")
        .trim()
        .parse()
        .expect("an id");
    let all = fs::read_dir("/proc").expect("processes").flatten();
    let all = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    all.filter(|id| *id == first || parent(*id) == Some(first))
        .map(cpu::of)
        .sum()
}

fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // After the name, which may hold anything, in parentheses: the state, and the parent.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}
