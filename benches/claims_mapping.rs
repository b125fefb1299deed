//! Assertions mapped to identities through 64 rules, beside Python Keystone's own `RuleProcessor` on the same rules
//! and assertions, where the lab's Keystone is installed (`cargo xtask setup`).

#[path = "measure.rs"]
mod measure;

use criterion::Criterion;
use measure::{Candidate, allocations_of, compare, effort};
use rustix::time::{ClockId, clock_gettime};
use sealstone_claims::{Assertion, RuleSet};
use serde_json::{Map, Value, json};
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const RULES: usize = 64;
const ASSERTIONS: usize = 64;

/// Keystone rules of the usual kinds: each looks at four attributes, two of them by list, one by pattern.
fn rules() -> Value {
    let rules: Vec<Value> = (0..RULES)
        .map(|index| {
            let teams: Vec<String> = (0..8).map(|team| format!("team-{}", index + team)).collect();
            json!({
                "local": [
                    {"user": {"name": "{0}", "email": "{1}"}},
                    {"groups": "{2}", "domain": {"id": "federated"}},
                    {"group": {"id": format!("department-{index}")}},
                ],
                "remote": [
                    {"type": "OIDC-preferred_username"},
                    {"type": "OIDC-email"},
                    {"type": "OIDC-groups", "whitelist": teams},
                    {"type": "OIDC-email", "any_one_of": [format!("@department{index}\\.example\\.org$")], "regex": true},
                    {"type": "OIDC-employment", "not_any_of": ["suspended", "external"]},
                ],
            })
        })
        .collect();
    json!({ "rules": rules })
}

/// What a web server hands on after a login: the user's attributes among others. One rule matches each.
fn assertions() -> Vec<Map<String, Value>> {
    let one = |index: usize| {
        let groups: Vec<String> = (0..20).map(|group| format!("team-{}", index + group)).collect();
        let attributes = json!({
            "OIDC-iss": "https://idp.example.org",
            "OIDC-sub": format!("7f3a-{index}"),
            "OIDC-preferred_username": format!("person{index}"),
            "OIDC-email": format!("person{index}@department{index}.example.org"),
            "OIDC-groups": groups.join(";"),
            "OIDC-employment": "staff;full-time",
            "OIDC-locale": "en-GB",
            "REMOTE_USER": format!("person{index}"),
        });
        attributes.as_object().expect("an object").clone()
    };
    (0..ASSERTIONS).map(one).collect()
}

/// The Python in which the lab installed Keystone.
fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let given = std::env::var_os("KEYSTONE_LAB_DIR").map(PathBuf::from);
    let above = given.unwrap_or_else(|| root.join("target/keystone-lab"));
    let entries = std::fs::read_dir(above).ok()?.flatten();
    let mut ready = entries
        .map(|entry| entry.path())
        .filter(|path| path.join(".ready").exists());
    Some(ready.next()?.join("bin/python"))
}

/// Microseconds of its processor's time that Keystone takes for an assertion.
fn keystone(python: &Path, rules: &Value, assertions: &[Map<String, Value>]) -> f64 {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/interop/clients/python/mapping_oracle.py");
    let seconds = if effort().0 > 1 { 10.0 } else { 0.1 };
    let mut child = Command::new(python)
        .arg(script)
        .arg("--measure")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("Python starts");
    let job = json!({"mapping": rules, "assertions": assertions, "seconds": seconds});
    writeln!(child.stdin.take().expect("a pipe"), "{job}").expect("Python reads");
    let output = child.wait_with_output().expect("Python ends");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("an answer");
    let figure = |name: &str| answer[name].as_f64().expect("a number");
    figure("seconds") * 1e6 / figure("count")
}

fn main() {
    let (document, given) = (rules(), assertions());
    let rules = RuleSet::parse(&document).expect("rules");
    let texts: Vec<String> = given
        .iter()
        .map(|one| Value::Object(one.clone()).to_string())
        .collect();
    let parsed: Vec<Assertion> = texts
        .iter()
        .map(|text| Assertion::from_json(text.as_bytes()).expect("an assertion"))
        .collect();

    // The result: each comes to its own user, in the eight teams of its rule and its department.
    for (index, assertion) in parsed.iter().enumerate() {
        let identity = rules.map(assertion).expect("an identity");
        assert_eq!(
            identity.user().name().map(|name| name.as_str()),
            Some(format!("person{index}").as_str())
        );
        assert_eq!(identity.groups().len(), 9);
        assert_eq!(identity.rules(), [format!("rule-{}", index + 1)]);
    }

    let mut turn = 0;
    let mut next = || {
        turn = (turn + 1) % ASSERTIONS;
        turn
    };
    let mut map = || {
        black_box(rules.map(black_box(&parsed[next()])).expect("an identity"));
    };
    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("claims_mapping/map", |bencher| bencher.iter(&mut map));
    criterion.final_summary();

    let mut of_text = 0;
    let ratios = compare(&mut [
        Candidate::new("an assertion through 64 rules", &mut map),
        Candidate::new("the same, read from JSON first", || {
            of_text = (of_text + 1) % ASSERTIONS;
            let assertion = Assertion::from_json(texts[of_text].as_bytes()).expect("an assertion");
            black_box(rules.map(&assertion).expect("an identity"));
        }),
    ]);
    assert_eq!(ratios.len(), 2);
    println!("Rust allocations: {:.1}", allocations_of(&mut map));
    let own = microseconds_of(&mut map);
    println!(
        "assertions a second and core: {:.0} (target: at least 10,000)",
        1e6 / own
    );
    match python() {
        Some(python) => {
            let theirs = keystone(&python, &document, &given);
            println!(
                "Python Keystone's RuleProcessor: {theirs:.1} us, {:.0} times as long (target: at least 50)",
                theirs / own
            );
        }
        None => println!("Python Keystone is not installed: cargo xtask setup"),
    }
}

/// Thread CPU time of a call, over as many as a few rounds have.
fn microseconds_of(run: &mut impl FnMut()) -> f64 {
    let now =
        || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("a time since the thread began");
    let calls = effort().1 * 5;
    let start = now();
    for _call in 0..calls {
        run();
    }
    (now() - start).as_secs_f64() * 1e6 / f64::from(calls)
}
