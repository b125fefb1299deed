//! Both answers in one form: the user, the groups in order, each project with its roles in order.

use sealstone_claims::{Assertion, MappedIdentity, MappingError, MappingFaults, RuleSet};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Keystone's answer.
#[derive(Debug)]
pub(crate) enum Theirs {
    Mapped(Value),
    /// When the mapping is saved.
    Invalid,
    /// At login, with an answer.
    Refused(String),
    /// At login, with an exception that nothing catches.
    Crashed(#[expect(dead_code, reason = "shown when a comparison fails")] String),
}

/// Ours.
#[derive(Debug)]
pub(crate) enum Ours {
    Mapped(Value),
    Invalid(MappingFaults),
    Refused(MappingError),
}

impl Theirs {
    pub(crate) fn of(answer: &Value) -> Self {
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        if let Some(refused) = text("refused") {
            Self::Refused(refused)
        } else if let Some(crashed) = text("crashed") {
            Self::Crashed(crashed)
        } else if text("invalid").is_some() {
            Self::Invalid
        } else {
            Self::Mapped(theirs(&answer["mapped"]))
        }
    }
}

impl Ours {
    pub(crate) fn of(case: &Value) -> Self {
        let rules = match RuleSet::parse(&case["mapping"]) {
            Ok(rules) => rules,
            Err(faults) => return Self::Invalid(faults),
        };
        let assertion = Assertion::from_json(case["assertion"].to_string().as_bytes()).unwrap();
        let explained = rules.explain(&assertion);
        match rules.map(&assertion) {
            Ok(identity) => {
                assert_eq!(explained.identity.as_ref(), Some(&identity));
                Self::Mapped(ours(&identity))
            }
            Err(error) => {
                assert_eq!(explained.error, Some(error.to_string()));
                Self::Refused(error)
            }
        }
    }
}

fn without_nulls(value: &Value) -> Value {
    let members = value.as_object().cloned().unwrap_or_default();
    members
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect::<Map<_, _>>()
        .into()
}

fn canonical(user: Value, groups: BTreeSet<String>, projects: BTreeMap<String, BTreeSet<String>>) -> Value {
    let parsed = |text: &String| serde_json::from_str::<Value>(text).unwrap();
    let groups: Vec<Value> = groups.iter().map(parsed).collect();
    let projects: Vec<Value> = projects
        .iter()
        .map(|(project, roles)| json!({"project": parsed(project), "roles": roles}))
        .collect();
    json!({"user": user, "groups": groups, "projects": projects})
}

fn theirs(mapped: &Value) -> Value {
    let ids = mapped["group_ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| json!({ "id": id }));
    let names = mapped["group_names"].as_array().unwrap().iter().cloned();
    let groups = ids.chain(names).map(|group| group.to_string()).collect();
    let mut projects: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for project in mapped["projects"].as_array().unwrap() {
        let key = without_nulls(&json!({"name": project["name"], "domain": project["domain"]}));
        let roles = project["roles"].as_array().unwrap().iter();
        let roles = roles.map(|role| role["name"].as_str().unwrap().to_owned());
        projects.entry(key.to_string()).or_default().extend(roles);
    }
    canonical(without_nulls(&mapped["user"]), groups, projects)
}

fn ours(identity: &MappedIdentity) -> Value {
    let mapped = serde_json::to_value(identity).unwrap();
    let groups = mapped["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    let mut projects: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for project in mapped["projects"].as_array().unwrap() {
        let key = without_nulls(&json!({"name": project["name"], "domain": project["domain"]}));
        let roles = project["roles"].as_array().unwrap().iter();
        let roles = roles.map(|role| role["name"].as_str().unwrap().to_owned());
        projects.insert(key.to_string(), roles.collect());
    }
    canonical(mapped["user"].clone(), groups, projects)
}
