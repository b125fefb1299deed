use super::Parser;
use crate::mapping::fault::Path;
use crate::mapping::limits::{MAX_LIST, MAX_TEXT_BYTES};
use crate::mapping::source::Source;
use crate::mapping::value::Comparison;
use serde_json::{Map, Value};

impl Parser {
    pub(super) fn fault(&mut self, path: &Path<'_>, problem: impl Into<String>, advice: impl Into<String>) {
        self.faults.add(path, problem, advice);
    }

    pub(super) fn object<'v>(&mut self, value: &'v Value, path: &Path<'_>) -> Option<&'v Map<String, Value>> {
        if let Value::Object(members) = value {
            return Some(members);
        }
        self.fault(path, "not an object", "write a JSON object");
        None
    }

    /// Refuses members that nothing reads: a rule that lost a condition to a slip of the pen would match too much.
    pub(super) fn known(&mut self, members: &Map<String, Value>, path: &Path<'_>, known: &[&str]) {
        for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
            let near = known
                .iter()
                .max_by(|one, other| strsim::jaro(one, name).total_cmp(&strsim::jaro(other, name)));
            let near = near.filter(|near| strsim::jaro(near, name) > 0.8);
            let advice = match near {
                Some(near) => format!("`{near}` may be meant; known here: {}", known.join(", ")),
                None => format!("remove it; known here: {}", known.join(", ")),
            };
            self.fault(&path.member(name), "nothing reads this", advice);
        }
    }

    pub(super) fn string<'v>(
        &mut self,
        members: &'v Map<String, Value>,
        path: &Path<'_>,
        name: &str,
    ) -> Option<&'v str> {
        let text = members.get(name)?.as_str();
        let fits = text.filter(|text| !text.is_empty() && text.len() <= MAX_TEXT_BYTES);
        if fits.is_none() {
            let advice = format!("write 1 to {MAX_TEXT_BYTES} bytes of text");
            self.fault(&path.member(name), "not such a text", advice);
        }
        fits
    }

    pub(super) fn required<'v>(
        &mut self,
        members: &'v Map<String, Value>,
        path: &Path<'_>,
        name: &str,
    ) -> Option<&'v str> {
        if !members.contains_key(name) {
            self.fault(path, format!("`{name}` is missing"), "add it");
        }
        self.string(members, path, name)
    }

    pub(super) fn truth(
        &mut self,
        members: &Map<String, Value>,
        path: &Path<'_>,
        name: &str,
    ) -> Option<bool> {
        let truth = members.get(name)?.as_bool();
        if truth.is_none() {
            self.fault(
                &path.member(name),
                "neither true nor false",
                "write true or false, without quotes",
            );
        }
        truth
    }

    pub(super) fn choice<'c>(
        &mut self,
        members: &Map<String, Value>,
        path: &Path<'_>,
        name: &str,
        choices: &[&'c str],
    ) -> Option<&'c str> {
        let value = members.get(name)?;
        let chosen = choices.iter().find(|choice| value.as_str() == Some(choice));
        if chosen.is_none() {
            let advice = format!("write one of {}", choices.join(", "));
            self.fault(&path.member(name), "not a choice", advice);
        }
        chosen.copied()
    }

    /// A list of some things; an empty one would say "nobody" or "everybody", and not which.
    pub(super) fn items<'v>(&mut self, value: &'v Value, path: &Path<'_>) -> Option<&'v [Value]> {
        let Value::Array(items) = value else {
            self.fault(path, "not a list", "write a JSON list");
            return None;
        };
        if items.is_empty() {
            self.fault(path, "an empty list", "list something, or remove this");
            return None;
        }
        if items.len() > MAX_LIST {
            let problem = format!("more than {MAX_LIST} entries");
            self.fault(path, problem, "use a pattern, or split the rule");
            return None;
        }
        Some(items)
    }

    pub(super) fn list<'v>(
        &mut self,
        members: &'v Map<String, Value>,
        path: &Path<'_>,
        name: &str,
        most: usize,
    ) -> Option<&'v [Value]> {
        let Some(value) = members.get(name) else {
            self.fault(path, format!("`{name}` is missing"), "add it");
            return None;
        };
        let items = self.items(value, &path.member(name))?;
        if items.len() > most {
            self.fault(
                &path.member(name),
                format!("more than {most} entries"),
                "write fewer",
            );
            return None;
        }
        Some(items)
    }

    /// The names of values and groups: they stand in templates.
    pub(super) fn check_name(&mut self, name: &str, path: &Path<'_>) {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
            self.fault(path, "not a name for templates", "use 1 to 64 of A-Z a-z 0-9 _");
        }
    }

    /// `attribute` and `split`: the index of the source.
    pub(super) fn source(&mut self, members: &Map<String, Value>, path: &Path<'_>) -> Option<usize> {
        let Some(attribute) = members.get("attribute") else {
            self.fault(path, "`attribute` is missing", "name the attribute to look at");
            return None;
        };
        let at = path.member("attribute");
        let steps = match (attribute.as_str(), attribute.as_array()) {
            (Some(name), _) => vec![Some(name)],
            (None, Some(steps)) if !steps.is_empty() => steps.iter().map(Value::as_str).collect(),
            _ => vec![None],
        };
        let fits =
            |step: &Option<&str>| step.is_some_and(|step| !step.is_empty() && step.len() <= MAX_TEXT_BYTES);
        if !steps.iter().all(fits) {
            self.fault(
                &at,
                "no attribute",
                "write its name, or a list of names that leads to a member inside it",
            );
            return None;
        }
        let split = self.string(members, path, "split");
        let mut characters = split.unwrap_or_default().chars();
        let split = characters.next();
        if characters.next().is_some() {
            self.fault(
                &path.member("split"),
                "more than one character",
                "write the one that joins values",
            );
        }
        let path = steps.into_iter().flatten().map(str::to_owned).collect();
        Some(self.source_index(Source { path, split }))
    }

    pub(super) fn source_index(&mut self, source: Source) -> usize {
        let next = self.sources.len();
        *self.sources.entry(source).or_insert(next)
    }

    pub(super) fn comparison(&mut self, members: &Map<String, Value>, path: &Path<'_>) -> Comparison {
        match self.choice(members, path, "compare", &["typed", "text"]) {
            Some("text") => Comparison::Text,
            _ => Comparison::Typed,
        }
    }
}
