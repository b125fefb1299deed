//! The token flow by table: who asks how, and what comes of it. No store, no runtime, no clock.

use rustls_pki_types::UnixTime;
use sealstone_grants::assertion::AssertionFault;
use sealstone_grants::authenticate::{Authenticated, Challenge, Judged, NeedsClient, Verdict};
use sealstone_grants::token::{self, Granted, Target, TokenStep};
use sealstone_grants::{ChainVerdict, Denial, PresentedCertificate};
use sealstone_identity::DomainId;
use sealstone_mtls::ClientCertificate;
use sealstone_oauth_types::{ClientId, Form, TokenRequest};
use sealstone_registry::{Client, ClientRegistration, ClientSecretText, Pepper, SecretSet};
use sealstone_testkit::{CertificateSpec, START, TestCa, TestCertificate};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn start() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(START))
}

fn demo() -> DomainId {
    DomainId::parse("demo").unwrap()
}

fn pepper() -> Pepper {
    Pepper::from_bytes([7; 32])
}

fn secret() -> ClientSecretText {
    ClientSecretText::from_random([9; 32])
}

fn client(registration: &Value) -> Arc<Client> {
    let registration = ClientRegistration::from_json(registration.to_string().as_bytes()).unwrap();
    let secrets = registration
        .needs_secret()
        .unwrap()
        .then(|| SecretSet::new(secret().hash(&pepper()), None));
    let id = ClientId::parse("machine").unwrap();
    Arc::new(registration.into_client(demo(), id, secrets, start()).unwrap())
}

fn presented(certificate: &TestCertificate, chain: ChainVerdict) -> Option<PresentedCertificate> {
    let certificate = ClientCertificate::from_der(certificate.der()).unwrap();
    Some(PresentedCertificate { certificate, chain })
}

/// Drives the flow as the provider does, without its ports.
fn authenticate(
    client: Option<Arc<Client>>,
    form: &str,
    certificate: Option<PresentedCertificate>,
    now: UnixTime,
) -> Result<(Authenticated, TokenRequest), Denial> {
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
        Judged::Authenticated(client) => Ok((client, request)),
        Judged::NeedsFirstUse(_) => panic!("no client here makes assertions"),
    }
}

fn ask(
    client: Option<Arc<Client>>,
    form: &str,
    certificate: Option<PresentedCertificate>,
    now: UnixTime,
) -> Result<Granted, Denial> {
    let (authenticated, request) = authenticate(client, form, certificate, now)?;
    match token::decide(authenticated, request.grant, now)? {
        TokenStep::Granted(granted) => Ok(granted),
        step @ (TokenStep::NeedsIdentity(_)
        | TokenStep::NeedsCode(_)
        | TokenStep::NeedsFamily(_)
        | TokenStep::NeedsDevice(_)) => panic!("{step:?}"),
    }
}

fn tls_client() -> Value {
    json!({
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": "CN=machine",
        "scope": "openstack:api metrics:read",
        "default_scope": "metrics:read",
        "resources": ["https://builds.example", "https://logs.example"],
        "authority": {
            "user": {"id": "u1", "name": "machine", "domain_id": "demo"},
            "scope": {"type": "project", "id": "p1", "name": "builds", "domain_id": "demo"},
            "roles": ["member"]
        }
    })
}

fn secret_client() -> Value {
    json!({"token_endpoint_auth_method": "client_secret_post", "scope": "metrics:read"})
}

const TLS_FORM: &str = "grant_type=client_credentials&client_id=machine";

fn secret_form() -> String {
    format!("{TLS_FORM}&client_secret={}", secret().expose())
}

#[test]
fn a_certificate_of_the_registered_subject_gets_a_bound_token() {
    let machine = TestCa::new("Root").client("machine");
    let verified = || presented(&machine, ChainVerdict::Verified);
    let granted = ask(Some(client(&tls_client())), TLS_FORM, verified(), start()).unwrap();
    assert_eq!(granted.bound_to().unwrap().der(), machine.der());
    assert_eq!(granted.scope().as_str(), "metrics:read");
    assert_eq!(granted.target(), &Target::Client);
}

#[test]
fn what_a_certificate_client_is_refused() {
    let ca = TestCa::new("Root");
    let (machine, other) = (ca.client("machine"), ca.client("other"));
    let own = CertificateSpec::client("machine").self_signed();
    let verified = |certificate| presented(certificate, ChainVerdict::Verified);
    let late = UnixTime::since_unix_epoch(Duration::from_secs(
        ClientCertificate::from_der(machine.der())
            .unwrap()
            .not_after()
            .as_secs()
            + 1,
    ));
    let early = UnixTime::since_unix_epoch(Duration::from_secs(
        ClientCertificate::from_der(machine.der())
            .unwrap()
            .not_before()
            .as_secs()
            - 1,
    ));
    let with_secret = secret_form();
    let cases = [
        (
            "d01 no certificate",
            TLS_FORM,
            None,
            start(),
            Denial::NoCertificate,
        ),
        (
            "d02 another client's",
            TLS_FORM,
            verified(&other),
            start(),
            Denial::OtherCertificate,
        ),
        (
            "d03, d04 a chain nobody vouches for",
            TLS_FORM,
            presented(&own, ChainVerdict::NotVerified("unknown_issuer")),
            start(),
            Denial::UntrustedCertificate("unknown_issuer"),
        ),
        (
            "d07 expired",
            TLS_FORM,
            verified(&machine),
            late,
            Denial::CertificateOutOfDate,
        ),
        (
            "d08 not yet valid",
            TLS_FORM,
            verified(&machine),
            early,
            Denial::CertificateOutOfDate,
        ),
        (
            "f12 a secret as well",
            &with_secret,
            verified(&machine),
            start(),
            Denial::OtherMethod,
        ),
    ];
    for (name, form, certificate, now, want) in cases {
        assert_eq!(
            ask(Some(client(&tls_client())), form, certificate, now).unwrap_err(),
            want,
            "{name}"
        );
    }
}

#[test]
fn a_self_signed_client_needs_its_registered_key_and_no_chain() {
    let own = CertificateSpec::client("machine").self_signed();
    let registration = json!({
        "token_endpoint_auth_method": "self_signed_tls_client_auth",
        "jwks": {"keys": [own.key().public_jwk()]}
    });
    let registered = client(&registration);
    let given = presented(&own, ChainVerdict::NOT_JUDGED);
    let granted = ask(Some(registered.clone()), TLS_FORM, given, start()).unwrap();
    assert_eq!(granted.bound_to().unwrap().der(), own.der());

    let stranger = CertificateSpec::client("machine").self_signed();
    let vouched = TestCa::new("Root").client("machine");
    for (name, certificate, want) in [
        (
            "another key, same name",
            presented(&stranger, ChainVerdict::NOT_JUDGED),
            Denial::OtherCertificate,
        ),
        (
            "d05 a CA's certificate",
            presented(&vouched, ChainVerdict::Verified),
            Denial::OtherCertificate,
        ),
        ("none", None, Denial::NoCertificate),
    ] {
        assert_eq!(
            ask(Some(registered.clone()), TLS_FORM, certificate, start()).unwrap_err(),
            want,
            "{name}"
        );
    }
}

#[test]
fn what_a_secret_client_is_refused() {
    let machine = TestCa::new("Root").client("machine");
    let registered = || Some(client(&secret_client()));
    assert!(
        ask(registered(), &secret_form(), None, start())
            .unwrap()
            .bound_to()
            .is_none()
    );
    let wrong = format!("{TLS_FORM}&client_secret=wrong");
    for (name, form, certificate, want) in [
        ("wrong secret", wrong.as_str(), None, Denial::WrongSecret),
        ("f17 no secret", TLS_FORM, None, Denial::NoCredential),
        (
            "a certificate instead of the secret",
            TLS_FORM,
            presented(&machine, ChainVerdict::Verified),
            Denial::NoCredential,
        ),
    ] {
        assert_eq!(
            ask(registered(), form, certificate, start()).unwrap_err(),
            want,
            "{name}"
        );
    }
    assert_eq!(
        ask(None, &secret_form(), None, start()).unwrap_err(),
        Denial::UnknownClient
    );
}

#[test]
fn d39_a_client_for_bound_tokens_never_gets_an_unbound_one() {
    let mut registration = secret_client();
    registration["tls_client_certificate_bound_access_tokens"] = json!(true);
    let registered = client(&registration);
    let denied = ask(Some(registered.clone()), &secret_form(), None, start()).unwrap_err();
    assert_eq!(denied, Denial::BindingImpossible);

    // Any certificate whose key is proved will do: the secret says who it is, the certificate only holds the token.
    let own = CertificateSpec::client("whoever").self_signed();
    let given = presented(&own, ChainVerdict::NOT_JUDGED);
    let granted = ask(Some(registered.clone()), &secret_form(), given.clone(), start()).unwrap();
    assert_eq!(granted.bound_to().unwrap().der(), own.der());

    let end = given.as_ref().unwrap().certificate.not_after();
    assert_eq!(
        ask(Some(registered), &secret_form(), given, end).unwrap_err(),
        Denial::CertificateOutOfDate,
        "a token that would be born dead"
    );
}

#[test]
fn a_client_of_another_domain_or_a_disabled_one_is_unknown_to_the_caller() {
    let registered = client(&secret_client());
    let disabled = Arc::new(registered.with_enabled(false, start()));
    let denied = ask(Some(disabled), &secret_form(), None, start()).unwrap_err();
    assert_eq!(denied, Denial::DisabledClient);

    let form = Form::parse(secret_form().as_bytes()).unwrap();
    let request = TokenRequest::parse(None, &form).unwrap();
    let other = DomainId::parse("other").unwrap();
    let step = NeedsClient::new(request.client, None).with_client(Some(registered));
    let denied = step.with_verdict(Verdict::Holds, &other, start()).unwrap_err();
    assert_eq!(denied, Denial::DisabledClient);
    assert_eq!(denied.description(), Denial::UnknownClient.description());
}

#[test]
fn scope_and_target_are_what_was_asked_for_and_allowed_or_nothing() {
    let machine = TestCa::new("Root").client("machine");
    let ask = |parameters: &str| {
        let form = format!("{TLS_FORM}&{parameters}");
        ask(
            Some(client(&tls_client())),
            &form,
            presented(&machine, ChainVerdict::Verified),
            start(),
        )
    };
    let granted = ask("scope=openstack%3Aapi").unwrap();
    assert_eq!(
        (granted.scope().as_str(), granted.target()),
        ("openstack:api", &Target::OpenstackServices)
    );
    let granted = ask("scope=openstack%3Aapi&resource=openstack-apis%3Ademo").unwrap();
    assert_eq!(granted.target(), &Target::OpenstackServices);
    let granted = ask("resource=https%3A%2F%2Fbuilds.example&resource=https%3A%2F%2Flogs.example").unwrap();
    let Target::Resources(resources) = granted.target() else {
        panic!("{:?}", granted.target())
    };
    assert_eq!(resources.len(), 2);

    for (name, parameters, want) in [
        (
            "f19 beyond the registered scope",
            "scope=admin",
            Denial::ScopeNotAllowed,
        ),
        (
            "f19 partly beyond",
            "scope=metrics%3Aread+admin",
            Denial::ScopeNotAllowed,
        ),
        ("f20 openid", "scope=openid", Denial::ScopeNotAllowed),
        (
            "another resource",
            "resource=https%3A%2F%2Fevil.example",
            Denial::TargetNotAllowed,
        ),
        (
            "a prefix",
            "resource=https%3A%2F%2Fbuilds.example%2F",
            Denial::TargetNotAllowed,
        ),
        (
            "OpenStack without its scope",
            "resource=openstack-apis%3Ademo",
            Denial::TargetNotAllowed,
        ),
        (
            "two audiences for one OpenStack token",
            "scope=openstack%3Aapi&resource=https%3A%2F%2Fbuilds.example",
            Denial::MixedTargets,
        ),
        (
            "another domain's services",
            "scope=openstack%3Aapi&resource=openstack-apis%3Aother",
            Denial::MixedTargets,
        ),
    ] {
        assert_eq!(ask(parameters).unwrap_err(), want, "{name}");
    }
}

#[test]
fn f09_other_grants_are_refused_only_to_whom_is_known() {
    let token = "A".repeat(43);
    let exchange = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange";
    let device = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
    for (grant, want) in [
        ("password".to_owned(), Denial::UnsupportedGrantType),
        ("implicit".to_owned(), Denial::UnsupportedGrantType),
        (exchange.to_owned(), Denial::UnsupportedGrantType),
        ("CLIENT_CREDENTIALS".to_owned(), Denial::UnsupportedGrantType),
        ("a%20".to_owned(), Denial::UnsupportedGrantType),
        (
            format!("authorization_code&code={token}"),
            Denial::UnauthorizedGrantType,
        ),
        (
            format!("refresh_token&refresh_token={token}"),
            Denial::UnauthorizedGrantType,
        ),
        (
            format!("{device}&device_code={token}"),
            Denial::UnauthorizedGrantType,
        ),
    ] {
        let form = secret_form().replace("client_credentials", &grant);
        let denied = ask(Some(client(&secret_client())), &form, None, start()).unwrap_err();
        assert_eq!(denied, want, "{grant}");
        assert_eq!(
            ask(None, &form, None, start()).unwrap_err(),
            Denial::UnknownClient,
            "{grant}"
        );
    }
}
