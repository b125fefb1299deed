//! A node that is down, from the start or from the middle on, behind bridges.

use std::fs;
use std::process::Command;

use crate::commands::{done, refused};
use crate::pool::{Before, NODES, Pool, Steps};

/// Nobody waits for the end of a token here.
const LIFE_S: u32 = 600;
const WINDOW_S: u32 = 5;

#[test]
fn s11_with_a_node_that_is_down_nothing_begins_and_what_was_begun_is_taken_back() {
    let mut steps = Steps::default();
    let mut pool = Pool::start(LIFE_S, WINDOW_S);
    steps.done("the lab is up");
    pool.prepare();
    pool.plan(&["--bridged", "--needed", "2"]);
    pool.put_bridges();
    let mut cutover = pool.cutover_arguments(Before::Bridges, "few.json");
    cutover.extend(["--restart-limit", "3s"].map(str::to_owned));
    let rollback = pool.driving(Before::Bridges, "few.json");

    pool.goes_down("node3");
    refused(
        &pool.run("cutover", &cutover),
        "the balancer takes node `node3` for down",
    );
    assert_eq!(pool.in_pool(), NODES, "nobody was drained");
    assert!(NODES.iter().all(|node| pool.provider(node) == "fernet"));
    pool.comes_up("node3");
    steps.done("down from the start");

    // Stopped in the middle, with node1 changed and out of the pool; then another node goes away.
    let broken = pool.lab.folder().join("node1/broken");
    fs::write(&broken, "").unwrap();
    refused(
        &pool.run("cutover", &cutover),
        "node `node1` does not answer 3 s after its restart",
    );
    fs::remove_file(broken).unwrap();
    assert_eq!(pool.in_pool(), ["node2", "node3"]);
    pool.goes_down("node3");
    let back = pool.run("rollback", &rollback);
    done(&back);
    let said = String::from_utf8_lossy(&back.stderr);
    let told = "node node3 is down, says the balancer: node node1 is not checked against it";
    assert!(said.contains(told), "{said}");
    assert!(NODES.iter().all(|node| pool.provider(node) == "fernet"));
    assert_eq!(pool.in_pool(), NODES);
    steps.done("down in the middle");
}

impl Pool {
    /// Its Keystone ends, and HAProxy finds out.
    fn goes_down(&self, node: &str) {
        fs::write(self.lab.folder().join(node).join("broken"), "").unwrap();
        let ran = Command::new(self.restart_script()).arg(node).status();
        assert!(ran.unwrap().success());
        self.wait_until("it is down", |pool| !pool.is_believed(node));
    }

    fn comes_up(&self, node: &str) {
        fs::remove_file(self.lab.folder().join(node).join("broken")).unwrap();
        self.restart(node);
        self.wait_until("it is up", |pool| pool.is_believed(node));
    }

    fn is_believed(&self, node: &str) -> bool {
        let states = self.show("show servers state keystone");
        let mut rows = states.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        rows.any(|row| row.len() > 6 && row[3] == node && row[5] == "2")
    }
}
