//! Without bridges, tokens of before are refused from the switch on, as the impact table says: no others, nothing else,
//! and no longer.

use std::fs;

use serde_json::Value;

use crate::accounts::accounts;
use crate::commands::{checked_in_every_scope, done};
use crate::load::{Load, Met, Report};
use crate::pool::{Before, NODES, Pool, Steps};

/// Nobody waits for the end of a token here: one of before is still alive when the pool is back.
const LIFE_S: u32 = 600;
const WINDOW_S: u32 = 5;
/// Seven scopes, each node's at each other, and a line of titles.
const ROWS: usize = 1 + 7 * 6;

#[test]
fn s12_without_bridges_it_is_as_the_impact_table_says() {
    let mut steps = Steps::default();
    let pool = Pool::start(LIFE_S, WINDOW_S);
    steps.done("the lab is up");
    let accounts = accounts(&pool.lab);
    let load = Load::start(&pool.front(), &accounts).with_a_kept_token(&pool.front(), &accounts);
    pool.prepare();
    let all = pool.check_arguments("logins.json");
    let checks = |form: &str, other: &str| {
        let said = done(&pool.run("check", &all));
        assert_eq!(said.lines().count(), ROWS, "{said}");
        assert!(said.contains(form) && !said.contains(other), "{said}");
    };
    checks("Fernet", "JWS");
    steps.done("prepared, and checked before");

    let cutover = pool.run("cutover", &pool.cutover_arguments(Before::Nothing, "logins.json"));
    done(&cutover);
    checked_in_every_scope(&cutover);
    steps.done("there");
    checks("JWS", "Fernet");
    assert_eq!(pool.in_pool(), NODES);
    steps.done("checked after");
    // `bridged` goes back in every scope.
    done(&pool.run("rollback", &pool.driving(Before::Nothing, "few.json")));
    assert_eq!(pool.in_pool(), NODES);
    steps.done("back");
    let shown = load.kept();
    pool.wait_until("the kept token is shown", |_| load.kept() > shown + 2);
    let report = load.end();
    steps.done(&format!("{} requests", report.good));

    let [there, back] = pool.switches().try_into().unwrap();
    as_the_table_says(&pool, &report, there, back);
    the_kept_token_was_refused_in_between(&report, there, back);
    assert!(report.revoked_taken.is_empty(), "{:?}", report.revoked_taken);
    assert!(report.good > 50 && report.revoked_refused > 5);
}

type Switch = (u64, u64);

fn as_the_table_says(pool: &Pool, report: &Report, there: Switch, back: Switch) {
    let table: Value = serde_json::from_slice(&fs::read(pool.path("inventory.json")).unwrap()).unwrap();
    let row = |change: &str| {
        let mut rows = table["impact"].as_array().unwrap().iter();
        rows.find(|row| row["change"] == change).unwrap().clone()
    };
    let life = row("tokens issued before the flip")["at_most_s"]
        .as_u64()
        .unwrap();
    assert_eq!(life, u64::from(LIFE_S));
    assert!(row("nodes that differ")["how_long"].is_string());
    for met in &report.met {
        let within = |from: u64, to: u64| (from..=to).contains(&met.at);
        // While the balancer is told of one node after the other, both kinds serve: `nodes that differ`.
        let is_told = within(there.0, there.1) || within(back.0, back.1);
        let of_before = match met.form {
            "fernet" => within(there.0, (there.1 + life).min(back.1)),
            _ => within(back.0, back.1 + life),
        };
        assert!(
            met.what.contains(": 401 ") && (of_before || is_told),
            "there {there:?}, back {back:?}: {met:?} among {:#?}",
            report.met
        );
    }
    let times = |who: &str, form: &str| {
        let of_both = |met: &&Met| met.who == who && met.form == form;
        report.met.iter().filter(of_both).count()
    };
    assert!(
        times("holder", "fernet") + times("holder", "jws") > 0,
        "{:#?}",
        report.met
    );
    // Whoever logs in anew is refused once at each switch.
    for who in ["holder", "holder by trust", "holder by application credential"] {
        for form in ["fernet", "jws"] {
            assert!(times(who, form) <= 2, "{who}: {:#?}", report.met);
        }
    }
}

/// It is as good as ever until the switch, refused while JWS nodes serve, and good again after the way back.
fn the_kept_token_was_refused_in_between(report: &Report, there: Switch, back: Switch) {
    let mut seen = [0, 0, 0];
    for (at, status) in &report.kept {
        let (place, want) = match *at {
            at if at < there.0 => (0, 200),
            at if at > there.1 && at < back.0 => (1, 401),
            at if at > back.1 => (2, 200),
            _ => continue,
        };
        seen[place] += 1;
        assert_eq!(*status, want, "at {at}; there {there:?}, back {back:?}");
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?}");
}
