use crate::map::{ClaimsSubject, MappedClaims};
use crate::{ClaimFault, ReservedClaim, TemplateError};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;
use std::collections::BTreeMap;

/// The most claims in a template: a token travels in a header with every request.
pub const MAX_CLAIMS: usize = 32;
/// How deep a literal may nest: readers map flat claims.
pub const MAX_DEPTH: usize = 4;
/// The largest template as JSON text, so that a token stays under the 8 KiB at which servers refuse a header.
pub const MAX_TEMPLATE_BYTES: usize = 2048;
/// Integers up to here are exact in every reader (RFC 8259 §6).
const MAX_EXACT: u64 = 1 << 53;

/// A variable of a template, each with where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variable {
    Subject,
    ClientId,
    ClientName,
    DomainId,
    UserId,
    UserName,
    UserDomainId,
    ProjectId,
    ProjectName,
    ProjectDomainId,
}

const VARIABLES: [(&str, Variable); 10] = [
    ("subject", Variable::Subject),
    ("client_id", Variable::ClientId),
    ("client_name", Variable::ClientName),
    ("domain_id", Variable::DomainId),
    ("user_id", Variable::UserId),
    ("user_name", Variable::UserName),
    ("user_domain_id", Variable::UserDomainId),
    ("project_id", Variable::ProjectId),
    ("project_name", Variable::ProjectName),
    ("project_domain_id", Variable::ProjectDomainId),
];

/// Who decides what a claim says, the most trusted first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever shows or restricts sources handles each"
)]
pub enum ClaimSource {
    /// This server, by what it verified and registered: ids.
    Server,
    /// Whoever registers clients: the template itself, and the client's name.
    Administrator,
    /// The identity service: roles, and the names of users and projects, which their owners may change.
    Directory,
}

impl Variable {
    /// As it stands in templates.
    pub(crate) fn name(self) -> &'static str {
        let known = VARIABLES.iter().find(|(_, variable)| *variable == self);
        known.map(|(name, _)| *name).unwrap_or_default()
    }

    const fn source(self) -> ClaimSource {
        match self {
            Self::Subject
            | Self::ClientId
            | Self::DomainId
            | Self::UserId
            | Self::UserDomainId
            | Self::ProjectId
            | Self::ProjectDomainId => ClaimSource::Server,
            Self::ClientName => ClaimSource::Administrator,
            Self::UserName | Self::ProjectName => ClaimSource::Directory,
        }
    }
}

impl Part {
    const fn source(&self) -> ClaimSource {
        match self {
            Self::Text(_) => ClaimSource::Server,
            Self::Variable(variable) => variable.source(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Variable(Variable),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Template {
    Literal(Value),
    Text(Vec<Part>),
    Roles,
}

/// Claims to add to a token, by name; valid by construction.
///
/// The empty template (the default) adds nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClaimsTemplate {
    claims: BTreeMap<String, Template>,
    /// As it was written, so that it is shown and stored unchanged.
    source: BTreeMap<String, Value>,
}

impl ClaimsTemplate {
    /// Parses a JSON object of claim names and values.
    ///
    /// # Errors
    /// A [`TemplateError`] that names the claim and says what to change.
    pub fn parse(template: &Value) -> Result<Self, TemplateError> {
        let Value::Object(members) = template else {
            return Err(TemplateError::NotAnObject);
        };
        if members.len() > MAX_CLAIMS || depth_exceeds(template, MAX_DEPTH.saturating_add(1)) {
            return Err(TemplateError::TooLarge);
        }
        if template.to_string().len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateError::TooLarge);
        }
        let mut claims = BTreeMap::new();
        for (name, value) in members {
            check_name(name)?;
            claims.insert(name.clone(), parse_value(name, value)?);
        }
        let source = members
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Ok(Self { claims, source })
    }

    /// Whether the template adds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// The claims for one subject. Claims whose variables the subject lacks are left out.
    ///
    /// # Errors
    /// [`ClaimFault`] when a variable's value holds a control character: readers of tokens write claims into logs,
    /// headers and terminals.
    pub fn map<'a>(&'a self, subject: &'a ClaimsSubject<'a>) -> Result<MappedClaims<'a>, ClaimFault> {
        MappedClaims::new(&self.claims, subject)
    }

    /// Each claim with who decides its value: the least trusted of its variables' sources.
    pub fn sources(&self) -> impl Iterator<Item = (&str, ClaimSource)> {
        self.claims.iter().map(|(name, template)| {
            let source = match template {
                Template::Literal(_) => ClaimSource::Administrator,
                Template::Roles => ClaimSource::Directory,
                Template::Text(parts) => parts
                    .iter()
                    .map(Part::source)
                    .max()
                    .unwrap_or(ClaimSource::Server),
            };
            (name.as_str(), source)
        })
    }
}

fn check_name(name: &str) -> Result<(), TemplateError> {
    if ReservedClaim::named(name).is_some() {
        return Err(TemplateError::Reserved {
            name: name.to_owned(),
        });
    }
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let goes_on_well = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if starts_well && goes_on_well && name.len() <= 64 {
        Ok(())
    } else {
        Err(TemplateError::Name {
            name: name.chars().take(64).collect(),
        })
    }
}

fn parse_value(name: &str, value: &Value) -> Result<Template, TemplateError> {
    match value {
        Value::String(text) if text == "${roles}" => Ok(Template::Roles),
        Value::String(text) => match parse_text(name, text)?.as_slice() {
            [] => Ok(Template::Literal(Value::String(String::new()))),
            [Part::Text(text)] => Ok(Template::Literal(Value::String(text.clone()))),
            parts => Ok(Template::Text(parts.to_vec())),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            check_literal(name, value)?;
            Ok(Template::Literal(value.clone()))
        }
    }
}

fn parse_text(name: &str, text: &str) -> Result<Vec<Part>, TemplateError> {
    check_characters(name, text)?;
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            literal.push_str(before);
            literal.push_str("${");
            rest = after;
            continue;
        }
        literal.push_str(before);
        let Some((variable, after)) = after.split_once('}') else {
            return Err(unknown(name, after));
        };
        if variable == "roles" {
            return Err(TemplateError::RolesInText {
                name: name.to_owned(),
            });
        }
        let known = VARIABLES.iter().find(|(known, _)| *known == variable);
        let (_, variable) = known.ok_or_else(|| unknown(name, variable))?;
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(Part::Variable(*variable));
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

fn unknown(name: &str, variable: &str) -> TemplateError {
    let known: Vec<&str> = VARIABLES
        .iter()
        .map(|(known, _)| *known)
        .chain(["roles"])
        .collect();
    TemplateError::Variable {
        name: name.to_owned(),
        variable: variable.chars().take(64).collect(),
        known: known.join(", "),
    }
}

/// Inside lists and objects everything is literal: text there may not look like a variable that would not be filled.
fn check_literal(name: &str, value: &Value) -> Result<(), TemplateError> {
    match value {
        Value::Null | Value::Bool(_) => Ok(()),
        Value::Number(number) => {
            let exact = number.as_u64().is_some_and(|n| n <= MAX_EXACT)
                || number.as_i64().is_some_and(|n| n.unsigned_abs() <= MAX_EXACT);
            if exact {
                Ok(())
            } else {
                Err(TemplateError::Number {
                    name: name.to_owned(),
                })
            }
        }
        Value::String(text) => {
            check_characters(name, text)?;
            if text.contains("${") {
                Err(unknown(name, text))
            } else {
                Ok(())
            }
        }
        Value::Array(items) => items.iter().try_for_each(|item| check_literal(name, item)),
        Value::Object(members) => members.iter().try_for_each(|(key, item)| {
            check_characters(name, key)?;
            check_literal(name, item)
        }),
    }
}

fn check_characters(name: &str, text: &str) -> Result<(), TemplateError> {
    if text.chars().any(char::is_control) {
        return Err(TemplateError::ControlCharacter {
            name: name.to_owned(),
        });
    }
    Ok(())
}

fn depth_exceeds(value: &Value, limit: usize) -> bool {
    let Some(below) = limit.checked_sub(1) else {
        return true;
    };
    match value {
        Value::Array(items) => items.iter().any(|item| depth_exceeds(item, below)),
        Value::Object(members) => members.values().any(|item| depth_exceeds(item, below)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

impl Serialize for ClaimsTemplate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.source.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ClaimsTemplate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
