use crate::mapping::assertion::Assertion;
use crate::mapping::batch::Facts;
use crate::mapping::condition::{Condition, Operator, Outcome, Test};
use crate::mapping::identity::MappedIdentity;
use crate::mapping::pattern::Pattern;
use crate::mapping::rule_set::{Compiled, Mode, Rule};
use crate::mapping::source::{Resolved, Source};
use serde::Serialize;
use serde_json::Value;

/// The most values that are shown of one attribute.
const MAX_SHOWN: usize = 16;
/// The most characters that are shown of one value.
const MAX_SHOWN_CHARACTERS: usize = 120;

/// Why an assertion came to what it came to, rule by rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The rules, in their order.
    pub rules: Vec<RuleExplanation>,
    /// The identity, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<MappedIdentity>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What one rule came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RuleExplanation {
    /// The rule's name.
    pub name: String,
    /// Whether it matched, did not, or could not be decided.
    pub outcome: ConditionOutcome,
    /// Whether it would have been looked at: after the first match in first-match mode nothing is.
    pub considered: bool,
    /// Its conditions.
    pub when: ConditionExplanation,
    /// What its templates read, where it matched: variables and their values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<(String, Vec<String>)>,
    /// Why it puts nothing out although it matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a condition came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a condition has these three ends")]
pub enum ConditionOutcome {
    /// It holds.
    Matched,
    /// It does not.
    NotMatched,
    /// It looks at something that is no value.
    Undecidable,
}

impl From<Outcome> for ConditionOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Holds => Self::Matched,
            Outcome::Fails => Self::NotMatched,
            Outcome::Undecidable(_) => Self::Undecidable,
        }
    }
}

/// What one condition came to, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConditionExplanation {
    /// What it came to.
    pub outcome: ConditionOutcome,
    /// What it asks.
    pub condition: String,
    /// What it found.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub found: String,
    /// The conditions that it is made of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Self>,
}

pub(crate) fn explain(compiled: &Compiled, assertion: &Assertion) -> Explanation {
    let facts = compiled.facts(assertion);
    let mut considered = compiled.admit(assertion).is_ok();
    let mut rules = Vec::new();
    for rule in &compiled.rules {
        let explained = explain_rule(compiled, rule, &facts, assertion, considered);
        let ends = match explained.outcome {
            ConditionOutcome::Matched => compiled.mode == Mode::FirstMatch || explained.error.is_some(),
            ConditionOutcome::Undecidable => true,
            ConditionOutcome::NotMatched => false,
        };
        considered &= !ends;
        rules.push(explained);
    }
    let (identity, error) = match compiled.map(assertion) {
        Ok(identity) => (Some(identity), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Explanation {
        rules,
        identity,
        error,
    }
}

fn explain_rule(
    compiled: &Compiled,
    rule: &Rule,
    facts: &Facts<'_>,
    assertion: &Assertion,
    considered: bool,
) -> RuleExplanation {
    let when = explain_condition(compiled, &rule.when, facts);
    let mut values = Vec::new();
    let mut error = None;
    if when.outcome == ConditionOutcome::Matched {
        match compiled.scope(rule, facts, assertion) {
            Ok(scope) => {
                let named = rule.value_names.iter().zip(&scope.named);
                values.extend(named.map(|(name, found)| (format!("values.{name}"), shown(found))));
                let caught = rule.capture_names.iter().zip(&scope.captures);
                values.extend(caught.map(|(name, found)| (format!("match.{name}"), shown(found))));
                error = rule.output.fault(&scope).map(|fault| fault.to_string());
            }
            Err(fault) => error = Some(fault.to_string()),
        }
    }
    RuleExplanation {
        name: rule.name.clone(),
        outcome: when.outcome,
        considered,
        when,
        values,
        error,
    }
}

fn explain_condition(compiled: &Compiled, condition: &Condition, facts: &Facts<'_>) -> ConditionExplanation {
    let several = |conditions: &[Condition]| {
        let explained = conditions
            .iter()
            .map(|one| explain_condition(compiled, one, facts));
        explained.collect()
    };
    let (text, found, conditions) = match condition {
        Condition::All(conditions) => ("all".to_owned(), String::new(), several(conditions)),
        Condition::Any(conditions) => ("any".to_owned(), String::new(), several(conditions)),
        Condition::Not(condition) => (
            "not".to_owned(),
            String::new(),
            vec![explain_condition(compiled, condition, facts)],
        ),
        Condition::Test(test) => {
            let name = compiled
                .sources
                .get(test.source)
                .map(Source::name)
                .unwrap_or_default();
            let found = facts.resolved.get(test.source).map(found).unwrap_or_default();
            (format!("`{name}` {}", asks(test)), found, Vec::new())
        }
    };
    ConditionExplanation {
        outcome: condition.evaluate(facts).into(),
        condition: text,
        found,
        conditions,
    }
}

fn asks(test: &Test) -> String {
    let listed = |values: &[Value]| {
        let shown: Vec<String> = values.iter().take(MAX_SHOWN).map(Value::to_string).collect();
        let more = if values.len() > MAX_SHOWN { ", …" } else { "" };
        format!("{}{more}", shown.join(", "))
    };
    match &test.operator {
        Operator::Exists => "exists".to_owned(),
        Operator::AnyOf(_, values) => format!("is any of {}", listed(values)),
        Operator::NoneOf(_, values) => format!("exists and is none of {}", listed(values)),
        Operator::Matches(_, patterns) => {
            format!(
                "matches {}",
                patterns_shown(patterns.iter().map(|(pattern, _)| pattern))
            )
        }
        Operator::MatchesNone(_, patterns) => {
            format!("exists and matches none of {}", patterns_shown(patterns.iter()))
        }
    }
}

fn patterns_shown<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> String {
    let shown = patterns
        .take(MAX_SHOWN)
        .map(|pattern| format!("/{}/", pattern.written));
    shown.collect::<Vec<_>>().join(", ")
}

fn found(resolved: &Resolved<'_>) -> String {
    if resolved.unusable {
        return "an object, or a list that holds one".to_owned();
    }
    let values: Vec<_> = resolved.values.iter().map(|value| value.text()).collect();
    if values.is_empty() {
        return "no value".to_owned();
    }
    shown(&values).join(", ")
}

fn shown<T: AsRef<str>>(values: &[T]) -> Vec<String> {
    let mut shown: Vec<String> = values
        .iter()
        .take(MAX_SHOWN)
        .map(|value| {
            let value = value.as_ref();
            let cut: String = value.chars().take(MAX_SHOWN_CHARACTERS).collect();
            let mark = if cut.len() < value.len() { "…" } else { "" };
            format!("{}{mark}", Value::from(cut))
        })
        .collect();
    let more = values.len().saturating_sub(MAX_SHOWN);
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown
}
