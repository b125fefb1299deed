//! `docs/reference/claims-mapping.md` is held to the code.

use sealstone_claims::{Assertion, RuleSet, limits};
use serde_json::{Value, json};

const PAGE: &str = include_str!("../../../docs/reference/claims-mapping.md");

#[test]
fn the_example_is_a_mapping() {
    let (_, after) = PAGE.split_once("```json mapping\n").unwrap();
    let (example, _) = after.split_once("```").unwrap();
    let rules = RuleSet::from_json(example.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    let assertion = json!({
        "sub": "7f3a",
        "email": "jo.doe@example.org",
        "groups": ["ops", "coffee"],
        "realm_access": {"teams": ["team-red", "team-blue", "Team-Guests", "other"]},
    });
    let assertion = Assertion::from_json(assertion.to_string().as_bytes())
        .unwrap()
        .with_source("https://idp.example.org");
    let identity = rules.map(&assertion).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        serde_json::to_value(&identity).unwrap(),
        json!({
            "source": "https://idp.example.org",
            "user": {
                "id": "7f3a",
                "name": "jo.doe",
                "email": "jo.doe@example.org",
                "domain": {"id": "default"},
                "type": "ephemeral",
            },
            "groups": [
                {"name": "team-blue", "domain": {"name": "Federated"}},
                {"name": "team-red", "domain": {"name": "Federated"}},
                {"id": "0cd5e9"},
            ],
            "projects": [
                {"name": "team-blue", "domain": {"id": "default"}, "roles": [{"name": "member"}]},
                {"name": "team-red", "domain": {"id": "default"}, "roles": [{"name": "member"}]},
            ],
            "domains": [{"domain": {"id": "default"}, "roles": [{"name": "reader"}]}],
            "system_roles": [{"name": "reader"}],
            "rules": ["operators"],
        })
    );
}

#[test]
fn the_limits_are_those_of_the_code() {
    let code: Vec<(&str, usize)> = vec![
        ("MAX_DOCUMENT_BYTES", limits::MAX_DOCUMENT_BYTES),
        ("MAX_RULES", limits::MAX_RULES),
        ("MAX_CONDITIONS", limits::MAX_CONDITIONS),
        ("MAX_CONDITION_DEPTH", limits::MAX_CONDITION_DEPTH),
        ("MAX_LIST", limits::MAX_LIST),
        ("MAX_NAMED_VALUES", limits::MAX_NAMED_VALUES),
        ("MAX_PATTERN_BYTES", limits::MAX_PATTERN_BYTES),
        ("MAX_PATTERNS", limits::MAX_PATTERNS),
        ("MAX_PATTERN_MEMORY", limits::MAX_PATTERN_MEMORY),
        ("MAX_TEXT_BYTES", limits::MAX_TEXT_BYTES),
        ("MAX_ATTRIBUTES", limits::MAX_ATTRIBUTES),
        ("MAX_VALUES", limits::MAX_VALUES),
        ("MAX_VALUE_BYTES", limits::MAX_VALUE_BYTES),
        ("MAX_ASSERTION_BYTES", limits::MAX_ASSERTION_BYTES),
        ("MAX_ASSERTION_DEPTH", limits::MAX_ASSERTION_DEPTH),
        ("MAX_OUTPUTS", limits::MAX_OUTPUTS),
    ];
    let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `MAX_"));
    let page: Vec<(String, usize)> = rows
        .map(|row| {
            let mut cells = row.split('|');
            let name = cells.next().unwrap().trim().trim_end_matches('`');
            (
                format!("MAX_{name}"),
                cells.next().unwrap().trim().parse().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        page,
        code.into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Vec<_>>()
    );
    let constants = include_str!("../src/mapping/limits.rs");
    assert_eq!(
        constants.matches("pub const ").count(),
        page.len(),
        "a limit that the page lacks"
    );
}

/// Each operator and policy that the page names is one, and none is left out.
#[test]
fn the_words_are_those_of_the_code() {
    let rule = |when: Value, user: Value| {
        let rules = json!([{"name": "r", "when": when, "user": user}]);
        RuleSet::parse(&json!({"sealstone_mapping": 1, "rules": rules}))
    };
    let user = json!({"name": "x"});
    let faults = rule(json!({"attribute": "a"}), user.clone())
        .unwrap_err()
        .to_string();
    let (_, known) = faults.split_once("state one of ").unwrap();
    for operator in known.split([',', ';']).map(str::trim).take(6) {
        assert!(PAGE.contains(&format!("| `\"{operator}\": ")), "{operator}");
    }
    for policy in ["fail", "skip", "first", "fan_out"] {
        assert!(PAGE.contains(&format!("`\"{policy}\"`")), "{policy}");
        let user = json!({"name": {"template": "${claims.a}", "many": policy}});
        let is_one = rule(json!({"all": []}), user).is_ok();
        assert_eq!(is_one, policy != "fan_out", "{policy}: a user has one name");
    }
}
