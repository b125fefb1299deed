//! Holds `docs/reference/tokens.md` to what is minted.

use rustls_pki_types::UnixTime;
use sealstone_claims::{ClaimsSubject, ClaimsTemplate};
use sealstone_identity::{AccessRule, Authority, DomainId, Name, ProjectScope, RoleName, Scope, UserRef};
use sealstone_jose::Algorithm;
use sealstone_mtls::CertificateThumbprint;
use sealstone_oauth_types::{ClientId, Issuer, Nonce, RevocationDocument, ScopeSet};
use sealstone_tokens::{
    AccessTokenClaims, AccessTokenHash, Audience, DelegationContext, IdTokenClaims, LoginClaims,
    LogoutTokenClaims, PersonClaims, UserinfoClaims,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const LOGIN: LoginClaims<'static> = LoginClaims {
    auth_time: UnixTime::since_unix_epoch(Duration::from_secs(990)),
    acr: Some("phr"),
    amr: &["hwk", "user"],
    sid: Some("s"),
};

const DOCUMENT: &str = include_str!("../../../docs/reference/tokens.md");

fn listed(name: &str) -> BTreeSet<String> {
    let section = DOCUMENT.split(&format!("## {name}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned())
        .collect()
}

fn members(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

/// The claims of a token with everything in it.
fn claims(scope: Scope) -> Value {
    let user = UserRef::new("u", "user", "demo").unwrap();
    let user = user.with_domain_name("Demo").unwrap();
    let rule: AccessRule =
        serde_json::from_value(json!({"service": "compute", "method": "GET", "path": "/v2.1/servers"}))
            .unwrap();
    let authority = Authority::new(user, scope, vec![RoleName::parse("member").unwrap()]).unwrap();
    let authority = authority.with_access_rules(vec![rule]).unwrap();
    let delegation: DelegationContext =
        serde_json::from_value(json!({"auth_method": "app_cred", "delegated_project_id": "p"})).unwrap();
    let (domain, client_id) = (DomainId::parse("demo").unwrap(), ClientId::parse("ci").unwrap());
    let template = ClaimsTemplate::default();
    let subject = ClaimsSubject {
        subject: "ci",
        client_id: "ci",
        client_name: "CI",
        domain: &domain,
        authority: Some(&authority),
    };
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    serde_json::to_value(AccessTokenClaims {
        issuer: &Issuer::parse("https://id.example/v4/oauth2/demo").unwrap(),
        subject: "ci",
        audience: Audience::One("openstack-apis:demo"),
        client_id: &client_id,
        client_version: Some(2),
        issued_at: at(1_000),
        expires_at: at(1_900),
        token_id: "t",
        scope: &ScopeSet::parse("openstack:api").unwrap(),
        bound_to: Some(&CertificateThumbprint::of_der(b"a certificate")),
        login: Some(LOGIN),
        userinfo: &["name"],
        authority: Some(&authority),
        delegation: Some(&delegation),
        mapped: template.map(&subject).unwrap(),
    })
    .unwrap()
}

#[test]
fn every_claim_is_listed() {
    let project = ProjectScope::new("p", "project", "demo").unwrap();
    let project = Scope::Project(project.with_domain_name("Demo").unwrap());
    let domain = Scope::Domain {
        id: DomainId::parse("demo").unwrap(),
        name: Name::parse("Demo").unwrap(),
    };
    let [project, domain] = [project, domain].map(claims);
    assert_eq!(listed("Claims"), members(&project));
    let context: BTreeSet<String> = [&project, &domain]
        .into_iter()
        .flat_map(|claims| members(&claims["openstack_context"]))
        .collect();
    assert_eq!(listed("openstack_context"), context);
}

#[test]
fn every_claim_about_a_person_is_listed() {
    let (issuer, client_id) = (
        Issuer::parse("https://id.example/v4/oauth2/demo").unwrap(),
        ClientId::parse("web").unwrap(),
    );
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let person = PersonClaims {
        name: Some("Demo"),
        preferred_username: Some("demo"),
        email: Some("demo@example.org"),
        email_verified: Some(true),
        groups: Some(&["staff"]),
        roles: Some(&["member"]),
        further: None,
    };
    let id_token = serde_json::to_value(IdTokenClaims {
        issuer: &issuer,
        subject: "u",
        client_id: &client_id,
        issued_at: at(1_000),
        expires_at: at(1_300),
        login: LOGIN,
        nonce: Nonce::parse("n").as_ref(),
        at_hash: Some(&AccessTokenHash::of("t", Algorithm::Es256)),
        person,
        mapped: None,
    });
    assert_eq!(listed("ID token"), members(&id_token.unwrap()));
    let userinfo = serde_json::to_value(UserinfoClaims {
        subject: "u",
        person,
        signed_for: Some((&issuer, &client_id)),
    });
    assert_eq!(listed("Userinfo"), members(&userinfo.unwrap()));
    let logout = serde_json::to_value(LogoutTokenClaims {
        issuer: &issuer,
        client_id: &client_id,
        issued_at: at(1_000),
        expires_at: at(1_120),
        token_id: "j",
        subject: "u",
        sid: Some("s"),
    });
    assert_eq!(listed("Logout token"), members(&logout.unwrap()));
}

#[test]
fn every_member_of_the_revocation_document_is_listed() {
    let document: RevocationDocument = serde_json::from_value(json!({
        "iss": "https://id.example/v4/oauth2/demo", "iat": 1000, "exp": 1010,
        "revoked_keys": ["k"], "revoked_tokens": [{"jti": "t", "exp": 1900}],
        "ended_clients": [{"client_id": "c", "until": 1001, "version": 2, "exp": 4601}],
    }))
    .unwrap();
    let value = serde_json::to_value(document).unwrap();
    assert_eq!(listed("Revocation document"), members(&value));
    assert_eq!(
        members(&value["revoked_tokens"][0]),
        BTreeSet::from(["exp".to_owned(), "jti".to_owned()])
    );
}
