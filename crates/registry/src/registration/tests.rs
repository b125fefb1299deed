use sealstone_jose::JoseError;
use serde_json::{Value, json};

use super::*;
use crate::{
    client::{MAX_BEARER_LIFETIME, MAX_BOUND_LIFETIME},
    secret::{ClientSecretText, Pepper},
    secret_set::KeptSecret,
};

fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_700_000_000))
}

fn secrets() -> SecretSet {
    SecretSet::new(
        ClientSecretText::from_random([1; 32]).hash(&Pepper::from_bytes([7; 32])),
        None,
    )
}

/// Registers a JSON document as an endpoint would.
fn register(document: &Value) -> Result<Client, RegistrationError> {
    register_text(&document.to_string())
}

fn register_text(document: &str) -> Result<Client, RegistrationError> {
    let registration = ClientRegistration::from_json(document.as_bytes())?;
    let secrets = registration.needs_secret()?.then(secrets);
    registration.into_client(
        DomainId::parse("demo").expect("domain"),
        ClientId::parse("c1").expect("client id"),
        secrets,
        now(),
    )
}

/// `base` with the members of `change` set; `null` takes one away.
fn with(base: &Value, change: &Value) -> Value {
    let mut document = base.clone();
    for (member, value) in change.as_object().expect("object") {
        if value.is_null() {
            document.as_object_mut().expect("object").remove(member);
        } else {
            document[member] = value.clone();
        }
    }
    document
}

fn by_dn() -> Value {
    json!({
        "client_name": "ci", "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": "CN=ci,O=Example", "scope": "a b"
    })
}

fn by_secret() -> Value {
    json!({"client_name": "ci", "token_endpoint_auth_method": "client_secret_basic", "scope": "a b"})
}

/// RFC 7517 appendix A.1.
fn ec_key() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
           "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"})
}

fn by_key() -> Value {
    json!({"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": {"keys": [ec_key()]}})
}

fn authority() -> Value {
    json!({
        "user": {"id": "u1", "name": "ci", "domain_id": "demo"},
        "scope": {"type": "project", "id": "p1", "name": "builds", "domain_id": "demo"},
        "roles": ["member"]
    })
}

/// Whether an error is the one that is due.
type Wanted = fn(&RegistrationError) -> bool;

/// Each change of a good registration is refused with this variant, and its text says something.
fn refused(base: &Value, cases: &[(Value, Wanted)]) {
    register(base).expect("the registration without the fault succeeds");
    for (change, is_wanted) in cases {
        let error = register(&with(base, change)).expect_err(&change.to_string());
        assert!(is_wanted(&error), "{change}: {error:?}");
        assert_eq!(error.code().as_str(), "invalid_client_metadata");
        assert!(error.to_string().len() > 20, "{error}");
    }
}

macro_rules! is {
    ($pattern:pat) => {
        |error| matches!(error, $pattern)
    };
}

#[test]
fn each_offered_method_registers_with_its_defaults() {
    for (document, method, binding) in [
        (json!({}), "client_secret_basic", TokenBinding::Unbound),
        (by_secret(), "client_secret_basic", TokenBinding::Unbound),
        (
            with(
                &by_secret(),
                &json!({"token_endpoint_auth_method": "client_secret_post"}),
            ),
            "client_secret_post",
            TokenBinding::Unbound,
        ),
        (by_dn(), "tls_client_auth", TokenBinding::CertificateRequired),
        (
            by_key(),
            "self_signed_tls_client_auth",
            TokenBinding::CertificateRequired,
        ),
    ] {
        let client = register(&document).expect("good");
        assert_eq!(client.auth_method().as_str(), method);
        assert_eq!(client.token_binding(), binding);
        assert_eq!(client.effective_lifetime(), binding.max_lifetime());
        assert_eq!(client.access_token_lifetime(), None);
        assert_eq!(
            client
                .grants()
                .iter()
                .map(|grant| grant.as_str())
                .collect::<Vec<_>>(),
            ["client_credentials"]
        );
        assert!(client.is_enabled() && client.default_scope().is_empty() && client.version() == 1);
        assert_eq!(client.introspection(), IntrospectionRight::None);
    }
    assert_eq!(register(&json!({})).expect("good").name(), "c1");
}

#[test]
fn each_form_of_subject_registers_and_is_shown_again() {
    for (member, value) in [
        ("tls_client_auth_subject_dn", "CN=ci,O=Example"),
        ("tls_client_auth_san_dns", "ci.example.org"),
        ("tls_client_auth_san_uri", "spiffe://example.org/ci"),
        ("tls_client_auth_san_ip", "2001:db8::1"),
        ("tls_client_auth_san_email", "ci@example.org"),
    ] {
        let document = with(&by_dn(), &json!({"tls_client_auth_subject_dn": null}));
        let client = register(&with(&document, &json!({member: value}))).expect(member);
        let shown = serde_json::to_value(client.registration()).expect("json");
        assert_eq!(shown[member], value);
    }
}

/// D30: two subjects are refused, whichever two.
#[test]
fn d30_two_subjects_are_refused() {
    refused(
        &by_dn(),
        &[
            (
                json!({"tls_client_auth_san_dns": "ci.example"}),
                is!(RegistrationError::SeveralSubjects { .. }),
            ),
            (
                json!({"tls_client_auth_san_uri": "https://ci.example/"}),
                is!(RegistrationError::SeveralSubjects { .. }),
            ),
            (
                json!({"tls_client_auth_san_ip": "192.0.2.1"}),
                is!(RegistrationError::SeveralSubjects { .. }),
            ),
            (
                json!({"tls_client_auth_san_email": "ci@example.org"}),
                is!(RegistrationError::SeveralSubjects { .. }),
            ),
            (
                json!({"tls_client_auth_subject_dn": null}),
                is!(RegistrationError::SubjectMissing),
            ),
            (
                json!({"tls_client_auth_subject_dn": ""}),
                is!(RegistrationError::Subject(_)),
            ),
            (
                json!({"tls_client_auth_subject_dn": "no name"}),
                is!(RegistrationError::Subject(_)),
            ),
            (
                json!({"jwks": {"keys": [ec_key()]}}),
                is!(RegistrationError::Unused { member: "jwks", .. }),
            ),
        ],
    );
}

/// D39: a client may have a secret and be bound to its certificate; the flag is what decides, at registration.
#[test]
fn d39_a_client_with_a_secret_may_be_bound() {
    let bound = json!({"tls_client_certificate_bound_access_tokens": true, "access_token_lifetime_s": 3600});
    let client = register(&with(&by_secret(), &bound)).expect("good");
    assert_eq!(client.token_binding(), TokenBinding::CertificateRequired);
    assert_eq!(client.effective_lifetime(), MAX_BOUND_LIFETIME);
    let unbound = json!({"tls_client_certificate_bound_access_tokens": false});
    let client = register(&with(&by_dn(), &unbound)).expect("good");
    assert_eq!(
        (client.token_binding(), client.effective_lifetime()),
        (TokenBinding::Unbound, MAX_BEARER_LIFETIME)
    );
}

#[test]
fn methods_that_nothing_reads_are_refused() {
    refused(
        &by_secret(),
        &[
            (
                json!({"token_endpoint_auth_method": "banana"}),
                is!(RegistrationError::UnknownAuthMethod { suggestion: None }),
            ),
            (
                json!({"token_endpoint_auth_method": "tls_client_aut"}),
                is!(RegistrationError::UnknownAuthMethod {
                    suggestion: Some("tls_client_auth")
                }),
            ),
            (
                json!({"token_endpoint_auth_method": ""}),
                is!(RegistrationError::UnknownAuthMethod { .. }),
            ),
            (
                json!({"token_endpoint_auth_method": "none"}),
                is!(RegistrationError::PublicMachine),
            ),
            (
                json!({"token_endpoint_auth_method": "private_key_jw"}),
                is!(RegistrationError::UnknownAuthMethod {
                    suggestion: Some("private_key_jwt")
                }),
            ),
            (
                json!({"token_endpoint_auth_method": 1}),
                is!(RegistrationError::Malformed { .. }),
            ),
            (
                json!({"tls_client_auth_subject_dn": "CN=ci"}),
                is!(RegistrationError::Unused { .. }),
            ),
            (
                json!({"jwks": {"keys": [ec_key()]}}),
                is!(RegistrationError::Unused { .. }),
            ),
        ],
    );
}

#[test]
fn a_secret_goes_with_its_methods_only() {
    let parse =
        |document: Value| ClientRegistration::from_json(document.to_string().as_bytes()).expect("form");
    let make = |registration: ClientRegistration, secrets| {
        let domain = DomainId::parse("demo").expect("domain");
        registration.into_client(domain, ClientId::parse("c1").expect("id"), secrets, now())
    };
    assert!(make(parse(by_secret()), Some(secrets())).is_ok());
    assert!(matches!(
        make(parse(by_secret()), None),
        Err(RegistrationError::SecretMissing { .. })
    ));
    assert!(make(parse(by_dn()), None).is_ok());
    for document in [by_dn(), by_key()] {
        assert!(matches!(
            make(parse(document), Some(secrets())),
            Err(RegistrationError::SecretUnused { .. })
        ));
    }
}

/// O08: implicit and password are refused, and so is every grant that is not offered.
#[test]
fn o08_implicit_and_password_are_refused() {
    refused(
        &by_secret(),
        &[
            (
                json!({"grant_types": ["implicit"]}),
                is!(RegistrationError::ForbiddenGrantType { grant: "implicit" }),
            ),
            (
                json!({"grant_types": ["client_credentials", "password"]}),
                is!(RegistrationError::ForbiddenGrantType { grant: "password" }),
            ),
            (
                json!({"grant_types": ["authorization_code"]}),
                is!(RegistrationError::RedirectUriMissing),
            ),
            (
                json!({"grant_types": ["refresh_token"]}),
                is!(RegistrationError::RefreshAlone),
            ),
            (
                json!({"grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"]}),
                is!(RegistrationError::GrantTypeNotOffered { .. }),
            ),
            (
                json!({"grant_types": ["client_credential"]}),
                is!(RegistrationError::UnknownGrantType {
                    suggestion: Some("client_credentials")
                }),
            ),
            (json!({"grant_types": []}), is!(RegistrationError::GrantTypes)),
            (
                json!({"grant_types": ["client_credentials", "client_credentials"]}),
                is!(RegistrationError::GrantTypes),
            ),
        ],
    );
}

/// B01, B09, B10 and other sets that a client may not register.
#[test]
fn b09_b10_symmetric_and_private_keys_are_refused() {
    let jwks = |key: Value| json!({"jwks": {"keys": [key]}});
    let key = |change: Value| jwks(with(&ec_key(), &change));
    refused(
        &by_key(),
        &[
            (
                jwks(json!({"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"})),
                is!(RegistrationError::Jwks(JoseError::SymmetricKey)),
            ),
            (
                json!({"jwks": {"keys": [ec_key(), {"kty": "oct", "k": "c2VjcmV0"}]}}),
                is!(RegistrationError::Jwks(JoseError::SymmetricKey)),
            ),
            (
                key(json!({"d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"})),
                is!(RegistrationError::Jwks(JoseError::PrivateMember)),
            ),
            (
                key(json!({"p": "AA"})),
                is!(RegistrationError::Jwks(JoseError::PrivateMember)),
            ),
            (
                key(json!({"q": "AA"})),
                is!(RegistrationError::Jwks(JoseError::PrivateMember)),
            ),
            (key(json!({"k": "AA"})), is!(RegistrationError::Jwks(_))),
            (
                key(json!({"use": "enc"})),
                is!(RegistrationError::Jwks(JoseError::UnsupportedKey(_))),
            ),
            (
                key(json!({"x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D5"})),
                is!(RegistrationError::Jwks(_)),
            ),
            (
                jwks(json!({"kty": "RSA", "e": "AQAB", "n": "wA".to_owned() + &"A".repeat(169)})),
                is!(RegistrationError::Jwks(JoseError::WeakKey(_))),
            ),
            (
                jwks(json!({"kty": "OKP", "crv": "X25519", "x": "A".repeat(43)})),
                is!(RegistrationError::Jwks(_)),
            ),
            (
                json!({"jwks": {"keys": []}}),
                is!(RegistrationError::SelfSignedKeys(_)),
            ),
            (
                json!({"jwks": {"keys": vec![ec_key(); 17]}}),
                is!(RegistrationError::SelfSignedKeys(_)),
            ),
            (
                json!({"jwks": {"keys": vec![ec_key(); 65]}}),
                is!(RegistrationError::Jwks(_)),
            ),
            (json!({"jwks": {}}), is!(RegistrationError::Jwks(_))),
            (
                json!({"jwks": "https://example.org/jwks"}),
                is!(RegistrationError::Jwks(_)),
            ),
            (json!({"jwks": null}), is!(RegistrationError::JwksMissing { .. })),
        ],
    );
}

/// B10: what is stored and shown is our own print of the public key.
#[test]
fn b10_members_that_nobody_reads_are_not_kept() {
    let keys = json!({"jwks": {"keys": [with(&ec_key(), &json!({"note": "kept?"}))], "more": "kept?"}});
    let client = register(&with(&by_key(), &keys)).expect("good");
    assert!(!client.to_record().expect("record").contains("kept?"));
    let shown = client.registration().jwks.expect("jwks");
    assert_eq!(shown["keys"][0]["x"], ec_key()["x"]);
}

#[test]
fn scopes_and_resources_follow_their_grammar() {
    let base = with(
        &by_secret(),
        &json!({"default_scope": "a", "resources": ["https://api.example/"]}),
    );
    refused(
        &base,
        &[
            (
                json!({"scope": "a  b"}),
                is!(RegistrationError::Scope { member: "scope" }),
            ),
            (json!({"scope": "a\"b"}), is!(RegistrationError::Scope { .. })),
            (json!({"scope": "é"}), is!(RegistrationError::Scope { .. })),
            (
                json!({"scope": (0..65).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ")}),
                is!(RegistrationError::Scope { .. }),
            ),
            (
                json!({"default_scope": "a\\b"}),
                is!(RegistrationError::Scope {
                    member: "default_scope"
                }),
            ),
            (
                json!({"default_scope": "a c"}),
                is!(RegistrationError::DefaultScope),
            ),
            (json!({"scope": null}), is!(RegistrationError::DefaultScope)),
            (
                json!({"scope": "a openstack:api", "default_scope": "openstack:api"}),
                is!(RegistrationError::DefaultScopeOpenstack),
            ),
            (
                json!({"resources": ["https://api.example/#x"]}),
                is!(RegistrationError::Resource { index: 0 }),
            ),
            (
                json!({"resources": ["https://api.example/", "/relative"]}),
                is!(RegistrationError::Resource { index: 1 }),
            ),
            (
                json!({"resources": ["https://api.example/", "https://api.example/"]}),
                is!(RegistrationError::Resources { .. }),
            ),
            (
                json!({"resources": (0..33).map(|n| format!("https://api.example/{n}")).collect::<Vec<_>>()}),
                is!(RegistrationError::Resources { .. }),
            ),
        ],
    );
}

#[test]
fn lifetimes_are_bounded_by_the_binding() {
    for (base, max) in [(by_secret(), 900), (by_dn(), 3600)] {
        for good in [30, max] {
            let client = register(&with(&base, &json!({"access_token_lifetime_s": good}))).expect("good");
            assert_eq!(client.effective_lifetime(), Duration::from_secs(good));
        }
        for bad in [0, 29, max + 1, u64::MAX] {
            let error = register(&with(&base, &json!({"access_token_lifetime_s": bad}))).expect_err("bad");
            assert!(matches!(error, RegistrationError::Lifetime { .. }), "{error}");
            assert!(error.to_string().contains(&format!("30 to {max}")), "{error}");
        }
        assert!(register(&with(&base, &json!({"access_token_lifetime_s": -1}))).is_err());
    }
}

#[test]
fn an_authority_and_its_scope_go_together() {
    let base = with(
        &by_dn(),
        &json!({"scope": "openstack:api", "authority": authority()}),
    );
    refused(
        &base,
        &[
            (
                json!({"authority": null}),
                is!(RegistrationError::AuthorityMissing),
            ),
            (json!({"scope": "a"}), is!(RegistrationError::AuthorityUnused)),
            (json!({"authority": {}}), is!(RegistrationError::Malformed { .. })),
            (
                json!({"authority": with(&authority(), &json!({"roles": []}))}),
                is!(RegistrationError::Malformed { .. }),
            ),
            (
                json!({"claims": {"iss": "x"}}),
                is!(RegistrationError::Malformed { .. }),
            ),
            (
                json!({"access_token_signing_alg": "HS256"}),
                is!(RegistrationError::SigningAlgorithm),
            ),
            (
                json!({"access_token_signing_alg": "none"}),
                is!(RegistrationError::SigningAlgorithm),
            ),
            (
                json!({"introspection": "all"}),
                is!(RegistrationError::Malformed { .. }),
            ),
            (
                json!({"client_name": "a\u{202e}b"}),
                is!(RegistrationError::Name(_)),
            ),
            (
                json!({"client_name": "x".repeat(10_240)}),
                is!(RegistrationError::Name(_)),
            ),
        ],
    );
}

/// O03: what the server sets cannot be set, neither at registration nor by an update.
#[test]
fn o03_nothing_of_the_servers_can_be_set() {
    for member in [
        "client_id",
        "domain_id",
        "created_at",
        "updated_at",
        "version",
        "client_secret",
        "client_secret_hash",
        "pre_authorized",
    ] {
        let error = register(&with(&by_secret(), &json!({member: "x"}))).expect_err(member);
        assert!(matches!(error, RegistrationError::SetByServer { .. }), "{error}");
    }
    let client = register(&by_secret()).expect("good");
    let update = ClientRegistration {
        client_name: Some("new".to_owned()),
        ..client.registration()
    };
    let later = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
    let updated = client.updated(update, None, later).expect("good");
    assert_eq!((updated.id(), updated.domain()), (client.id(), client.domain()));
    assert_eq!(
        (updated.created_at(), updated.updated_at(), updated.version()),
        (now(), later, 2)
    );
    assert_eq!((updated.name(), updated.auth()), ("new", client.auth()));
}

/// O10: unknown members, wrong types, size and depth.
#[test]
fn o10_unknown_members_wrong_types_size_and_depth_are_refused() {
    register(&by_secret()).expect("good");
    let suggestion = |member: &str| match register(&with(&by_secret(), &json!({member: 1}))) {
        Err(RegistrationError::UnknownMember { suggestion, .. }) => suggestion,
        other => panic!("{member}: {other:?}"),
    };
    assert_eq!(suggestion("scopes"), Some("scope"));
    assert_eq!(suggestion("client_names"), Some("client_name"));
    assert_eq!(
        suggestion("access_token_lifetime"),
        Some("access_token_lifetime_s")
    );
    assert_eq!(suggestion("banana"), None);
    assert_eq!(suggestion(&"x".repeat(10_000)), None);
    let long =
        register(&with(&by_secret(), &json!({"\u{202e}\"`\n".repeat(5_000): 1}))).expect_err("unknown");
    assert!(
        long.to_string().len() < 200 && long.to_string().is_ascii(),
        "{long}"
    );

    let cases: [(&str, Wanted); 12] = [
        ("", is!(RegistrationError::Json(_))),
        ("[]", is!(RegistrationError::Json(_))),
        ("null", is!(RegistrationError::Json(_))),
        ("{} {}", is!(RegistrationError::Json(_))),
        (r#"{"scope": "a", "scope": "b"}"#, is!(RegistrationError::Json(_))),
        (
            r#"{"jwks": {"keys": [], "keys": []}}"#,
            is!(RegistrationError::Json(_)),
        ),
        (r#"{"scope": ["a"]}"#, is!(RegistrationError::Malformed { .. })),
        (r#"{"enabled": "yes"}"#, is!(RegistrationError::Malformed { .. })),
        (
            r#"{"frontchannel_logout_uri": "https://a.example/"}"#,
            is!(RegistrationError::NotOffered { .. }),
        ),
        (
            r#"{"jwks_uri": "http://169.254.169.254/"}"#,
            is!(RegistrationError::NotOffered {
                member: "jwks_uri",
                ..
            }),
        ),
        (
            &format!(r#"{{"claims": {}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000)),
            is!(RegistrationError::Json(_)),
        ),
        (
            &format!(r#"{{"client_name": "{}"}}"#, "x".repeat(10 << 20)),
            is!(RegistrationError::TooLarge { .. }),
        ),
    ];
    for (document, is_wanted) in cases {
        let head: String = document.chars().take(60).collect();
        let error = register_text(document).expect_err(&head);
        assert!(is_wanted(&error), "{head}: {error:?}");
        assert!(error.to_string().len() < 400, "{error}");
    }
}

/// O15: a client id is generated, or fits the strict pattern.
#[test]
fn o15_client_ids_are_generated_or_strict() {
    let id = crate::generate_client_id([0xa5; 16]).expect("fits");
    assert_eq!(id.as_str(), "a5".repeat(16));
    for bad in ["", "../x", "a b", "é", "a/b", "a\0", &"x".repeat(65)] {
        assert!(ClientId::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn an_update_follows_the_method() {
    let client = register(&by_secret()).expect("good");
    let parse =
        |document: Value| ClientRegistration::from_json(document.to_string().as_bytes()).expect("form");
    let post = json!({"token_endpoint_auth_method": "client_secret_post"});
    let same_secret = client
        .updated(parse(with(&by_secret(), &post)), None, now())
        .expect("good");
    assert_eq!(same_secret.auth().secrets(), client.auth().secrets());
    let by_certificate = client.updated(parse(by_dn()), None, now()).expect("good");
    assert_eq!(by_certificate.auth().secrets(), None);
    let back = by_certificate.updated(parse(by_secret()), None, now());
    assert!(matches!(back, Err(RegistrationError::SecretMissing { .. })));
    assert!(
        by_certificate
            .updated(parse(by_secret()), Some(secrets()), now())
            .is_ok()
    );
}

/// O09: neither the secret nor its hash is in what is shown.
#[test]
fn o09_no_secret_is_shown_again() {
    let client = register(&by_secret()).expect("good");
    let hash = client.auth().secrets().expect("secrets").current().kept.clone();
    let KeptSecret::Hash(hash) = hash else {
        panic!("a hash")
    };
    let hash = hash.to_text();
    let shown = serde_json::to_string(&client.registration()).expect("json");
    assert!(client.to_record().expect("record").contains(&hash));
    assert!(!shown.contains(&hash) && !shown.contains("secrets"));
    assert!(!format!("{client:?}").contains(&hash));
}

#[test]
fn the_list_of_members_is_the_list_of_fields() {
    let full = ClientRegistration {
        client_name: Some(String::new()),
        token_endpoint_auth_method: Some(String::new()),
        grant_types: Some(Vec::new()),
        scope: Some(String::new()),
        default_scope: Some(String::new()),
        resources: vec![String::new()],
        tls_client_auth_subject_dn: Some(String::new()),
        tls_client_auth_san_dns: Some(String::new()),
        tls_client_auth_san_uri: Some(String::new()),
        tls_client_auth_san_ip: Some(String::new()),
        tls_client_auth_san_email: Some(String::new()),
        jwks: Some(Value::Null),
        token_endpoint_auth_signing_alg: Some(String::new()),
        client_assertion_audience: Some(AssertionAudience::Issuer),
        accept_assertion_dates_as_text: Some(true),
        tls_client_certificate_bound_access_tokens: Some(true),
        access_token_lifetime_s: Some(1),
        access_token_signing_alg: Some(String::new()),
        introspection: Some(IntrospectionRight::None),
        introspection_format: Some(IntrospectionFormat::Keystonemiddleware),
        authority: Some(serde_json::from_value(authority()).expect("authority")),
        openstack_application_credential_id: ApplicationCredentialId::parse("ac1").ok(),
        openstack_application_credential_secret: Some("never printed".into()),
        openstack_application_credential_expires_at: Some(1),
        openstack_user_id: UserId::parse("u1").ok(),
        openstack_project_id: ProjectId::parse("p1").ok(),
        openstack_mapping: Some(json!({})),
        openstack_minted: Some(true),
        dangerous_unrestricted_application_credential: Some(true),
        sealed_application_credential_secret: SealedSecret::parse("never.printed").ok(),
        redirect_uris: vec![String::new()],
        response_types: Some(Vec::new()),
        application_type: Some(ApplicationType::Native),
        post_logout_redirect_uris: vec![String::new()],
        require_pkce: Some(true),
        id_token_signed_response_alg: Some(String::new()),
        userinfo_signed_response_alg: Some(String::new()),
        subject_type: Some(SubjectType::Pairwise),
        sector_identifier: Some(String::new()),
        default_max_age: Some(1),
        default_acr_values: vec![String::new()],
        minimum_acr: Some(String::new()),
        backchannel_logout_uri: Some(String::new()),
        backchannel_logout_session_required: Some(true),
        consent: Some(ConsentPolicy::Never),
        refresh_token_lifetime_s: Some(1),
        refresh_token_idle_s: Some(1),
        client_uri: Some(String::new()),
        claims: ClaimsTemplate::parse(&json!({"team": "a"})).expect("template"),
        enabled: Some(true),
    };
    let printed = serde_json::to_value(&full).expect("json");
    let mut names: Vec<&str> = printed
        .as_object()
        .expect("object")
        .keys()
        .map(String::as_str)
        .collect();
    // Written, never read back.
    names.push("openstack_application_credential_secret");
    let mut known = members::KNOWN.to_vec();
    names.sort_unstable();
    known.sort_unstable();
    assert_eq!(names, known);
}
