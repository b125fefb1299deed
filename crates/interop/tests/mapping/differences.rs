//! Where ours differs from Keystone's on purpose, each with what shows it. The reasons are in
//! `docs/reference/claims-mapping.md`.

use crate::compare::{Ours, Theirs};
use crate::generate::Generator;
use sealstone_claims::MappingError;
use serde_json::{Value, json};

/// One intended difference.
pub(crate) struct Difference {
    /// As the reference lists it, with `diff-` before it.
    pub(crate) name: &'static str,
    /// A case that shows it.
    pub(crate) case: fn(&mut Generator) -> Value,
    /// Whether the two answers are as the reference says.
    pub(crate) is_so: fn(&Theirs, &Ours) -> bool,
}

pub(crate) const DIFFERENCES: [Difference; 26] = [
    Difference {
        name: "several-values",
        case: |r| with_groups(r, json!({"name": "{1}", "domain": {"id": "d"}}), json!("one;two")),
        is_so: |theirs, ours| {
            theirs_holds(theirs, "['one', 'two']") && matches!(ours, Ours::Refused(MappingError::Many { .. }))
        },
    },
    Difference {
        name: "text-around-several",
        case: |r| {
            let mut case = joined(r, "one;two");
            case["mapping"]["rules"][0]["local"][1]["groups"] = json!("pre-{1}");
            case
        },
        is_so: |theirs, ours| {
            theirs_holds(theirs, "pre-['one', 'two']") && group_names(ours) == ["pre-one", "pre-two"]
        },
    },
    Difference {
        name: "no-value-left",
        case: |r| {
            let mut case = joined(r, "one");
            let rule = &mut case["mapping"]["rules"][0];
            rule["remote"][1]["whitelist"] = json!([r.word()]);
            rule["local"][0]["user"]["name"] = json!("{1}");
            case
        },
        is_so: |theirs, ours| {
            matches!(theirs, Theirs::Mapped(mapped) if mapped["user"]["name"] == "[]")
                && matches!(ours, Ours::Refused(MappingError::Missing { .. }))
        },
    },
    Difference {
        name: "list-in-a-value",
        case: |r| joined(r, "['root', 'wheel']"),
        is_so: |theirs, ours| {
            group_names_of(theirs) == ["root", "wheel"] && group_names(ours) == ["['root', 'wheel']"]
        },
    },
    Difference {
        name: "name-in-a-group",
        case: |r| {
            let group = format!("re{}-{}", "name", r.word());
            joined(r, &group)
        },
        is_so: |theirs, ours| {
            matches!(theirs, Theirs::Refused(why) if why.contains("must be specified"))
                && group_names(ours).iter().all(|name| name.starts_with("rename-"))
                && group_names(ours).len() == 1
        },
    },
    Difference {
        name: "json-beside-a-domain",
        case: |r| joined(r, r#"JSON:{"name": "root", "domain": {"id": "default"}}"#),
        is_so: |theirs, ours| {
            group_names_of(theirs) == ["root"]
                && group_names(ours).iter().all(|name| name.starts_with("JSON:"))
        },
    },
    Difference {
        name: "json-groups-none",
        case: |r| {
            let mut case = joined(r, "JSON:{}");
            let rule = &mut case["mapping"]["rules"][0];
            rule["remote"][1]["whitelist"] = json!([r.word()]);
            rule["local"][1] = json!({"groups": "{1}"});
            case
        },
        is_so: |theirs, ours| {
            matches!(theirs, Theirs::Refused(_)) && group_names(ours).is_empty() && mapped(ours)
        },
    },
    Difference {
        name: "format-access",
        case: |r| {
            let mut case = joined(r, "one");
            let access = r.pick(&["{0.__class__}", "{0[0]}", "{0!r}", "{0:>20}", "{0.__doc__}"]);
            case["mapping"]["rules"][0]["local"][0]["user"]["name"] = json!(access);
            case
        },
        is_so: |theirs, ours| {
            matches!(theirs, Theirs::Mapped(_) | Theirs::Refused(_)) && invalid(ours, "more than a number")
        },
    },
    Difference {
        name: "number-too-high",
        case: |r| {
            let mut case = joined(r, "one");
            case["mapping"]["rules"][0]["local"][0]["user"]["name"] =
                json!(format!("{{{}}}", 2 + r.below(9)));
            case
        },
        is_so: |theirs, ours| matches!(theirs, Theirs::Refused(_)) && invalid(ours, "is not there"),
    },
    Difference {
        name: "broken-format",
        case: |r| {
            let mut case = joined(r, "one");
            let broken = r.pick(&["{user}", "{0", "0}", "{}{0}"]);
            case["mapping"]["rules"][0]["local"][0]["user"]["name"] = json!(broken);
            case
        },
        is_so: |theirs, ours| matches!(theirs, Theirs::Crashed(_)) && invalid(ours, "user/name"),
    },
    Difference {
        name: "broken-pattern",
        case: |r| pattern(r, &["(", "[", "a)", "*"]),
        is_so: |theirs, ours| matches!(theirs, Theirs::Crashed(_)) && invalid(ours, "linear time"),
    },
    Difference {
        name: "backtracking-pattern",
        case: |r| pattern(r, &["(?=o)one", "(?<!x)one", r"(o)(n)e|\1"]),
        is_so: |theirs, ours| matches!(theirs, Theirs::Mapped(_)) && invalid(ours, "linear time"),
    },
    Difference {
        name: "python-pattern",
        case: |r| pattern(r, &["on++e", "o*+ne", r"\<|one", "one|[[x]"]),
        is_so: |theirs, ours| matches!(theirs, Theirs::Mapped(_)) && invalid(ours, "in Python"),
    },
    Difference {
        name: "line-end",
        case: |r| {
            let mut case = pattern(r, &["^one$"]);
            case["assertion"]["groups"] = json!("one\n");
            case["mapping"]["rules"][0]["remote"][1] =
                json!({"type": "groups", "any_one_of": ["^one$"], "regex": true});
            case
        },
        is_so: |theirs, ours| {
            matches!(theirs, Theirs::Mapped(_)) && matches!(ours, Ours::Refused(MappingError::NoRule { .. }))
        },
    },
    Difference {
        name: "denials-fold",
        case: |r| {
            let group = r.pick(&["Admins", "ADMINS", "ａdmins", "admins\u{200b}"]);
            let mut case = joined(r, group);
            let rule = &mut case["mapping"]["rules"][0];
            rule["remote"][1] = json!({"type": "groups", "blacklist": ["admins"]});
            case
        },
        is_so: |theirs, ours| {
            group_names_of(theirs).len() == 1 && mapped(ours) && group_names(ours).is_empty()
        },
    },
    Difference {
        name: "empty-value",
        case: |r| joined(r, ""),
        is_so: |theirs, ours| {
            matches!(theirs, Theirs::Mapped(_)) && matches!(ours, Ours::Refused(MappingError::NoRule { .. }))
        },
    },
    Difference {
        name: "empty-part",
        case: |r| joined(r, "one;;two"),
        is_so: |theirs, ours| {
            group_names_of(theirs) == ["", "one", "two"] && group_names(ours) == ["one", "two"]
        },
    },
    Difference {
        name: "empty-list",
        case: |r| {
            let mut case = joined(r, "one");
            let operator = r.pick(&["any_one_of", "not_any_of", "blacklist", "whitelist"]);
            case["mapping"]["rules"][0]["remote"] =
                json!([{"type": "user"}, {"type": "groups", operator: []}]);
            case["mapping"]["rules"][0]["local"] = json!([{"user": {"name": "{0}"}}]);
            case
        },
        is_so: |theirs, ours| !matches!(theirs, Theirs::Invalid) && invalid(ours, "an empty list"),
    },
    Difference {
        name: "not-text",
        case: |r| {
            let mut case = joined(r, "one");
            let listed = [json!(1), json!(true), json!(null)][r.below(3)].clone();
            case["mapping"]["rules"][0]["remote"][1]["whitelist"] = json!(["one", listed]);
            case
        },
        is_so: |theirs, ours| matches!(theirs, Theirs::Mapped(_)) && invalid(ours, "no text"),
    },
    Difference {
        name: "control-character",
        case: |r| {
            let mut case = joined(r, "one");
            case["assertion"]["user"] =
                json!(r.pick(&["al\nice", "al\u{0}ice", "al\u{85}ice", "\u{202e}ecila"]));
            case
        },
        is_so: |theirs, ours| {
            matches!(theirs, Theirs::Mapped(_)) && matches!(ours, Ours::Refused(MappingError::Text { .. }))
        },
    },
    Difference {
        name: "nobody",
        case: |r| {
            let mut case = joined(r, "one");
            case["mapping"]["rules"][0]["local"][0]["user"] = json!({"email": "{0}", "domain": {"id": "d"}});
            case
        },
        is_so: |theirs, ours| {
            matches!(theirs, Theirs::Refused(_)) && invalid(ours, "neither `id` nor `name`")
        },
    },
    Difference {
        name: "local-without-domain",
        case: |r| {
            let mut case = joined(r, "one");
            case["mapping"]["rules"][0]["local"][0]["user"]["type"] = json!("local");
            case
        },
        is_so: |theirs, ours| {
            matches!(theirs, Theirs::Mapped(_)) && matches!(ours, Ours::Refused(MappingError::NoDomain))
        },
    },
    Difference {
        name: "no-default-domain",
        case: |r| {
            let mut case = joined(r, "one");
            case["mapping"]["schema_version"] = json!(r.pick(&["2.0", "3.0"]));
            case["mapping"]["rules"][0]["local"] = json!([{"user": {"name": "{0}"}}]);
            case
        },
        is_so: |theirs, ours| matches!(theirs, Theirs::Crashed(_)) && mapped(ours),
    },
    Difference {
        name: "list-attribute",
        case: |r| {
            let mut case = joined(r, "one");
            case["assertion"]["groups"] = json!(["a;b", "c"]);
            case
        },
        is_so: |theirs, ours| matches!(theirs, Theirs::Refused(_)) && group_names(ours) == ["a;b", "c"],
    },
    Difference {
        name: "object-attribute",
        case: |r| {
            let mut case = joined(r, "one");
            case["assertion"]["groups"] = [json!({"a": 1}), json!(["a", {"b": 1}])][r.below(2)].clone();
            case
        },
        is_so: |theirs, ours| {
            matches!(theirs, Theirs::Refused(_))
                && matches!(ours, Ours::Refused(MappingError::Unusable { .. }))
        },
    },
    Difference {
        name: "unverified-address",
        case: |r| {
            let mut case = joined(r, "one");
            let said = [json!("false"), json!(false), json!("0"), json!(null)][r.below(4)].clone();
            case["assertion"]["email"] = json!("alice@example.org");
            case["assertion"]["email_verified"] = said;
            case["mapping"]["rules"][0]["remote"][0]["type"] = json!("email");
            case
        },
        is_so: |theirs, ours| {
            matches!(theirs, Theirs::Mapped(_))
                && matches!(ours, Ours::Refused(MappingError::Unverified { .. }))
        },
    },
];

/// A user by `{0}` and groups by `{1}`, which hold this text.
fn joined(r: &mut Generator, groups: &str) -> Value {
    json!({
        "mapping": {"rules": [{
            "local": [{"user": {"name": "{0}"}}, {"groups": "{1}", "domain": {"id": r.word()}}],
            "remote": [{"type": "user"}, {"type": "groups"}],
        }]},
        "assertion": {"user": r.word(), "groups": groups},
    })
}

/// The same, with another group.
fn with_groups(r: &mut Generator, group: Value, groups: Value) -> Value {
    let mut case = joined(r, "");
    case["mapping"]["rules"][0]["local"][1] = json!({ "group": group });
    case["assertion"]["groups"] = groups;
    case
}

/// The same, where the groups must match one of these patterns.
fn pattern(r: &mut Generator, patterns: &[&'static str]) -> Value {
    let mut case = joined(r, "one");
    let operator = r.pick(&["any_one_of", "whitelist"]);
    let rule = &mut case["mapping"]["rules"][0];
    rule["remote"][1] = json!({"type": "groups", operator: [r.pick(patterns)], "regex": true});
    rule["local"] = json!([{"user": {"name": "{0}"}}]);
    case
}

fn theirs_holds(theirs: &Theirs, text: &str) -> bool {
    group_names_of(theirs) == [text]
}

fn names(mapped: &Value) -> Vec<&str> {
    let groups = mapped["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    groups.iter().filter_map(|group| group["name"].as_str()).collect()
}

fn group_names_of(theirs: &Theirs) -> Vec<&str> {
    match theirs {
        Theirs::Mapped(mapped) => names(mapped),
        Theirs::Invalid | Theirs::Refused(_) | Theirs::Crashed(_) => Vec::new(),
    }
}

fn group_names(ours: &Ours) -> Vec<&str> {
    match ours {
        Ours::Mapped(mapped) => names(mapped),
        Ours::Invalid(_) | Ours::Refused(_) => Vec::new(),
    }
}

fn mapped(ours: &Ours) -> bool {
    matches!(ours, Ours::Mapped(_))
}

/// Refused when saved, and the faults say this.
fn invalid(ours: &Ours, says: &str) -> bool {
    matches!(ours, Ours::Invalid(faults) if faults.to_string().contains(says))
}
