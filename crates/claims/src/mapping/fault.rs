use serde::Serialize;
use std::fmt;

/// The most faults that are told at once: the first ones explain the rest.
const MAX_TOLD: usize = 32;

/// One thing wrong with a rule document: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MappingFault {
    path: String,
    problem: String,
    advice: String,
}

impl MappingFault {
    /// Where in the document, as a JSON Pointer (RFC 6901); empty for the document itself.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &str {
        &self.advice
    }
}

impl fmt::Display for MappingFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "/" } else { &self.path };
        write!(formatter, "{path}: {}: {}", self.problem, self.advice)
    }
}

/// Why a rule document can't be kept: every fault, not the first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct MappingFaults(Vec<MappingFault>);

impl MappingFaults {
    /// The faults, in the order of the document.
    #[must_use]
    pub fn faults(&self) -> &[MappingFault] {
        &self.0
    }

    pub(crate) fn add(&mut self, path: &Path<'_>, problem: impl Into<String>, advice: impl Into<String>) {
        if self.0.len() < MAX_TOLD {
            self.0.push(MappingFault {
                path: path.to_string(),
                problem: problem.into(),
                advice: advice.into(),
            });
        }
    }

    pub(crate) fn one(path: &Path<'_>, problem: impl Into<String>, advice: impl Into<String>) -> Self {
        let mut faults = Self::default();
        faults.add(path, problem, advice);
        faults
    }

    /// The same, of a document that somebody else's was converted to.
    pub(crate) fn of_converted(mut self) -> Self {
        for fault in &mut self.0 {
            fault.path.insert_str(0, "(converted)");
        }
        self
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for MappingFaults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for fault in &self.0 {
            write!(formatter, "{separator}{fault}")?;
            separator = "; ";
        }
        Ok(())
    }
}

impl std::error::Error for MappingFaults {}

/// A place in a document, built while walking down it and written only when something is wrong there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path<'a> {
    above: Option<&'a Self>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Member(&'a str),
    Item(usize),
}

impl<'a> Path<'a> {
    pub(crate) const ROOT: Path<'static> = Path {
        above: None,
        step: Step::Root,
    };

    pub(crate) const fn member(&'a self, name: &'a str) -> Self {
        Self {
            above: Some(self),
            step: Step::Member(name),
        }
    }

    pub(crate) const fn item(&'a self, index: usize) -> Self {
        Self {
            above: Some(self),
            step: Step::Item(index),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(formatter)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Member(name) => {
                let name: String = name.chars().take(64).collect();
                write!(formatter, "/{}", name.replace('~', "~0").replace('/', "~1"))
            }
            Step::Item(index) => write!(formatter, "/{index}"),
        }
    }
}
