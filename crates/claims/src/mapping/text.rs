use crate::mapping::batch::Facts;
use crate::mapping::error::MappingError;
use crate::mapping::filter::distinct;
use sealstone_identity::Name;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What a template reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference {
    /// `${claims.…}`: an attribute.
    Claim(usize),
    /// `${values.…}`: a named selection of values.
    Named(usize),
    /// `${match.…}`: a group of a pattern.
    Capture(usize),
}

#[derive(Debug, Clone)]
pub(crate) enum Part {
    Literal(String),
    /// What is read, and how it was written.
    Reference(Reference, String),
}

/// What happens when something that a field reads has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    Fail,
    Skip,
    Default(String),
}

/// What happens when something that a field reads has several values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Many {
    Fail,
    Skip,
    First,
    Join(String),
    FanOut,
}

/// A text to be put out, with its policies.
#[derive(Debug, Clone)]
pub(crate) struct TextTemplate {
    pub(crate) parts: Vec<Part>,
    pub(crate) missing: Missing,
    pub(crate) many: Many,
    /// The results that are permitted; empty permits all.
    pub(crate) allowed: BTreeSet<String>,
    /// Where it is, as errors name it: `user.name`.
    pub(crate) field: String,
    /// The sources behind it that hold an address which may be unverified.
    pub(crate) addresses: Vec<usize>,
}

/// What a matching rule's templates read from.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) rule: &'a str,
    pub(crate) facts: &'a Facts<'a>,
    pub(crate) named: Vec<Vec<Cow<'a, str>>>,
    pub(crate) captures: Vec<Vec<&'a str>>,
}

impl<'a> Scope<'a> {
    fn values(&self, reference: Reference) -> Vec<Cow<'a, str>> {
        match reference {
            Reference::Claim(index) => {
                let values = self.facts.values(index).unwrap_or_default();
                distinct(values.iter().map(|value| value.text()))
            }
            Reference::Named(index) => self.named.get(index).cloned().unwrap_or_default(),
            Reference::Capture(index) => {
                let caught = self.captures.get(index).map(Vec::as_slice).unwrap_or_default();
                distinct(caught.iter().map(|value| Cow::Borrowed(*value)))
            }
        }
    }

    fn is_unusable(&self, reference: Reference) -> bool {
        match reference {
            Reference::Claim(index) => self.facts.values(index).is_none(),
            Reference::Named(_) | Reference::Capture(_) => false,
        }
    }
}

impl TextTemplate {
    /// The texts as they come out, before anything asks whether they can be names.
    pub(crate) fn raw(&self, scope: &Scope<'_>) -> Result<Vec<String>, MappingError> {
        let mut texts = vec![String::new()];
        for part in &self.parts {
            let (reference, written) = match part {
                Part::Literal(literal) => {
                    texts.iter_mut().for_each(|text| text.push_str(literal));
                    continue;
                }
                Part::Reference(reference, written) => (*reference, written),
            };
            if scope.is_unusable(reference) {
                return Err(MappingError::Unusable {
                    rule: scope.rule.to_owned(),
                    attribute: written.clone(),
                });
            }
            let values = scope.values(reference);
            match self.extend(&mut texts, &values) {
                Extended::Done => {}
                Extended::Instead(instead) => return Ok(instead),
                Extended::Missing => {
                    return Err(MappingError::Missing {
                        rule: scope.rule.to_owned(),
                        field: self.field.clone(),
                        reference: written.clone(),
                    });
                }
                Extended::Many => {
                    return Err(MappingError::Many {
                        rule: scope.rule.to_owned(),
                        field: self.field.clone(),
                        reference: written.clone(),
                        count: values.len(),
                    });
                }
            }
        }
        Ok(texts)
    }

    fn extend(&self, texts: &mut Vec<String>, values: &[Cow<'_, str>]) -> Extended {
        let mut append = |value: &str| {
            texts.iter_mut().for_each(|text| text.push_str(value));
            Extended::Done
        };
        match (values, &self.many) {
            ([], _) => match &self.missing {
                Missing::Fail => Extended::Missing,
                Missing::Skip => Extended::Instead(Vec::new()),
                Missing::Default(text) => Extended::Instead(vec![text.clone()]),
            },
            ([value], _) | ([value, ..], Many::First) => append(value),
            (_, Many::Skip) => Extended::Instead(Vec::new()),
            (values, Many::Join(separator)) => append(&values.join(separator.as_str())),
            // One reference fans out: every value of one with every value of another is nobody's intention.
            (values, Many::FanOut) => match texts.as_slice() {
                [text] => {
                    *texts = values
                        .iter()
                        .map(|value| [text.as_str(), value].concat())
                        .collect();
                    Extended::Done
                }
                _ => Extended::Many,
            },
            (_, Many::Fail) => Extended::Many,
        }
    }

    /// The texts as names of something: not empty, at most 255 characters, none that controls.
    pub(crate) fn names(&self, scope: &Scope<'_>) -> Result<Vec<Name>, MappingError> {
        let texts = self.raw(scope)?;
        let names = texts.iter().map(|text| self.name(scope, text));
        names.collect()
    }

    /// The one text of a field that does not fan out, or none where its policies skip it.
    pub(crate) fn one(&self, scope: &Scope<'_>) -> Result<Option<Name>, MappingError> {
        Ok(self.names(scope)?.into_iter().next())
    }

    fn name(&self, scope: &Scope<'_>, text: &str) -> Result<Name, MappingError> {
        if !self.allowed.is_empty() && !self.allowed.contains(text) {
            return Err(MappingError::NotAllowed {
                rule: scope.rule.to_owned(),
                field: self.field.clone(),
            });
        }
        Name::parse(text).map_err(|_| MappingError::Text {
            rule: scope.rule.to_owned(),
            field: self.field.clone(),
        })
    }
}

enum Extended {
    /// Each text so far has the value.
    Done,
    /// What the whole field becomes instead.
    Instead(Vec<String>),
    Missing,
    Many,
}
