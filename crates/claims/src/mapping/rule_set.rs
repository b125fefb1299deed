use crate::mapping::assertion::Assertion;
use crate::mapping::batch::{Batch, Facts};
use crate::mapping::condition::{Condition, Outcome};
use crate::mapping::error::MappingError;
use crate::mapping::explain::{self, Explanation};
use crate::mapping::fault::{MappingFaults, Path};
use crate::mapping::filter::Filter;
use crate::mapping::identity::MappedIdentity;
use crate::mapping::import;
use crate::mapping::limits::MAX_DOCUMENT_BYTES;
use crate::mapping::merge::Merge;
use crate::mapping::output::Output;
use crate::mapping::source::Source;
use crate::mapping::strict;
use crate::mapping::text::Scope;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Which of several matching rules count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The first one.
    FirstMatch,
    /// All of them, in their order.
    Merge {
        /// The last rule that says something about projects says it for all.
        last_projects: bool,
    },
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) when: Condition,
    pub(crate) values: Vec<Filter>,
    /// The names of `values`, for explanations.
    pub(crate) value_names: Vec<String>,
    /// The names of the captures that its patterns fill.
    pub(crate) capture_names: Vec<String>,
    pub(crate) output: Output,
}

#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) mode: Mode,
    pub(crate) enabled: bool,
    pub(crate) source: Option<String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) sources: Vec<Source>,
    pub(crate) batches: Vec<Batch>,
}

/// Rules that turn an [`Assertion`] into a [`MappedIdentity`]; valid by construction.
///
/// Kept and shown as it was written: in our own format, in Keystone's or in the Rust Keystone's. A clone shares what
/// was compiled.
#[derive(Debug, Clone)]
pub struct RuleSet {
    written: Arc<Value>,
    compiled: Arc<Compiled>,
}

impl PartialEq for RuleSet {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for RuleSet {}

impl RuleSet {
    /// Reads a rule document: ours, Keystone's or the Rust Keystone's, told apart by its shape.
    ///
    /// # Errors
    /// [`MappingFaults`]: everything that is wrong with it, each with its place and what to do.
    pub fn parse(document: &Value) -> Result<Self, MappingFaults> {
        let imported = import::native(document)?;
        Ok(Self {
            compiled: Arc::new(imported.compile()?),
            written: Arc::new(document.clone()),
        })
    }

    /// Reads a rule document from JSON text in which no name is there twice.
    ///
    /// # Errors
    /// As [`RuleSet::parse`]; also when the text is no JSON or larger than [`MAX_DOCUMENT_BYTES`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, MappingFaults> {
        Self::parse(&read(bytes)?)
    }

    /// How many rules there are.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.compiled.rules.len()
    }

    /// The identity that the assertion comes to. Takes time linear in the size of rules and assertion.
    ///
    /// # Errors
    /// [`MappingError`], with the reason for an administrator; it names no value of the assertion.
    pub fn map(&self, assertion: &Assertion) -> Result<MappedIdentity, MappingError> {
        self.compiled.map(assertion)
    }

    /// The same, with what each condition of each rule came to and why.
    ///
    /// # Security
    /// It shows the assertion's values: it is for whoever tests a mapping, not for logs.
    #[must_use]
    pub fn explain(&self, assertion: &Assertion) -> Explanation {
        explain::explain(&self.compiled, assertion)
    }
}

impl Compiled {
    pub(crate) fn facts<'a>(&'a self, assertion: &'a Assertion) -> Facts<'a> {
        let resolved = self.sources.iter().map(|source| source.resolve(assertion));
        Facts::new(resolved.collect(), &self.batches)
    }

    /// Whether the rules are for this assertion at all.
    pub(crate) fn admit(&self, assertion: &Assertion) -> Result<(), MappingError> {
        if !self.enabled {
            return Err(MappingError::Disabled);
        }
        match &self.source {
            Some(want) if assertion.source() != Some(want) => {
                Err(MappingError::OtherSource { want: want.clone() })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn map(&self, assertion: &Assertion) -> Result<MappedIdentity, MappingError> {
        self.admit(assertion)?;
        let facts = self.facts(assertion);
        let mut merge = Merge::new(self.mode);
        for rule in &self.rules {
            if !self.matches(rule, &facts)? {
                continue;
            }
            merge.add(rule, &self.scope(rule, &facts, assertion)?)?;
            if self.mode == Mode::FirstMatch {
                break;
            }
        }
        merge.finish(self.rules.len(), assertion)
    }

    pub(crate) fn matches(&self, rule: &Rule, facts: &Facts<'_>) -> Result<bool, MappingError> {
        match rule.when.evaluate(facts) {
            Outcome::Holds => Ok(true),
            Outcome::Fails => Ok(false),
            Outcome::Undecidable(source) => Err(self.unusable(rule, source)),
        }
    }

    fn unusable(&self, rule: &Rule, source: usize) -> MappingError {
        MappingError::Unusable {
            rule: rule.name.clone(),
            attribute: self.sources.get(source).map(Source::name).unwrap_or_default(),
        }
    }

    /// What the templates of a matching rule read.
    pub(crate) fn scope<'a>(
        &self,
        rule: &'a Rule,
        facts: &'a Facts<'a>,
        assertion: &Assertion,
    ) -> Result<Scope<'a>, MappingError> {
        for field in rule.output.identifying() {
            for index in &field.addresses {
                if let Some(source) = self
                    .sources
                    .get(*index)
                    .filter(|source| source.is_unverified(assertion))
                {
                    return Err(MappingError::Unverified {
                        rule: rule.name.clone(),
                        field: field.field.clone(),
                        attribute: source.name(),
                    });
                }
            }
        }
        let mut named = Vec::with_capacity(rule.values.len());
        for filter in &rule.values {
            if facts.values(filter.source).is_none() {
                return Err(self.unusable(rule, filter.source));
            }
            named.push(filter.apply(facts));
        }
        let mut captures = vec![Vec::new(); rule.capture_names.len()];
        if !captures.is_empty() {
            rule.when.capture(facts, &mut captures);
        }
        Ok(Scope {
            rule: &rule.name,
            facts,
            named,
            captures,
        })
    }
}

/// Converts a rule document to our own format.
///
/// The second part are notes: what was left out because nothing here needs it.
///
/// # Errors
/// [`MappingFaults`], with places in the document that was given.
pub fn import_mapping(bytes: &[u8]) -> Result<(Map<String, Value>, Vec<String>), MappingFaults> {
    let document = read(bytes)?;
    let imported = import::native(&document)?;
    imported.compile()?;
    Ok((imported.document.into_owned(), imported.notes))
}

fn read(bytes: &[u8]) -> Result<Value, MappingFaults> {
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(MappingFaults::one(
            &Path::ROOT,
            format!("larger than {MAX_DOCUMENT_BYTES} bytes"),
            "split it, or shorten its lists",
        ));
    }
    strict::parse(bytes)
        .map_err(|detail| MappingFaults::one(&Path::ROOT, format!("not JSON: {detail}"), "correct it there"))
}

impl Serialize for RuleSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RuleSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
