//! Clients, people, sessions and requests to test with.

use rustls_pki_types::UnixTime;
use sealstone_grants::assertion::AssertionFault;
use sealstone_grants::authenticate::{Authenticated, Challenge, Judged, NeedsClient, Verdict};
use sealstone_grants::{ChainVerdict, Denial, PersonGrant, PresentedCertificate};
use sealstone_identity::{
    AuthMethod, Authority, Delegated, DelegationMethod, DomainId, LoggedIn, LoginStep, Name, Person,
    PersonProject, ProjectId, ProjectScope, RoleName, UserId, UserRef,
};
use sealstone_login::{
    AcrWish, FactorStanding, LoginFlow, LoginPolicy, LoginProgress, NextStep, Session, SessionLimits,
    SessionSecrets, Sid,
};
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::{ClientId, Form, GrantRequest, OpaqueToken, ScopeSet, TokenRequest};
use sealstone_registry::{Client, ClientRegistration, ClientSecretText, Pepper, SecretSet};
use sealstone_testkit::{CertificateSpec, START};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const CALLBACK: &str = "https://app.example/cb";

/// So many seconds after the start of the test.
pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(START + seconds))
}

pub(crate) fn demo() -> DomainId {
    DomainId::parse("demo").unwrap()
}

pub(crate) fn pepper() -> Pepper {
    Pepper::from_bytes([7; 32])
}

pub(crate) fn secret() -> ClientSecretText {
    ClientSecretText::from_random([9; 32])
}

pub(crate) fn client_of(domain: &str, id: &str, registration: &Value, created: UnixTime) -> Arc<Client> {
    let registration = ClientRegistration::from_json(registration.to_string().as_bytes()).unwrap();
    let secrets = registration
        .needs_secret()
        .unwrap()
        .then(|| SecretSet::new(secret().hash(&pepper()), None));
    let (domain, id) = (DomainId::parse(domain).unwrap(), ClientId::parse(id).unwrap());
    Arc::new(registration.into_client(domain, id, secrets, created).unwrap())
}

pub(crate) fn client(id: &str, registration: &Value) -> Arc<Client> {
    client_of("demo", id, registration, at(0))
}

/// A server that keeps a secret.
pub(crate) fn web() -> Value {
    json!({
        "token_endpoint_auth_method": "client_secret_post",
        "redirect_uris": [CALLBACK],
        "post_logout_redirect_uris": ["https://app.example/bye"],
        "grant_types": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code"
        ],
        "scope": "openid profile email groups offline_access openstack:api reports",
        "resources": ["https://reports.example"]
    })
}

/// A program that keeps none.
pub(crate) fn public() -> Value {
    with(&web(), "token_endpoint_auth_method", json!("none"))
}

/// A server that proves itself by a certificate.
pub(crate) fn bound() -> Value {
    let bound = with(&web(), "token_endpoint_auth_method", json!("tls_client_auth"));
    with(&bound, "tls_client_auth_subject_dn", json!("CN=bound"))
}

pub(crate) fn with(registration: &Value, member: &str, value: Value) -> Value {
    let mut changed = registration.clone();
    changed[member] = value;
    changed
}

pub(crate) fn certificate(serial: u8) -> PresentedCertificate {
    let spec = CertificateSpec::client("bound")
        .subject(&[("CN", "bound")])
        .serial(&[serial]);
    let certificate = ClientCertificate::from_der(spec.self_signed().der()).unwrap();
    PresentedCertificate {
        certificate,
        chain: ChainVerdict::Verified,
    }
}

pub(crate) fn scope(text: &str) -> ScopeSet {
    ScopeSet::parse(text).unwrap()
}

pub(crate) fn token(number: u8) -> OpaqueToken {
    OpaqueToken::from_octets([number; 32])
}

pub(crate) fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

pub(crate) fn person(id: &str) -> Person {
    let mut person = Person::new(UserRef::new(id, &format!("{id}-name"), "demo").unwrap());
    person.full_name = Some(Name::parse("Ada Lovelace").unwrap());
    person
}

pub(crate) fn project(id: &str) -> ProjectId {
    ProjectId::parse(id).unwrap()
}

pub(crate) fn person_project(id: &str) -> PersonProject {
    PersonProject {
        project: ProjectScope::new(id, id, "demo").unwrap(),
        roles: vec![RoleName::parse("member").unwrap()],
    }
}

pub(crate) fn delegated(user: &str, project: &str, roles: &[&str]) -> Delegated {
    let user = UserRef::new(user, user, "demo").unwrap();
    let project = ProjectScope::new(project, project, "demo").unwrap();
    let roles = roles.iter().map(|role| RoleName::parse(role).unwrap()).collect();
    Delegated {
        authority: Authority::project(user, project, roles).unwrap(),
        method: DelegationMethod::Person,
        application_credential: None,
        expires_at: None,
        read_at: at(0),
    }
}

/// A session of a password, or of a password and a code.
pub(crate) fn session_of(id: &str, number: u8, two_factors: bool, now: UnixTime) -> Session {
    let policy = LoginPolicy::password();
    let mut progress = LoginProgress::default();
    let counted = progress.count_password().unwrap();
    let step = LoginStep::Done(LoggedIn {
        person: Arc::new(person(id)),
        methods: vec![AuthMethod::Password],
    });
    progress.password_answered(counted, step, now).unwrap();
    if two_factors {
        let counted = progress.count_code().unwrap();
        progress.own_code_accepted(counted).unwrap();
    }
    let standing = FactorStanding {
        totp: two_factors,
        passkey: false,
        recovery: false,
        authority: None,
    };
    let flow = LoginFlow::new(&policy, AcrWish::None);
    let NextStep::Done(authenticated) = flow.next(&progress, Some(standing), now).unwrap() else {
        panic!("a login that is done");
    };
    let secrets = SessionSecrets {
        token: token(number),
        sid: Sid::from_octets([number; 16]),
    };
    Session::begin(&secrets, demo(), &authenticated, SessionLimits::default(), now)
}

pub(crate) fn session(id: &str) -> Session {
    session_of(id, 1, false, at(0))
}

/// What `ada` let a client have.
pub(crate) fn grant(client: &Client, granted: &str) -> PersonGrant {
    let session = session("ada");
    PersonGrant {
        domain: client.domain().clone(),
        client_id: client.id().clone(),
        client_created_at: client.created_at(),
        user_id: session.user_id().clone(),
        sid: Some(session.sid().clone()),
        session_ends_at: Some(session.ends_at()),
        authenticated_at: session.authenticated_at(),
        amr: session.amr().clone(),
        acr: session.acr(),
        scope: scope(granted),
        resources: Vec::new(),
        project: granted.contains("openstack:api").then(|| project("p1")),
        claims: None,
    }
}

/// Drives client authentication as the provider does.
pub(crate) fn authenticate(
    client: Option<Arc<Client>>,
    form: &str,
    certificate: Option<PresentedCertificate>,
    now: UnixTime,
) -> Result<(Authenticated, GrantRequest), Denial> {
    let form = Form::parse(form.as_bytes()).unwrap();
    let request = TokenRequest::parse(None, &form).map_err(Denial::Malformed)?;
    let step = NeedsClient::new(request.client.clone(), certificate).with_client(client);
    let verdict = match step.challenge() {
        Challenge::Secret {
            registered: Some(set),
            offered,
        } if set.verify(&pepper(), offered, now) => Verdict::Holds,
        Challenge::Secret { .. } => Verdict::Fails,
        Challenge::Assertion { .. } => Verdict::NotSigned(AssertionFault::Signature),
        Challenge::None => Verdict::Holds,
    };
    match step.with_verdict(verdict, &demo(), now)? {
        Judged::Authenticated(client) => Ok((client, request.grant)),
        Judged::NeedsFirstUse(_) => panic!("no client here makes assertions"),
    }
}
