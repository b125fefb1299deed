//! Rule documents of others, as documents of our own format.

mod keystone;
mod python;
mod rust_keystone;

use crate::mapping::fault::{MappingFaults, Path};
use crate::mapping::parse;
use crate::mapping::pattern::{Pattern, PatternUse};
use crate::mapping::rule_set::Compiled;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// A document in our own format, and what was left behind on the way.
#[derive(Debug)]
pub(crate) struct Imported<'a> {
    pub(crate) document: Cow<'a, Map<String, Value>>,
    pub(crate) notes: Vec<String>,
}

/// The document in our own format.
pub(crate) fn native(document: &Value) -> Result<Imported<'_>, MappingFaults> {
    let root = Path::ROOT;
    if let Value::Object(members) = document
        && members.contains_key(parse::MARK)
    {
        return Ok(Imported {
            document: Cow::Borrowed(members),
            notes: Vec::new(),
        });
    }
    let alone = document.as_object().filter(|members| members.len() == 1);
    let wrapped = alone.and_then(|members| members.get("mapping"));
    let (inner, path) = match wrapped {
        Some(inner) => (inner, root.member("mapping")),
        None => (document, root),
    };
    match inner {
        Value::Array(rules) => keystone::import_rules(rules, &path),
        Value::Object(members) => match kind(members) {
            Some(Kind::Keystone) => keystone::import(members, &path),
            Some(Kind::RustKeystone) => rust_keystone::import(members, &path),
            None => Err(unknown(&path)),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(unknown(&path)),
    }
}

impl Imported<'_> {
    /// Compiles the document. What an importer let pass and the engine does not is told with places in what came of
    /// the conversion.
    pub(crate) fn compile(&self) -> Result<Compiled, MappingFaults> {
        parse::compile(&self.document).map_err(|faults| match self.document {
            Cow::Borrowed(_) => faults,
            Cow::Owned(_) => faults.of_converted(),
        })
    }
}

enum Kind {
    Keystone,
    RustKeystone,
}

fn kind(members: &Map<String, Value>) -> Option<Kind> {
    let first = members.get("rules")?.as_array()?.first()?.as_object()?;
    let has = |name| first.contains_key(name);
    if has("match") || has("identity") {
        Some(Kind::RustKeystone)
    } else if has("local") || has("remote") {
        Some(Kind::Keystone)
    } else {
        None
    }
}

fn unknown(path: &Path<'_>) -> MappingFaults {
    MappingFaults::one(
        path,
        "none of the formats that are known",
        "write {\"sealstone_mapping\": 1, \"rules\": [...]}, or give Keystone's rules (`local` and `remote`) or the \
         Rust Keystone's (`match` and `identity`)",
    )
}

/// Walks a document of somebody else's, and notes what is wrong.
#[derive(Default)]
struct Walk {
    faults: MappingFaults,
    notes: Vec<String>,
}

impl Walk {
    fn fault(&mut self, path: &Path<'_>, problem: impl Into<String>, advice: impl Into<String>) {
        self.faults.add(path, problem, advice);
    }

    fn object<'v>(&mut self, value: &'v Value, path: &Path<'_>) -> Option<&'v Map<String, Value>> {
        let members = value.as_object();
        if members.is_none() {
            self.fault(path, "not an object", "write a JSON object");
        }
        members
    }

    fn items<'v>(&mut self, value: Option<&'v Value>, path: &Path<'_>) -> &'v [Value] {
        match value {
            Some(Value::Array(items)) => items,
            None => {
                self.fault(path, "missing", "add it");
                &[]
            }
            Some(_) => {
                self.fault(path, "not a list", "write a JSON list");
                &[]
            }
        }
    }

    fn known(&mut self, members: &Map<String, Value>, path: &Path<'_>, known: &[&str]) {
        for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
            let advice = format!("remove it; known here: {}", known.join(", "));
            self.fault(&path.member(name), "the format has no such member", advice);
        }
    }

    fn text<'v>(&mut self, value: &'v Value, path: &Path<'_>) -> Option<&'v str> {
        let text = value.as_str().filter(|text| !text.is_empty());
        if text.is_none() {
            self.fault(path, "no text, or an empty one", "write some text");
        }
        text
    }

    /// A pattern that our engine takes, wherever in a value it is searched.
    fn pattern(&mut self, text: &str, path: &Path<'_>) {
        let how = PatternUse {
            search: true,
            denies: false,
        };
        if let Err((problem, advice)) = Pattern::compile(text, how) {
            self.fault(path, problem, advice);
        }
    }

    fn finish(self, document: Map<String, Value>) -> Result<Imported<'static>, MappingFaults> {
        if self.faults.is_empty() {
            Ok(Imported {
                document: Cow::Owned(document),
                notes: self.notes,
            })
        } else {
            Err(self.faults)
        }
    }
}

/// Literal text in a template of ours.
fn literal(text: &str) -> String {
    text.replace("${", "$${")
}
