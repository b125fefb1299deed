//! Groups and projects that a source describes itself, as JSON in a value.

use crate::mapping::identity::{EntityRef, MappedGroup, MappedProject};
use crate::mapping::limits::MAX_OUTPUTS;
use crate::mapping::strict;
use sealstone_identity::Name;
use serde_json::{Map, Value};

/// What Keystone's rules mark such a group with.
const PREFIX: &str = "JSON:";

/// One group: `JSON:{"name": …, "domain": {"id": …}}`.
pub(crate) fn group(text: &str) -> Result<MappedGroup, &'static str> {
    let json = text.strip_prefix(PREFIX).ok_or("a group starts with `JSON:`")?;
    let Ok(Value::Object(members)) = strict::parse(json.as_bytes()) else {
        return Err("a group is a JSON object");
    };
    only(&members, &["name", "domain"])?;
    let domain = members.get("domain").ok_or("a group has a `domain`")?;
    Ok(MappedGroup {
        group: EntityRef::new(None, Some(name(&members)?)).ok_or("a group has a `name`")?,
        domain: Some(entity(domain)?),
        create: false,
    })
}

/// A list of projects; those without a domain take the default.
pub(crate) fn projects(text: &str, default: Option<&EntityRef>) -> Result<Vec<MappedProject>, &'static str> {
    let Ok(Value::Array(items)) = strict::parse(text.as_bytes()) else {
        return Err("projects are a JSON list");
    };
    if items.len() > MAX_OUTPUTS {
        return Err("too many projects");
    }
    items.iter().map(|item| project(item, default)).collect()
}

fn project(item: &Value, default: Option<&EntityRef>) -> Result<MappedProject, &'static str> {
    let members = item.as_object().ok_or("a project is a JSON object")?;
    only(members, &["name", "domain", "roles"])?;
    let domain = members.get("domain").map(entity).transpose()?;
    let roles = members
        .get("roles")
        .and_then(Value::as_array)
        .ok_or("a project has a list of `roles`")?;
    if roles.is_empty() || roles.len() > MAX_OUTPUTS {
        return Err("a project has some roles");
    }
    Ok(MappedProject {
        project: EntityRef::new(None, Some(name(members)?)).ok_or("a project has a `name`")?,
        domain: domain.or_else(|| default.cloned()),
        roles: roles.iter().map(role).collect::<Result<_, _>>()?,
    })
}

fn role(item: &Value) -> Result<EntityRef, &'static str> {
    let members = item.as_object().ok_or("a role is a JSON object")?;
    only(members, &["name"])?;
    EntityRef::new(None, Some(name(members)?)).ok_or("a role has a `name`")
}

fn entity(value: &Value) -> Result<EntityRef, &'static str> {
    let members = value.as_object().ok_or("a domain is a JSON object")?;
    only(members, &["id", "name"])?;
    let text = |member| members.get(member).map(parse).transpose();
    EntityRef::new(text("id")?, text("name")?).ok_or("a domain has an `id` or a `name`")
}

fn name(members: &Map<String, Value>) -> Result<Name, &'static str> {
    members
        .get("name")
        .map(parse)
        .transpose()?
        .ok_or("a `name` is missing")
}

fn parse(value: &Value) -> Result<Name, &'static str> {
    let text = value.as_str().ok_or("a name is text")?;
    Name::parse(text).map_err(|_| "a name has 1 to 255 characters, none that controls")
}

fn only(members: &Map<String, Value>, known: &[&str]) -> Result<(), &'static str> {
    if members.keys().all(|member| known.contains(&member.as_str())) {
        Ok(())
    } else {
        Err("there is a member that nothing reads")
    }
}
