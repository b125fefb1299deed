//! The whole server on SQLite and on PostgreSQL, and one, two and three nodes of it: what a request costs, asked by
//! `examples/load-driver` over TLS. All of them are on this machine, so that more nodes are no faster here: what counts is
//! how many requests a second of CPU time gives, of the nodes and of the database.

#[path = "several_nodes/deployment.rs"]
mod deployment;
#[path = "several_nodes/driver.rs"]
mod driver;
#[path = "server/nodes.rs"]
mod nodes;
#[path = "server/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "its servers are no demos")]
#[path = "server.rs"]
mod server;

use deployment::{Deployment, Shared};
use driver::{Asked, Driver, successes};
use sealstone_testkit::PostgresCluster;
use server::cpu;

/// What is asked.
struct Load {
    name: &'static str,
    arguments: &'static [&'static str],
    by_certificate: bool,
    /// How many nodes of those on PostgreSQL are asked.
    nodes: &'static [usize],
}

const LOADS: [Load; 7] = [
    Load {
        name: "token by secret",
        arguments: &[],
        by_certificate: false,
        nodes: &[1, 2, 3],
    },
    Load {
        name: "token by certificate, bound",
        arguments: &[],
        by_certificate: true,
        nodes: &[1, 2, 3],
    },
    Load {
        name: "introspection",
        arguments: &["--flow", "introspection"],
        by_certificate: false,
        nodes: &[1],
    },
    Load {
        name: "token and its revocation",
        arguments: &["--flow", "revocation"],
        by_certificate: false,
        nodes: &[1],
    },
    Load {
        name: "the same by 64 connections",
        arguments: &["--flow", "revocation", "--connections", "64"],
        by_certificate: false,
        nodes: &[1],
    },
    Load {
        name: "handshake, and a token by secret",
        arguments: &["--reconnect"],
        by_certificate: false,
        nodes: &[1],
    },
    Load {
        name: "mutual handshake, and a bound token",
        arguments: &["--reconnect"],
        by_certificate: true,
        nodes: &[1],
    },
];

fn main() {
    let is_test = !std::env::args().any(|argument| argument == "--bench");
    let (rounds, seconds) = if is_test { (1, 1) } else { (7, 2) };
    let Some(cluster) = postgres::durable() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let shared = Shared::new();
    let file = runtime.block_on(Deployment::on_sqlite(&shared));
    let nodes = runtime.block_on(Deployment::on_postgres(&shared, &cluster.database(), 3));
    let surroundings = Surroundings {
        driver: Driver::built(),
        shared: &shared,
        cluster: &cluster,
        seconds,
    };
    println!(
        "microseconds of CPU time a request, and requests a CPU-second of the nodes: median of {rounds} interleaved rounds of {seconds} s"
    );
    println!(
        "{:<38} {:<22} {:>8} {:>10} {:>12} {:>10} {:>10}",
        "", "", "node us", "database us", "a CPU-second", "p50 ms", "p99 ms"
    );
    // Words name the loads that are wanted; none, all.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let is_wanted = |load: &&Load| words.is_empty() || words.iter().any(|word| load.name.contains(word));
    for load in LOADS.iter().filter(is_wanted) {
        let mut cases = vec![("SQLite".to_owned(), &file, 1)];
        for count in load.nodes {
            cases.push((format!("PostgreSQL, {count} node(s)"), &nodes, *count));
        }
        let mut all: Vec<Vec<Cost>> = vec![Vec::new(); cases.len()];
        for _ in 0..rounds {
            for ((_, deployment, count), costs) in cases.iter().zip(&mut all) {
                costs.push(surroundings.ask(load, deployment, *count));
            }
        }
        for ((name, _, _), costs) in cases.iter().zip(&all) {
            let of = |part: fn(&Cost) -> f64| median(costs.iter().map(part).collect());
            println!(
                "{:<38} {name:<22} {:8.1} {:10.2} {:12.0} {:10.2} {:10.2}",
                load.name,
                of(|cost| cost.node),
                of(|cost| cost.database),
                of(|cost| 1e6 / cost.node),
                of(|cost| cost.p50) / 1e3,
                of(|cost| cost.p99) / 1e3,
            );
        }
    }
}

/// Microseconds.
#[derive(Clone, Copy)]
struct Cost {
    node: f64,
    database: f64,
    p50: f64,
    p99: f64,
}

/// What all rounds have.
struct Surroundings<'a> {
    driver: Driver,
    shared: &'a Shared,
    cluster: &'a PostgresCluster,
    seconds: u32,
}

impl Surroundings<'_> {
    /// One round of the driver, and what it cost.
    fn ask(&self, load: &Load, deployment: &Deployment, count: usize) -> Cost {
        let asked = Asked {
            arguments: load.arguments,
            by_certificate: load.by_certificate,
            nodes: count,
            seconds: self.seconds,
        };
        let before = (deployment.cpu_ns(), postgres::cpu_ns(self.cluster));
        let said = self.driver.ask(self.shared, deployment, &asked);
        let node = deployment.cpu_ns() - before.0;
        let database = postgres::cpu_ns(self.cluster).saturating_sub(before.1);
        let answered = successes(&said);
        let latency = |name: &str| said["latency_us"][name].as_f64().expect("a number");
        Cost {
            node: node as f64 / 1e3 / answered,
            database: database as f64 / 1e3 / answered,
            p50: latency("p50"),
            p99: latency("p99"),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
