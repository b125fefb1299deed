//! The ties of a client to OpenStack: what a registration may say, what is kept, what is shown.

use std::convert::Infallible;

use rustls_pki_types::UnixTime;
use sealstone_identity::{DomainId, ProjectId, UserId};
use sealstone_oauth_types::ClientId;
use sealstone_registry::{
    Client, ClientRegistration, CredentialLogin, MachineTie, RECORD_VERSION, RegistrationError, SealedSecret,
};
use sealstone_testkit::unix_time;
use serde_json::{Value, json};

const SECRET: &str = "keystone-made-this-one";

fn now() -> UnixTime {
    unix_time(1_800_000_000)
}

/// As a server seals, but in a way that a test can read.
fn sealed(text: &str) -> SealedSecret {
    SealedSecret::parse(&format!("v1.test.{}", text.len())).unwrap()
}

fn parse(members: &Value) -> Result<ClientRegistration, RegistrationError> {
    let mut document = json!({
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": "CN=ci",
        "scope": "openstack:api",
    });
    let base = document.as_object_mut().unwrap();
    for (name, value) in members.as_object().unwrap() {
        base.insert(name.clone(), value.clone());
    }
    let mut registration = ClientRegistration::from_json(document.to_string().as_bytes())?;
    let done = registration.seal_application_credential_secret(|secret| {
        assert_eq!(secret.expose(), SECRET);
        Ok::<_, Infallible>(sealed(secret.expose()))
    });
    assert!(done.is_ok());
    Ok(registration)
}

fn register(members: &Value) -> Result<Client, RegistrationError> {
    parse(members)?.into_client(
        DomainId::parse("demo").unwrap(),
        ClientId::parse("ci").unwrap(),
        None,
        now(),
    )
}

fn by_secret() -> Value {
    json!({"openstack_application_credential_id": "ac1", "openstack_application_credential_secret": SECRET})
}

fn minted() -> Value {
    json!({"openstack_application_credential_id": "ac1", "openstack_minted": true,
           "openstack_user_id": "u1", "openstack_project_id": "p1"})
}

fn user() -> Value {
    json!({"openstack_user_id": "u1", "openstack_project_id": "p1"})
}

fn authority() -> Value {
    json!({"authority": {
        "user": {"id": "u1", "name": "ci", "domain_id": "demo"},
        "scope": {"type": "project", "id": "p1", "name": "builds", "domain_id": "demo"},
        "roles": ["member"],
    }})
}

fn both(one: &Value, other: &Value) -> Value {
    let mut both = one.clone();
    both.as_object_mut()
        .unwrap()
        .extend(other.as_object().unwrap().clone());
    both
}

#[test]
fn each_kind_of_tie_is_kept_and_read_back() {
    let pinned = both(&by_secret(), &user());
    let dangerous = both(
        &minted(),
        &json!({"dangerous_unrestricted_application_credential": true}),
    );
    let ending = both(
        &minted(),
        &json!({"openstack_application_credential_expires_at": 1_900_000_000_u64}),
    );
    let mapped = json!({"openstack_project_id": "p1", "openstack_mapping": {"rules": [{
        "local": [{"user": {"id": "{0}"}}], "remote": [{"type": "SSL_CLIENT_SUBJECT_DN_UID"}],
    }]}});
    for members in [
        authority(),
        by_secret(),
        pinned,
        minted(),
        dangerous,
        ending,
        user(),
        mapped,
    ] {
        let client = register(&members).unwrap();
        let again = Client::from_record(client.to_record().unwrap().as_bytes()).unwrap();
        assert_eq!(again, client, "{members}");
        let renamed = ClientRegistration {
            client_name: Some("renamed".into()),
            ..client.registration()
        };
        let renamed = client.updated(renamed, None, now()).unwrap();
        assert_eq!(renamed.tie(), client.tie(), "{members}");
        assert_eq!(renamed.tie_changed_at(), None, "{members}");
    }
}

#[test]
fn a_registration_that_does_not_say_one_whole_tie_is_refused() {
    type Wanted = fn(&RegistrationError) -> bool;
    let cases: Vec<(Value, Wanted)> = vec![
        (json!({}), |e| matches!(e, RegistrationError::AuthorityMissing)),
        (both(&user(), &json!({"scope": "metrics:read"})), |e| {
            matches!(e, RegistrationError::AuthorityUnused)
        }),
        (
            both(&authority(), &user()),
            |e| matches!(e, RegistrationError::SeveralTies { member, .. } if *member == "openstack_user_id"),
        ),
        (both(&authority(), &by_secret()), |e| {
            matches!(e, RegistrationError::SeveralTies { .. })
        }),
        (
            both(&authority(), &json!({"openstack_minted": false})),
            |e| matches!(e, RegistrationError::SeveralTies { member, .. } if *member == "openstack_minted"),
        ),
        (json!({"openstack_application_credential_id": "ac1"}), |e| {
            matches!(e, RegistrationError::ApplicationCredentialSecretMissing)
        }),
        (
            both(&user(), &json!({"openstack_application_credential_id": "ac1"})),
            |e| matches!(e, RegistrationError::ApplicationCredentialSecretMissing),
        ),
        (both(&minted(), &by_secret()), |e| {
            matches!(e, RegistrationError::SecretAndMinted)
        }),
        (
            json!({"openstack_application_credential_id": "ac1", "openstack_minted": true}),
            |e| matches!(e, RegistrationError::MintedIncomplete),
        ),
        (json!({"openstack_user_id": "u1"}), |e| {
            matches!(e, RegistrationError::MintedIncomplete)
        }),
        (json!({"openstack_project_id": "p1"}), |e| {
            matches!(e, RegistrationError::MintedIncomplete)
        }),
        (both(&user(), &json!({"openstack_minted": false})), |e| {
            matches!(e, RegistrationError::MintedIncomplete)
        }),
        (
            both(
                &user(),
                &json!({"openstack_application_credential_secret": SECRET}),
            ),
            |e| matches!(e, RegistrationError::NoApplicationCredential { .. }),
        ),
        (
            both(
                &user(),
                &json!({"openstack_application_credential_expires_at": 1}),
            ),
            |e| matches!(e, RegistrationError::NoApplicationCredential { .. }),
        ),
        (
            both(
                &user(),
                &json!({"dangerous_unrestricted_application_credential": true}),
            ),
            |e| matches!(e, RegistrationError::NoApplicationCredential { .. }),
        ),
        (
            json!({"openstack_user_id": "../u1", "openstack_project_id": "p1"}),
            |e| matches!(e, RegistrationError::Malformed { member, .. } if member == "openstack_user_id"),
        ),
        (
            json!({"sealed_application_credential_secret": "v1.test.22"}),
            |e| matches!(e, RegistrationError::UnknownMember { .. }),
        ),
    ];
    for (members, is_wanted) in cases {
        let error = register(&members).expect_err(&members.to_string());
        assert!(is_wanted(&error), "{members}: {error:?}");
        assert!(!error.to_string().contains(SECRET), "{error}");
    }
}

/// O09: the secret of the application credential goes in and never comes out.
#[test]
fn o09_the_secret_of_an_application_credential_is_never_shown_again() {
    let client = register(&by_secret()).unwrap();
    let shown = serde_json::to_string(&client.registration()).unwrap();
    let record = client.to_record().unwrap();
    assert!(record.contains(sealed(SECRET).as_str()));
    for text in [
        &shown,
        &record,
        &format!("{client:?}"),
        &format!("{:?}", parse(&by_secret())),
    ] {
        assert!(!text.contains(SECRET), "{text}");
    }
    assert!(!shown.contains("secret"), "{shown}");
    assert!(!shown.contains(sealed(SECRET).as_str()) && !format!("{client:?}").contains("v1.test"));
}

#[test]
fn a_secret_that_nobody_sealed_makes_no_client() {
    let document = both(
        &by_secret(),
        &json!({"scope": "openstack:api", "token_endpoint_auth_method": "tls_client_auth",
                "tls_client_auth_subject_dn": "CN=ci"}),
    );
    let registration = ClientRegistration::from_json(document.to_string().as_bytes()).unwrap();
    let made = registration.into_client(
        DomainId::parse("demo").unwrap(),
        ClientId::parse("ci").unwrap(),
        None,
        now(),
    );
    assert!(matches!(made, Err(RegistrationError::SecretNotSealed)));
}

#[test]
fn a_secret_follows_its_credential_and_no_other() {
    let client = register(&by_secret()).unwrap();
    let later = unix_time(1_800_000_100);
    let kept = parse(&json!({"openstack_application_credential_id": "ac1"})).unwrap();
    let kept = client.updated(kept, None, later).unwrap();
    assert_eq!(kept.tie(), client.tie());

    let other = parse(&json!({"openstack_application_credential_id": "ac2"})).unwrap();
    let refused = client.updated(other, None, later);
    assert!(matches!(
        refused,
        Err(RegistrationError::ApplicationCredentialSecretMissing)
    ));

    let without = client.updated(parse(&minted()).unwrap(), None, later).unwrap();
    assert_eq!(without.tie().sealed_secret(), None);
    let back = parse(&json!({"openstack_application_credential_id": "ac1"})).unwrap();
    assert!(without.updated(back, None, later).is_err(), "the secret is gone");
}

#[test]
fn another_identity_is_a_new_tie_and_its_date_is_kept() {
    let later = unix_time(1_800_000_100);
    let cases = [
        (by_secret(), by_secret(), false),
        (minted(), user(), true),
        (user(), authority(), true),
        (authority(), authority(), false),
        (
            both(&by_secret(), &user()),
            both(&minted(), &json!({"openstack_project_id": "p2"})),
            true,
        ),
        // The same credential, user and project: whether by its secret or not is our own affair.
        (both(&by_secret(), &user()), minted(), false),
        (
            user(),
            json!({"openstack_user_id": "u2", "openstack_project_id": "p1"}),
            true,
        ),
    ];
    for (before, after, changes) in cases {
        let client = register(&before).unwrap();
        let changed = client.updated(parse(&after).unwrap(), None, later).unwrap();
        assert_eq!(
            changed.tie_changed_at(),
            changes.then_some(later),
            "{before} {after}"
        );
        let again = Client::from_record(changed.to_record().unwrap().as_bytes()).unwrap();
        assert_eq!(again.tie_changed_at(), changed.tie_changed_at());
        let disabled = changed.with_enabled(false, unix_time(1_800_000_200));
        assert_eq!(disabled.tie_changed_at(), changed.tie_changed_at());
    }
}

#[test]
fn a_tie_names_what_it_is_pinned_to() {
    let user_id = UserId::parse("u1").unwrap();
    let project_id = ProjectId::parse("p1").unwrap();
    for members in [minted(), user(), both(&by_secret(), &user())] {
        let client = register(&members).unwrap();
        assert_eq!(client.tie().user_id(), Some(&user_id), "{members}");
        assert_eq!(client.tie().project_id(), Some(&project_id), "{members}");
        assert_eq!(client.authority(), None, "{members}");
    }
    for members in [authority(), by_secret()] {
        let client = register(&members).unwrap();
        assert_eq!((client.tie().user_id(), client.tie().project_id()), (None, None));
    }
    let client = register(&by_secret()).unwrap();
    let MachineTie::ApplicationCredential(credential) = client.tie() else {
        panic!("another tie")
    };
    assert!(matches!(credential.login, CredentialLogin::Secret { .. }));
    assert!(!credential.dangerous_unrestricted);
}

/// What the first version wrote, to the letter.
const FIRST_VERSION: &str = r#"{"record_version":1,"client_id":"ci","domain_id":"demo","version":3,
"created_at":1700000000,"updated_at":1700000100,"registration":{"client_name":"ci",
"token_endpoint_auth_method":"tls_client_auth","grant_types":["client_credentials"],"scope":"openstack:api",
"default_scope":"","tls_client_auth_subject_dn":"CN=ci","tls_client_certificate_bound_access_tokens":true,
"introspection":"none","authority":{"user":{"id":"u1","name":"ci","domain_id":"demo"},
"scope":{"type":"project","id":"p1","name":"builds","domain_id":"demo"},"roles":["member"]},"enabled":true}}"#;

#[test]
fn a_record_of_the_first_version_is_read_and_written_as_today() {
    let client = Client::from_record(FIRST_VERSION.as_bytes()).unwrap();
    assert!(matches!(client.tie(), MachineTie::Static(_)));
    assert_eq!(client.tie_changed_at(), None);
    assert_eq!(client.version(), 3);
    let record: Value = serde_json::from_str(&client.to_record().unwrap()).unwrap();
    assert_eq!(record["record_version"], json!(RECORD_VERSION));
    assert_eq!(record["registration"]["authority"]["user"]["id"], json!("u1"));
}
