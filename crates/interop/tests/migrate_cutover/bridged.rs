//! With bridges nobody notices: not the change, not the way back, not the change again.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::accounts::accounts;
use crate::commands::{checked_in_every_scope, done, refused};
use crate::load::Load;
use crate::pool::{Before, NODES, Pool, Steps};

/// What a token lives, and how much longer it may be shown, in seconds: the Fernet keys go no sooner.
const LIFE_S: u32 = 35;
const WINDOW_S: u32 = 5;

/// Not even a run that is killed in the middle of each of its steps. It goes there by halves, and after that one node is
/// changed after the other, while nodes of both kinds serve.
#[test]
fn s11_with_bridges_no_request_fails_there_and_back_and_there_again() {
    let mut steps = Steps::default();
    let mut pool = Pool::start(LIFE_S, WINDOW_S);
    steps.done("the lab is up");
    let load = Load::start(&pool.front(), &accounts(&pool.lab));
    pool.prepare();
    pool.put_bridges();
    steps.done("prepared");
    // A run that begins anew checks anew: one scope will do for those that are killed. `unbridged` goes there in every scope.
    let few = pool.cutover_arguments(Before::Bridges, "few.json");
    let kills = pool.run_and_kill("cutover", &few);
    steps.done(&format!("there, killed {kills} times"));
    // Each of the 13, but for one or two that may be over before they are cut on a busy machine.
    assert!(kills > 8, "{kills}");
    assert!(NODES.iter().all(|node| pool.provider(node) == "jws"));
    assert_eq!(pool.in_pool(), NODES);

    let rollback = pool.run("rollback", &pool.driving(Before::Bridges, "logins.json"));
    let said = done(&rollback);
    checked_in_every_scope(&rollback);
    steps.done("back");
    assert!(said.contains("every node serves Fernet tokens"), "{said}");
    assert!(NODES.iter().all(|node| pool.provider(node) == "fernet"));
    assert_eq!(pool.in_pool(), NODES);

    pool.plan(&["--bridged", "--needed", "2"]);
    let said = done(&pool.run("cutover", &few));
    steps.done("there again");
    assert!(said.contains("the Fernet keys stay until"), "{said}");
    assert_eq!(pool.in_pool(), NODES);

    // The keys stay while a Fernet token may be shown, and go then.
    let retire = [few, vec!["--retire".to_owned()]].concat();
    refused(&pool.run("cutover", &retire), "the Fernet keys stay for another");
    pool.wait_until("the last Fernet token is dead", |pool| {
        thread::sleep(Duration::from_secs(1));
        pool.run("cutover", &retire).status.success()
    });
    for node in NODES {
        let left = fs::read_dir(pool.lab.folder().join(node).join("keys/fernet")).unwrap();
        assert_eq!(left.count(), 0, "{node}");
    }
    refused(
        &pool.run("rollback", &pool.driving(Before::Bridges, "few.json")),
        "the Fernet keys are gone",
    );
    steps.done("retired");
    pool.remove_bridges();
    let so_far = load.good();
    pool.wait_until("users work without bridges", |_| load.good() > so_far + 20);

    let report = load.end();
    steps.done(&format!(
        "{} requests, {} of revoked tokens",
        report.good, report.revoked_refused
    ));
    assert!(
        report.met.is_empty(),
        "{} of {}: {:#?}",
        report.met.len(),
        report.good,
        report.met
    );
    assert!(report.revoked_taken.is_empty(), "{:?}", report.revoked_taken);
    assert!(report.good > 100 && report.revoked_refused > 10);
}
