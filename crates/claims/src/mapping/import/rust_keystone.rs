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

    fn criteria(&mut self, value: &Value, path: &Path<'_>, below: usize) -> Option<Value> {
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
            condition.insert("search".to_owned(), json!(true));
        } else {
            condition.insert("compare".to_owned(), json!("text"));
        }
        Some(Value::Object(condition))
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

    fn authorizations(
        &mut self,
        value: &Value,
        path: &Path<'_>,
        is_system: bool,
        rule: &mut Map<String, Value>,
    ) {
        let (mut projects, mut domains, mut system) = (Vec::new(), Vec::new(), Vec::new());
        for (index, item) in self.walk.items(Some(value), path).iter().enumerate() {
            let path = path.item(index);
            let Some(members) = self.walk.object(item, &path) else {
                continue;
            };
            let roles = self.roles(members, &path);
            let text = |walk: &mut Walk, name: &str| {
                let at = path.member(name);
                let value = members.get(name).unwrap_or(&Value::Null);
                walk.text(value, &at).map(|text| json!(literal(text)))
            };
            match members.get("type").and_then(Value::as_str) {
                Some("project") => {
                    self.walk.known(
                        members,
                        &path,
                        &["type", "project_id", "project_domain_id", "roles"],
                    );
                    let id = text(&mut self.walk, "project_id");
                    let domain = text(&mut self.walk, "project_domain_id");
                    projects.push(json!({"id": id, "domain": {"id": domain}, "roles": roles}));
                }
                Some("domain") => {
                    self.walk.known(members, &path, &["type", "domain_id", "roles"]);
                    let id = text(&mut self.walk, "domain_id");
                    domains.push(json!({"domain": {"id": id}, "roles": roles}));
                }
                Some("system") => {
                    self.walk.known(members, &path, &["type", "system_id", "roles"]);
                    if !is_system {
                        self.walk.fault(
                            &path,
                            "roles on the system without `is_system`",
                            "set it, or remove them",
                        );
                    }
                    system.extend(roles);
                }
                _ => self.walk.fault(
                    &path,
                    "no type of authorization",
                    "write project, domain or system",
                ),
            }
        }
        if is_system && system.is_empty() {
            self.walk.fault(
                path,
                "`is_system` without roles on the system",
                "grant those roles: there is no bypass",
            );
        }
        for (name, list) in [
            ("projects", projects),
            ("domains", domains),
            ("system_roles", system),
        ] {
            if !list.is_empty() {
                rule.insert(name.to_owned(), Value::Array(list));
            }
        }
    }

    fn roles(&mut self, members: &Map<String, Value>, path: &Path<'_>) -> Vec<Value> {
        let at = path.member("roles");
        let items = self.walk.items(members.get("roles"), &at);
        if items.is_empty() {
            self.walk.fault(&at, "no roles", "name one");
        }
        let mut roles = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let at = at.item(index);
            let Some(members) = self.walk.object(item, &at) else {
                continue;
            };
            self.walk.known(members, &at, &["id", "name", "domain_id"]);
            if members.get("domain_id").is_some_and(|domain| !domain.is_null()) {
                self.walk.fault(
                    &at.member("domain_id"),
                    "a role of one domain",
                    "name the role by its id alone",
                );
            }
            let mut role = Map::new();
            for name in ["id", "name"] {
                let given = members.get(name).filter(|value| !value.is_null());
                if let Some(text) = given.and_then(|value| self.walk.text(value, &at.member(name))) {
                    role.insert(name.to_owned(), json!(literal(text)));
                }
            }
            roles.push(Value::Object(role));
        }
        roles
    }

    fn group(&mut self, value: &Value, path: &Path<'_>) -> Option<Value> {
        let members = self.walk.object(value, path)?;
        let known = ["group_id", "group_name", "group_domain_id", "strategy"];
        self.walk.known(members, path, &known);
        let strategy = members
            .get("strategy")
            .map(|value| value.get("type").unwrap_or(value));
        let create = match strategy.map(Value::as_str) {
            None | Some(None | Some("create_or_get")) => true,
            Some(Some("get")) => false,
            Some(Some(_)) => {
                self.walk.fault(
                    &path.member("strategy"),
                    "not a strategy",
                    "write create_or_get or get",
                );
                false
            }
        };
        if let Some(id) = members.get("group_id").filter(|id| !id.is_null()) {
            self.note("a group with `group_id` is that group: its `group_name` and `strategy` are left out");
            let id = self.walk.text(id, &path.member("group_id"))?;
            return Some(json!({"id": literal(id)}));
        }
        let at = path.member("group_name");
        let name = self.template(members.get("group_name").unwrap_or(&Value::Null), &at)?;
        // One claim alone gives a group for each of its values; in a longer text its first one counts.
        let alone = name.starts_with("${")
            && name
                .find('}')
                .is_some_and(|end| end.saturating_add(1) == name.len());
        let many = if alone { "fan_out" } else { "first" };
        let mut group = json!({"name": {"template": name, "many": many}, "create": create});
        let given = members.get("group_domain_id").filter(|value| !value.is_null());
        let domain = match given {
            Some(value) => Some(literal(self.walk.text(value, &path.member("group_domain_id"))?)),
            None => self.domain.as_deref().map(literal),
        };
        if let (Some(domain), Value::Object(group)) = (domain, &mut group) {
            group.insert("domain".to_owned(), json!({ "id": domain }));
        }
        Some(group)
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
