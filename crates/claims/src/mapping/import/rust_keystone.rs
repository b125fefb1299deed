mod authorization;
mod criteria;

use super::{Imported, Walk, literal};
use crate::mapping::fault::{MappingFaults, Path};
use crate::mapping::limits::MAX_CONDITION_DEPTH;
use crate::mapping::parse::MARK;
use serde_json::{Map, Value, json};

/// A rule set, as the Rust Keystone's API shows it.
pub(super) fn import(
    members: &Map<String, Value>,
    path: &Path<'_>,
) -> Result<Imported<'static>, MappingFaults> {
    const KNOWN: [&str; 7] = [
        "mapping_id",
        "domain_id",
        "source",
        "domain_resolution_mode",
        "enabled",
        "rules",
        "ruleset_version",
    ];
    let mut importer = Importer {
        walk: Walk::default(),
        domain: None,
        resolution: Resolution::Fixed,
    };
    importer.walk.known(members, path, &KNOWN);
    importer.domain = members
        .get("domain_id")
        .and_then(Value::as_str)
        .map(str::to_owned);
    importer.resolution(members, path);
    let mut document = Map::new();
    document.insert(MARK.to_owned(), json!(1));
    document.insert("mode".to_owned(), json!("first_match"));
    document.insert(
        "enabled".to_owned(),
        members.get("enabled").cloned().unwrap_or(json!(true)),
    );
    if members.contains_key("source") {
        importer.note("`source` names a provider of the Rust Keystone: set `source` to whoever vouches here");
    }
    let at = path.member("rules");
    let mut rules = Vec::new();
    for (index, rule) in importer.walk.items(members.get("rules"), &at).iter().enumerate() {
        rules.extend(importer.rule(rule, &at.item(index)));
    }
    document.insert("rules".to_owned(), Value::Array(rules));
    importer.walk.finish(document)
}

/// Where a user's domain comes from.
enum Resolution {
    /// The rule set's own.
    Fixed,
    /// A claim's, if it is one of these; else the rule set's own.
    ClaimsOrMapping(Value),
    /// A claim's, if it is one of these.
    ClaimsOnly(Value),
}

struct Importer {
    walk: Walk,
    domain: Option<String>,
    resolution: Resolution,
}

impl Importer {
    fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.walk.notes.contains(&note) {
            self.walk.notes.push(note);
        }
    }

    fn resolution(&mut self, members: &Map<String, Value>, path: &Path<'_>) {
        let at = path.member("domain_resolution_mode");
        let Some(value) = members.get("domain_resolution_mode") else {
            return;
        };
        let (kind, allowed) = match value.as_str() {
            Some(kind) => (Some(kind), None),
            None => (
                value.get("type").and_then(Value::as_str),
                value.get("allowed_domains"),
            ),
        };
        let listed = allowed.filter(|list| list.as_array().is_some_and(|list| !list.is_empty()));
        self.resolution = match (kind, listed) {
            (Some("fixed"), _) => Resolution::Fixed,
            (Some("claims_or_mapping"), Some(list)) => Resolution::ClaimsOrMapping(list.clone()),
            (Some("claims_only"), Some(list)) => Resolution::ClaimsOnly(list.clone()),
            (Some("claims_or_mapping" | "claims_only"), None) => {
                let at = at.member("allowed_domains");
                self.walk.fault(
                    &at,
                    "no domains",
                    "list those that a claim may name: otherwise it may name any",
                );
                Resolution::Fixed
            }
            _ => {
                let advice = "write fixed, claims_or_mapping or claims_only as its `type`";
                self.walk.fault(&at, "not a mode", advice);
                Resolution::Fixed
            }
        };
    }

    fn rule(&mut self, value: &Value, path: &Path<'_>) -> Option<Value> {
        let members = self.walk.object(value, path)?;
        let known = [
            "name",
            "description",
            "match",
            "identity",
            "authorizations",
            "groups",
        ];
        self.walk.known(members, path, &known);
        let mut rule = Map::new();
        for name in ["name", "description"] {
            if let Some(value) = members.get(name).filter(|value| !value.is_null()) {
                rule.insert(name.to_owned(), value.clone());
            }
        }
        match members.get("match") {
            Some(criteria) => {
                let when = self.criteria(criteria, &path.member("match"), MAX_CONDITION_DEPTH)?;
                rule.insert("when".to_owned(), when);
            }
            None => self
                .walk
                .fault(path, "`match` is missing", "say when the rule applies"),
        }
        let Some(identity) = members.get("identity") else {
            self.walk
                .fault(path, "`identity` is missing", "say who the user is");
            return None;
        };
        let at = path.member("identity");
        let identity = self.walk.object(identity, &at)?;
        self.identity(identity, &at, &mut rule);
        let is_system = identity.get("is_system") == Some(&Value::Bool(true));
        if let Some(value) = members.get("authorizations") {
            self.authorizations(value, &path.member("authorizations"), is_system, &mut rule);
        } else if is_system {
            self.walk.fault(
                &at.member("is_system"),
                "a bypass of all checks",
                "grant roles on the system instead",
            );
        }
        if let Some(value) = members.get("groups") {
            let at = path.member("groups");
            let mut groups = Vec::new();
            for (index, item) in self.walk.items(Some(value), &at).iter().enumerate() {
                groups.extend(self.group(item, &at.item(index)));
            }
            if !groups.is_empty() {
                rule.insert("groups".to_owned(), Value::Array(groups));
            }
        }
        Some(Value::Object(rule))
    }

    fn identity(&mut self, members: &Map<String, Value>, path: &Path<'_>, rule: &mut Map<String, Value>) {
        let known = [
            "identity_mode",
            "is_system",
            "user_domain_id",
            "user_id",
            "user_name",
        ];
        self.walk.known(members, path, &known);
        let mut user = Map::new();
        for (from, to) in [("user_id", "id"), ("user_name", "name")] {
            let given = members.get(from).filter(|value| !value.is_null());
            if let Some(template) = given.and_then(|value| self.template(value, &path.member(from))) {
                user.insert(to.to_owned(), json!({"template": template, "many": "first"}));
            }
        }
        if !members.contains_key("user_name") {
            self.walk.fault(path, "`user_name` is missing", "add it");
        }
        match members.get("identity_mode").map(Value::as_str) {
            Some(Some(mode @ ("local" | "ephemeral"))) => drop(user.insert("type".to_owned(), json!(mode))),
            None | Some(None) => {
                self.note("`identity_mode` is not stated everywhere: users there are ephemeral")
            }
            Some(Some(_)) => {
                self.walk.fault(
                    &path.member("identity_mode"),
                    "not a mode",
                    "write local or ephemeral",
                );
            }
        }
        if let Some(domain) = self.user_domain(members, path) {
            user.insert("domain".to_owned(), json!({ "id": domain }));
        }
        rule.insert("user".to_owned(), Value::Object(user));
    }

    fn user_domain(&mut self, members: &Map<String, Value>, path: &Path<'_>) -> Option<Value> {
        let at = path.member("user_domain_id");
        let given = members.get("user_domain_id").filter(|value| !value.is_null());
        let given = given.and_then(|value| self.template(value, &at));
        let own = self.domain.as_deref().map(literal);
        match (&self.resolution, given) {
            (Resolution::Fixed, given) => {
                if given.is_some_and(|given| given.contains("${claims.")) {
                    self.walk.fault(
                        &at,
                        "a claim, where the domain is fixed",
                        "remove it, or choose another mode",
                    );
                }
                own.map(Value::String)
            }
            (_, None) => own.map(Value::String),
            (Resolution::ClaimsOrMapping(allowed), Some(template)) => {
                let missing = own.map_or_else(|| json!("fail"), |own| json!({ "default": own }));
                let mut list = allowed.as_array().cloned().unwrap_or_default();
                list.extend(self.domain.as_ref().map(|own| json!(own)));
                Some(json!({"template": template, "many": "first", "missing": missing, "allowed": list}))
            }
            (Resolution::ClaimsOnly(allowed), Some(template)) => {
                Some(json!({"template": template, "many": "first", "allowed": allowed}))
            }
        }
    }

    /// `${claims.x}` as it is, `${enclosing_domain_id}` filled in, everything else refused.
    fn template(&mut self, value: &Value, path: &Path<'_>) -> Option<String> {
        let text = self.walk.text(value, path)?;
        let mut template = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((variable, after)) = after.split_once('}') else {
                self.walk.fault(path, "`${` without `}`", "close it");
                return None;
            };
            template.push_str(before);
            if before.ends_with('$') {
                self.walk
                    .fault(path, "`$` before a variable", "put something between them");
            }
            match (variable, variable.strip_prefix("claims."), &self.domain) {
                ("enclosing_domain_id", _, Some(domain)) => template.push_str(&literal(domain)),
                ("enclosing_domain_id", _, None) => {
                    self.walk.fault(
                        path,
                        "the rule set has no `domain_id` to put here",
                        "write the domain itself",
                    );
                }
                (_, Some("enclosing_domain_id"), _) => {
                    self.walk.fault(
                        path,
                        "a claim of that name would pass for the domain",
                        "remove it",
                    );
                }
                (_, Some(name), _) if !name.is_empty() => {
                    template.push_str("${claims.");
                    template.push_str(name);
                    template.push('}');
                }
                _ => {
                    let told: String = variable.chars().take(64).collect();
                    self.walk.fault(
                        path,
                        format!("`${{{told}}}` is no variable, and would stay in the text"),
                        "use ${claims.NAME} or ${enclosing_domain_id}",
                    );
                }
            }
            rest = after;
        }
        template.push_str(rest);
        Some(template)
    }
}
