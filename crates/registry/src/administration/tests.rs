use super::{Administrator, Excess, PolicyError, RegistrationPolicy, TieVerdict};
use crate::{Client, ClientRegistration, ClientSecretText, Pepper, SealedSecret, SecretSet};
use rustls_pki_types::UnixTime;
use sealstone_identity::{Authority, DomainId, ProjectScope, RoleName, UserRef};
use sealstone_oauth_types::{ClientId, ScopeSet};
use serde_json::{Value, json};
use std::time::Duration;

fn client(members: Value) -> Client {
    let mut registration = ClientRegistration::from_json(members.to_string().as_bytes()).unwrap();
    let sealed = SealedSecret::parse("v1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    registration
        .seal_application_credential_secret(|_secret| sealed.clone())
        .unwrap();
    let secrets = registration.needs_secret().unwrap().then(|| {
        let pepper = Pepper::from_bytes([7; 32]);
        SecretSet::new(ClientSecretText::from_random([9; 32]).hash(&pepper), None)
    });
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
    let (domain, id) = (DomainId::parse("demo").unwrap(), ClientId::parse("app").unwrap());
    registration.into_client(domain, id, secrets, now).unwrap()
}

fn manager(domain: &str, scope: &str) -> Administrator {
    let holds = ScopeSet::parse(scope).unwrap();
    Administrator::of_domain(DomainId::parse(domain).unwrap(), holds)
}

fn authority(roles: &[&str]) -> Authority {
    let roles = roles.iter().map(|role| RoleName::parse(role).unwrap()).collect();
    let user = UserRef::new("u1", "ci", "demo").unwrap();
    Authority::project(user, ProjectScope::new("p1", "builds", "demo").unwrap(), roles).unwrap()
}

fn known(user_domain: &str, project_domain: &str, within_roles: bool) -> TieVerdict {
    TieVerdict::Known {
        user_domain: DomainId::parse(user_domain).unwrap(),
        project_domain: DomainId::parse(project_domain).unwrap(),
        within_roles,
        unrestricted: false,
    }
}

/// What it is, who asks, for what, what is known of its tie, and the answer.
type Case = (&'static str, Administrator, Value, TieVerdict, Result<(), Excess>);

#[test]
fn o01_a_manager_gives_what_he_holds_and_nothing_else() {
    let own = manager("demo", "metrics:read openstack:api");
    let tied = json!({ "scope": "openstack:api", "openstack_user_id": "u1", "openstack_project_id": "p1" });
    let mapped = json!({
        "scope": "openstack:api", "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_dns": "ci.example", "openstack_project_id": "p1",
        "openstack_mapping": [{ "local": [{ "user": { "id": "{0}" } }], "remote": [{ "type": "SSL_CLIENT_S_DN_CN" }] }],
    });
    let app = json!({ "redirect_uris": ["https://app.example/cb"], "scope": "openid email groups" });
    let mut silent = app.clone();
    silent["consent"] = json!("never");
    let stated = |roles: &[&str]| json!({ "scope": "openstack:api", "authority": authority(roles) });
    let within = known("demo", "demo", true);
    let cases: Vec<Case> = vec![
        (
            "what he holds",
            own.clone(),
            json!({ "scope": "metrics:read" }),
            TieVerdict::Unknown,
            Ok(()),
        ),
        (
            "who signed in",
            manager("demo", ""),
            app,
            TieVerdict::Unknown,
            Ok(()),
        ),
        (
            "another scope",
            own.clone(),
            json!({ "scope": "billing:write" }),
            TieVerdict::Unknown,
            Err(Excess::Scope),
        ),
        (
            "his own office",
            manager("demo", "sealstone:clients"),
            json!({ "scope": "sealstone:clients" }),
            TieVerdict::Unknown,
            Err(Excess::Administration),
        ),
        (
            "the keys of all",
            manager("demo", "sealstone:keys"),
            json!({ "scope": "sealstone:keys" }),
            TieVerdict::Unknown,
            Err(Excess::Administration),
        ),
        (
            "another domain",
            manager("other", "metrics:read"),
            json!({}),
            TieVerdict::Unknown,
            Err(Excess::OtherDomain),
        ),
        (
            "no consent",
            own.clone(),
            silent,
            TieVerdict::Unknown,
            Err(Excess::Consent),
        ),
        (
            "tie unasked",
            own.clone(),
            tied.clone(),
            TieVerdict::Unknown,
            Err(Excess::TieUnknown),
        ),
        ("tie within", own.clone(), tied.clone(), within.clone(), Ok(())),
        (
            "tie of other roles",
            own.clone(),
            tied.clone(),
            known("demo", "demo", false),
            Err(Excess::Roles),
        ),
        (
            "tie of a user elsewhere",
            own.clone(),
            tied.clone(),
            known("other", "demo", true),
            Err(Excess::TieElsewhere),
        ),
        (
            "tie to a project elsewhere",
            own.clone(),
            tied.clone(),
            known("demo", "x", true),
            Err(Excess::TieElsewhere),
        ),
        (
            "no openstack",
            manager("demo", "x"),
            tied,
            within.clone(),
            Err(Excess::OpenstackApi),
        ),
        ("rules", own.clone(), mapped, within, Err(Excess::Mapping)),
        (
            "an authority of nobody",
            own.clone(),
            stated(&["member"]),
            TieVerdict::Unknown,
            Err(Excess::Authority),
        ),
        (
            "an authority that he has",
            own.clone().with_authority(Some(authority(&["member", "reader"]))),
            stated(&["member"]),
            TieVerdict::Unknown,
            Ok(()),
        ),
        (
            "an authority above his",
            own.with_authority(Some(authority(&["member"]))),
            stated(&["member", "admin"]),
            TieVerdict::Unknown,
            Err(Excess::Authority),
        ),
    ];
    for (name, who, members, tie, want) in cases {
        let client = client(members);
        assert_eq!(who.may_give(&client, &tie), want, "{name}");
        assert_eq!(
            Administrator::of_the_cloud().may_give(&client, &tie),
            Ok(()),
            "{name}"
        );
    }
}

#[test]
fn what_registers_itself_has_no_right_of_its_own() {
    let policy = RegistrationPolicy::default();
    let app = || json!({ "redirect_uris": ["https://app.example/cb"], "scope": "openid" });
    let with = |member: &str, value: Value| {
        let mut app = app();
        app[member] = value;
        app
    };
    let hosts = || {
        RegistrationPolicy::default().with_redirect_hosts(vec!["app.example".into(), ".apps.example".into()])
    };
    let at = |uri: &str| with("redirect_uris", json!([uri]));
    let logout = with("backchannel_logout_uri", json!("https://app.example/out"));
    let cases = [
        ("an application", policy.clone(), app(), Ok(())),
        (
            "its own scope",
            policy.clone(),
            with("scope", json!("metrics:read")),
            Err(PolicyError::Scope),
        ),
        (
            "a machine",
            policy.clone(),
            json!({ "scope": "openid" }),
            Err(PolicyError::Grant),
        ),
        (
            "a device",
            policy.clone(),
            with(
                "grant_types",
                json!([
                    "authorization_code",
                    "urn:ietf:params:oauth:grant-type:device_code"
                ]),
            ),
            Err(PolicyError::Grant),
        ),
        (
            "no consent",
            policy.clone(),
            with("consent", json!("never")),
            Err(PolicyError::Reserved("consent")),
        ),
        (
            "what others have",
            policy.clone(),
            with("introspection", json!("domain")),
            Err(PolicyError::Reserved("introspection")),
        ),
        (
            "a resource",
            policy.clone(),
            with("resources", json!(["https://api.example"])),
            Err(PolicyError::Reserved("resources")),
        ),
        (
            "calls",
            policy.clone(),
            logout.clone(),
            Err(PolicyError::Reserved("backchannel_logout_uri")),
        ),
        ("calls to a named host", hosts(), logout, Ok(())),
        ("its host", hosts(), at("https://APP.example:8443/cb"), Ok(())),
        ("a host below", hosts(), at("https://a.b.apps.example/cb"), Ok(())),
        ("this machine", hosts(), at("http://127.0.0.1/cb"), Ok(())),
        (
            "the parent itself",
            hosts(),
            at("https://apps.example/cb"),
            Err(PolicyError::RedirectHost),
        ),
        (
            "a like name",
            hosts(),
            at("https://evilapps.example/cb"),
            Err(PolicyError::RedirectHost),
        ),
        (
            "a host behind",
            hosts(),
            at("https://app.example.evil.example/cb"),
            Err(PolicyError::RedirectHost),
        ),
        (
            "another host",
            hosts(),
            at("https://evil.example/app.example"),
            Err(PolicyError::RedirectHost),
        ),
    ];
    for (name, policy, members, want) in cases {
        assert_eq!(policy.check(&client(members)), want, "{name}");
    }
    let generous = policy.with_scopes(
        &ScopeSet::parse("sealstone:clients sealstone:keys openstack:api metrics:read").unwrap(),
    );
    assert_eq!(generous.scopes().as_str(), "metrics:read");
}
