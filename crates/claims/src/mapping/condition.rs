use crate::mapping::pattern::Pattern;
use crate::mapping::source::Resolved;
use crate::mapping::value::{Literals, Scalar};

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

#[derive(Debug, Clone)]
pub(crate) enum Operator {
    /// There is a value.
    Exists,
    /// A value is among these.
    AnyOf(Literals),
    /// There are values, and none is among these.
    NoneOf(Literals),
    /// A value matches one of these; each with where its groups go.
    Matches(Vec<(Pattern, Groups)>),
    /// There are values, and none matches any of these.
    MatchesNone(Vec<Pattern>),
}

/// The groups of a pattern, by their index, and the captures of the rule that they fill.
pub(crate) type Groups = Vec<(usize, usize)>;

impl Condition {
    pub(crate) fn evaluate(&self, resolved: &[Resolved<'_>]) -> Outcome {
        match self {
            Self::All(conditions) => {
                let mut outcome = Outcome::Holds;
                for condition in conditions {
                    match condition.evaluate(resolved) {
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
                    match condition.evaluate(resolved) {
                        Outcome::Holds => return Outcome::Holds,
                        Outcome::Fails => {}
                        undecidable @ Outcome::Undecidable(_) => outcome = undecidable,
                    }
                }
                outcome
            }
            Self::Not(condition) => match condition.evaluate(resolved) {
                Outcome::Holds => Outcome::Fails,
                Outcome::Fails => Outcome::Holds,
                undecidable @ Outcome::Undecidable(_) => undecidable,
            },
            Self::Test(test) => test.evaluate(resolved),
        }
    }

    /// What the groups of its patterns catch, given that it holds: of `any`, the first that holds; of `not`, nothing.
    pub(crate) fn capture<'a>(&self, resolved: &[Resolved<'a>], captures: &mut [Vec<&'a str>]) {
        match self {
            Self::All(conditions) => {
                for condition in conditions {
                    condition.capture(resolved, captures);
                }
            }
            Self::Any(conditions) => {
                let mut conditions = conditions.iter();
                if let Some(first) = conditions.find(|one| one.evaluate(resolved) == Outcome::Holds) {
                    first.capture(resolved, captures);
                }
            }
            Self::Not(_) => {}
            Self::Test(test) => test.capture(resolved, captures),
        }
    }
}

impl Test {
    fn evaluate(&self, resolved: &[Resolved<'_>]) -> Outcome {
        let Some(resolved) = resolved.get(self.source) else {
            return Outcome::Undecidable(self.source);
        };
        if resolved.unusable {
            return Outcome::Undecidable(self.source);
        }
        let values = &resolved.values;
        let holds = !values.is_empty()
            && match &self.operator {
                Operator::Exists => true,
                Operator::AnyOf(literals) => values.iter().any(|value| literals.contain(*value)),
                Operator::NoneOf(literals) => !values.iter().any(|value| literals.contain(*value)),
                Operator::Matches(patterns) => values
                    .iter()
                    .any(|value| patterns.iter().any(|(pattern, _)| pattern.matches(*value))),
                Operator::MatchesNone(patterns) => !values
                    .iter()
                    .any(|value| patterns.iter().any(|pattern| pattern.matches(*value))),
            };
        if holds { Outcome::Holds } else { Outcome::Fails }
    }

    fn capture<'a>(&self, resolved: &[Resolved<'a>], captures: &mut [Vec<&'a str>]) {
        let (Operator::Matches(patterns), Some(resolved)) = (&self.operator, resolved.get(self.source))
        else {
            return;
        };
        let caught = patterns.iter().filter(|(_, groups)| !groups.is_empty());
        for (pattern, groups) in caught {
            for value in &resolved.values {
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
