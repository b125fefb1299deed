use super::text::{Field, Kind};
use super::{Names, Parser};
use crate::mapping::fault::Path;
use crate::mapping::identity::UserType;
use crate::mapping::output::{
    DomainTemplate, EntityTemplate, GroupTemplate, Output, ProjectTemplate, UserTemplate,
};
use crate::mapping::text::TextTemplate;
use serde_json::{Map, Value};

/// An object of the output: its members, where it is, and as people call it.
struct Entry<'e> {
    members: &'e Map<String, Value>,
    path: &'e Path<'e>,
    name: String,
}

impl Parser {
    pub(super) fn output(&mut self, rule: &Map<String, Value>, path: &Path<'_>, names: &Names) -> Output {
        let mut output = Output::default();
        if let Some(value) = rule.get("user") {
            output.user = self.user(value, &path.member("user"), names);
        }
        if let Some(value) = rule.get("user_domain") {
            output.user_domain = self.entity(value, &path.member("user_domain"), "user_domain", names);
        }
        if rule.contains_key("groups") {
            output.groups = self.entries(rule, path, "groups", |parser, entry| parser.group(entry, names));
        }
        if rule
            .get("projects")
            .and_then(Value::as_array)
            .is_some_and(Vec::is_empty)
        {
            output.projects = Some(Vec::new());
        } else if rule.contains_key("projects") {
            let projects = self.entries(rule, path, "projects", |parser, entry| {
                parser.project(entry, names)
            });
            output.projects = Some(projects);
        }
        if rule.contains_key("domains") {
            output.domains = self.entries(rule, path, "domains", |parser, entry| parser.domain(entry, names));
        }
        if rule.contains_key("system_roles") {
            output.system_roles = self.roles(rule, path, "system_roles", "", names);
        }
        output
    }

    fn entries<T>(
        &mut self,
        members: &Map<String, Value>,
        path: &Path<'_>,
        name: &str,
        mut each: impl FnMut(&mut Self, &Entry<'_>) -> Option<T>,
    ) -> Vec<T> {
        let items = self
            .list(members, path, name, crate::mapping::limits::MAX_LIST)
            .unwrap_or_default();
        let path = path.member(name);
        let mut entries = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = path.item(index);
            if let Some(members) = self.object(item, &path) {
                let name = format!("{name}[{index}]");
                entries.extend(each(
                    self,
                    &Entry {
                        members,
                        path: &path,
                        name,
                    },
                ));
            }
        }
        entries
    }

    fn member(&mut self, entry: &Entry<'_>, name: &str, kind: Kind, names: &Names) -> Option<TextTemplate> {
        let value = entry.members.get(name)?;
        let path = entry.path.member(name);
        let field = Field {
            path: &path,
            name: format!("{}.{name}", entry.name),
            kind,
        };
        self.text(value, &field, names)
    }

    /// `{"id": …, "name": …}`, one or both.
    fn entity(
        &mut self,
        value: &Value,
        path: &Path<'_>,
        name: &str,
        names: &Names,
    ) -> Option<EntityTemplate> {
        let members = self.object(value, path)?;
        self.known(members, path, &["id", "name"]);
        let name = name.to_owned();
        let entry = Entry { members, path, name };
        self.id_or_name(&entry, Kind::One, names)
    }

    fn id_or_name(&mut self, entry: &Entry<'_>, kind: Kind, names: &Names) -> Option<EntityTemplate> {
        let stated = ["id", "name"]
            .iter()
            .filter(|name| entry.members.contains_key(**name))
            .count();
        if stated == 0 {
            self.fault(entry.path, "neither `id` nor `name`", "add one of them");
            return None;
        }
        // Of two that fan out, which belongs to which?
        let kind = if stated == 1 { kind } else { Kind::One };
        Some(EntityTemplate {
            id: self.member(entry, "id", kind, names),
            name: self.member(entry, "name", kind, names),
        })
    }

    fn inner_entity(&mut self, entry: &Entry<'_>, name: &str, names: &Names) -> Option<EntityTemplate> {
        let value = entry.members.get(name)?;
        let field = format!("{}.{name}", entry.name);
        self.entity(value, &entry.path.member(name), &field, names)
    }

    fn user(&mut self, value: &Value, path: &Path<'_>, names: &Names) -> Option<UserTemplate> {
        let members = self.object(value, path)?;
        self.known(members, path, &["id", "name", "email", "domain", "type"]);
        let entry = Entry {
            members,
            path,
            name: "user".to_owned(),
        };
        let user_type = match self.choice(members, path, "type", &["ephemeral", "local"]) {
            Some("local") => UserType::Local,
            _ => UserType::Ephemeral,
        };
        let who = self.id_or_name(&entry, Kind::One, names);
        let email = self.member(&entry, "email", Kind::One, names);
        let domain = self.inner_entity(&entry, "domain", names);
        Some(UserTemplate {
            who: who?,
            email,
            domain,
            user_type,
        })
    }

    fn group(&mut self, entry: &Entry<'_>, names: &Names) -> Option<GroupTemplate> {
        if entry.members.contains_key("json") {
            self.known(entry.members, entry.path, &["json"]);
            return self
                .member(entry, "json", Kind::Each, names)
                .map(GroupTemplate::Json);
        }
        self.known(
            entry.members,
            entry.path,
            &["id", "name", "domain", "create", "json"],
        );
        if entry.members.contains_key("id") && entry.members.contains_key("name") {
            self.fault(
                entry.path,
                "both `id` and `name`",
                "an id is enough: remove the name",
            );
        }
        let create = self
            .truth(entry.members, entry.path, "create")
            .unwrap_or_default();
        let domain = self.inner_entity(entry, "domain", names);
        let group = self.id_or_name(entry, Kind::Each, names)?;
        Some(GroupTemplate::Named {
            group,
            domain,
            create,
        })
    }

    fn project(&mut self, entry: &Entry<'_>, names: &Names) -> Option<ProjectTemplate> {
        let domain = self.inner_entity(entry, "domain", names);
        if entry.members.contains_key("json") {
            self.known(entry.members, entry.path, &["json", "domain"]);
            let text = self.member(entry, "json", Kind::One, names)?;
            return Some(ProjectTemplate::Json { text, domain });
        }
        self.known(
            entry.members,
            entry.path,
            &["id", "name", "domain", "roles", "json"],
        );
        if entry.members.contains_key("id") && entry.members.contains_key("name") {
            self.fault(
                entry.path,
                "both `id` and `name`",
                "an id is enough: remove the name",
            );
        }
        let roles = self.roles(entry.members, entry.path, "roles", &entry.name, names);
        let project = self.id_or_name(entry, Kind::Each, names)?;
        Some(ProjectTemplate::Named {
            project,
            domain,
            roles,
        })
    }

    fn domain(&mut self, entry: &Entry<'_>, names: &Names) -> Option<DomainTemplate> {
        self.known(entry.members, entry.path, &["domain", "roles"]);
        if !entry.members.contains_key("domain") {
            self.fault(entry.path, "`domain` is missing", "add it");
        }
        let roles = self.roles(entry.members, entry.path, "roles", &entry.name, names);
        let domain = self.inner_entity(entry, "domain", names)?;
        Some(DomainTemplate { domain, roles })
    }

    fn roles(
        &mut self,
        members: &Map<String, Value>,
        path: &Path<'_>,
        name: &str,
        within: &str,
        names: &Names,
    ) -> Vec<EntityTemplate> {
        self.entries(members, path, name, |parser, entry| {
            parser.known(entry.members, entry.path, &["id", "name"]);
            let separator = if within.is_empty() { "" } else { "." };
            let entry = Entry {
                members: entry.members,
                path: entry.path,
                name: format!("{within}{separator}{}", entry.name),
            };
            parser.id_or_name(&entry, Kind::Each, names)
        })
    }
}
