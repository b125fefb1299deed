//! What many rules ask of one source, answered together: each value is looked up once, whatever the number of rules.

use crate::mapping::pattern::{Pattern, PatternSet};
use crate::mapping::source::Resolved;
use crate::mapping::value::{Comparison, LiteralIndex, Scalar};
use serde_json::Value;
use std::cell::OnceCell;
use std::collections::BTreeMap;

/// What a batch asks of the values of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Literals(Comparison),
    Patterns { denies: bool },
}

/// One question of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probe {
    batch: usize,
    question: usize,
}

/// The questions of one kind about one source.
#[derive(Debug)]
pub(crate) struct Batch {
    source: usize,
    questions: usize,
    answerer: Answerer,
}

#[derive(Debug)]
enum Answerer {
    Literals(LiteralIndex),
    Patterns(PatternSet),
}

/// Batches while rules are read.
#[derive(Debug, Default)]
pub(crate) struct BatchBuilder(BTreeMap<(usize, Kind), (usize, Questions)>);

#[derive(Debug, Default)]
struct Questions {
    count: usize,
    literals: Vec<(Value, usize)>,
    patterns: Vec<(Pattern, usize)>,
}

impl BatchBuilder {
    fn questions(&mut self, source: usize, kind: Kind) -> (Probe, &mut Questions) {
        let next = self.0.len();
        let (batch, questions) = self
            .0
            .entry((source, kind))
            .or_insert_with(|| (next, Questions::default()));
        let probe = Probe {
            batch: *batch,
            question: questions.count,
        };
        questions.count = questions.count.saturating_add(1);
        (probe, questions)
    }

    /// Is a value of the source among these?
    pub(crate) fn literals(&mut self, source: usize, comparison: Comparison, values: &[Value]) -> Probe {
        let (probe, questions) = self.questions(source, Kind::Literals(comparison));
        questions
            .literals
            .extend(values.iter().map(|value| (value.clone(), probe.question)));
        probe
    }

    /// Does a value of the source match one of these?
    pub(crate) fn patterns(&mut self, source: usize, denies: bool, patterns: &[Pattern]) -> Probe {
        let (probe, questions) = self.questions(source, Kind::Patterns { denies });
        questions
            .patterns
            .extend(patterns.iter().map(|pattern| (pattern.clone(), probe.question)));
        probe
    }

    pub(crate) fn build(self) -> Vec<Batch> {
        let mut batches: Vec<(usize, Batch)> = Vec::with_capacity(self.0.len());
        for ((source, kind), (index, questions)) in self.0 {
            let answerer = match kind {
                Kind::Literals(comparison) => {
                    Answerer::Literals(LiteralIndex::new(questions.literals, comparison))
                }
                Kind::Patterns { denies } => Answerer::Patterns(PatternSet::new(questions.patterns, denies)),
            };
            batches.push((
                index,
                Batch {
                    source,
                    questions: questions.count,
                    answerer,
                },
            ));
        }
        batches.sort_by_key(|(index, _)| *index);
        batches.into_iter().map(|(_, batch)| batch).collect()
    }
}

impl Batch {
    fn answers(&self, resolved: &[Resolved<'_>]) -> Vec<bool> {
        let mut answers = vec![false; self.questions];
        let mut yes = |question: usize| {
            if let Some(answer) = answers.get_mut(question) {
                *answer = true;
            }
        };
        let values = resolved
            .get(self.source)
            .map(|resolved| resolved.values.as_slice());
        for value in values.unwrap_or_default() {
            match &self.answerer {
                Answerer::Literals(index) => index.look_up(*value, &mut yes),
                Answerer::Patterns(patterns) => patterns.look_up(*value, &mut yes),
            }
        }
        answers
    }
}

/// One assertion, as the rules look at it: what was asked once is known.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) resolved: Vec<Resolved<'a>>,
    batches: &'a [Batch],
    answers: Vec<OnceCell<Vec<bool>>>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(resolved: Vec<Resolved<'a>>, batches: &'a [Batch]) -> Self {
        Self {
            resolved,
            batches,
            answers: batches.iter().map(|_| OnceCell::new()).collect(),
        }
    }

    pub(crate) fn values(&self, source: usize) -> Option<&[Scalar<'a>]> {
        let resolved = self.resolved.get(source).filter(|resolved| !resolved.unusable)?;
        Some(&resolved.values)
    }

    /// Whether the question is answered with yes by any value.
    pub(crate) fn says(&self, probe: Probe) -> bool {
        let (Some(batch), Some(answers)) = (self.batches.get(probe.batch), self.answers.get(probe.batch))
        else {
            return false;
        };
        let answers = answers.get_or_init(|| batch.answers(&self.resolved));
        answers.get(probe.question).copied().unwrap_or_default()
    }
}
