use crate::mapping::error::AssertionError;
use crate::mapping::limits::{
    MAX_ASSERTION_BYTES, MAX_ASSERTION_DEPTH, MAX_ATTRIBUTES, MAX_VALUE_BYTES, MAX_VALUES,
};
use crate::mapping::strict;
use serde_json::Value;
use std::collections::BTreeMap;

/// What somebody trusted says about a user, a client or a certificate: attributes by name.
///
/// An attribute is text, a number, true or false, a list of those, or an object of further attributes. `null` and the
/// empty text are no value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Assertion {
    source: Option<String>,
    attributes: BTreeMap<String, Value>,
}

impl Assertion {
    /// An assertion to be filled.
    #[must_use]
    pub fn builder() -> AssertionBuilder {
        AssertionBuilder::default()
    }

    /// An assertion of texts by name, as a web server's environment or a certificate gives them.
    ///
    /// # Errors
    /// [`AssertionError`] for a name that is there twice, and above the limits.
    pub fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Result<Self, AssertionError>
    where
        N: Into<String>,
        V: Into<String>,
    {
        let builder = pairs.into_iter().fold(Self::builder(), |builder, (name, value)| {
            builder.text(name, value)
        });
        builder.build()
    }

    /// An assertion from the claims of a verified token, or from a file: a JSON object, no name twice.
    ///
    /// # Errors
    /// [`AssertionError`] when it is none, and above the limits.
    pub fn from_json(bytes: &[u8]) -> Result<Self, AssertionError> {
        if bytes.len() > MAX_ASSERTION_BYTES.saturating_mul(2) {
            return Err(AssertionError::TooLarge {
                attribute: String::new(),
            });
        }
        let value = strict::parse(bytes).map_err(|detail| AssertionError::NotAnObject { detail })?;
        let Value::Object(members) = value else {
            return Err(AssertionError::NotAnObject {
                detail: "it is something else".to_owned(),
            });
        };
        let builder = members
            .into_iter()
            .fold(Self::builder(), |builder, (name, value)| {
                builder.value(name, value)
            });
        builder.build()
    }

    /// Who vouched for it.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The same assertion, vouched for by this source.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) const fn attributes(&self) -> &BTreeMap<String, Value> {
        &self.attributes
    }
}

/// Fills an [`Assertion`]; what is wrong is told when it is built.
#[derive(Debug, Default)]
pub struct AssertionBuilder {
    source: Option<String>,
    attributes: BTreeMap<String, Value>,
    bytes: usize,
    error: Option<AssertionError>,
}

impl AssertionBuilder {
    /// Who vouches: an issuer, a certificate authority, an identity provider.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// An attribute with one text.
    #[must_use]
    pub fn text(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.value(name, Value::String(value.into()))
    }

    /// An attribute with several texts, each whole whatever characters it holds.
    #[must_use]
    pub fn texts<V: Into<String>>(
        self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(|value| Value::String(value.into()));
        self.value(
            name,
            Value::Array(values.take(MAX_VALUES.saturating_add(1)).collect()),
        )
    }

    /// An attribute with any value.
    #[must_use]
    pub fn value(mut self, name: impl Into<String>, value: Value) -> Self {
        if self.error.is_none() {
            self.error = self.add(name.into(), value).err();
        }
        self
    }

    fn add(&mut self, attribute: String, value: Value) -> Result<(), AssertionError> {
        let told = || attribute.chars().take(64).collect::<String>();
        if self.attributes.len() >= MAX_ATTRIBUTES {
            return Err(AssertionError::Attributes);
        }
        if self.attributes.contains_key(&attribute) {
            return Err(AssertionError::Twice { attribute: told() });
        }
        let size = measure(&value, MAX_ASSERTION_DEPTH).map_err(|fault| match fault {
            Excess::Values => AssertionError::Values { attribute: told() },
            Excess::Bytes => AssertionError::TooLarge { attribute: told() },
            Excess::Depth => AssertionError::TooDeep { attribute: told() },
        })?;
        self.bytes = self.bytes.saturating_add(size).saturating_add(attribute.len());
        if self.bytes > MAX_ASSERTION_BYTES || attribute.len() > MAX_VALUE_BYTES {
            return Err(AssertionError::TooLarge { attribute: told() });
        }
        self.attributes.insert(attribute, value);
        Ok(())
    }

    /// The assertion.
    ///
    /// # Errors
    /// The first [`AssertionError`] on the way.
    pub fn build(self) -> Result<Assertion, AssertionError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(Assertion {
                source: self.source,
                attributes: self.attributes,
            }),
        }
    }
}

enum Excess {
    Values,
    Bytes,
    Depth,
}

fn measure(value: &Value, depth: usize) -> Result<usize, Excess> {
    let below = depth.checked_sub(1).ok_or(Excess::Depth)?;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(size_of::<Value>()),
        Value::String(text) if text.len() > MAX_VALUE_BYTES => Err(Excess::Bytes),
        Value::String(text) => Ok(text.len()),
        Value::Array(items) if items.len() > MAX_VALUES => Err(Excess::Values),
        Value::Array(items) => {
            items.iter().try_fold(
                0,
                |sum: usize, item| Ok(sum.saturating_add(measure(item, below)?)),
            )
        }
        Value::Object(members) if members.len() > MAX_ATTRIBUTES => Err(Excess::Values),
        Value::Object(members) => members.iter().try_fold(0, |sum: usize, (name, item)| {
            Ok(sum
                .saturating_add(name.len())
                .saturating_add(measure(item, below)?))
        }),
    }
}
