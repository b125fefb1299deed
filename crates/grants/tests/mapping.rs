//! Clients whose certificate says which Keystone user they are: by table, without a Keystone.

use rustls_pki_types::UnixTime;
use sealstone_grants::authenticate::{Authenticated, Judged, NeedsClient, Verdict};
use sealstone_grants::identity::{IdentityQuestion, certificate_assertion};
use sealstone_grants::inspect::{Standing, standing, still_stands};
use sealstone_grants::token::{self, NeedsIdentity, TokenStep};
use sealstone_grants::{ChainVerdict, Denial, PresentedCertificate, keystone};
use sealstone_identity::{
    Authority, Delegated, DelegationMethod, DomainId, MachineLogin, ProjectScope, RoleName, UserRef,
};
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::{ClientId, Form, TokenRequest};
use sealstone_registry::{Client, ClientRegistration, RegistrationError};
use sealstone_testkit::{Attribute, CertificateSpec, START, TestCa, TestCertificate, unix_time};
use serde_json::{Value, json};
use std::sync::Arc;

fn now() -> UnixTime {
    unix_time(START)
}

fn demo() -> DomainId {
    DomainId::parse("demo").unwrap()
}

fn registration(mapping: Value, more: Value) -> Result<Arc<Client>, RegistrationError> {
    let mut document = json!({
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_dns": "ci.example",
        "scope": "openstack:api metrics:read",
        "openstack_mapping": mapping,
    });
    document
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    ClientRegistration::from_json(document.to_string().as_bytes())?
        .into_client(demo(), ClientId::parse("ci").unwrap(), None, now())
        .map(Arc::new)
}

/// What Keystone's own documentation maps a certificate by, with the project from the registration.
fn by_uid() -> Value {
    json!({"rules": [{
        "local": [{"user": {"id": "{0}"}}],
        "remote": [{"type": "SSL_CLIENT_SUBJECT_DN_UID"},
                   {"type": "SSL_CLIENT_ISSUER_DN_CN", "any_one_of": ["Machines"]}],
    }]})
}

fn rule(user: Value, more: Value) -> Value {
    let mut rule = json!({"name": "r", "when": {"all": []}, "user": user});
    rule.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({"sealstone_mapping": 1, "rules": [rule]})
}

fn p1() -> Value {
    json!({"openstack_project_id": "p1"})
}

fn certificate(spec: CertificateSpec) -> TestCertificate {
    TestCa::new("Machines").issue(spec.san_dns("ci.example"))
}

fn ordinary() -> TestCertificate {
    certificate(CertificateSpec::client("ci").subject(&[("CN", "ci"), ("UID", "u1"), ("O", "Example")]))
}

fn authenticated(
    client: &Arc<Client>,
    certificate: &TestCertificate,
    scope: &str,
) -> (Authenticated, TokenRequest) {
    let presented = PresentedCertificate {
        certificate: ClientCertificate::from_der(certificate.der()).unwrap(),
        chain: ChainVerdict::Verified,
    };
    let form = format!("grant_type=client_credentials&client_id=ci&scope={scope}");
    let request = TokenRequest::parse(None, &Form::parse(form.as_bytes()).unwrap()).unwrap();
    let step =
        NeedsClient::new(request.client.clone(), Some(presented)).with_client(Some(Arc::clone(client)));
    match step.with_verdict(Verdict::Holds, &demo(), now()).unwrap() {
        Judged::Authenticated(authenticated) => (authenticated, request),
        Judged::NeedsFirstUse(step) => panic!("{step:?}"),
    }
}

fn decide(client: &Arc<Client>, certificate: &TestCertificate, scope: &str) -> Result<TokenStep, Denial> {
    let (authenticated, request) = authenticated(client, certificate, scope);
    token::decide(authenticated, request.grant, now())
}

fn needs(client: &Arc<Client>, certificate: &TestCertificate) -> Result<NeedsIdentity, Denial> {
    match decide(client, certificate, "openstack:api")? {
        TokenStep::NeedsIdentity(step) => Ok(step),
        step @ (TokenStep::Granted(_)
        | TokenStep::NeedsCode(_)
        | TokenStep::NeedsFamily(_)
        | TokenStep::NeedsDevice(_)) => panic!("{step:?}"),
    }
}

fn answer(user: &str, project: &str, roles: &[&str]) -> Arc<Delegated> {
    let authority = Authority::project(
        UserRef::new(user, "ci-bot", "acme-id")
            .unwrap()
            .with_domain_name("acme")
            .unwrap(),
        ProjectScope::new(project, "builds", "acme-id")
            .unwrap()
            .with_domain_name("acme")
            .unwrap(),
        roles.iter().map(|role| RoleName::parse(role).unwrap()).collect(),
    );
    Arc::new(Delegated {
        authority: authority.unwrap(),
        method: DelegationMethod::MappedUser,
        application_credential: None,
        expires_at: None,
        read_at: now(),
    })
}

#[test]
fn the_certificates_names_say_whom_to_ask_about() {
    let client = registration(by_uid(), p1()).unwrap();
    let step = needs(&client, &ordinary()).unwrap();
    let Some(IdentityQuestion::Login(MachineLogin::MintedUser { user_id, project_id })) = step.question()
    else {
        panic!("{step:?}")
    };
    assert_eq!((user_id.as_str(), project_id.as_str()), ("u1", "p1"));
    let granted = step
        .with_identity(answer("u1", "p1", &["member", "reader"]), now())
        .unwrap();
    assert_eq!(granted.authority().unwrap().roles().len(), 2);
    assert!(matches!(
        decide(&client, &ordinary(), "metrics:read"),
        Ok(TokenStep::Granted(_))
    ));
}

#[test]
fn what_the_rules_cannot_decide_is_refused_with_its_reason() {
    let two = vec![
        vec![Attribute::new("UID", "u1")],
        vec![Attribute::new("UID", "u2")],
    ];
    let uid = json!({"id": "${claims.SSL_CLIENT_SUBJECT_DN_UID}"});
    let project = |id: &str| json!({"projects": [{"id": id, "roles": [{"name": "member"}]}]});
    let cases: Vec<(&str, Value, Value, TestCertificate, &str)> = vec![
        (
            "no UID",
            by_uid(),
            p1(),
            certificate(CertificateSpec::client("ci")),
            "no_rule",
        ),
        (
            "two UIDs, of which Keystone takes the last",
            rule(uid.clone(), json!({})),
            p1(),
            certificate(CertificateSpec::client("ci").rdns(two)),
            "several_values",
        ),
        (
            "no UID in a template",
            rule(uid.clone(), json!({})),
            p1(),
            certificate(CertificateSpec::client("ci")),
            "missing_value",
        ),
        (
            "a UID that is no id",
            by_uid(),
            p1(),
            certificate(CertificateSpec::client("ci").subject(&[("CN", "ci"), ("UID", "../u1")])),
            "no_user_id",
        ),
        (
            "a name alone",
            rule(
                json!({"name": "ci-bot", "domain": {"name": "acme"}, "type": "local"}),
                json!({}),
            ),
            p1(),
            ordinary(),
            "no_user_id",
        ),
        ("no project", by_uid(), json!({}), ordinary(), "no_project"),
        (
            "a project by name alone",
            rule(
                uid.clone(),
                json!({"projects": [{"name": "builds", "domain": {"name": "acme"}, "roles": [{"name": "member"}]}]}),
            ),
            json!({}),
            ordinary(),
            "no_project_id",
        ),
        (
            "another project than registered",
            rule(uid.clone(), project("p2")),
            p1(),
            ordinary(),
            "other_project",
        ),
        (
            "two projects",
            rule(
                uid.clone(),
                json!({"projects": [{"id": "p1", "roles": [{"name": "member"}]},
                                    {"id": "p2", "roles": [{"name": "member"}]}]}),
            ),
            json!({}),
            ordinary(),
            "several_projects",
        ),
        (
            "a group",
            rule(uid.clone(), json!({"groups": [{"id": "g1"}]})),
            p1(),
            ordinary(),
            "beyond_a_project",
        ),
        (
            "the system",
            rule(uid.clone(), json!({"system_roles": [{"name": "admin"}]})),
            p1(),
            ordinary(),
            "beyond_a_project",
        ),
        (
            "a role by id",
            rule(uid, json!({"projects": [{"id": "p1", "roles": [{"id": "r1"}]}]})),
            json!({}),
            ordinary(),
            "role_without_name",
        ),
    ];
    for (name, mapping, more, certificate, reason) in cases {
        let client = registration(mapping, more).unwrap_or_else(|error| panic!("{name}: {error}"));
        let denial = needs(&client, &certificate).expect_err(name);
        assert_eq!(denial, Denial::MappingUndecided(reason), "{name}");
        assert_eq!(denial.code().as_str(), "invalid_grant");
    }
}

#[test]
fn keystone_must_say_what_the_rules_say() {
    let named = |user: Value| rule(user, json!({}));
    let id = "${claims.SSL_CLIENT_SUBJECT_DN_UID}";
    let cases = [
        (
            "the same",
            json!({"id": id, "name": "ci-bot", "domain": {"name": "acme"}}),
            true,
        ),
        ("by ids", json!({"id": id, "domain": {"id": "acme-id"}}), true),
        ("another name", json!({"id": id, "name": "alice"}), false),
        (
            "another domain",
            json!({"id": id, "domain": {"name": "globex"}}),
            false,
        ),
        (
            "another domain's id",
            json!({"id": id, "domain": {"id": "globex-id"}}),
            false,
        ),
    ];
    for (name, user, fits) in cases {
        let client = registration(named(user), p1()).unwrap();
        let step = needs(&client, &ordinary()).unwrap();
        let granted = step.with_identity(answer("u1", "p1", &["member"]), now());
        assert_eq!(
            granted.as_ref().err(),
            (!fits).then_some(&Denial::OtherIdentity),
            "{name}"
        );
    }
    let client = registration(by_uid(), p1()).unwrap();
    for lie in [answer("u2", "p1", &["member"]), answer("u1", "p2", &["member"])] {
        let step = needs(&client, &ordinary()).unwrap();
        assert_eq!(step.with_identity(lie, now()).unwrap_err(), Denial::OtherIdentity);
    }
}

#[test]
fn rules_that_name_roles_narrow_and_never_widen() {
    let mapping = rule(
        json!({"id": "${claims.SSL_CLIENT_SUBJECT_DN_UID}"}),
        json!({"projects": [{"id": "p1", "roles": [{"name": "reader"}]}]}),
    );
    let client = registration(mapping, json!({})).unwrap();
    let step = needs(&client, &ordinary()).unwrap();
    let granted = step
        .with_identity(answer("u1", "p1", &["admin", "reader"]), now())
        .unwrap();
    let roles: Vec<&str> = granted
        .authority()
        .unwrap()
        .roles()
        .iter()
        .map(RoleName::as_str)
        .collect();
    assert_eq!(roles, ["reader"]);
    let step = needs(&client, &ordinary()).unwrap();
    let denial = step
        .with_identity(answer("u1", "p1", &["member"]), now())
        .unwrap_err();
    assert_eq!(denial, Denial::MappingUndecided("role_not_held"));

    let carried = granted.authority();
    let asked = standing(&client, carried, now());
    assert!(
        matches!(
            asked,
            Standing::Ask(IdentityQuestion::Login(MachineLogin::MintedUser { .. }))
        ),
        "{asked:?}"
    );
    for (roles, stands) in [(&["reader"][..], true), (&["member"][..], false)] {
        let now_given = answer("u1", "p1", roles);
        assert_eq!(
            still_stands(&client, &now_given, carried.unwrap(), now()),
            stands,
            "{roles:?}"
        );
    }
    // A token of Keystone's own can't be narrowed.
    let (authenticated, _request) = authenticated(&client, &ordinary(), "openstack:api");
    let denial = keystone::decide(authenticated, now()).unwrap_err();
    assert_eq!(denial, Denial::MappingUndecided("narrower_than_keystone"));
}

#[test]
fn names_count_only_where_an_authority_vouches_for_them() {
    let secret =
        json!({"token_endpoint_auth_method": "client_secret_basic", "tls_client_auth_san_dns": null});
    let refused = registration(by_uid(), secret).unwrap_err();
    assert!(matches!(
        refused,
        RegistrationError::SecretMissing { .. } | RegistrationError::MappingMethod
    ));
    let document = json!({
        "token_endpoint_auth_method": "self_signed_tls_client_auth",
        "jwks": {"keys": [sealstone_testkit::TestKey::generate(sealstone_testkit::KeyKind::P256).public_jwk()]},
        "scope": "openstack:api", "openstack_mapping": by_uid(), "openstack_project_id": "p1",
    });
    let refused = ClientRegistration::from_json(document.to_string().as_bytes())
        .and_then(|registration| {
            registration.into_client(demo(), ClientId::parse("ci").unwrap(), None, now())
        })
        .unwrap_err();
    assert_eq!(refused, RegistrationError::MappingMethod);
    let odd = registration(json!({"rules": [{"local": []}]}), p1()).unwrap_err();
    assert!(matches!(odd, RegistrationError::Mapping(_)), "{odd}");
    let both = registration(by_uid(), json!({"openstack_user_id": "u1"})).unwrap_err();
    assert!(matches!(both, RegistrationError::SeveralTies { .. }), "{both}");
}

#[test]
fn an_assertion_has_the_names_as_they_are() {
    let certificate = certificate(
        CertificateSpec::client("ci")
            .rdns(vec![
                vec![Attribute::new("O", "Example, Inc.")],
                vec![Attribute::new("OU", "a")],
                vec![Attribute::new("OU", "b")],
                vec![Attribute::new("CN", "x=y")],
            ])
            .san_uri("spiffe://example/ci"),
    );
    let certificate = ClientCertificate::from_der(certificate.der()).unwrap();
    let assertion = certificate_assertion(&certificate).unwrap();
    let said = format!("{assertion:?}");
    for part in [
        "Example, Inc.",
        "x=y",
        "spiffe://example/ci",
        "ci.example",
        "SSL_CLIENT_ISSUER_DN_CN",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(assertion.source(), Some("CN=Machines"));
}
