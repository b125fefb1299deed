//! What is known of people after their login: changes end what was granted, within seconds.

use std::time::Duration;

use sealstone_identity::{DelegationMethod, LoginRefusal, LoginSource as _, ProjectId, Scope, UserId};
use sealstone_interop::KeystoneLab;
use sealstone_keystone::{KeystoneIdentity, KeystonePeople, PeopleChange};
use serde_json::json;
use tokio::sync::oneshot;

use crate::world::{Somebody, admin, begin, client, done, identity, minting_people, now, refusal};

/// People whose revocations are followed, as a server does.
struct Followed {
    people: KeystonePeople,
    _stop: oneshot::Sender<()>,
}

impl Followed {
    fn new(lab: &KeystoneLab) -> Self {
        let identity: KeystoneIdentity = identity(lab);
        let people = KeystonePeople::new(identity.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            identity
                .follow_revocations(async {
                    let _stopped = stopped.await;
                })
                .await;
        });
        Self { people, _stop: stop }
    }

    /// Waits until Keystone told of a change of this person; seconds, or the test ends.
    async fn told_of(&self, user: &UserId) {
        let mut seen = 0;
        let waited = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                let (number, changes) = self.people.changes_after(seen).await;
                if changes.iter().any(|change: &PeopleChange| change.user == *user) {
                    return;
                }
                seen = number;
            }
        });
        waited.await.expect("Keystone tells of the change");
    }
}

#[tokio::test]
async fn a_disabled_person_is_known_within_seconds_and_what_was_granted_stays_ended() {
    let lab = KeystoneLab::shared();
    let followed = Followed::new(lab);
    let somebody = Somebody::new(lab, &["member"]);
    somebody.log_in(&followed.people).await;
    let logged_in_at = now();
    let person = followed.people.person(&somebody.id()).await.unwrap();
    assert!(person.stands_since(logged_in_at));
    somebody.change(&json!({"enabled": false}));
    followed.told_of(&somebody.id()).await;
    assert_eq!(
        refusal(followed.people.person(&somebody.id()).await),
        LoginRefusal::Person
    );
    assert_eq!(
        refusal(followed.people.projects(&somebody.id()).await),
        LoginRefusal::Person
    );
    let authority = followed
        .people
        .authority(&somebody.id(), &somebody.project())
        .await;
    assert_eq!(refusal(authority), LoginRefusal::Person);
    assert_eq!(
        refusal(somebody.begin(&followed.people).await),
        LoginRefusal::Credentials
    );
    somebody.change(&json!({"enabled": true}));
    // A source that was not there before, as after a restart: it reads what Keystone still keeps.
    let later = Followed::new(lab);
    let person = later.people.person(&somebody.id()).await.unwrap();
    assert!(!person.stands_since(logged_in_at), "{person:?}");
}

#[tokio::test]
async fn a_changed_password_ends_what_was_granted_before() {
    let lab = KeystoneLab::shared();
    let followed = Followed::new(lab);
    let somebody = Somebody::new(lab, &["member"]);
    somebody.log_in(&followed.people).await;
    let logged_in_at = now();
    somebody.change(&json!({"password": "another-Pw-2"}));
    followed.told_of(&somebody.id()).await;
    let person = followed.people.person(&somebody.id()).await.unwrap();
    assert!(!person.stands_since(logged_in_at), "{person:?}");
    assert_eq!(
        refusal(somebody.begin(&followed.people).await),
        LoginRefusal::Credentials
    );
    let (domain, name) = (&somebody.made.domain_id, &somebody.made.user_name);
    done(begin(&followed.people, domain, name, "another-Pw-2").await);
}

#[tokio::test]
async fn a_changed_password_is_known_without_anybody_following() {
    let lab = KeystoneLab::shared();
    let people = crate::world::people(lab);
    let somebody = Somebody::new(lab, &["member"]);
    let logged_in_at = now();
    somebody.change(&json!({"password": "another-Pw-2"}));
    let person = people.person(&somebody.id()).await.unwrap();
    assert!(!person.stands_since(logged_in_at), "{person:?}");
}

#[tokio::test]
async fn a_deleted_person_is_gone() {
    let lab = KeystoneLab::shared();
    let followed = Followed::new(lab);
    let somebody = Somebody::new(lab, &["member"]);
    somebody.log_in(&followed.people).await;
    lab.change("DELETE", &format!("/users/{}", somebody.made.user_id), None);
    followed.told_of(&somebody.id()).await;
    assert_eq!(
        refusal(followed.people.person(&somebody.id()).await),
        LoginRefusal::Person
    );
    let nobody = UserId::parse("00000000000000000000000000000000").unwrap();
    assert_eq!(
        refusal(followed.people.person(&nobody).await),
        LoginRefusal::Person
    );
}

#[tokio::test]
async fn a_disabled_domain_takes_its_people_along() {
    let lab = KeystoneLab::shared();
    let identity = KeystoneIdentity::builder(client(lab)).with_service_account(admin(lab));
    let people = KeystonePeople::new(identity.with_max_age(Duration::from_secs(1)).build());
    let name = format!("people-{}", std::process::id());
    let domain = lab.admin("POST", "/domains", Some(&json!({"domain": {"name": name}})));
    let domain = domain["domain"]["id"].as_str().unwrap().to_owned();
    let user = json!({"user": {"name": "ada", "domain_id": domain, "password": "ada-Pw-1"}});
    let user = lab.admin("POST", "/users", Some(&user));
    let user = UserId::parse(user["user"]["id"].as_str().unwrap()).unwrap();
    done(begin(&people, &domain, "ada", "ada-Pw-1").await);
    people.person(&user).await.unwrap();
    let off = json!({"domain": {"enabled": false}});
    lab.change("PATCH", &format!("/domains/{domain}"), Some(&off));
    // Keystone tells of no disabled domain: it is found when the person is asked about again.
    let refused = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            if let Err(error) = people.person(&user).await {
                return error;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(refused.await.unwrap().refusal(), Some(LoginRefusal::Person));
    let refused = refusal(begin(&people, &domain, "ada", "ada-Pw-1").await);
    assert_eq!(refused, LoginRefusal::Credentials);
}

#[tokio::test]
async fn projects_and_roles_are_those_of_a_token() {
    let lab = KeystoneLab::shared();
    let people = crate::world::people(lab);
    let somebody = Somebody::new(lab, &["deployer"]);
    let choice = people.projects(&somebody.id()).await.unwrap();
    let [own] = choice.as_slice() else {
        panic!("{choice:?}")
    };
    assert_eq!(own.project.id(), &somebody.project());
    assert_eq!(own.project.domain_name().map(|name| name.as_str()), Some("acme"));
    let roles: Vec<&str> = own.roles.iter().map(|role| role.as_str()).collect();
    assert_eq!(
        roles,
        ["deployer", "member", "reader"],
        "with those that they imply"
    );
    let delegated = people
        .authority(&somebody.id(), &somebody.project())
        .await
        .unwrap();
    assert_eq!(delegated.method, DelegationMethod::Person);
    assert_eq!(delegated.authority.roles(), own.roles.as_slice());
    assert_eq!(delegated.authority.user().id(), &somebody.id());
    let Scope::Project(scope) = delegated.authority.scope() else {
        panic!("{delegated:?}")
    };
    assert_eq!(scope, &own.project);
    for elsewhere in [lab.seed().project("web"), "00000000000000000000000000000000"] {
        let project = ProjectId::parse(elsewhere).unwrap();
        let refused = refusal(people.authority(&somebody.id(), &project).await);
        assert_eq!(refused, LoginRefusal::NoRole, "{elsewhere}");
    }
}

#[tokio::test]
async fn a_disabled_project_is_neither_offered_nor_granted() {
    let lab = KeystoneLab::shared();
    let people = crate::world::people(lab);
    let somebody = Somebody::new(lab, &["member"]);
    let body = json!({"project": {"enabled": false}});
    lab.change(
        "PATCH",
        &format!("/projects/{}", somebody.made.project_id),
        Some(&body),
    );
    assert_eq!(people.projects(&somebody.id()).await.unwrap(), []);
    let refused = refusal(people.authority(&somebody.id(), &somebody.project()).await);
    assert_eq!(refused, LoginRefusal::NoRole);
}

#[tokio::test]
async fn tokens_made_here_tell_the_same() {
    let lab = KeystoneLab::shared_jws();
    let people = minting_people(lab, "people-standing");
    let somebody = Somebody::new(lab, &["member"]);
    let person = people.person(&somebody.id()).await.unwrap();
    assert_eq!(person.user.name().as_str(), somebody.made.user_name);
    let choice = people.projects(&somebody.id()).await.unwrap();
    let ids: Vec<_> = choice.iter().map(|choice| choice.project.id().clone()).collect();
    assert_eq!(ids, [somebody.project()]);
    let delegated = people
        .authority(&somebody.id(), &somebody.project())
        .await
        .unwrap();
    assert_eq!(delegated.method, DelegationMethod::Person);
    let roles: Vec<&str> = delegated
        .authority
        .roles()
        .iter()
        .map(|role| role.as_str())
        .collect();
    assert_eq!(roles, ["member", "reader"]);
    let web = ProjectId::parse(lab.seed().project("web")).unwrap();
    assert_eq!(
        refusal(people.authority(&somebody.id(), &web).await),
        LoginRefusal::NoRole
    );
    let disabled = Somebody::new(lab, &["member"]);
    disabled.change(&json!({"enabled": false}));
    assert_eq!(refusal(people.person(&disabled.id()).await), LoginRefusal::Person);
    let authority = people.authority(&disabled.id(), &disabled.project()).await;
    assert_eq!(refusal(authority), LoginRefusal::Person);
    let nobody = UserId::parse("00000000000000000000000000000000").unwrap();
    assert_eq!(refusal(people.person(&nobody).await), LoginRefusal::Person);
}
