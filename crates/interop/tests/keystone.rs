//! The `keystone` crate against a real Keystone.

use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use sealstone_fernet::{JwsAlgorithm, JwsPrivateKey, JwsTokenIssuer};
use sealstone_identity::{
    AccessRule, ApplicationCredentialId, DomainId, IdentitySource, IdentitySourceError, KeystoneBinding,
    MachineLogin, ProjectId, Refusal, UserId,
};
use sealstone_interop::{KeystoneLab, LabFront, LabMachine, LabOptions};
use sealstone_keystone::{
    AssignmentFilter, AssignmentScope, Authentication, DomainKey, EntropyFailed, Factor, GroupId,
    IssuedToken, KeystoneClient, KeystoneConfig, KeystoneIdentity, KeystoneRefusal, KeystoneSession, Login,
    LoginScope, NewApplicationCredential, NewTrust, PasswordChange, ProjectFilter, ProjectKey, RoleId,
    RoleKey, Secret, TokenMint, TokenScope, TrustId, UserFilter, UserKey, UserUpdate,
};

const PATIENCE: Duration = Duration::from_secs(60);

fn client(lab: &KeystoneLab) -> KeystoneClient {
    let config = KeystoneConfig::new(lab.url())
        .unwrap()
        .with_call_deadline(PATIENCE);
    KeystoneClient::new(&config).unwrap()
}

fn user(lab: &KeystoneLab, name: &str) -> UserKey {
    UserKey::Id(UserId::parse(&lab.seed().user(name).id).unwrap())
}

fn password(lab: &KeystoneLab, name: &str) -> Authentication {
    Authentication::password(
        user(lab, name),
        Secret::from(lab.seed().user(name).password.as_str()),
    )
}

fn project(lab: &KeystoneLab, name: &str) -> LoginScope {
    LoginScope::Project(ProjectKey::Id(
        ProjectId::parse(lab.seed().project(name)).unwrap(),
    ))
}

async fn complete(client: &KeystoneClient, authentication: &Authentication) -> IssuedToken {
    match client.authenticate(authentication).await.unwrap() {
        Login::Complete(issued) => issued,
        Login::Incomplete(receipt) => panic!("{receipt:?}"),
    }
}

async fn refusal(client: &KeystoneClient, authentication: &Authentication) -> KeystoneRefusal {
    client
        .authenticate(authentication)
        .await
        .unwrap_err()
        .refusal()
        .unwrap()
}

fn roles(issued: &IssuedToken) -> Vec<&str> {
    let mut roles: Vec<_> = issued.info.roles.iter().map(|role| role.name.as_str()).collect();
    roles.sort_unstable();
    roles
}

/// The administrator's session, for the whole system.
fn admin(lab: &KeystoneLab) -> KeystoneSession {
    let user = UserKey::Name {
        name: "admin".to_owned(),
        domain: DomainKey::Id(DomainId::parse("default").unwrap()),
    };
    let secret = Secret::from(lab.environment()["OS_PASSWORD"].as_str());
    let login = Authentication::password(user, secret).with_scope(LoginScope::System);
    KeystoneSession::login(client(lab), login)
}

struct Machine {
    user: UserId,
    project: ProjectId,
    credential: ApplicationCredentialId,
    lab: LabMachine,
}

impl Machine {
    fn new(lab: &KeystoneLab, roles: &[&str]) -> Self {
        Self::of(lab.machine(roles))
    }

    fn of(lab: LabMachine) -> Self {
        Self {
            user: UserId::parse(&lab.user_id).unwrap(),
            project: ProjectId::parse(&lab.project_id).unwrap(),
            credential: ApplicationCredentialId::parse(&lab.credential_id).unwrap(),
            lab,
        }
    }

    fn login(&self) -> MachineLogin<'_> {
        MachineLogin::ApplicationCredential {
            id: &self.credential,
            secret: &self.lab.credential_secret,
        }
    }

    fn minted(&self) -> MachineLogin<'_> {
        MachineLogin::MintedApplicationCredential {
            id: &self.credential,
            user_id: &self.user,
            project_id: &self.project,
        }
    }

    fn minted_user(&self) -> MachineLogin<'_> {
        MachineLogin::MintedUser {
            user_id: &self.user,
            project_id: &self.project,
        }
    }

    /// The user's own session, by password.
    fn session(&self, lab: &KeystoneLab) -> KeystoneSession {
        let secret = Secret::from(self.lab.password.as_str());
        let login = Authentication::password(UserKey::Id(self.user.clone()), secret);
        let scope = LoginScope::Project(ProjectKey::Id(self.project.clone()));
        KeystoneSession::login(client(lab), login.with_scope(scope))
    }
}

/// The code of RFC 6238 for now and a base32 secret.
fn totp(secret: &str) -> Secret {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: Vec<bool> = secret
        .bytes()
        .flat_map(|byte| {
            let value = alphabet.iter().position(|letter| *letter == byte).unwrap();
            (0..5).rev().map(move |bit| value >> bit & 1 == 1)
        })
        .collect();
    let octet = |bits: &[bool]| bits.iter().fold(0_u8, |octet, bit| octet << 1 | u8::from(*bit));
    let key: Vec<u8> = bits.chunks_exact(8).map(octet).collect();
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() / 30;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = hmac::sign(&key, &now.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let four: [u8; 4] = tag.as_ref()[at..at + 4].try_into().unwrap();
    Secret::from(format!(
        "{:06}",
        (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000
    ))
}

#[tokio::test]
async fn passwords_tokens_and_each_scope() {
    let lab = KeystoneLab::shared();
    let client = client(lab);
    let issued = complete(&client, &password(lab, "alice").with_scope(project(lab, "web"))).await;
    assert_eq!(
        roles(&issued),
        ["deployer", "member", "reader"],
        "implied roles are written out"
    );
    assert_eq!(
        (
            issued.info.user.name.as_str(),
            issued.info.user.domain.name.as_str()
        ),
        ("alice", "acme")
    );
    let unscoped = complete(&client, &password(lab, "alice").with_scope(LoginScope::Unscoped)).await;
    assert_eq!(unscoped.info.scope, TokenScope::Unscoped);
    let acme = || DomainKey::Id(DomainId::parse(lab.seed().domain("acme")).unwrap());
    let domain = complete(
        &client,
        &password(lab, "alice").with_scope(LoginScope::Domain(acme())),
    )
    .await;
    assert!(matches!(domain.info.scope, TokenScope::Domain(_)));
    let system = complete(&client, &password(lab, "sysadmin").with_scope(LoginScope::System)).await;
    assert_eq!(system.info.scope, TokenScope::System);
    let rescoped = Authentication::token(unscoped.token.clone()).with_scope(project(lab, "web"));
    let rescoped = complete(&client, &rescoped).await;
    assert_eq!(rescoped.info.audit_ids.len(), 2, "its own, and the chain's");
    let by_name = UserKey::Name {
        name: "alice".to_owned(),
        domain: DomainKey::Name("acme".to_owned()),
    };
    let in_web = LoginScope::Project(ProjectKey::Name {
        name: "web".to_owned(),
        domain: acme(),
    });
    let secret = Secret::from(lab.seed().user("alice").password.as_str());
    let named = Authentication::password(by_name, secret)
        .with_scope(in_web)
        .with_catalog();
    let named = complete(&client, &named).await;
    assert_eq!(named.info.catalog.unwrap().urls("identity", "public").count(), 1);
    for (wrong, want) in [
        (
            Authentication::password(user(lab, "alice"), Secret::from("wrong")),
            KeystoneRefusal::Unauthenticated,
        ),
        (
            password(lab, "alice").with_scope(LoginScope::System),
            KeystoneRefusal::Unauthenticated,
        ),
        (
            password(lab, "alice").with_scope(project(lab, "service")),
            KeystoneRefusal::Unauthenticated,
        ),
        (
            Authentication::password(UserKey::Id(UserId::parse("nobody").unwrap()), Secret::from("x")),
            KeystoneRefusal::Unauthenticated,
        ),
        (
            Authentication::token(sealstone_keystone::Token::parse("gAAAAA").unwrap()),
            KeystoneRefusal::NotFound,
        ),
    ] {
        assert_eq!(refusal(&client, &wrong).await, want, "{wrong:?}");
    }
}

#[tokio::test]
async fn two_factors_in_one_step_and_in_two() {
    let lab = KeystoneLab::shared();
    let client = client(lab);
    let code = || Factor::Totp {
        user: user(lab, "bob"),
        passcode: totp(lab.seed().user("bob").totp_secret.as_deref().unwrap()),
    };
    let web = || project(lab, "web");
    let both = complete(&client, &password(lab, "bob").and(code()).with_scope(web())).await;
    assert_eq!(both.info.methods.len(), 2);
    let Login::Incomplete(receipt) = client
        .authenticate(&password(lab, "bob").with_scope(web()))
        .await
        .unwrap()
    else {
        panic!("bob needs two factors");
    };
    assert_eq!(
        (receipt.user_name().as_str(), receipt.methods().len()),
        ("bob", 1)
    );
    assert!(
        receipt.required_methods()[0]
            .iter()
            .any(|method| method.as_str() == "totp")
    );
    let second = Authentication::continuing(receipt.clone(), code()).with_scope(web());
    assert_eq!(complete(&client, &second).await.info.methods.len(), 2);
    let wrong = Factor::Totp {
        user: user(lab, "bob"),
        passcode: Secret::from("000000"),
    };
    assert_eq!(
        refusal(&client, &Authentication::continuing(receipt.clone(), wrong)).await,
        KeystoneRefusal::Unauthenticated
    );
    let of_alice = Factor::Password {
        user: user(lab, "alice"),
        password: Secret::from("alice-Pw-1"),
    };
    assert_eq!(
        refusal(&client, &Authentication::continuing(receipt, of_alice)).await,
        KeystoneRefusal::Unauthenticated
    );
}

#[tokio::test]
async fn application_credentials_by_id_and_by_name_with_their_rules() {
    let lab = KeystoneLab::shared();
    let client = client(lab);
    let of = |name: &str| {
        let seeded = lab.seed().application_credential(name);
        let id = ApplicationCredentialId::parse(&seeded.id).unwrap();
        (id, Secret::from(seeded.secret.as_str()))
    };
    let (id, secret) = of("restricted");
    let issued = complete(
        &client,
        &Authentication::application_credential(id.clone(), secret.clone()),
    )
    .await;
    let used = issued.info.application_credential.as_ref().unwrap();
    assert_eq!(
        (used.name.as_str(), used.restricted, used.access_rules.as_ref()),
        ("restricted", true, None)
    );
    assert_eq!(roles(&issued), ["reader"]);
    let named = Factor::NamedApplicationCredential {
        name: "restricted".to_owned(),
        user: user(lab, "alice"),
        secret: secret.clone(),
    };
    assert_eq!(
        complete(&client, &Authentication::new(named)).await.info.scope,
        issued.info.scope
    );
    let (ruled, ruled_secret) = of("access_rules");
    let ruled = complete(
        &client,
        &Authentication::application_credential(ruled, ruled_secret),
    )
    .await;
    let rules = ruled
        .info
        .application_credential
        .as_ref()
        .unwrap()
        .access_rules
        .as_ref()
        .unwrap();
    assert_eq!(rules.len(), 2);
    // We say that we know access rules; Keystone lets such a token ask about itself by GET, and not by HEAD.
    assert!(client.validate(&ruled.token, &ruled.token).await.is_ok());
    let by_head = client.is_valid(&ruled.token, &ruled.token).await.unwrap_err();
    assert_eq!(by_head.refusal(), Some(KeystoneRefusal::Unauthenticated));
    let (open, open_secret) = of("unrestricted");
    let open = complete(
        &client,
        &Authentication::application_credential(open, open_secret),
    )
    .await;
    assert!(!open.info.application_credential.unwrap().restricted);
    for wrong in [
        Authentication::application_credential(id.clone(), Secret::from("wrong")),
        Authentication::application_credential(id, secret).with_scope(project(lab, "ci")),
    ] {
        assert_eq!(refusal(&client, &wrong).await, KeystoneRefusal::Unauthenticated);
    }
    let unknown = ApplicationCredentialId::parse("00000000000000000000000000000000").unwrap();
    let unknown = Authentication::application_credential(unknown, Secret::from("x"));
    assert!(matches!(
        refusal(&client, &unknown).await,
        KeystoneRefusal::Unauthenticated | KeystoneRefusal::NotFound
    ));
}

#[tokio::test]
async fn trusts_are_made_used_and_ended() {
    let lab = KeystoneLab::shared();
    let client = client(lab);
    let trust = |name: &str| LoginScope::Trust(TrustId::parse(&lab.seed().trusts[name]).unwrap());
    let lent = complete(
        &client,
        &password(lab, "carol").with_scope(trust("impersonating")),
    )
    .await;
    assert_eq!(lent.info.user.name.as_str(), "alice");
    assert!(lent.info.trust.unwrap().impersonation);
    let own = complete(&client, &password(lab, "carol").with_scope(trust("plain"))).await;
    assert_eq!(own.info.user.name.as_str(), "carol");
    let machine = Machine::new(lab, &["member"]);
    let session = machine.session(lab);
    let carol = UserId::parse(&lab.seed().user("carol").id).unwrap();
    let new = NewTrust::new(
        machine.user.clone(),
        carol,
        machine.project.clone(),
        vec![RoleKey::Name("member".to_owned())],
    );
    let made = session.create_trust(&new.with_uses(1)).await.unwrap();
    assert_eq!(made.remaining_uses, Some(1));
    assert_eq!(session.trusts(Some(&machine.user)).await.unwrap().len(), 1);
    assert_eq!(session.trust(&made.id).await.unwrap().roles.unwrap().len(), 1);
    assert!(admin(lab).trusts(None).await.unwrap().len() >= 3);
    session.delete_trust(&made.id).await.unwrap();
    let gone = password(lab, "carol").with_scope(LoginScope::Trust(made.id));
    assert!(client.authenticate(&gone).await.is_err());
}

#[tokio::test]
async fn tokens_are_validated_and_revoked() {
    let lab = KeystoneLab::shared();
    let client = client(lab);
    let machine = Machine::new(lab, &["member"]);
    let session = machine.session(lab);
    let token = session.token().await.unwrap();
    let info = client.validate(&token, &token).await.unwrap();
    assert_eq!((info.user.id, info.catalog), (machine.user.clone(), None));
    assert!(client.is_valid(&token, &token).await.unwrap());
    let nonsense = sealstone_keystone::Token::parse("nonsense").unwrap();
    assert_eq!(
        client.validate(&token, &nonsense).await.unwrap_err().refusal(),
        Some(KeystoneRefusal::NotFound)
    );
    assert!(!client.is_valid(&token, &nonsense).await.unwrap());
    let others = admin(lab).token().await.unwrap();
    assert_eq!(
        client.validate(&token, &others).await.unwrap_err().refusal(),
        Some(KeystoneRefusal::Forbidden)
    );
    assert_eq!(
        client.validate(&nonsense, &token).await.unwrap_err().refusal(),
        Some(KeystoneRefusal::Unauthenticated)
    );
    client.revoke(&token, &token).await.unwrap();
    assert!(!client.is_valid(&others, &token).await.unwrap());
    let events = admin(lab).revocations(None).await.unwrap();
    assert!(
        events
            .iter()
            .any(|event| event.audit_id.as_ref() == info.audit_ids.first())
    );
    // The session notices that its token is dead, and gets another.
    assert_eq!(session.own_projects().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_directory_is_listed() {
    let lab = KeystoneLab::shared();
    let admin = admin(lab);
    assert!(
        admin
            .client()
            .version()
            .await
            .unwrap()
            .id
            .as_str()
            .starts_with("v3")
    );
    let acme = DomainId::parse(lab.seed().domain("acme")).unwrap();
    let filter = UserFilter {
        domain_id: Some(acme.clone()),
        ..UserFilter::default()
    };
    let users = admin.users(&filter).await.unwrap();
    assert!(
        users
            .iter()
            .any(|user| user.name.as_str() == "alice" && user.enabled)
    );
    assert!(users.iter().all(|user| user.domain_id == acme));
    assert!(admin.users(&UserFilter::default()).await.unwrap().len() > users.len());
    let alice = UserId::parse(&lab.seed().user("alice").id).unwrap();
    assert_eq!(admin.user(&alice).await.unwrap().name.as_str(), "alice");
    let bob = UserId::parse(&lab.seed().user("bob").id).unwrap();
    assert_eq!(
        admin.user(&bob).await.unwrap().options.multi_factor_auth_enabled,
        Some(true)
    );
    let ops = GroupId::parse(&lab.seed().groups["ops"]).unwrap();
    assert!(
        admin
            .groups(Some(&acme))
            .await
            .unwrap()
            .iter()
            .any(|group| group.id == ops)
    );
    assert_eq!(admin.group(&ops).await.unwrap().name.as_str(), "ops");
    assert!(
        admin
            .members(&ops)
            .await
            .unwrap()
            .iter()
            .any(|user| user.id == alice)
    );
    assert!(admin.is_member(&ops, &alice).await.unwrap());
    assert!(!admin.is_member(&ops, &bob).await.unwrap());
    assert_eq!(admin.groups_of(&alice).await.unwrap().len(), 1);
    let projects = ProjectFilter {
        name: Some("web".to_owned()),
        ..ProjectFilter::default()
    };
    let web = &admin.projects(&projects).await.unwrap()[0];
    assert_eq!(admin.project(&web.id).await.unwrap().name.as_str(), "web");
    assert!(
        admin
            .projects_of(&alice)
            .await
            .unwrap()
            .iter()
            .any(|project| project.id == web.id)
    );
    assert!(
        admin
            .domains()
            .await
            .unwrap()
            .iter()
            .any(|domain| domain.id == acme)
    );
    assert_eq!(admin.domain(&acme).await.unwrap().name.as_str(), "acme");
    let roles = admin.roles(None).await.unwrap();
    let deployer = roles
        .iter()
        .find(|role| role.name.as_str() == "deployer")
        .unwrap();
    let implied = admin.implied_by(&deployer.id).await.unwrap();
    assert_eq!(implied.implies[0].name.as_str(), "member");
    assert!(
        admin
            .role_inferences()
            .await
            .unwrap()
            .iter()
            .any(|rule| rule.prior_role.id == deployer.id)
    );
    assert_eq!(admin.role(&deployer.id).await.unwrap().domain_id, None);
    let in_web = KeystoneSession::login(
        client(lab),
        password(lab, "alice").with_scope(project(lab, "web")),
    );
    assert!(!in_web.catalog().await.unwrap().services().is_empty());
    let missing = admin.user(&UserId::parse("nobody").unwrap()).await.unwrap_err();
    assert_eq!(missing.refusal(), Some(KeystoneRefusal::NotFound));
    assert_eq!(
        in_web.domains().await.unwrap_err().refusal(),
        Some(KeystoneRefusal::Forbidden)
    );
}

#[tokio::test]
async fn assignments_are_written_and_effective() {
    let lab = KeystoneLab::shared();
    let admin = admin(lab);
    let machine = Machine::new(lab, &["deployer"]);
    let written = AssignmentFilter {
        user_id: Some(machine.user.clone()),
        names: true,
        ..AssignmentFilter::default()
    };
    let found = admin.assignments(&written).await.unwrap();
    assert_eq!((found.len(), found[0].inherited), (1, false));
    assert_eq!(found[0].role.name.as_ref().unwrap().as_str(), "deployer");
    let effective = AssignmentFilter {
        effective: true,
        ..written.clone()
    };
    let found = admin.assignments(&effective).await.unwrap();
    let in_project = |scope: &AssignmentScope| matches!(scope, AssignmentScope::Project(project) if project.id == machine.project);
    assert!(found.iter().all(|assignment| in_project(&assignment.scope)));
    let mut names: Vec<_> = found
        .iter()
        .map(|found| found.role.name.as_ref().unwrap().as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["deployer", "member", "reader"]);
    // A role that a domain hands down to its projects.
    let domain = &machine.lab.domain_id;
    let manager = RoleId::parse(lab.seed().role("manager")).unwrap();
    let path = format!(
        "/OS-INHERIT/domains/{domain}/users/{}/roles/{manager}/inherited_to_projects",
        machine.user
    );
    lab.change("PUT", &path, None);
    let found = admin.assignments(&written).await.unwrap();
    assert!(
        found
            .iter()
            .any(|assignment| assignment.inherited && assignment.role.id == manager)
    );
    let in_this_project = AssignmentFilter {
        project_id: Some(machine.project.clone()),
        ..effective
    };
    let found = admin.assignments(&in_this_project).await.unwrap();
    assert!(found.iter().any(|assignment| assignment.role.id == manager));
    assert!(
        !admin
            .assignments(&AssignmentFilter {
                system: true,
                ..AssignmentFilter::default()
            })
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn application_credentials_are_made_listed_shown_and_deleted() {
    let lab = KeystoneLab::shared();
    let machine = Machine::new(lab, &["member"]);
    let session = machine.session(lab);
    let end = rustls_pki_types::UnixTime::since_unix_epoch(Duration::from_secs(4_000_000_000));
    let new = NewApplicationCredential::new("ruled")
        .with_description("made by a test")
        .with_roles(vec![RoleKey::Name("member".to_owned())])
        .with_access_rules(vec![
            AccessRule::new("compute", "GET", "/v2.1/servers/**").unwrap(),
        ])
        .ending_at(end);
    let made = session
        .create_application_credential(&machine.user, &new)
        .await
        .unwrap();
    assert_eq!(made.credential.expires_at, Some(end));
    assert!(!made.credential.unrestricted);
    let conflict = session
        .create_application_credential(&machine.user, &new)
        .await
        .unwrap_err();
    assert_eq!(conflict.refusal(), Some(KeystoneRefusal::Conflict));
    assert_eq!(
        session
            .application_credentials(&machine.user)
            .await
            .unwrap()
            .len(),
        2
    );
    let shown = session
        .application_credential(&machine.user, &made.credential.id)
        .await
        .unwrap();
    assert_eq!(
        shown.access_rules.as_ref().unwrap()[0].path.as_str(),
        "/v2.1/servers/**"
    );
    // An administrator sees them, and makes none for others.
    let admin = admin(lab);
    assert_eq!(
        admin.application_credentials(&machine.user).await.unwrap().len(),
        2
    );
    let foreign = admin
        .create_application_credential(&machine.user, &NewApplicationCredential::new("x"))
        .await;
    assert!(foreign.unwrap_err().refusal().is_some());
    let login = Authentication::application_credential(made.credential.id.clone(), made.secret);
    let issued = complete(&client(lab), &login).await;
    session
        .delete_application_credential(&machine.user, &made.credential.id)
        .await
        .unwrap();
    assert_eq!(refusal(&client(lab), &login).await, KeystoneRefusal::NotFound);
    assert!(
        !client(lab)
            .is_valid(&session.token().await.unwrap(), &issued.token)
            .await
            .unwrap_or(false)
    );
    let rules = session.access_rules(&machine.user).await.unwrap();
    assert_eq!(rules.len(), 1, "rules outlive credentials");
    session
        .delete_access_rule(&machine.user, &rules[0].id)
        .await
        .unwrap();
}

#[tokio::test]
async fn ec2_keys_and_stored_credentials_are_listed() {
    let lab = KeystoneLab::shared();
    let alice = UserId::parse(&lab.seed().user("alice").id).unwrap();
    let keys = admin(lab).ec2_credentials(&alice).await.unwrap();
    assert!(
        keys.iter()
            .any(|key| key.access.as_str() == lab.seed().ec2.access)
    );
    let stored = admin(lab).credentials(Some("ec2")).await.unwrap();
    assert!(
        stored
            .iter()
            .any(|credential| credential.user_id == alice && credential.project_id.is_some())
    );
    assert!(
        stored
            .iter()
            .all(|credential| credential.credential_type.as_str() == "ec2")
    );
    assert!(admin(lab).credentials(None).await.unwrap().len() > stored.len());
}

#[tokio::test]
async fn a_user_is_disabled_and_loses_its_password() {
    let lab = KeystoneLab::shared();
    let admin = admin(lab);
    let client = client(lab);
    let machine = Machine::new(lab, &["member"]);
    let secret = Secret::from(machine.lab.password.as_str());
    let by_password = Authentication::password(UserKey::Id(machine.user.clone()), secret.clone());
    let by_credential = Authentication::application_credential(
        machine.credential.clone(),
        Secret::from(machine.lab.credential_secret.as_str()),
    );
    let change = |update| {
        let (admin, user) = (&admin, &machine.user);
        async move { admin.update_user(user, &update).await.unwrap() }
    };
    let off = change(UserUpdate {
        enabled: Some(false),
        ..UserUpdate::default()
    })
    .await;
    assert!(!off.enabled);
    assert_eq!(
        refusal(&client, &by_password).await,
        KeystoneRefusal::Unauthenticated
    );
    assert_eq!(
        refusal(&client, &by_credential).await,
        KeystoneRefusal::Unauthenticated
    );
    change(UserUpdate {
        enabled: Some(true),
        ..UserUpdate::default()
    })
    .await;
    complete(&client, &by_password).await;
    change(UserUpdate {
        password: Some(PasswordChange::Removed),
        ..UserUpdate::default()
    })
    .await;
    assert_eq!(
        refusal(&client, &by_password).await,
        KeystoneRefusal::Unauthenticated
    );
    complete(&client, &by_credential).await;
    change(UserUpdate {
        password: Some(PasswordChange::To(secret)),
        ..UserUpdate::default()
    })
    .await;
    complete(&client, &by_password).await;
}

#[tokio::test]
async fn the_source_reads_a_machine_and_its_end() {
    let lab = KeystoneLab::shared();
    let more = serde_json::json!({"access_rules": [{"service": "compute", "method": "GET", "path": "/v2.1/servers"}]});
    let machine = Machine::of(lab.machine_with(&["member"], &more));
    let source = KeystoneIdentity::builder(client(lab))
        .with_max_age(Duration::from_secs(1))
        .build();
    let known = source.machine(&machine.login()).await.unwrap();
    assert_eq!(known.authority.user().id(), &machine.user);
    assert_eq!(known.authority.access_rules().unwrap().len(), 1);
    let roles: Vec<_> = known.authority.roles().iter().map(|role| role.as_str()).collect();
    assert_eq!(
        roles,
        ["member", "reader"],
        "the credential's role, and what it implies"
    );
    assert!(known.application_credential.as_ref().unwrap().restricted);
    let token = source.keystone_token(&machine.login(), None, None).await.unwrap();
    assert!(lab.validated(token.expose()).is_some());
    let wrong = MachineLogin::ApplicationCredential {
        id: &machine.credential,
        secret: "wrong",
    };
    let refused = source.machine(&wrong).await;
    assert!(
        matches!(refused, Err(IdentitySourceError::Refused(Refusal::Credential))),
        "{refused:?}"
    );
    machine
        .session(lab)
        .delete_application_credential(&machine.user, &machine.credential)
        .await
        .unwrap();
    until(|| async {
        matches!(
            source.machine(&machine.login()).await,
            Err(IdentitySourceError::Refused(_))
        )
    })
    .await;
}

/// Polls what a real Keystone needs a moment for.
async fn until<F: Future<Output = bool>>(mut is_so: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "it does not come about");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_disabled_user_ends_within_a_poll_of_the_revocations() {
    let lab = KeystoneLab::shared();
    let machine = Machine::new(lab, &["member"]);
    let account = admin_login(lab);
    let source = KeystoneIdentity::builder(client(lab))
        .with_service_account(account)
        .with_max_age(Duration::from_secs(3600))
        .with_poll_interval(Duration::from_millis(100))
        .build();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let following = source.clone();
    let follower =
        tokio::spawn(async move { following.follow_revocations(async { drop(stopped.await) }).await });
    until(|| async { source.followed_at().is_some() }).await;
    source.machine(&machine.login()).await.unwrap();
    let off = UserUpdate {
        enabled: Some(false),
        ..UserUpdate::default()
    };
    admin(lab).update_user(&machine.user, &off).await.unwrap();
    let is_refused = || async {
        matches!(
            source.machine(&machine.login()).await,
            Err(IdentitySourceError::Refused(_))
        )
    };
    tokio::time::timeout(Duration::from_secs(10), until(is_refused))
        .await
        .unwrap();
    stop.send(()).unwrap();
    follower.await.unwrap();
}

fn admin_login(lab: &KeystoneLab) -> Authentication {
    let user = UserKey::Name {
        name: "admin".to_owned(),
        domain: DomainKey::Id(DomainId::parse("default").unwrap()),
    };
    let secret = Secret::from(lab.environment()["OS_PASSWORD"].as_str());
    Authentication::password(user, secret).with_scope(LoginScope::System)
}

fn minting(lab: &KeystoneLab, key: JwsPrivateKey) -> KeystoneIdentity {
    let entropy = |octets: &mut [u8; 16]| aws_lc_rs::rand::fill(octets).map_err(|_| EntropyFailed);
    let mint = TokenMint::new(JwsTokenIssuer::new(key), Duration::from_secs(600), entropy);
    KeystoneIdentity::builder(client(lab))
        .with_max_age(Duration::from_secs(1))
        .with_mint(mint)
        .build()
}

#[tokio::test]
async fn tokens_minted_here_are_keystones_own() {
    let lab = KeystoneLab::shared_jws();
    let key = JwsPrivateKey::generate(JwsAlgorithm::Es256).unwrap();
    let name = format!("keystone-crate-{}", std::process::id());
    lab.trust_jws_key(&name, &key.public_key().to_pem().unwrap());
    let more = serde_json::json!({"access_rules": [{"service": "compute", "method": "GET", "path": "/v2.1/servers"}]});
    let machine = Machine::of(lab.machine_with(&["deployer"], &more));
    let source = minting(lab, key);
    let known = source.machine(&machine.minted()).await.unwrap();
    assert_eq!(
        known.application_credential.as_ref().unwrap().id,
        machine.credential
    );
    assert_eq!(known.authority.access_rules().unwrap().len(), 1);
    let known = source.machine(&machine.minted_user()).await.unwrap();
    let roles: Vec<_> = known.authority.roles().iter().map(|role| role.as_str()).collect();
    assert_eq!(roles, ["deployer", "member", "reader"]);
    let thumbprint = "DEv_lOr2kltZwAY7SAET4maGJxn-j6GjLXgSbxpepUM=";
    let not_after = rustls_pki_types::UnixTime::since_unix_epoch(Duration::from_secs(4_000_000_000));
    let bound = KeystoneBinding {
        thumbprint,
        not_after,
    };
    let token = source
        .keystone_token(&machine.minted_user(), Some(bound), None)
        .await
        .unwrap();
    let said = lab.validated(token.expose()).unwrap();
    assert_eq!(said["oauth2_credential"]["x5t#S256"], thumbprint);
    assert_eq!(said["methods"], serde_json::json!(["oauth2_credential"]));
    let token = source
        .keystone_token(&machine.minted(), None, None)
        .await
        .unwrap();
    let token = sealstone_keystone::Token::parse(token.expose()).unwrap();
    let info = client(lab).validate(&token, &token).await.unwrap();
    assert_eq!(info.application_credential.unwrap().id, machine.credential);
    // A project in which the user has no role; a credential that does not exist.
    let other = Machine::new(lab, &["member"]);
    for login in [
        MachineLogin::MintedUser {
            user_id: &machine.user,
            project_id: &other.project,
        },
        MachineLogin::MintedApplicationCredential {
            id: &ApplicationCredentialId::parse("00000000000000000000000000000000").unwrap(),
            user_id: &machine.user,
            project_id: &machine.project,
        },
    ] {
        let outcome = source.machine(&login).await;
        assert!(
            matches!(
                outcome,
                Err(IdentitySourceError::Refused(_) | IdentitySourceError::Malformed { .. })
            ),
            "{login:?}: {outcome:?}"
        );
    }
    // Keystone does not ask whose credential a signed token names: it gives what the credential and the user's own
    // roles have in common. Whoever registers a client must ask, and is told.
    let foreign = MachineLogin::MintedApplicationCredential {
        id: &other.credential,
        user_id: &machine.user,
        project_id: &machine.project,
    };
    let known = source.machine(&foreign).await.unwrap();
    let roles: Vec<_> = known.authority.roles().iter().map(|role| role.as_str()).collect();
    assert_eq!(roles, ["member", "reader"]);
    let asked = admin(lab)
        .application_credential(&machine.user, &other.credential)
        .await;
    assert!(asked.is_err(), "{asked:?}");
    let off = UserUpdate {
        enabled: Some(false),
        ..UserUpdate::default()
    };
    admin(lab).update_user(&machine.user, &off).await.unwrap();
    until(|| async {
        matches!(
            source.machine(&machine.minted_user()).await,
            Err(IdentitySourceError::Refused(_))
        )
    })
    .await;
    lab.distrust_jws_key(&name);
    until(|| async {
        matches!(
            source.machine(&other.minted_user()).await,
            Err(IdentitySourceError::Refused(_))
        )
    })
    .await;
}

#[tokio::test]
async fn over_tls_only_the_named_authority_counts() {
    let lab = KeystoneLab::shared();
    for front in [LabFront::Nginx, LabFront::Apache] {
        let config = KeystoneConfig::new(lab.tls(front))
            .unwrap()
            .with_call_deadline(PATIENCE);
        let right = config
            .clone()
            .with_authorities(lab.seed().ca_pem().as_bytes())
            .unwrap();
        let right = KeystoneClient::new(&right).unwrap();
        complete(&right, &password(lab, "alice").with_scope(project(lab, "web"))).await;
        let stranger = sealstone_testkit::TestCa::new("Strangers").pem();
        let wrong = KeystoneClient::new(&config.with_authorities(stranger.as_bytes()).unwrap()).unwrap();
        assert!(
            wrong.authenticate(&password(lab, "alice")).await.is_err(),
            "{front:?}"
        );
    }
}

/// Two nodes that cannot read each other's tokens, as in the middle of an upgrade; then none; then both again.
#[tokio::test]
async fn a_pool_that_disagrees_goes_away_and_comes_back() {
    let mut lab = KeystoneLab::start(&LabOptions::new().nodes(2).balancer().with(&["--own-keys"]));
    let machine = Machine::new(&lab, &["member"]);
    let config = KeystoneConfig::new(lab.balancer().unwrap()).unwrap();
    let keystone = KeystoneClient::new(&config.with_call_deadline(PATIENCE)).unwrap();
    let source = KeystoneIdentity::builder(keystone)
        .with_max_age(Duration::from_secs(2))
        .build();
    let first = source.machine(&machine.login()).await.unwrap().read_at;
    until(|| async {
        let known = source.machine(&machine.login()).await.unwrap();
        known.read_at.as_secs() >= first.as_secs() + 5
    })
    .await;
    lab.stop();
    let is_away = || async {
        match source.machine(&machine.login()).await {
            Err(IdentitySourceError::Unavailable { .. }) => true,
            Ok(_inside_its_age) => false,
            Err(other) => panic!("an outage is no refusal: {other:?}"),
        }
    };
    tokio::time::timeout(Duration::from_secs(10), until(is_away))
        .await
        .unwrap();
    lab.restart(&[]);
    until(|| async { source.machine(&machine.login()).await.is_ok() }).await;
}
