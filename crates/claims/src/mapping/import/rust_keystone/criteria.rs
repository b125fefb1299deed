use super::Importer;
use crate::mapping::fault::Path;
use serde_json::{Map, Value, json};

impl Importer {
    pub(super) fn criteria(&mut self, value: &Value, path: &Path<'_>, below: usize) -> Option<Value> {
        let members = self.walk.object(value, path)?;
        let Some(below) = below.checked_sub(1) else {
            self.walk.fault(
                path,
                "conditions nest too deep",
                "write it flatter, or as several rules",
            );
            return None;
        };
        if let Some(list) = members.get("all_of") {
            self.walk.known(members, path, &["type", "all_of"]);
            let conditions = self.conditions(list, &path.member("all_of"), below);
            return Some(json!({ "all": conditions }));
        }
        if let Some(list) = members.get("any_of") {
            self.walk.known(members, path, &["type", "any_of"]);
            let conditions = self.conditions(list, &path.member("any_of"), below);
            return Some(json!({ "any": conditions }));
        }
        let Some(strict) = members.get("all_of_strict") else {
            self.walk
                .fault(path, "no criteria", "write all_of, any_of or all_of_strict");
            return None;
        };
        self.walk.known(members, path, &["type", "all_of_strict"]);
        let path = path.member("all_of_strict");
        let strict = self.walk.object(strict, &path)?;
        self.walk
            .known(strict, &path, &["conditions", "require_all_keys"]);
        let at = path.member("conditions");
        let list = strict.get("conditions").unwrap_or(&Value::Null);
        let conditions = self.conditions(list, &at, below);
        let mut all = Vec::new();
        if strict.get("require_all_keys") == Some(&Value::Bool(true)) {
            let mut names = Vec::new();
            conditions
                .iter()
                .for_each(|condition| attributes(condition, &mut names));
            names.sort_unstable();
            names.dedup();
            all.extend(
                names
                    .into_iter()
                    .map(|name| json!({"attribute": name, "exists": true})),
            );
        }
        all.extend(conditions);
        Some(json!({ "all": all }))
    }

    fn conditions(&mut self, value: &Value, path: &Path<'_>, below: usize) -> Vec<Value> {
        let items = self.walk.items(Some(value), path).iter().enumerate();
        items
            .filter_map(|(index, item)| self.condition(item, &path.item(index), below))
            .collect()
    }

    fn condition(&mut self, value: &Value, path: &Path<'_>, below: usize) -> Option<Value> {
        let members = self.walk.object(value, path)?;
        let kind = members.get("type").and_then(Value::as_str);
        if kind == Some("nested") {
            return self.criteria(value, path, below);
        }
        // {"type": "condition", "equals": {…}}, or {"type": "equals", …} as it is stored.
        let (name, leaf, path) = match kind {
            Some("condition") => {
                let mut operators = members.iter().filter(|(name, _)| *name != "type");
                let (Some((name, leaf)), None) = (operators.next(), operators.next()) else {
                    self.walk.fault(
                        path,
                        "not one operator",
                        "write one of equals, any_of, matches_regex",
                    );
                    return None;
                };
                (name.as_str(), leaf, path.member(name))
            }
            Some(name) => (name, value, *path),
            None => {
                self.walk
                    .fault(path, "`type` is missing", "write \"condition\" or \"nested\"");
                return None;
            }
        };
        let leaf = self.walk.object(leaf, &path)?;
        let (operator, member) = match name {
            "equals" => ("equals", "value"),
            "any_of" => ("any_of", "values"),
            "matches_regex" => ("regex", "regex"),
            _ => {
                self.walk.fault(
                    &path,
                    "not an operator",
                    "write one of equals, any_of, matches_regex",
                );
                return None;
            }
        };
        self.walk.known(leaf, &path, &["type", "claim", member]);
        let (Some(claim), Some(operand)) = (leaf.get("claim"), leaf.get(member)) else {
            self.walk
                .fault(&path, format!("`claim` or `{member}` is missing"), "add it");
            return None;
        };
        let claim = self.walk.text(claim, &path.member("claim"))?;
        let mut condition = Map::new();
        condition.insert("attribute".to_owned(), json!(claim));
        condition.insert(operator.to_owned(), operand.clone());
        if operator == "regex" {
            if let Some(text) = self.walk.text(operand, &path.member(member)) {
                self.walk.pattern(text, &path.member(member));
            }
            condition.insert("search".to_owned(), json!(true));
        } else {
            condition.insert("compare".to_owned(), json!("text"));
        }
        Some(Value::Object(condition))
    }
}

/// Every attribute that a condition looks at.
fn attributes(condition: &Value, names: &mut Vec<String>) {
    match condition {
        Value::Object(members) => {
            if let Some(Value::String(name)) = members.get("attribute") {
                names.push(name.clone());
            }
            for list in ["all", "any"] {
                members
                    .get(list)
                    .into_iter()
                    .for_each(|list| attributes(list, names));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| attributes(item, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
