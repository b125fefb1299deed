//! What becomes of a way to log in. Rules only: nothing is asked.

use sealstone_keystone::{User, UserOptions};
use serde::Serialize;

use super::Where;

/// Who an account seems to be for. Keystone does not say; this is a guess to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Looks {
    Machine,
    Person,
    Unclear,
}

impl Looks {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Person => "person",
            Self::Unclear => "unclear",
        }
    }
}

/// What else of a user speaks for one or the other.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signs {
    pub(super) has_totp: bool,
    pub(super) has_service_role: bool,
    pub(super) has_application_credentials: bool,
}

/// Who the account seems to be for, and why.
pub(super) fn looks(user: &User, signs: Signs) -> (Looks, &'static str) {
    let options = &user.options;
    if signs.has_totp {
        (Looks::Person, "it has a one-time password")
    } else if signs.has_service_role {
        (Looks::Machine, "it has the role `service`")
    } else if options.ignore_password_expiry == Some(true) || options.lock_password == Some(true) {
        (
            Looks::Machine,
            "its password never ends, or can't be changed by it",
        )
    } else if user
        .email
        .as_ref()
        .is_some_and(|email| email.as_str().contains('@'))
    {
        (Looks::Person, "it has an e-mail address")
    } else if signs.has_application_credentials {
        (
            Looks::Machine,
            "it has application credentials and no e-mail address",
        )
    } else {
        (Looks::Unclear, "nothing tells")
    }
}

/// Whether the user's own rules leave no way in by password alone.
pub(crate) fn password_is_off(options: &UserOptions) -> bool {
    let rules = options.multi_factor_auth_rules.as_deref().unwrap_or_default();
    let enabled = options.multi_factor_auth_enabled != Some(false);
    let by_password =
        |rule: &Vec<sealstone_keystone::Label>| rule.iter().any(|method| method.as_str() == "password");
    enabled && rules.iter().any(|rule| !rule.is_empty()) && !rules.iter().any(by_password)
}

pub(super) fn password(user: &User, looks: Looks, places: &[Where]) -> String {
    let projects = places.iter().filter(|place| place.kind == "project").count();
    if !user.enabled {
        "nothing: the account is disabled".to_owned()
    } else if password_is_off(&user.options) {
        "done: passwords are refused by the account's own rules".to_owned()
    } else if looks == Looks::Person {
        "stays with its person".to_owned()
    } else if places.is_empty() {
        "nothing: it has no role anywhere; disable the account".to_owned()
    } else if projects == 0 {
        "stays: a client is for one project, and this account has roles on a domain or the system only"
            .to_owned()
    } else if projects == 1 {
        "a client with a certificate, then the password is turned off".to_owned()
    } else {
        format!(
            "a client with a certificate for each project that is needed of {projects}, then the password is turned off"
        )
    }
}

pub(super) fn application_credential(unrestricted: bool, has_ended: bool, roles: &[String]) -> &'static str {
    if has_ended {
        "nothing: it has ended; delete it"
    } else if unrestricted {
        "a client tied to a new, restricted one; then delete it"
    } else if roles.iter().any(|role| role == "admin") {
        "a client tied to a new one with the roles that its work needs; then delete it"
    } else {
        "a client tied to it: the machine holds a certificate, the server the secret"
    }
}

pub(super) const EC2: &str =
    "stays where S3 or EC2 requests are signed with it; else a client, then delete it";
pub(super) const TRUST: &str =
    "stays if a service made it for itself (Heat, Magnum, ...); else a client of the trustor, then delete it";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn user(more: &Value) -> User {
        let mut user = json!({"id": "u1", "name": "ci", "domain_id": "d1", "enabled": true});
        user.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        serde_json::from_value(user).unwrap()
    }

    fn place(kind: &'static str) -> Where {
        Where {
            kind,
            id: Some("x".to_owned()),
            name: None,
            roles: vec!["member".to_owned()],
        }
    }

    #[test]
    fn accounts_are_guessed_at_by_what_they_have() {
        let none = Signs::default();
        let cases = [
            (json!({}), none, Looks::Unclear),
            (json!({"email": "a@b.example"}), none, Looks::Person),
            (json!({"email": "none"}), none, Looks::Unclear),
            (
                json!({"email": "a@b.example"}),
                Signs {
                    has_service_role: true,
                    ..none
                },
                Looks::Machine,
            ),
            (
                json!({}),
                Signs {
                    has_application_credentials: true,
                    ..none
                },
                Looks::Machine,
            ),
            (
                json!({}),
                Signs {
                    has_totp: true,
                    has_application_credentials: true,
                    ..none
                },
                Looks::Person,
            ),
            (
                json!({"options": {"ignore_password_expiry": true}}),
                none,
                Looks::Machine,
            ),
        ];
        for (more, signs, want) in cases {
            assert_eq!(looks(&user(&more), signs).0, want, "{more}");
        }
    }

    #[test]
    fn rules_without_a_password_turn_it_off() {
        let off = [
            json!({"multi_factor_auth_enabled": true, "multi_factor_auth_rules": [["application_credential"]]}),
            // Keystone takes the rules for enabled unless it is told otherwise.
            json!({"multi_factor_auth_rules": [["application_credential"]]}),
        ];
        let on = [
            json!({}),
            json!({"multi_factor_auth_enabled": false, "multi_factor_auth_rules": [["application_credential"]]}),
            json!({"multi_factor_auth_enabled": true, "multi_factor_auth_rules": []}),
            json!({"multi_factor_auth_enabled": true, "multi_factor_auth_rules": [[]]}),
            json!({"multi_factor_auth_rules": [["application_credential"], ["password", "totp"]]}),
        ];
        for (options, want) in off
            .iter()
            .map(|one| (one, true))
            .chain(on.iter().map(|one| (one, false)))
        {
            let options: UserOptions = serde_json::from_value(options.clone()).unwrap();
            assert_eq!(password_is_off(&options), want, "{options:?}");
        }
    }

    #[test]
    fn what_becomes_of_a_password() {
        let off = json!({"options": {"multi_factor_auth_rules": [["application_credential"]]}});
        let (none, project, system) = (
            vec![],
            vec![place("project")],
            vec![place("system"), place("domain")],
        );
        let both = vec![place("project"), place("project")];
        let cases = [
            (
                json!({"enabled": false}),
                Looks::Machine,
                &project,
                "nothing: the account is disabled",
            ),
            (off, Looks::Machine, &project, "done"),
            (json!({}), Looks::Person, &project, "stays with its person"),
            (json!({}), Looks::Machine, &none, "nothing: it has no role"),
            (
                json!({}),
                Looks::Machine,
                &system,
                "stays: a client is for one project",
            ),
            (
                json!({}),
                Looks::Unclear,
                &project,
                "a client with a certificate, then",
            ),
            (
                json!({}),
                Looks::Machine,
                &both,
                "a client with a certificate for each project that is needed of 2",
            ),
        ];
        for (more, looks, places, want) in cases {
            let found = password(&user(&more), looks, places);
            assert!(found.starts_with(want), "{found}");
        }
    }

    #[test]
    fn what_becomes_of_an_application_credential() {
        let (member, admin) = (
            [String::from("member")],
            [String::from("member"), String::from("admin")],
        );
        for (unrestricted, has_ended, roles, want) in [
            (false, false, &member[..], "a client tied to it"),
            (true, false, &member[..], "a client tied to a new, restricted one"),
            (
                false,
                false,
                &admin[..],
                "a client tied to a new one with the roles",
            ),
            (true, true, &admin[..], "nothing: it has ended"),
        ] {
            assert!(
                application_credential(unrestricted, has_ended, roles).starts_with(want),
                "{want}"
            );
        }
    }
}
