use std::time::Duration;

use proptest::prelude::*;
use sealstone_factors::PasswordHash;
use sealstone_identity::{MAX_GROUPS, MAX_ROLES, ProjectScope, RoleName};

use super::*;
use crate::MAX_PROJECTS;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn named(name: &str) -> Name {
    Name::parse(name).unwrap()
}

fn held(project: &str, domain: &str, roles: &[String]) -> PersonProject {
    PersonProject {
        project: ProjectScope::new(project, "builds", domain).unwrap(),
        roles: roles.iter().map(|role| RoleName::parse(role).unwrap()).collect(),
    }
}

fn ada() -> UserRegistration {
    UserRegistration {
        full_name: Some(named("Ada Lovelace")),
        email: Some(Email::new("ada@example.org", true).unwrap()),
        groups: vec![named("admins"), named("staff")],
        projects: vec![held("p1", "demo", &["member".into(), "reader".into()])],
        ..UserRegistration::new(UserName::parse("ada").unwrap())
    }
}

fn registered(registration: UserRegistration) -> Result<DirectoryUser, RegistrationFault> {
    DirectoryUser::register(
        DomainId::parse("demo").unwrap(),
        registration,
        [0xab; 16],
        at(100),
    )
}

#[test]
fn a_registration_beyond_a_users_bounds_is_refused() {
    let roles = |count: usize| (0..count).map(|n| format!("r{n}")).collect::<Vec<_>>();
    let projects = |count: usize| {
        (0..count)
            .map(|n| held(&format!("p{n}"), "demo", &roles(1)))
            .collect()
    };
    let groups = |count: usize| (0..count).map(|n| named(&format!("g{n}"))).collect::<Vec<_>>();
    let mut double = groups(2);
    double.push(named("g0"));
    let with = |change: &dyn Fn(&mut UserRegistration)| {
        let mut registration = ada();
        change(&mut registration);
        registered(registration).map(|_user| ())
    };
    let faults = [
        (
            "as many groups as fit",
            with(&|r| r.groups = groups(MAX_GROUPS)),
            Ok(()),
        ),
        (
            "a group more",
            with(&|r| r.groups = groups(MAX_GROUPS + 1)),
            Err(RegistrationFault::Groups),
        ),
        (
            "a group twice",
            with(&|r| r.groups.clone_from(&double)),
            Err(RegistrationFault::Groups),
        ),
        (
            "as many projects as fit",
            with(&|r| r.projects = projects(MAX_PROJECTS)),
            Ok(()),
        ),
        (
            "a project more",
            with(&|r| r.projects = projects(MAX_PROJECTS + 1)),
            Err(RegistrationFault::Projects),
        ),
        (
            "a project twice",
            with(&|r| r.projects.push(held("p1", "demo", &roles(1)))),
            Err(RegistrationFault::Projects),
        ),
        (
            "a project of another domain",
            with(&|r| r.projects = vec![held("p1", "other", &roles(1))]),
            Err(RegistrationFault::Projects),
        ),
        (
            "no role",
            with(&|r| r.projects = vec![held("p1", "demo", &[])]),
            Err(RegistrationFault::Roles),
        ),
        (
            "a role more",
            with(&|r| r.projects = vec![held("p1", "demo", &roles(MAX_ROLES + 1))]),
            Err(RegistrationFault::Roles),
        ),
        (
            "a role twice",
            with(&|r| r.projects = vec![held("p1", "demo", &["a".into(), "a".into()])]),
            Err(RegistrationFault::Roles),
        ),
    ];
    for (name, got, want) in faults {
        assert_eq!(got, want, "{name}");
    }
    let user = registered(ada()).unwrap();
    let groups = Some(double);
    let change = UserChange {
        groups,
        ..UserChange::default()
    };
    let refused = user.changed(change, at(200));
    assert_eq!(
        refused,
        Err(ChangeError::Fault(RegistrationFault::Groups)),
        "nor by a change"
    );
}

#[test]
fn what_is_not_named_stays_and_what_is_named_as_none_goes() {
    let user = registered(ada()).unwrap();
    assert_eq!(user.id().as_str(), "abababababababababababababababab");
    let change = UserChange {
        name: Some(UserName::parse("Ada").unwrap()),
        email: Some(None),
        projects: Some(Vec::new()),
        ..UserChange::default()
    };
    let changed = user.changed(change, at(200)).unwrap();
    assert_eq!((changed.name().as_str(), changed.email()), ("Ada", None));
    assert!(changed.projects().is_empty());
    assert_eq!(changed.full_name(), user.full_name());
    assert_eq!(changed.groups(), user.groups());
    assert_eq!((changed.created_at(), changed.changed_at()), (at(100), at(200)));
    assert_eq!(changed.valid_since(), None, "a new name ends no session");
    assert_eq!(user.changed(UserChange::default(), at(100)).unwrap().version(), 2);
}

#[test]
fn another_password_or_being_disabled_ends_what_was_granted() {
    let hash = PasswordHash::decoy;
    let fresh = registered(ada()).unwrap().with_password(hash(), at(100)).unwrap();
    assert_eq!(fresh.valid_since(), None, "the first password ends nothing");
    let changed = fresh.with_password(hash(), at(200)).unwrap();
    assert_eq!(changed.valid_since(), Some(at(200)));
    let disabled = fresh.disabled(at(300)).unwrap();
    assert!(!disabled.is_enabled());
    let enabled = disabled.enabled(at(400)).unwrap();
    assert!(enabled.is_enabled());
    assert_eq!(
        enabled.valid_since(),
        Some(at(300)),
        "what was granted before stays ended"
    );
    let set_back = disabled.with_password(hash(), at(50)).unwrap();
    assert_eq!(
        set_back.valid_since(),
        Some(at(300)),
        "a clock that was set back brings nothing back"
    );
}

#[test]
fn the_person_and_the_authority_are_the_users() {
    let user = registered(ada()).unwrap().disabled(at(300)).unwrap();
    let person = user.person(Some(&named("Demo"))).unwrap();
    assert_eq!(person.user.domain_name(), Some(&named("Demo")));
    assert_eq!(
        (person.user.id(), person.user.name().as_str()),
        (user.id(), "ada")
    );
    assert_eq!(person.groups, user.groups());
    assert_eq!(person.valid_since, Some(at(300)));
    assert!(person.email.unwrap().is_verified());
    let p1 = ProjectId::parse("p1").unwrap();
    let authority = user.authority(&p1, Some(&named("Demo"))).unwrap().unwrap();
    let roles: Vec<&str> = authority.roles().iter().map(|role| role.as_str()).collect();
    assert_eq!(roles, ["member", "reader"]);
    assert!(
        user.authority(&ProjectId::parse("p2").unwrap(), None)
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_record_is_read_as_written_and_never_half() {
    for user in [
        registered(UserRegistration::new(UserName::parse("bob").unwrap())).unwrap(),
        registered(ada())
            .unwrap()
            .with_password(PasswordHash::decoy(), at(1))
            .unwrap()
            .disabled(at(2))
            .unwrap(),
    ] {
        let value = serde_json::to_value(&user).unwrap();
        assert_eq!(
            serde_json::from_value::<DirectoryUser>(value.clone()).unwrap(),
            user
        );
        for (member, wrong) in [
            ("id", "../x"),
            ("name", "a b"),
            ("password", "secret"),
            ("surplus", "x"),
        ] {
            let mut value = value.clone();
            value[member] = wrong.into();
            assert!(
                serde_json::from_value::<DirectoryUser>(value).is_err(),
                "{member}"
            );
        }
        assert!(!format!("{user:?}").contains("argon2"), "{user:?}");
    }
}

proptest! {
    /// Whatever is done to a user: it is counted, and nothing that was ended stands again.
    #[test]
    fn changes_are_counted_and_nothing_ended_stands_again(steps in proptest::collection::vec((0_u8..4, 0_u64..1000), 0..40)) {
        let mut user = registered(ada()).unwrap();
        for (step, seconds) in steps {
            let now = at(seconds);
            let next = match step {
                0 => user.disabled(now),
                1 => user.enabled(now),
                2 => user.with_password(PasswordHash::decoy(), now),
                _ => user.changed(UserChange::default(), now),
            }
            .unwrap();
            prop_assert_eq!(next.version(), user.version() + 1);
            prop_assert_eq!((next.id(), next.domain(), next.created_at()), (user.id(), user.domain(), user.created_at()));
            prop_assert!(next.valid_since() >= user.valid_since());
            prop_assert!(step != 0 || (!next.is_enabled() && next.valid_since() >= Some(now)));
            user = next;
        }
    }
}
