use super::python::{self, format_string, list_literal};
use super::{Imported, Walk};
use crate::mapping::fault::{MappingFaults, Path};
use crate::mapping::parse::MARK;
use serde_json::{Map, Value, json};

/// What joins several values into one text in a web server's environment.
const SPLIT: &str = ";";

/// Keystone's schema versions. 2.0 made `domain` the default of users and projects, 3.0 added `projects_json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Schema {
    V1,
    V2,
    V3,
}

/// A list of rules, as `openstack mapping create --rules` takes it.
pub(super) fn import_rules(rules: &[Value], path: &Path<'_>) -> Result<Imported<'static>, MappingFaults> {
    Importer::new(Schema::V1).document(rules, path)
}

/// A mapping, as Keystone's API shows it.
pub(super) fn import(
    members: &Map<String, Value>,
    path: &Path<'_>,
) -> Result<Imported<'static>, MappingFaults> {
    let mut importer = Importer::new(Schema::V1);
    importer
        .walk
        .known(members, path, &["id", "links", "rules", "schema_version"]);
    importer.schema = match members.get("schema_version").map(Value::as_str) {
        None | Some(Some("1.0")) => Schema::V1,
        Some(Some("2.0")) => Schema::V2,
        Some(Some("3.0")) => Schema::V3,
        Some(_) => {
            let path = path.member("schema_version");
            importer.walk.fault(
                &path,
                "not a version that Keystone has",
                "write \"1.0\", \"2.0\" or \"3.0\"",
            );
            Schema::V3
        }
    };
    let at = path.member("rules");
    let rules = importer.walk.items(members.get("rules"), &at);
    importer.document(rules, &at)
}

struct Importer {
    walk: Walk,
    schema: Schema,
    /// How many entries of the present rule's `remote` carry values.
    slots: usize,
}

impl Importer {
    fn new(schema: Schema) -> Self {
        Self {
            walk: Walk::default(),
            schema,
            slots: 0,
        }
    }

    fn document(mut self, rules: &[Value], path: &Path<'_>) -> Result<Imported<'static>, MappingFaults> {
        if rules.is_empty() {
            self.walk.fault(path, "no rules", "write at least one");
        }
        let mut converted = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            converted.extend(self.rule(rule, &path.item(index), index));
        }
        let mut document = Map::new();
        document.insert(MARK.to_owned(), json!(1));
        document.insert("mode".to_owned(), json!("merge"));
        document.insert("projects".to_owned(), json!("last"));
        document.insert("rules".to_owned(), Value::Array(converted));
        self.walk.finish(document)
    }

    fn rule(&mut self, value: &Value, path: &Path<'_>, index: usize) -> Option<Value> {
        let members = self.walk.object(value, path)?;
        self.walk.known(members, path, &["local", "remote"]);
        let mut rule = Map::new();
        rule.insert(
            "name".to_owned(),
            json!(format!("rule-{}", index.saturating_add(1))),
        );
        let at = path.member("remote");
        let remote = self.walk.items(members.get("remote"), &at);
        if remote.is_empty() {
            self.walk.fault(&at, "no conditions", "write at least one");
        }
        self.slots = 0;
        let mut conditions = Vec::new();
        let mut values = Map::new();
        for (index, entry) in remote.iter().enumerate() {
            self.requirement(entry, &at.item(index), &mut conditions, &mut values);
        }
        rule.insert("when".to_owned(), json!({"all": conditions}));
        if !values.is_empty() {
            rule.insert("values".to_owned(), Value::Object(values));
        }
        let at = path.member("local");
        let local = self.walk.items(members.get("local"), &at);
        for (index, entry) in local.iter().enumerate() {
            self.local(entry, &at.item(index), &mut rule);
        }
        Some(Value::Object(rule))
    }

    /// One entry of `remote`: a condition, and a named value if it carries one.
    fn requirement(
        &mut self,
        value: &Value,
        path: &Path<'_>,
        conditions: &mut Vec<Value>,
        values: &mut Map<String, Value>,
    ) -> Option<()> {
        const KINDS: [&str; 4] = ["any_one_of", "not_any_of", "blacklist", "whitelist"];
        let members = self.walk.object(value, path)?;
        let stated: Vec<&str> = KINDS
            .into_iter()
            .filter(|kind| members.contains_key(*kind))
            .collect();
        let known: &[&str] = if stated.is_empty() {
            &["type", "any_one_of", "not_any_of", "blacklist", "whitelist"]
        } else {
            &[
                "type",
                "regex",
                "any_one_of",
                "not_any_of",
                "blacklist",
                "whitelist",
            ]
        };
        self.walk.known(members, path, known);
        if stated.len() > 1 {
            let advice = "write one entry for each";
            self.walk
                .fault(path, format!("{} together", stated.join(" and ")), advice);
        }
        let at = path.member("type");
        let Some(attribute) = members.get("type") else {
            self.walk.fault(&at, "missing", "name the attribute");
            return None;
        };
        let attribute = self.walk.text(attribute, &at)?;
        let regex = match members.get("regex") {
            None | Some(Value::Bool(false)) => false,
            Some(Value::Bool(true)) => true,
            Some(_) => {
                self.walk.fault(
                    &path.member("regex"),
                    "neither true nor false",
                    "write true or false",
                );
                false
            }
        };
        let mut look = Map::new();
        look.insert("attribute".to_owned(), json!(attribute));
        look.insert("split".to_owned(), json!(SPLIT));
        let kind = stated.first().copied();
        let carries = !matches!(kind, Some("any_one_of" | "not_any_of"));
        let mut exists = look.clone();
        if let (Some(kind), Some(list)) = (kind, kind.and_then(|kind| members.get(kind))) {
            self.listed(list, &path.member(kind), regex);
            let operator = match (kind, regex) {
                ("any_one_of", false) => "any_of",
                ("any_one_of", true) => "regex",
                ("not_any_of", false) => "none_of",
                ("not_any_of", true) => "not_regex",
                ("blacklist", false) => "drop",
                ("blacklist", true) => "drop_regex",
                (_, false) => "keep",
                (_, true) => "keep_regex",
            };
            look.insert(operator.to_owned(), list.clone());
            if regex {
                look.insert("search".to_owned(), json!(true));
            }
        }
        if carries {
            exists.insert("exists".to_owned(), json!(true));
            conditions.push(Value::Object(exists));
            values.insert(format!("v{}", self.slots), Value::Object(look));
            self.slots = self.slots.saturating_add(1);
        } else {
            conditions.push(Value::Object(look));
        }
        Some(())
    }

    /// Names or patterns: texts, and patterns that mean the same here.
    fn listed(&mut self, value: &Value, path: &Path<'_>, regex: bool) {
        let items = self.walk.items(Some(value), path);
        if items.is_empty() && value.is_array() {
            self.walk
                .fault(path, "an empty list", "list something, or remove the entry");
        }
        for (index, item) in items.iter().enumerate() {
            let path = path.item(index);
            let Some(text) = self.walk.text(item, &path).filter(|_| regex) else {
                continue;
            };
            if let Err((problem, advice)) = python::pattern(text) {
                self.walk.fault(&path, problem, advice);
            }
            self.walk.pattern(text, &path);
        }
    }

    fn local(&mut self, value: &Value, path: &Path<'_>, rule: &mut Map<String, Value>) -> Option<()> {
        let mut known = vec!["user", "projects", "group", "groups", "group_ids", "domain"];
        if self.schema >= Schema::V3 {
            known.push("projects_json");
        }
        let members = self.walk.object(value, path)?;
        self.walk.known(members, path, &known);
        let domain = members
            .get("domain")
            .and_then(|value| self.entity(value, &path.member("domain")));
        if let Some(value) = members.get("user")
            && !rule.contains_key("user")
            && let Some(user) = self.user(value, &path.member("user"))
        {
            rule.insert("user".to_owned(), user);
        }
        let mut groups = Vec::new();
        if let Some(value) = members.get("group") {
            groups.extend(self.group(value, &path.member("group")));
        }
        if let Some(value) = members.get("groups") {
            groups.extend(self.groups(value, &path.member("groups"), domain.as_ref()));
        }
        if let Some(value) = members.get("group_ids") {
            let ids = self.list(value, &path.member("group_ids"));
            groups.extend(ids.into_iter().map(|id| json!({ "id": id })));
        }
        if let (false, Value::Array(all)) = (
            groups.is_empty(),
            rule.entry("groups").or_insert_with(|| json!([])),
        ) {
            all.extend(groups);
        }
        if rule
            .get("groups")
            .and_then(Value::as_array)
            .is_some_and(Vec::is_empty)
        {
            rule.remove("groups");
        }
        if members.contains_key("projects") || members.contains_key("projects_json") {
            let domain = domain.as_ref().filter(|_| self.schema >= Schema::V2);
            let projects = self.projects(members, path, domain);
            rule.insert("projects".to_owned(), Value::Array(projects));
        }
        // The last entry's `domain` counts, whichever entry the user is in; without one there is none.
        rule.remove("user_domain");
        if let (Some(domain), true) = (domain, self.schema >= Schema::V2) {
            rule.insert("user_domain".to_owned(), domain);
        }
        Some(())
    }

    fn template(&mut self, value: &Value, path: &Path<'_>) -> Option<String> {
        let text = self.walk.text(value, path)?;
        match format_string(text, self.slots) {
            Ok(template) => Some(template),
            Err((problem, advice)) => {
                self.walk.fault(path, problem, advice);
                None
            }
        }
    }

    /// `{"id": …, "name": …}`; one of them at least.
    fn entity(&mut self, value: &Value, path: &Path<'_>) -> Option<Value> {
        let members = self.walk.object(value, path)?;
        self.walk.known(members, path, &["id", "name"]);
        if members.is_empty() {
            self.walk
                .fault(path, "neither `id` nor `name`", "add one, or remove it");
        }
        let mut entity = Map::new();
        for name in ["id", "name"] {
            if let Some(value) = members.get(name) {
                entity.insert(name.to_owned(), json!(self.template(value, &path.member(name))?));
            }
        }
        Some(Value::Object(entity))
    }

    fn user(&mut self, value: &Value, path: &Path<'_>) -> Option<Value> {
        let members = self.walk.object(value, path)?;
        self.walk
            .known(members, path, &["id", "name", "email", "domain", "type"]);
        if members.is_empty() {
            return None;
        }
        if !members.contains_key("id") && !members.contains_key("name") {
            self.walk.fault(
                path,
                "neither `id` nor `name`",
                "add one: anybody would match a user without",
            );
        }
        let mut user = Map::new();
        for name in ["id", "name", "email"] {
            if let Some(value) = members.get(name) {
                user.insert(name.to_owned(), json!(self.template(value, &path.member(name))?));
            }
        }
        if let Some(value) = members.get("domain") {
            user.insert("domain".to_owned(), self.entity(value, &path.member("domain"))?);
        }
        match members.get("type").map(Value::as_str) {
            None => {}
            Some(Some(kind @ ("ephemeral" | "local"))) => drop(user.insert("type".to_owned(), json!(kind))),
            Some(_) => self.walk.fault(
                &path.member("type"),
                "no type of user",
                "write \"ephemeral\" or \"local\"",
            ),
        }
        Some(Value::Object(user))
    }

    fn group(&mut self, value: &Value, path: &Path<'_>) -> Option<Value> {
        let members = self.walk.object(value, path)?;
        let once = |template| json!({"template": template, "missing": "fail", "many": "fail"});
        if let Some(id) = members.get("id") {
            self.walk.known(members, path, &["id"]);
            return Some(json!({"id": once(self.template(id, &path.member("id"))?)}));
        }
        self.walk.known(members, path, &["name", "domain"]);
        let (Some(name), Some(domain)) = (members.get("name"), members.get("domain")) else {
            self.walk
                .fault(path, "neither `id` nor `name` with `domain`", "say which group");
            return None;
        };
        let name = once(self.template(name, &path.member("name"))?);
        let domain = self.entity(domain, &path.member("domain"))?;
        Some(json!({"name": name, "domain": domain}))
    }

    /// Names under the domain beside them; without one, groups that carry their domain as JSON.
    fn groups(&mut self, value: &Value, path: &Path<'_>, domain: Option<&Value>) -> Vec<Value> {
        let names = self.list(value, path).into_iter();
        names
            .map(|name| match domain {
                Some(domain) => json!({"name": name, "domain": domain}),
                None => json!({ "json": name }),
            })
            .collect()
    }

    /// The templates in a text that Python reads as a list where it is one.
    fn list(&mut self, value: &Value, path: &Path<'_>) -> Vec<String> {
        let Some(text) = self.walk.text(value, path) else {
            return Vec::new();
        };
        let items = match list_literal(text) {
            None => vec![text.to_owned()],
            Some(Ok(items)) => items,
            Some(Err((problem, advice))) => {
                self.walk.fault(path, problem, advice);
                return Vec::new();
            }
        };
        let items = items.into_iter();
        items
            .filter_map(|item| self.template(&json!(item), path))
            .collect()
    }

    fn projects(
        &mut self,
        members: &Map<String, Value>,
        path: &Path<'_>,
        default: Option<&Value>,
    ) -> Vec<Value> {
        let mut projects = Vec::new();
        if let Some(value) = members.get("projects") {
            let at = path.member("projects");
            for (index, item) in self.walk.items(Some(value), &at).iter().enumerate() {
                projects.extend(self.project(item, &at.item(index), default));
            }
        }
        if let Some(value) = members.get("projects_json") {
            let at = path.member("projects_json");
            let text = self.walk.text(value, &at).unwrap_or_default();
            let inner = text
                .strip_prefix('{')
                .and_then(|text| text.strip_suffix('}'))
                .unwrap_or(text);
            let index = inner.parse().ok().filter(|index: &usize| *index < self.slots);
            match index {
                Some(index) => {
                    let mut project = json!({"json": python::variable(index)});
                    if let (Some(domain), Value::Object(project)) = (default, &mut project) {
                        project.insert("domain".to_owned(), domain.clone());
                    }
                    projects.push(project);
                }
                None => self.walk.fault(
                    &at,
                    "no entry of `remote` that carries values",
                    "write its number: {0}",
                ),
            }
        }
        projects
    }

    fn project(&mut self, value: &Value, path: &Path<'_>, default: Option<&Value>) -> Option<Value> {
        let known: &[&str] = if self.schema >= Schema::V2 {
            &["name", "roles", "domain"]
        } else {
            &["name", "roles"]
        };
        let members = self.walk.object(value, path)?;
        self.walk.known(members, path, known);
        let once = |template| json!({"template": template, "missing": "fail", "many": "fail"});
        let Some(name) = members.get("name") else {
            self.walk.fault(path, "`name` is missing", "add it");
            return None;
        };
        let name = once(self.template(name, &path.member("name"))?);
        let at = path.member("roles");
        let items = self.walk.items(members.get("roles"), &at);
        if items.is_empty() {
            self.walk.fault(
                &at,
                "no roles",
                "name one, or remove the project: it would grant nothing",
            );
        }
        let mut roles = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let at = at.item(index);
            let role = self.walk.object(item, &at)?;
            self.walk.known(role, &at, &["name"]);
            let Some(name) = role.get("name") else {
                self.walk.fault(&at, "`name` is missing", "add it");
                continue;
            };
            roles.push(json!({"name": once(self.template(name, &at.member("name"))?)}));
        }
        let mut project = json!({"name": name, "roles": roles});
        let domain = match members.get("domain") {
            Some(value) => Some(self.entity(value, &path.member("domain"))?),
            None => default.cloned(),
        };
        if let (Some(domain), Value::Object(project)) = (domain, &mut project) {
            project.insert("domain".to_owned(), domain);
        }
        Some(project)
    }
}
