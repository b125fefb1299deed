use crate::mapping::batch::Facts;
use crate::mapping::pattern::Pattern;

use crate::mapping::value::{Literals, Scalar};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Values of one source, some of them.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    pub(crate) source: usize,
    pub(crate) keep: Option<Literals>,
    pub(crate) keep_matching: Vec<Pattern>,
    pub(crate) drop: Option<Literals>,
    pub(crate) drop_matching: Vec<Pattern>,
}

impl Filter {
    /// What is left, in the order of the assertion, each once.
    pub(crate) fn apply<'a>(&self, facts: &Facts<'a>) -> Vec<Cow<'a, str>> {
        let values = facts.values(self.source);
        let left = values
            .unwrap_or_default()
            .iter()
            .filter(|value| self.leaves(**value));
        distinct(left.map(|value| value.text()))
    }

    fn leaves(&self, value: Scalar<'_>) -> bool {
        let listed =
            |literals: &Option<Literals>| literals.as_ref().is_some_and(|listed| listed.contain(value));
        let matches = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(value));
        let keeps_all = self.keep.is_none() && self.keep_matching.is_empty();
        let kept = keeps_all || listed(&self.keep) || matches(&self.keep_matching);
        kept && !listed(&self.drop) && !matches(&self.drop_matching)
    }
}

/// Up to here comparing each with each is faster than a tree.
const FEW: usize = 32;

/// Each once, in their order.
pub(crate) fn distinct<'a>(values: impl Iterator<Item = Cow<'a, str>>) -> Vec<Cow<'a, str>> {
    let mut left: Vec<Cow<'a, str>> = Vec::new();
    let mut values = values;
    for value in values.by_ref() {
        if !left.contains(&value) {
            left.push(value);
        }
        if left.len() >= FEW {
            break;
        }
    }
    if left.len() < FEW {
        return left;
    }
    let mut seen: BTreeSet<Cow<'a, str>> = left.iter().cloned().collect();
    for value in values {
        if seen.insert(value.clone()) {
            left.push(value);
        }
    }
    left
}
