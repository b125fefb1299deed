//! From a document in our own format to rules, with every fault on the way.

mod condition;
mod output;
mod reader;
mod text;

use crate::mapping::batch::BatchBuilder;
use crate::mapping::fault::{MappingFaults, Path};
use crate::mapping::filter::Filter;
use crate::mapping::limits::{MAX_NAMED_VALUES, MAX_PATTERNS, MAX_RULES, MAX_TEXT_BYTES};
use crate::mapping::pattern::{Pattern, PatternUse};
use crate::mapping::rule_set::{Compiled, Mode, Rule};
use crate::mapping::source::Source;
use crate::mapping::value::{Comparison, Literals};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The member by which a document of ours is known.
pub(crate) const MARK: &str = "sealstone_mapping";

/// What the whole document shares.
pub(crate) struct Parser {
    faults: MappingFaults,
    sources: BTreeMap<Source, usize>,
    batches: BatchBuilder,
    patterns: usize,
}

/// What one rule's templates may name.
#[derive(Default)]
struct Names {
    /// Named values, each with its index and its source.
    values: BTreeMap<String, (usize, usize)>,
    /// Captures, each with its index and the sources it may come from.
    captures: BTreeMap<String, (usize, Vec<usize>)>,
}

impl Names {
    /// The captures by their index.
    fn in_order(&self) -> Vec<String> {
        let mut names: Vec<(usize, &String)> = self
            .captures
            .iter()
            .map(|(name, (index, _))| (*index, name))
            .collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name.clone()).collect()
    }
}

pub(crate) fn compile(document: &Map<String, Value>) -> Result<Compiled, MappingFaults> {
    let mut parser = Parser {
        faults: MappingFaults::default(),
        sources: BTreeMap::new(),
        batches: BatchBuilder::default(),
        patterns: 0,
    };
    let compiled = parser.document(document);
    let mut sources: Vec<(Source, usize)> = parser.sources.into_iter().collect();
    sources.sort_by_key(|(_, index)| *index);
    match compiled {
        Some(mut compiled) if parser.faults.is_empty() => {
            compiled.batches = parser.batches.build();
            compiled.sources = sources.into_iter().map(|(source, _)| source).collect();
            Ok(compiled)
        }
        _ => Err(parser.faults),
    }
}

impl Parser {
    fn document(&mut self, document: &Map<String, Value>) -> Option<Compiled> {
        let at = Path::ROOT;
        self.known(
            document,
            &at,
            &[MARK, "mode", "enabled", "source", "projects", "rules"],
        );
        if document.get(MARK) != Some(&Value::from(1)) {
            let path = at.member(MARK);
            self.fault(&path, "not a version of this format", "write 1");
        }
        let mode = match self.choice(document, &at, "mode", &["first_match", "merge"]) {
            Some("merge") => Mode::Merge {
                last_projects: self.choice(document, &at, "projects", &["union", "last"]) == Some("last"),
            },
            _ => {
                if document.contains_key("projects") {
                    let path = at.member("projects");
                    self.fault(
                        &path,
                        "only `merge` reads this",
                        "set `mode` to `merge`, or remove it",
                    );
                }
                Mode::FirstMatch
            }
        };
        let enabled = self.truth(document, &at, "enabled").unwrap_or(true);
        let source = self.string(document, &at, "source").map(str::to_owned);
        let path = at.member("rules");
        let items = self.list(document, &at, "rules", MAX_RULES)?;
        let mut rules = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = path.item(index);
            if let Some(rule) = self.rule(item, &path) {
                if rules.iter().any(|other: &Rule| other.name == rule.name) {
                    self.fault(
                        &path.member("name"),
                        "two rules have this name",
                        "give each its own",
                    );
                }
                rules.push(rule);
            }
        }
        if self.faults.is_empty() {
            self.check_users(&rules, mode, &path);
        }
        Some(Compiled {
            mode,
            enabled,
            source,
            rules,
            sources: Vec::new(),
            batches: Vec::new(),
        })
    }

    /// Whoever is mapped has a user: in first-match mode from each rule, in merge mode from one of them.
    fn check_users(&mut self, rules: &[Rule], mode: Mode, path: &Path<'_>) {
        const ADVICE: &str = "add `user` with an `id` or a `name`";
        match mode {
            Mode::FirstMatch => {
                for (index, _) in rules
                    .iter()
                    .enumerate()
                    .filter(|(_, rule)| rule.output.user.is_none())
                {
                    self.fault(
                        &path.item(index),
                        "this rule does not say who the user is",
                        ADVICE,
                    );
                }
            }
            Mode::Merge { .. } if rules.iter().all(|rule| rule.output.user.is_none()) => {
                self.fault(path, "no rule says who the user is", ADVICE);
            }
            Mode::Merge { .. } => {}
        }
    }

    fn rule(&mut self, value: &Value, path: &Path<'_>) -> Option<Rule> {
        const KNOWN: [&str; 10] = [
            "name",
            "description",
            "when",
            "values",
            "user",
            "groups",
            "projects",
            "domains",
            "system_roles",
            "user_domain",
        ];
        let rule = self.object(value, path)?;
        self.known(rule, path, &KNOWN);
        let name = self.required(rule, path, "name").map(str::to_owned);
        if name
            .as_ref()
            .is_some_and(|name| name.chars().any(char::is_control))
        {
            self.fault(
                &path.member("name"),
                "a control character",
                "remove it: audit events tell the name",
            );
        }
        if rule.contains_key("description") {
            self.string(rule, path, "description");
        }
        let mut names = Names::default();
        let when = match rule.get("when") {
            Some(when) => self.condition_tree(when, &path.member("when"), &mut names),
            None => {
                self.fault(
                    path,
                    "`when` is missing",
                    "say when the rule applies; `{\"all\": []}` is always",
                );
                None
            }
        };
        let values = self.named_values(rule, path, &mut names);
        let output = self.output(rule, path, &names);
        Some(Rule {
            name: name?,
            when: when?,
            values,
            value_names: rule
                .get("values")
                .and_then(Value::as_object)
                .into_iter()
                .flat_map(Map::keys)
                .cloned()
                .collect(),
            capture_names: names.in_order(),
            output,
        })
    }

    fn named_values(&mut self, rule: &Map<String, Value>, path: &Path<'_>, names: &mut Names) -> Vec<Filter> {
        let path = path.member("values");
        let Some(value) = rule.get("values") else {
            return Vec::new();
        };
        let Some(members) = self.object(value, &path) else {
            return Vec::new();
        };
        if members.len() > MAX_NAMED_VALUES {
            self.fault(
                &path,
                format!("more than {MAX_NAMED_VALUES} named values"),
                "split the rule",
            );
            return Vec::new();
        }
        let mut filters = Vec::new();
        for (name, value) in members {
            let path = path.member(name);
            self.check_name(name, &path);
            if let Some(filter) = self.filter(value, &path) {
                names.values.insert(name.clone(), (filters.len(), filter.source));
                filters.push(filter);
            }
        }
        filters
    }

    fn filter(&mut self, value: &Value, path: &Path<'_>) -> Option<Filter> {
        const KNOWN: [&str; 8] = [
            "attribute",
            "split",
            "compare",
            "keep",
            "keep_regex",
            "drop",
            "drop_regex",
            "search",
        ];
        let members = self.object(value, path)?;
        self.known(members, path, &KNOWN);
        let source = self.source(members, path)?;
        let search = self.truth(members, path, "search").unwrap_or_default();
        let permits = self.comparison(members, path);
        let mut literals = |name, comparison| match members.get(name) {
            Some(list) => self
                .listed(list, &path.member(name))
                .map(|listed| Literals::new(listed, comparison)),
            None => None,
        };
        let (keep, drop) = (literals("keep", permits), literals("drop", Comparison::Folded));
        let mut patterns = |name, denies| match members.get(name) {
            Some(list) => self.patterns(list, &path.member(name), PatternUse { search, denies }),
            None => Vec::new(),
        };
        Some(Filter {
            source,
            keep,
            keep_matching: patterns("keep_regex", false),
            drop,
            drop_matching: patterns("drop_regex", true),
        })
    }

    /// The values that an operator lists: texts, numbers, truth values.
    fn listed(&mut self, value: &Value, path: &Path<'_>) -> Option<Vec<Value>> {
        let items = self.items(value, path)?;
        for (index, item) in items.iter().enumerate() {
            let fits = match item {
                Value::String(text) => !text.is_empty() && text.len() <= MAX_TEXT_BYTES,
                Value::Bool(_) | Value::Number(_) => true,
                Value::Null | Value::Array(_) | Value::Object(_) => false,
            };
            if !fits {
                let path = path.item(index);
                self.fault(
                    &path,
                    "nothing that a value can be",
                    format!("write text of 1 to {MAX_TEXT_BYTES} bytes, a number, true or false"),
                );
            }
        }
        Some(items.to_vec())
    }

    fn patterns(&mut self, value: &Value, path: &Path<'_>, how: PatternUse) -> Vec<Pattern> {
        if value.is_string() {
            return self.pattern(value, path, how).into_iter().collect();
        }
        let items = self.items(value, path).unwrap_or_default().iter().enumerate();
        items
            .filter_map(|(index, item)| self.pattern(item, &path.item(index), how))
            .collect()
    }

    fn pattern(&mut self, value: &Value, path: &Path<'_>, how: PatternUse) -> Option<Pattern> {
        let Some(text) = value.as_str() else {
            self.fault(path, "not a pattern", "write a regular expression as text");
            return None;
        };
        self.patterns = self.patterns.saturating_add(1);
        if self.patterns > MAX_PATTERNS {
            self.fault(
                path,
                format!("more than {MAX_PATTERNS} patterns"),
                "list names with `any_of`",
            );
            return None;
        }
        match Pattern::compile(text, how) {
            Ok(pattern) => Some(pattern),
            Err((problem, advice)) => {
                self.fault(path, problem, advice);
                None
            }
        }
    }
}
