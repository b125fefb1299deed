//! Everything that can be wrong with a node is found before it serves, and nobody notices.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::accounts::accounts;
use crate::commands::{done, refused};
use crate::load::Load;
use crate::pool::{Before, NODES, Pool, Steps};

/// Nobody waits for the end of a token here.
const LIFE_S: u32 = 600;
const WINDOW_S: u32 = 5;

#[test]
fn s11_what_is_wrong_with_a_node_is_found_and_it_stays_out() {
    let mut steps = Steps::default();
    let pool = Pool::start(LIFE_S, WINDOW_S);
    steps.done("the lab is up");
    pool.prepare();
    let load = Load::start(&pool.front(), &accounts(&pool.lab));
    let attempt = Attempt {
        cutover: pool.cutover_arguments(Before::Nothing, "few.json"),
        check: pool.check_arguments("few.json"),
        pool: &pool,
    };
    attempt.who_is_left_out();
    steps.done("who is left out");
    attempt.a_node_that_dies_in_the_middle();
    steps.done("a node that dies");
    attempt.keys_that_are_not_in_place();
    steps.done("keys");
    attempt.a_clock_that_is_ahead();
    steps.done("a clock");
    attempt.a_node_that_is_not_what_it_should_be();
    steps.done("a node of another kind");
    // The one that was left served them all the time.
    let report = load.end();
    assert!(report.met.is_empty(), "{:#?}", report.met);
    assert!(report.revoked_taken.is_empty(), "{:?}", report.revoked_taken);
    assert!(report.good > 50 && report.revoked_refused > 5);

    // All of it mended, it goes on to the end.
    done(&pool.run("cutover", &attempt.cutover));
    assert_eq!(pool.in_pool(), NODES);
    done(&pool.run("check", &attempt.check));
    steps.done("mended");
}

struct Attempt<'a> {
    pool: &'a Pool,
    cutover: Vec<String>,
    check: Vec<String>,
}

impl Attempt<'_> {
    fn file(&self, node: &str, name: &str) -> std::path::PathBuf {
        self.pool.lab.folder().join(node).join(name)
    }

    fn stops(&self, more: &[&str], want: &str) {
        let more: Vec<String> = more.iter().map(|&word| word.to_owned()).collect();
        refused(
            &self.pool.run("cutover", &[self.cutover.clone(), more].concat()),
            want,
        );
        assert_eq!(self.pool.in_pool(), ["node3"], "{want}");
    }

    fn finds(&self, want: &str) {
        refused(&self.pool.run("check", &self.check), want);
    }

    /// A node without an address, and a server that no plan knows: found before anything is changed.
    fn who_is_left_out(&self) {
        let address = self
            .cutover
            .iter()
            .position(|word| word.starts_with("node3=http"));
        let mut without = self.cutover.clone();
        let _ = without.drain(address.unwrap() - 1..=address.unwrap());
        let output = self.pool.run("cutover", &without);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(2) && said.contains("give --url node3=URL"),
            "{said}"
        );
        assert_eq!(self.pool.in_pool(), NODES);

        // Users get nothing of it by its weight; it would serve all the same.
        self.pool.show("add server keystone/node4 127.0.0.1:1 weight 0");
        self.pool.show("set server keystone/node4 state ready");
        refused(
            &self.pool.run("cutover", &self.cutover),
            "the balancer also sends users to `node4`",
        );
        self.pool.show("set server keystone/node4 state maint");
        assert!(self.pool.show("del server keystone/node4").contains("deleted"));
        assert_eq!(self.pool.in_pool(), NODES);
        assert!(NODES.iter().all(|node| self.pool.provider(node) == "fernet"));
    }

    fn a_node_that_dies_in_the_middle(&self) {
        let hasty = ["--restart-limit", "3s"];
        let broken = self.file("node1", "broken");
        fs::write(&broken, "").unwrap();
        self.stops(&hasty, "node `node1` does not answer 3 s after its restart");
        self.finds("node node1 does not log in: it does not accept connections");
        self.stops(&hasty, "node `node1` does not answer 3 s after its restart");
        fs::remove_file(broken).unwrap();
    }

    /// A public key that is missing on one node, and a private key that others may read.
    fn keys_that_are_not_in_place(&self) {
        let keys = self.pool.jws("node2");
        let public = fs::read_dir(keys.join("public")).unwrap().next().unwrap();
        let public = public.unwrap().path();
        let pem = fs::read(&public).unwrap();
        fs::remove_file(&public).unwrap();
        self.stops(&[], "the JWS keys are not in place");
        self.finds("node `node2`");
        fs::write(&public, pem).unwrap();
        fs::set_permissions(&public, fs::Permissions::from_mode(0o644)).unwrap();
        let private = keys.join("private/private.pem");
        fs::set_permissions(&private, fs::Permissions::from_mode(0o644)).unwrap();
        self.stops(&[], "the JWS keys are not in place");
        self.finds("chmod 600");
        fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// By two minutes.
    fn a_clock_that_is_ahead(&self) {
        let later = self.file("node1", "later");
        fs::write(&later, "120").unwrap();
        self.pool.restart("node1");
        self.stops(&[], "the clock of node node1 is ahead of that of node node");
        self.finds("the clock of node node1 is ahead of that of node node2 by 1");
        fs::remove_file(later).unwrap();
        self.pool.restart("node1");
    }

    /// One that does not know yet what it is to issue, and that still serves.
    fn a_node_that_is_not_what_it_should_be(&self) {
        let drained = ["--expect", "node3=jws", "--drained", "node3", "--haproxy"].map(str::to_owned);
        let socket = self.pool.socket().display().to_string();
        let arguments = [&self.check, drained.as_slice(), &[socket]].concat();
        let checked = self.pool.run("check", &arguments);
        refused(&checked, "node node3 issues Fernet tokens, and JWS is expected");
        refused(&checked, "node node3 still serves");
    }
}
