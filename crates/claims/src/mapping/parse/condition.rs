use super::{Names, Parser};
use crate::mapping::condition::{Condition, Groups, Operator, Test};
use crate::mapping::fault::Path;
use crate::mapping::limits::{MAX_CONDITION_DEPTH, MAX_CONDITIONS};
use crate::mapping::pattern::{Pattern, PatternUse};
use crate::mapping::value::Comparison;
use serde_json::{Map, Value};

const OPERATORS: [&str; 6] = ["exists", "equals", "any_of", "none_of", "regex", "not_regex"];

/// Where a condition stands.
struct Place<'p> {
    path: &'p Path<'p>,
    /// How many levels may follow.
    below: usize,
    /// Under an odd number of `not`: what matches here denies.
    denies: bool,
}

impl Parser {
    pub(super) fn condition_tree(
        &mut self,
        value: &Value,
        path: &Path<'_>,
        names: &mut Names,
    ) -> Option<Condition> {
        let mut left = MAX_CONDITIONS;
        let place = Place {
            path,
            below: MAX_CONDITION_DEPTH,
            denies: false,
        };
        self.condition(value, &place, names, &mut left)
    }

    fn condition(
        &mut self,
        value: &Value,
        place: &Place<'_>,
        names: &mut Names,
        left: &mut usize,
    ) -> Option<Condition> {
        let path = place.path;
        let members = self.object(value, path)?;
        let Some(below) = place.below.checked_sub(1) else {
            let problem = format!("conditions nest deeper than {MAX_CONDITION_DEPTH} levels");
            self.fault(path, problem, "write it flatter, or as several rules");
            return None;
        };
        let Some(fewer) = left.checked_sub(1) else {
            let problem = format!("more than {MAX_CONDITIONS} conditions in one rule");
            self.fault(path, problem, "use `any_of`, or write several rules");
            return None;
        };
        *left = fewer;
        let mut several = |parser: &mut Self, name, value: &Value| {
            let path = path.member(name);
            let Value::Array(items) = value else {
                parser.fault(&path, "not a list", "write a list of conditions");
                return None;
            };
            let mut conditions: Vec<Option<Condition>> = Vec::new();
            // All of them, so that every fault is told and every group known.
            for (index, item) in items.iter().enumerate() {
                let place = Place {
                    path: &path.item(index),
                    below,
                    denies: place.denies,
                };
                conditions.push(parser.condition(item, &place, names, left));
            }
            conditions.into_iter().collect()
        };
        let mut members_iter = members.iter();
        match (members_iter.next(), members_iter.next()) {
            (Some((name, value)), None) if name == "all" => several(self, "all", value).map(Condition::All),
            (Some((name, value)), None) if name == "any" => {
                let conditions = several(self, "any", value)?;
                if conditions.is_empty() {
                    self.fault(
                        path,
                        "`any` of nothing never holds",
                        "list conditions, or remove the rule",
                    );
                }
                Some(Condition::Any(conditions))
            }
            (Some((name, value)), None) if name == "not" => {
                let place = Place {
                    path: &path.member("not"),
                    below,
                    denies: !place.denies,
                };
                let condition = self.condition(value, &place, names, left)?;
                Some(Condition::Not(Box::new(condition)))
            }
            _ => self.test(members, place, names).map(Condition::Test),
        }
    }

    fn test(&mut self, members: &Map<String, Value>, place: &Place<'_>, names: &mut Names) -> Option<Test> {
        let path = place.path;
        let known: Vec<&str> = ["attribute", "split", "compare", "search"]
            .into_iter()
            .chain(OPERATORS)
            .collect();
        if !members.contains_key("attribute") {
            self.fault(
                path,
                "no condition",
                "write one of `all`, `any`, `not` alone, or `attribute` with an operator",
            );
            return None;
        }
        self.known(members, path, &known);
        let source = self.source(members, path)?;
        let stated: Vec<&str> = OPERATORS
            .into_iter()
            .filter(|name| members.contains_key(*name))
            .collect();
        let (&[name], Some(value)) = (
            stated.as_slice(),
            stated.first().and_then(|name| members.get(*name)),
        ) else {
            // A slip of the pen in the operator's name was told already.
            if stated.is_empty() && members.keys().any(|name| !known.contains(&name.as_str())) {
                return None;
            }
            let advice = format!("state one of {}", OPERATORS.join(", "));
            self.fault(path, format!("{} operators", stated.len()), advice);
            return None;
        };
        let at = path.member(name);
        let permits = self.comparison(members, path);
        let comparison = |denies| if denies { Comparison::Folded } else { permits };
        let search = self.truth(members, path, "search").unwrap_or_default();
        let how = |denies| PatternUse { search, denies };
        let operator = match name {
            "exists" => {
                if value != &Value::Bool(true) {
                    self.fault(
                        &at,
                        "`exists` is true",
                        "put the condition under `not` to ask for none",
                    );
                }
                Operator::Exists
            }
            "equals" => {
                let list = Value::Array(vec![value.clone()]);
                let listed = self.listed(&list, &at)?;
                let probe = self.batches.literals(source, comparison(place.denies), &listed);
                Operator::AnyOf(probe, listed)
            }
            "any_of" => {
                let listed = self.listed(value, &at)?;
                let probe = self.batches.literals(source, comparison(place.denies), &listed);
                Operator::AnyOf(probe, listed)
            }
            "none_of" => {
                let listed = self.listed(value, &at)?;
                let probe = self.batches.literals(source, comparison(!place.denies), &listed);
                Operator::NoneOf(probe, listed)
            }
            "regex" => {
                let patterns = self.patterns(value, &at, how(place.denies));
                let probe = self.batches.patterns(source, place.denies, &patterns);
                let with = patterns.into_iter().map(|pattern| {
                    let groups = self.groups(&pattern, source, place, names);
                    (pattern, groups)
                });
                Operator::Matches(probe, with.collect())
            }
            _ => {
                let patterns = self.patterns(value, &at, how(!place.denies));
                let probe = self.batches.patterns(source, !place.denies, &patterns);
                Operator::MatchesNone(probe, patterns)
            }
        };
        Some(Test { source, operator })
    }

    /// The captures that a pattern fills; one under `not` fills none.
    fn groups(&mut self, pattern: &Pattern, source: usize, place: &Place<'_>, names: &mut Names) -> Groups {
        let mut groups = Groups::new();
        if place.denies {
            return groups;
        }
        for (index, name) in pattern.groups() {
            self.check_name(name, place.path);
            let next = names.captures.len();
            let (capture, sources) = names
                .captures
                .entry(name.to_owned())
                .or_insert((next, Vec::new()));
            sources.push(source);
            groups.push((index, *capture));
        }
        groups
    }
}
