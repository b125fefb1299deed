use crate::mapping::batch::{Facts, Probe};
use crate::mapping::pattern::Pattern;
use crate::mapping::value::Scalar;
use serde_json::Value;

/// What a condition comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Holds,
    Fails,
    /// It looks at something that is no value; the index is the source.
    Undecidable(usize),
}

/// A tree of conditions.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Test(Test),
}

/// One look at one source.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    pub(crate) source: usize,
    pub(crate) operator: Operator,
}

/// What is asked; each with its operands as they were written, for explanations.
#[derive(Debug, Clone)]
pub(crate) enum Operator {
    /// There is a value.
    Exists,
    /// A value is among these.
    AnyOf(Probe, Vec<Value>),
    /// There are values, and none is among these.
    NoneOf(Probe, Vec<Value>),
    /// A value matches one of these; each with where its groups go.
    Matches(Probe, Vec<(Pattern, Groups)>),
    /// There are values, and none matches any of these.
    MatchesNone(Probe, Vec<Pattern>),
}

/// The groups of a pattern, by their index, and the captures of the rule that they fill.
pub(crate) type Groups = Vec<(usize, usize)>;

impl Condition {
    pub(crate) fn evaluate(&self, facts: &Facts<'_>) -> Outcome {
        match self {
            Self::All(conditions) => {
                let mut outcome = Outcome::Holds;
                for condition in conditions {
                    match condition.evaluate(facts) {
                        Outcome::Holds => {}
                        Outcome::Fails => return Outcome::Fails,
                        undecidable @ Outcome::Undecidable(_) => outcome = undecidable,
                    }
                }
                outcome
            }
            Self::Any(conditions) => {
                let mut outcome = Outcome::Fails;
                for condition in conditions {
                    match condition.evaluate(facts) {
                        Outcome::Holds => return Outcome::Holds,
                        Outcome::Fails => {}
                        undecidable @ Outcome::Undecidable(_) => outcome = undecidable,
                    }
                }
                outcome
            }
            Self::Not(condition) => match condition.evaluate(facts) {
                Outcome::Holds => Outcome::Fails,
                Outcome::Fails => Outcome::Holds,
                undecidable @ Outcome::Undecidable(_) => undecidable,
            },
            Self::Test(test) => test.evaluate(facts),
        }
    }

    /// What the groups of its patterns catch, given that it holds: of `any`, the first that holds; of `not`, nothing.
    pub(crate) fn capture<'a>(&self, facts: &Facts<'a>, captures: &mut [Vec<&'a str>]) {
        match self {
            Self::All(conditions) => {
                for condition in conditions {
                    condition.capture(facts, captures);
                }
            }
            Self::Any(conditions) => {
                let mut conditions = conditions.iter();
                if let Some(first) = conditions.find(|one| one.evaluate(facts) == Outcome::Holds) {
                    first.capture(facts, captures);
                }
            }
            Self::Not(_) => {}
            Self::Test(test) => test.capture(facts, captures),
        }
    }
}

impl Test {
    fn evaluate(&self, facts: &Facts<'_>) -> Outcome {
        let Some(values) = facts.values(self.source) else {
            return Outcome::Undecidable(self.source);
        };
        let holds = !values.is_empty()
            && match &self.operator {
                Operator::Exists => true,
                Operator::AnyOf(probe, _) | Operator::Matches(probe, _) => facts.says(*probe),
                Operator::NoneOf(probe, _) | Operator::MatchesNone(probe, _) => !facts.says(*probe),
            };
        if holds { Outcome::Holds } else { Outcome::Fails }
    }

    fn capture<'a>(&self, facts: &Facts<'a>, captures: &mut [Vec<&'a str>]) {
        let (Operator::Matches(_, patterns), Some(values)) = (&self.operator, facts.values(self.source))
        else {
            return;
        };
        let catching = patterns.iter().filter(|(_, groups)| !groups.is_empty());
        for (pattern, groups) in catching {
            for value in values {
                let Scalar::Text(text) = *value else { continue };
                pattern.captures(text, |index, group| {
                    let capture = groups.iter().find(|(at, _)| *at == index);
                    if let Some(filled) = capture.and_then(|(_, capture)| captures.get_mut(*capture)) {
                        filled.push(group);
                    }
                });
            }
        }
    }
}
