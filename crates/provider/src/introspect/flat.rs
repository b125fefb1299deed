//! What `external_oauth2_token` of `keystonemiddleware` can be told to read: flat names, roles as one text.

use sealstone_identity::{Authority, Name, Scope};
use serde_json::{Map, Value};

/// The members for this authority; `None` where the middleware would give more than it grants, or nothing at all:
/// it enforces no access rules, takes roles apart at commas and white space, and needs a scope.
///
/// A domain scope goes by the names of the project's domain, as the middleware reads it where there is no project.
pub(super) fn members(authority: &Authority) -> Option<Map<String, Value>> {
    let is_plain = |role: &str| !role.contains(',') && role.trim() == role;
    let mut roles = authority.roles().iter();
    if authority.access_rules().is_some() || !roles.all(|role| is_plain(role.as_str())) {
        return None;
    }
    let (user, mut members) = (authority.user(), Map::new());
    let mut put = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            members.insert(name.to_owned(), Value::from(value));
        }
    };
    put("user_id", Some(user.id().as_str()));
    put("user_domain_id", Some(user.domain_id().as_str()));
    put("user_domain_name", user.domain_name().map(Name::as_str));
    let is_system = match authority.scope() {
        Scope::Project(project) => {
            put("project_id", Some(project.id().as_str()));
            put("project_name", Some(project.name().as_str()));
            put("project_domain_id", Some(project.domain_id().as_str()));
            put("project_domain_name", project.domain_name().map(Name::as_str));
            false
        }
        Scope::Domain { id, name } => {
            put("project_domain_id", Some(id.as_str()));
            put("project_domain_name", Some(name.as_str()));
            false
        }
        Scope::System => true,
        Scope::Unscoped => return None,
    };
    let names: Vec<&str> = authority.roles().iter().map(|role| role.as_str()).collect();
    put("roles", Some(&names.join(",")));
    members.insert("system_scope".to_owned(), Value::from(is_system));
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealstone_claims::ReservedClaim;
    use sealstone_identity::{AccessRule, DomainId, ProjectScope, RoleName, UserRef};
    use serde_json::json;

    fn authority(scope: Scope, roles: &[&str]) -> Authority {
        let user = UserRef::new("u1", "ci", "d1")
            .unwrap()
            .with_domain_name("Users")
            .unwrap();
        let roles = roles.iter().map(|role| RoleName::parse(role).unwrap()).collect();
        Authority::new(user, scope, roles).unwrap()
    }

    fn project() -> Scope {
        let project = ProjectScope::new("p1", "builds", "d2").unwrap();
        Scope::Project(project.with_domain_name("Projects").unwrap())
    }

    #[test]
    fn each_scope_has_its_members() {
        let user = json!({"user_id": "u1", "user_domain_id": "d1", "user_domain_name": "Users"});
        let domain = Scope::Domain {
            id: DomainId::parse("d3").unwrap(),
            name: Name::parse("Third").unwrap(),
        };
        for (scope, more) in [
            (
                project(),
                json!({"project_id": "p1", "project_name": "builds", "project_domain_id": "d2",
                    "project_domain_name": "Projects", "system_scope": false}),
            ),
            (
                domain,
                json!({"project_domain_id": "d3", "project_domain_name": "Third", "system_scope": false}),
            ),
            (Scope::System, json!({"system_scope": true})),
        ] {
            let mut want = user.as_object().unwrap().clone();
            want.extend(more.as_object().unwrap().clone());
            want.insert("roles".to_owned(), json!("member,reader"));
            let found = members(&authority(scope, &["member", "reader"])).unwrap();
            assert_eq!(found, want);
            assert!(found.keys().all(|name| !name.contains('.')));
            assert!(
                found.keys().all(|name| ReservedClaim::named(name).is_some()),
                "a template could set it too"
            );
        }
    }

    #[test]
    fn what_the_middleware_would_widen_is_not_told() {
        let rule = AccessRule::new("compute", "GET", "/v2.1/servers").unwrap();
        for rules in [vec![rule], Vec::new()] {
            let narrowed = authority(project(), &["member"])
                .with_access_rules(rules)
                .unwrap();
            assert_eq!(members(&narrowed), None);
        }
        assert_eq!(members(&authority(project(), &["reader,admin"])), None);
        assert_eq!(members(&authority(Scope::Unscoped, &[])), None);
    }

    /// A name that is not known is left out, and the middleware refuses; it is never another's.
    #[test]
    fn names_of_domains_that_are_not_known_are_left_out() {
        let user = UserRef::new("u1", "ci", "d1").unwrap();
        let project = ProjectScope::new("p1", "builds", "d2").unwrap();
        let roles = vec![RoleName::parse("member").unwrap()];
        let found = members(&Authority::project(user, project, roles).unwrap()).unwrap();
        assert!(!found.contains_key("user_domain_name") && !found.contains_key("project_domain_name"));
    }
}
