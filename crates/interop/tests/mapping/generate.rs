//! Rules and assertions without anything odd: both engines must agree on all of them.

use sealstone_testkit::SeededBytes;
use serde_json::{Map, Value, json};

/// Attributes that have one value, or are not there.
const SINGLE: [&str; 5] = ["UserName", "Email", "FirstName", "DomainName", "uid"];
/// Attributes that have any number of values.
const SEVERAL: [&str; 4] = ["groups", "roles", "orgPersonType", "entitlement"];
/// No two of them are the same but for letter case, and none holds `name` or `domain`.
const VALUES: [&str; 20] = [
    "alice",
    "bob",
    "carol@example.org",
    "admins",
    "dev",
    "ops",
    "x y",
    "a,b",
    "emp:7",
    "grün",
    "${claims.sub}",
    "{0}",
    "$${x}",
    "{{7*7}}",
    "it's",
    "a \"b\"",
    "back\\slash",
    "Contractor",
    "%s",
    "42",
];
const PATTERNS: [&str; 10] = [
    "^a",
    "s$",
    "dev|ops",
    "^[a-z]+$",
    r"\d",
    "@example\\.org$",
    "(?i)contract",
    "o.s",
    r"\w+ \w",
    "^(?P<x>.)",
];

/// Those of them that no letter case changes: denials do not look at it.
const DENYING: [&str; 6] = ["^a", "s$", "dev|ops", r"\d", "@example\\.org$", "o.s"];

pub(crate) struct Generator(SeededBytes);

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededBytes::new(seed))
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u64() % u64::try_from(end).unwrap()).unwrap()
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    /// A text without anything odd.
    pub(crate) fn word(&mut self) -> String {
        format!(
            "{}-{}",
            self.pick(&["team", "unit", "lab", "crew"]),
            self.below(1_000)
        )
    }

    fn values(&mut self, least: usize, most: usize) -> Vec<&'static str> {
        let mut values = Vec::new();
        for _ in 0..least + self.below(most - least + 1) {
            let value = self.pick(&VALUES);
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    pub(crate) fn case(&mut self) -> Value {
        let mapping = self.mapping();
        json!({"mapping": mapping, "assertion": self.assertion()})
    }

    fn assertion(&mut self) -> Value {
        let mut assertion = Map::new();
        for name in SINGLE {
            if !self.one_in(8) {
                assertion.insert(name.to_owned(), json!(self.pick(&VALUES)));
            }
        }
        for name in SEVERAL {
            if !self.one_in(6) {
                assertion.insert(name.to_owned(), json!(self.values(1, 5).join(";")));
            }
        }
        if !self.one_in(4) {
            assertion.insert(
                "Projects".to_owned(),
                json!(self.described_projects().to_string()),
            );
            let groups: Vec<String> = (0..1 + self.below(3))
                .map(|_| format!("JSON:{}", self.described_group()))
                .collect();
            assertion.insert("Teams".to_owned(), json!(groups.join(";")));
        }
        // What is no text is nothing.
        if self.one_in(10) {
            let value = [json!(7), json!(true), json!(null)][self.below(3)].clone();
            assertion.insert(self.pick(&SEVERAL).to_owned(), value);
        }
        Value::Object(assertion)
    }

    fn described_group(&mut self) -> Value {
        let kind = self.pick(&["id", "name"]);
        json!({"name": self.word(), "domain": {kind: self.word()}})
    }

    fn described_projects(&mut self) -> Value {
        let mut projects = Vec::new();
        for _ in 0..self.below(3) {
            let mut project =
                json!({"name": self.word(), "roles": [{"name": self.pick(&["member", "reader"])}]});
            if self.one_in(2) {
                project["domain"] = json!({"name": self.word()});
            }
            projects.push(project);
        }
        json!(projects)
    }

    fn mapping(&mut self) -> Value {
        let version = self.pick(&["1.0", "2.0", "3.0"]);
        let count = 1 + self.below(5);
        let rules: Vec<Value> = (0..count).map(|index| self.rule(version, index == 0)).collect();
        let mut mapping = Map::new();
        mapping.insert("rules".to_owned(), json!(rules));
        if version != "1.0" || self.one_in(2) {
            mapping.insert("schema_version".to_owned(), json!(version));
        }
        Value::Object(mapping)
    }

    fn rule(&mut self, version: &str, with_user: bool) -> Value {
        // Slots with one value, and slots with any number.
        let (mut single, mut several) = (Vec::new(), Vec::new());
        let mut remote = Vec::new();
        let mut slots = 0;
        for _ in 0..1 + self.below(4) {
            match self.below(6) {
                0 | 1 => {
                    remote.push(json!({"type": self.pick(&SINGLE)}));
                    single.push(slots);
                    slots += 1;
                }
                2 | 3 => {
                    remote.push(self.filter());
                    several.push(slots);
                    slots += 1;
                }
                _ => remote.push(self.condition()),
            }
        }
        let described = self.one_in(4).then(|| {
            let from = if version == "3.0" && self.one_in(2) {
                "Projects"
            } else {
                "Teams"
            };
            remote.push(json!({ "type": from }));
            slots += 1;
            (from, slots - 1)
        });
        if single.is_empty() {
            remote.push(json!({"type": self.pick(&SINGLE)}));
            single.push(slots);
        }
        let mut local = Vec::new();
        if with_user || self.one_in(2) {
            // Keystone crashes on users of 2.0 and later that come out without a domain.
            local.push(json!({"user": self.user(&single), "domain": self.entity(&single)}));
        }
        for _ in 0..self.below(3) + usize::from(local.is_empty()) {
            local.push(self.local(version, &single, &several));
        }
        if self.one_in(3) {
            let at = self.below(local.len());
            local.rotate_left(at);
        }
        // Not last: the last entry's domain is the user's default.
        match described {
            Some(("Projects", slot)) => {
                local.insert(
                    0,
                    json!({"projects_json": format!("{{{slot}}}"), "domain": self.entity(&single)}),
                );
            }
            Some((_, slot)) => local.insert(0, json!({"groups": format!("{{{slot}}}")})),
            None => {}
        }
        json!({"local": local, "remote": remote})
    }

    fn filter(&mut self) -> Value {
        let attribute = self.pick(&SEVERAL);
        match self.below(5) {
            0 => json!({"type": attribute}),
            1 => json!({"type": attribute, "whitelist": self.values(1, 8)}),
            2 => json!({"type": attribute, "blacklist": self.values(1, 4)}),
            3 => json!({"type": attribute, "whitelist": [self.pick(&PATTERNS)], "regex": true}),
            _ => json!({"type": attribute, "blacklist": [self.pick(&DENYING)], "regex": true}),
        }
    }

    fn condition(&mut self) -> Value {
        let attribute = if self.one_in(3) {
            self.pick(&SINGLE)
        } else {
            self.pick(&SEVERAL)
        };
        let regex = self.one_in(3);
        let denies = self.one_in(4);
        let patterns: &[&str] = if denies { &DENYING } else { &PATTERNS };
        let list: Vec<&str> = if regex {
            (0..=self.below(2)).map(|_| self.pick(patterns)).collect()
        } else {
            self.values(6, 12)
        };
        let mut condition = Map::new();
        condition.insert("type".to_owned(), json!(attribute));
        if denies {
            condition.insert("not_any_of".to_owned(), json!(list.get(..1)));
        } else {
            condition.insert("any_one_of".to_owned(), json!(list));
        }
        if regex || self.one_in(4) {
            condition.insert("regex".to_owned(), json!(regex));
        }
        Value::Object(condition)
    }

    fn template(&mut self, single: &[usize]) -> String {
        let slot = single[self.below(single.len())];
        let other = single[self.below(single.len())];
        match self.below(6) {
            0 => self.word(),
            1 => format!("{{{slot}}}-{{{other}}}"),
            2 => format!("{{{{{slot}}}}} {{{slot}}}"),
            3 => format!("x-{{{slot}}}"),
            _ => format!("{{{slot}}}"),
        }
    }

    fn entity(&mut self, single: &[usize]) -> Value {
        match self.below(4) {
            0 => json!({"id": self.template(single)}),
            1 => json!({"name": self.template(single)}),
            2 => json!({"id": self.word(), "name": self.word()}),
            _ => json!({"id": self.word()}),
        }
    }

    fn user(&mut self, single: &[usize]) -> Value {
        let mut user = Map::new();
        let has_id = self.one_in(3);
        if has_id {
            user.insert("id".to_owned(), json!(self.template(single)));
        }
        if !has_id || self.one_in(2) {
            user.insert("name".to_owned(), json!(self.template(single)));
        }
        if self.one_in(2) {
            user.insert("email".to_owned(), json!(self.template(single)));
        }
        let local = self.one_in(4);
        if local || self.one_in(2) {
            user.insert("domain".to_owned(), self.entity(single));
        }
        if local || self.one_in(3) {
            user.insert(
                "type".to_owned(),
                json!(if local { "local" } else { "ephemeral" }),
            );
        }
        Value::Object(user)
    }

    fn local(&mut self, version: &str, single: &[usize], several: &[usize]) -> Value {
        let mut local = Map::new();
        local.insert("domain".to_owned(), self.entity(single));
        match self.below(6) {
            0 => {
                local.insert("group".to_owned(), json!({"id": self.template(single)}));
            }
            1 => {
                let domain = self.entity(single);
                local.insert(
                    "group".to_owned(),
                    json!({"name": self.template(single), "domain": domain}),
                );
            }
            2 => {
                let ids = match several.first() {
                    Some(slot) => format!("{{{slot}}}"),
                    None => self.word(),
                };
                local.insert("group_ids".to_owned(), json!(ids));
            }
            3 => {
                local.insert("projects".to_owned(), self.projects(version, single));
            }
            _ => {
                let groups = match several.last() {
                    Some(slot) => format!("{{{slot}}}"),
                    None if self.one_in(2) => format!("['{}', '{}']", self.word(), self.word()),
                    None => self.template(single),
                };
                local.insert("groups".to_owned(), json!(groups));
            }
        }
        Value::Object(local)
    }

    fn projects(&mut self, version: &str, single: &[usize]) -> Value {
        let mut projects = Vec::new();
        for _ in 0..1 + self.below(2) {
            let roles: Vec<Value> = (0..1 + self.below(2))
                .map(|_| json!({"name": self.pick(&["member", "reader", "manager"])}))
                .collect();
            let mut project = json!({"name": self.template(single), "roles": roles});
            if version != "1.0" && self.one_in(2) {
                project["domain"] = self.entity(single);
            }
            projects.push(project);
        }
        json!(projects)
    }
}
