//! From Fernet to JWS with real Keystones behind a real HAProxy, while users work: there, back, there again, and the
//! Fernet keys removed.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: what it cannot read has failed"
)]

#[path = "migrate_cutover/load.rs"]
mod load;
#[path = "migrate_cutover/pool.rs"]
mod pool;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use load::{Load, Met};
use pool::{Before, NODES, Pool, accounts, done, refused};
use serde_json::Value;

/// With bridges nobody notices: not the change, not the way back, not the change again, not a run that is killed after
/// every line of its journal.
#[test]
#[ignore = "runs for some ten minutes, longer than a test of the suite may: by hand with --run-ignored all"]
fn s11_with_bridges_no_request_fails_there_and_back_and_there_again() {
    let began = Instant::now();
    let step = |name: &str| eprintln!("{:>6.1} s  {name}", began.elapsed().as_secs_f32());
    let mut pool = Pool::start(60, 5);
    step("the lab is up");
    pool.prepare();
    pool.put_before(Before::Bridges);
    step("prepared");
    let load = Load::start(&pool.front(), &accounts(&pool.lab));
    let cutover = pool.cutover_arguments(Before::Bridges);
    let kills = pool.run_and_kill("cutover", &cutover);
    step("there, killed at every line");
    assert!(kills > 20, "{kills}");
    assert!(NODES.iter().all(|node| pool.provider(node) == "jws"));
    assert_eq!(pool.in_pool(), NODES);

    let said = done(&pool.run("rollback", &pool.driving(Before::Bridges)));
    step("back");
    assert!(said.contains("every node serves Fernet tokens"), "{said}");
    assert!(NODES.iter().all(|node| pool.provider(node) == "fernet"));

    let said = done(&pool.run("cutover", &cutover));
    step("there again");
    assert!(said.contains("the Fernet keys stay until"), "{said}");
    assert_eq!(pool.in_pool(), NODES);

    // The keys stay while a Fernet token may be shown, and go then.
    let retire = [cutover, vec!["--retire".to_owned()]].concat();
    refused(&pool.run("cutover", &retire), "the Fernet keys stay for another");
    pool.wait_until("the last Fernet token is dead", |pool| {
        std::thread::sleep(std::time::Duration::from_secs(1));
        pool.run("cutover", &retire).status.success()
    });
    step("retired");
    for node in NODES {
        let left = fs::read_dir(pool.lab.folder().join(node).join("keys/fernet")).unwrap();
        assert_eq!(left.count(), 0, "{node}");
    }
    refused(
        &pool.run("rollback", &pool.driving(Before::Bridges)),
        "the Fernet keys are gone",
    );

    let report = load.end();
    step(&format!(
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

/// Without bridges, tokens of before are refused from the switch on, as the impact table says: no others, nothing else,
/// and no longer. Then everything that can be wrong with a node is found before it serves.
#[test]
#[ignore = "runs for some ten minutes, longer than a test of the suite may: by hand with --run-ignored all"]
fn s12_without_bridges_it_is_as_the_impact_table_says_and_nothing_unfit_serves() {
    let pool = Pool::start(120, 5);
    pool.prepare();
    as_the_impact_table_says(&pool);
    let all = [
        pool.urls(),
        pool.nodes(),
        vec!["--logins".to_owned(), pool.path("logins.json")],
    ]
    .concat();
    let said = done(&pool.run("check", &all));
    assert_eq!(
        said.lines().count(),
        1 + 7 * 6,
        "seven scopes, each node's at each other: {said}"
    );
    assert!(said.contains("JWS") && !said.contains("Fernet"), "{said}");
    done(&pool.run("rollback", &pool.driving(Before::Nothing)));
    nothing_unfit_serves(&pool, &all);
}

fn as_the_impact_table_says(pool: &Pool) {
    let table: Value = serde_json::from_slice(&fs::read(pool.path("inventory.json")).unwrap()).unwrap();
    let row = |change: &str| {
        let mut rows = table["impact"].as_array().unwrap().iter();
        rows.find(|row| row["change"] == change).unwrap().clone()
    };
    let row = row("tokens issued before the flip");
    let life = row["at_most_s"].as_u64().unwrap();
    assert_eq!(life, 120);
    let load = Load::start(&pool.front(), &accounts(&pool.lab));
    pool.wait_until("users work", |_| load.good() > 20);
    done(&pool.run("cutover", &pool.cutover_arguments(Before::Nothing)));
    let report = load.end();
    let (from, to) = pool.switch();
    let refused: Vec<&Met> = report
        .met
        .iter()
        .filter(|met| met.form == "fernet" && met.what.contains(": 401 "))
        .collect();
    assert_eq!(refused.len(), report.met.len(), "{:#?}", report.met);
    for met in &refused {
        assert!(
            (from..=to + life).contains(&met.at),
            "{from} to {to} and {life} s: {met:?}"
        );
    }
    assert!(refused.iter().any(|met| met.who == "holder"), "{refused:#?}");
    // Whoever logs in anew is refused once.
    for who in ["holder", "holder by trust", "holder by application credential"] {
        let times = refused.iter().filter(|met| met.who == who).count();
        assert!(times <= 1, "{who}: {refused:#?}");
    }
    assert!(report.revoked_taken.is_empty(), "{:?}", report.revoked_taken);
    assert!(report.good > 50 && report.revoked_refused > 5);
}

fn nothing_unfit_serves(pool: &Pool, all: &[String]) {
    let node = |name: &str, file: &str| pool.lab.folder().join(name).join(file);
    let hasty = ["--restart-limit", "3s"].map(str::to_owned);
    let cutover = [pool.cutover_arguments(Before::Nothing), hasty.to_vec()].concat();
    let stops = |want: &str| {
        refused(&pool.run("cutover", &cutover), want);
        assert_eq!(pool.in_pool(), ["node3"], "{want}");
    };
    let finds = |want: &[&str]| {
        let checked = pool.run("check", all);
        for want in want {
            refused(&checked, want);
        }
    };

    // A node that dies in the middle of its change.
    fs::write(node("node1", "broken"), "").unwrap();
    stops("node `node1` does not answer 3 s after its restart");
    finds(&["node node1 does not log in: it does not accept connections"]);
    stops("node `node1` does not answer 3 s after its restart");
    fs::remove_file(node("node1", "broken")).unwrap();

    // A public key that is missing on one node, and a private key that others may read.
    let public = pool.jws("node2").join("public");
    let key = fs::read_dir(&public).unwrap().next().unwrap().unwrap().path();
    let pem = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    stops("the JWS keys are not in place");
    finds(&["node `node2`"]);
    fs::write(&key, pem).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let private = pool.jws("node2").join("private/private.pem");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o644)).unwrap();
    stops("the JWS keys are not in place");
    finds(&["chmod 600"]);
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();

    // A clock that is two minutes ahead.
    fs::write(node("node1", "later"), "120").unwrap();
    pool.restart("node1");
    stops("the clock of node node1 is ahead of that of node node");
    finds(&["the clock of node node1 is ahead of that of node node2 by 1"]);
    fs::remove_file(node("node1", "later")).unwrap();

    // A node that does not know yet what it is to issue, and one that still serves.
    let drained = ["--expect", "node3=jws", "--drained", "node3", "--haproxy"].map(str::to_owned);
    let drained = [all, &drained, &[pool.socket().display().to_string()]].concat();
    let checked = pool.run("check", &drained);
    refused(&checked, "node node3 issues Fernet tokens, and JWS is expected");
    refused(&checked, "node node3 still serves");
    let unlike = "node node3 issues Fernet tokens";
    assert!(String::from_utf8_lossy(&checked.stderr).contains(unlike));

    // All of it mended, it goes on to the end.
    pool.restart("node1");
    done(&pool.run("cutover", &cutover));
    assert_eq!(pool.in_pool(), NODES);
    done(&pool.run("check", all));
}
