use super::{Names, Parser};
use crate::mapping::fault::Path;
use crate::mapping::limits::MAX_TEXT_BYTES;
use crate::mapping::source::Source;
use crate::mapping::text::{Many, Missing, Part, Reference, TextTemplate};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What a field does when its document states nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One text that must be there.
    One,
    /// A text for each value, and none for none.
    Each,
}

/// A field of the output: where it is in the document, and as people call it.
pub(super) struct Field<'f> {
    pub(super) path: &'f Path<'f>,
    pub(super) name: String,
    pub(super) kind: Kind,
}

impl Parser {
    pub(super) fn text(&mut self, value: &Value, field: &Field<'_>, names: &Names) -> Option<TextTemplate> {
        let (text, members) = if let Some(text) = value.as_str() {
            (text, None)
        } else if let Some(members) = value.as_object() {
            self.known(members, field.path, &["template", "missing", "many", "allowed"]);
            (self.required(members, field.path, "template")?, Some(members))
        } else {
            let advice = "write text, or an object with `template`, `missing`, `many`, `allowed`";
            self.fault(field.path, "no text", advice);
            return None;
        };
        if text.is_empty() || text.len() > MAX_TEXT_BYTES {
            let advice = format!("write 1 to {MAX_TEXT_BYTES} bytes, or leave the field out");
            self.fault(field.path, "not such a text", advice);
            return None;
        }
        let parts = self.parts(text, field, names)?;
        let none = Map::new();
        let members = members.unwrap_or(&none);
        let template = TextTemplate {
            missing: self.missing(members, field),
            many: self.many(members, field),
            allowed: self.allowed(members, field),
            field: field.name.clone(),
            addresses: self.addresses(&parts, names),
            parts,
        };
        self.check_controls(&template, field);
        Some(template)
    }

    fn check_controls(&mut self, template: &TextTemplate, field: &Field<'_>) {
        let literal = |part: &Part| matches!(part, Part::Literal(text) if text.chars().any(char::is_control));
        if template.parts.iter().any(literal) {
            self.fault(field.path, "a control character", "remove it");
        }
    }

    fn parts(&mut self, text: &str, field: &Field<'_>, names: &Names) -> Option<Vec<Part>> {
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
            let Some((written, after)) = after.split_once('}') else {
                self.fault(
                    field.path,
                    "`${` without `}`",
                    "close it, or write `$${` for the text itself",
                );
                return None;
            };
            let reference = self.reference(written, field, names)?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Reference(reference, format!("${{{written}}}")));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Some(parts)
    }

    fn reference(&mut self, written: &str, field: &Field<'_>, names: &Names) -> Option<Reference> {
        let told: String = written.chars().take(64).collect();
        let (problem, known) = match written.split_once('.') {
            Some(("claims", name)) if !name.is_empty() => {
                let path = vec![name.to_owned()];
                return Some(Reference::Claim(self.source_index(Source { path, split: None })));
            }
            Some(("values", name)) => match names.values.get(name) {
                Some((index, _)) => return Some(Reference::Named(*index)),
                None => ("no such entry in this rule's `values`", names.values.keys()),
            },
            Some(("match", name)) => match names.captures.get(name) {
                Some((index, _)) => return Some(Reference::Capture(*index)),
                None => {
                    let known: Vec<&str> = names.captures.keys().map(String::as_str).collect();
                    self.fault(
                        field.path,
                        format!("`${{{told}}}`: no pattern of this rule has such a group outside `not`"),
                        format!("known: {}", list(&known)),
                    );
                    return None;
                }
            },
            _ => {
                self.fault(
                    field.path,
                    format!("`${{{told}}}` is no variable"),
                    "use ${claims.ATTRIBUTE}, ${values.NAME} or ${match.GROUP}; `$${` is the text itself",
                );
                return None;
            }
        };
        let known: Vec<&str> = known.map(String::as_str).collect();
        self.fault(
            field.path,
            format!("`${{{told}}}`: {problem}"),
            format!("known: {}", list(&known)),
        );
        None
    }

    fn missing(&mut self, members: &Map<String, Value>, field: &Field<'_>) -> Missing {
        match (members.get("missing"), field.kind) {
            (None, Kind::One) => Missing::Fail,
            (None, Kind::Each) => Missing::Skip,
            (Some(Value::String(policy)), _) if policy == "fail" => Missing::Fail,
            (Some(Value::String(policy)), _) if policy == "skip" => Missing::Skip,
            (Some(Value::Object(policy)), _) if policy.len() == 1 && policy.contains_key("default") => {
                let at = field.path.member("missing");
                Missing::Default(self.string(policy, &at, "default").unwrap_or_default().to_owned())
            }
            _ => {
                let at = field.path.member("missing");
                self.fault(
                    &at,
                    "no policy",
                    "write \"fail\", \"skip\" or {\"default\": TEXT}",
                );
                Missing::Fail
            }
        }
    }

    fn many(&mut self, members: &Map<String, Value>, field: &Field<'_>) -> Many {
        let at = field.path.member("many");
        match (members.get("many"), field.kind) {
            (None, Kind::One) => Many::Fail,
            (None, Kind::Each) => Many::FanOut,
            (Some(Value::String(policy)), kind) => match (policy.as_str(), kind) {
                ("fail", _) => Many::Fail,
                ("skip", _) => Many::Skip,
                ("first", _) => Many::First,
                ("fan_out", Kind::Each) => Many::FanOut,
                ("fan_out", Kind::One) => {
                    self.fault(
                        &at,
                        "this field holds one text",
                        "choose fail, skip, first or {\"join\": TEXT}",
                    );
                    Many::Fail
                }
                _ => self.no_policy(&at),
            },
            (Some(Value::Object(policy)), _) if policy.len() == 1 && policy.contains_key("join") => {
                match policy.get("join").and_then(Value::as_str) {
                    Some(separator) if separator.len() <= 16 => Many::Join(separator.to_owned()),
                    _ => self.no_policy(&at),
                }
            }
            _ => self.no_policy(&at),
        }
    }

    fn no_policy(&mut self, at: &Path<'_>) -> Many {
        self.fault(
            at,
            "no policy",
            "write \"fail\", \"skip\", \"first\", \"fan_out\" or {\"join\": TEXT of at most 16 bytes}",
        );
        Many::Fail
    }

    fn allowed(&mut self, members: &Map<String, Value>, field: &Field<'_>) -> BTreeSet<String> {
        let Some(value) = members.get("allowed") else {
            return BTreeSet::new();
        };
        let path = field.path.member("allowed");
        let mut allowed = BTreeSet::new();
        for (index, item) in self.items(value, &path).unwrap_or_default().iter().enumerate() {
            match item.as_str() {
                Some(text) => drop(allowed.insert(text.to_owned())),
                None => self.fault(&path.item(index), "not text", "write the permitted texts"),
            }
        }
        allowed
    }

    /// The sources of a template that hold mail addresses, by the last word of their name.
    fn addresses(&self, parts: &[Part], names: &Names) -> Vec<usize> {
        let mut sources = Vec::new();
        for part in parts {
            match part {
                Part::Literal(_) => {}
                Part::Reference(Reference::Claim(source), _) => sources.push(*source),
                Part::Reference(Reference::Named(index), _) => {
                    sources.extend(
                        names
                            .values
                            .values()
                            .filter(|(at, _)| at == index)
                            .map(|(_, source)| *source),
                    );
                }
                Part::Reference(Reference::Capture(index), _) => {
                    let captures = names.captures.values().filter(|(at, _)| at == index);
                    sources.extend(captures.flat_map(|(_, sources)| sources));
                }
            }
        }
        let holds_address = |index: &usize| {
            let source = self
                .sources
                .iter()
                .find(|(_, at)| *at == index)
                .map(|(source, _)| source);
            let last = source
                .and_then(|source| source.path.last())
                .map(|name| name.to_ascii_lowercase());
            last.is_some_and(|name| name.ends_with("mail"))
        };
        sources.retain(holds_address);
        sources
    }
}

fn list(known: &[&str]) -> String {
    if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    }
}
