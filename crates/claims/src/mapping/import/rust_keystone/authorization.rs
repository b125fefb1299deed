use super::Importer;
use crate::mapping::fault::Path;
use crate::mapping::import::{Walk, literal};
use serde_json::{Map, Value, json};

impl Importer {
    pub(super) fn authorizations(
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

    pub(super) fn group(&mut self, value: &Value, path: &Path<'_>) -> Option<Value> {
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
