//! What may be registered, and what comes of it.

use crate::{APP, native, register, web, with};
use sealstone_oauth_types::{GrantType, RedirectUri};
use sealstone_registry::{
    ApplicationType, Client, ClientRegistration, ConsentPolicy, MachineTie, Pkce, RegistrationError,
    SubjectType, chosen_client_id,
};
use serde_json::{Value, json};

#[test]
fn g26_a_chosen_client_id_is_no_users() {
    for good in [
        "grafana",
        "7a6c1f0e5b3d42c8a9e0d1f2b3c4d5e",
        "7a6c1f0e5b3d42c8a9e0d1f2b3c4d5eg",
        &"-".repeat(32),
    ] {
        assert!(chosen_client_id(good).is_ok(), "{good}");
    }
    for wrong in [
        &"a".repeat(32),
        &"0123456789abcdefABCDEF0123456789".to_owned(),
        &"f".repeat(64),
    ] {
        assert_eq!(
            chosen_client_id(wrong),
            Err(RegistrationError::ClientIdOfUser),
            "{wrong}"
        );
    }
    assert_eq!(chosen_client_id("../x"), Err(RegistrationError::ClientId));
}

#[test]
fn n10_logout_is_told_to_public_hosts_over_tls() {
    let uri = |uri: &str| with(&web(), &json!({"backchannel_logout_uri": uri}));
    let client = register(&uri("https://app.example/logout")).unwrap();
    assert!(!client.backchannel_logout().unwrap().session_required);
    for wrong in [
        "http://127.0.0.1:22",
        "https://127.0.0.1:22",
        "http://app.example/logout",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/",
        "https://localhost/logout",
        "https://app.example/logout#x",
        "",
    ] {
        assert_eq!(
            register(&uri(wrong)),
            Err(RegistrationError::LogoutUri),
            "{wrong}"
        );
    }
    assert_eq!(
        register(&with(
            &web(),
            &json!({"backchannel_logout_session_required": true})
        )),
        Err(RegistrationError::LogoutSessionAlone)
    );
}

/// Wildcards, plain HTTP, dangerous schemes.
#[test]
fn o04_o05_o06_redirect_uris_that_lead_to_anybody() {
    for (uri, want) in [
        // No URI at all: what is wrong with it is the asterisk.
        ("https://*.example.com/cb", "RedirectUriWildcard"),
        ("https://app.example/*", "RedirectUriWildcard"),
        ("https://app.example/cb?x=*", "RedirectUriWildcard"),
        ("http://127.0.0.1:*/cb", "RedirectUriWildcard"),
        ("http://app.example/cb", "RedirectUriKind"),
        ("http://10.0.0.1/cb", "RedirectUriKind"),
        ("http://localhost.example/cb", "RedirectUriKind"),
        ("javascript:alert(1)", "RedirectUri "),
        ("data:text/html,x", "RedirectUri "),
    ] {
        for member in ["redirect_uris", "post_logout_redirect_uris"] {
            for base in [web(), native()] {
                let error = register(&with(&base, &json!({member: [uri]}))).expect_err(uri);
                assert!(format!("{error:?}").starts_with(want), "{uri}: {error:?}");
            }
        }
    }
}

#[test]
fn o07_a_public_client_without_pkce() {
    let without = json!({"require_pkce": false});
    assert_eq!(
        register(&with(&native(), &without)),
        Err(RegistrationError::PublicWithoutPkce)
    );
    assert_eq!(register(&native()).unwrap().pkce(), Pkce::Required);
    assert_eq!(register(&with(&web(), &without)).unwrap().pkce(), Pkce::Optional);
}

/// No page shows a picture or a policy, nothing is fetched, and the one link that is shown is of `https`.
#[test]
fn o12_addresses_for_pages() {
    for member in [
        "logo_uri",
        "policy_uri",
        "tos_uri",
        "jwks_uri",
        "sector_identifier_uri",
    ] {
        for uri in [
            "https://app.example/x",
            "javascript:alert(1)",
            "http://169.254.169.254/",
        ] {
            let error = register(&with(&web(), &json!({member: uri}))).expect_err(uri);
            assert!(matches!(error, RegistrationError::NotOffered { .. }), "{error:?}");
        }
    }
    for uri in [
        "javascript:alert(1)",
        "http://app.example/",
        "data:text/html,x",
        "https://u@app.example/",
        "",
    ] {
        assert_eq!(
            register(&with(&web(), &json!({"client_uri": uri}))),
            Err(RegistrationError::ClientUri)
        );
    }
}

#[test]
fn defaults_are_the_strict_ones() {
    let client = register(&json!({"redirect_uris": [APP], "scope": "openid"})).unwrap();
    assert!(
        client.has_grant(GrantType::AuthorizationCode) && !client.has_grant(GrantType::ClientCredentials)
    );
    assert!(client.has_people() && !client.is_public());
    assert_eq!(
        (
            client.pkce(),
            client.consent(),
            client.subject_type(),
            client.application_type()
        ),
        (
            Pkce::Required,
            ConsentPolicy::Ask,
            SubjectType::Public,
            ApplicationType::Web
        )
    );
    let day = 24 * 3600;
    assert_eq!(
        (
            client.refresh_lifetime().as_secs(),
            client.refresh_idle().as_secs()
        ),
        (90 * day, 30 * day)
    );
    let short = with(&web(), &json!({"refresh_token_lifetime_s": 7200}));
    assert_eq!(register(&short).unwrap().refresh_idle().as_secs(), 7200);
    let machine = register(&json!({})).unwrap();
    assert!(!machine.has_people() && machine.redirect_uris().is_empty());
}

#[test]
fn a_person_needs_no_tie_and_a_machine_does() {
    let client = register(&native()).unwrap();
    assert!(client.is_public() && client.scopes().contains("openstack:api"));
    assert_eq!(client.tie(), &MachineTie::None);
    let both = json!({"grant_types": ["authorization_code", "client_credentials"], "scope": "openstack:api"});
    assert_eq!(
        register(&with(&web(), &both)),
        Err(RegistrationError::AuthorityMissing)
    );
    let tie = json!({"openstack_user_id": "u1", "openstack_project_id": "p1"});
    assert!(register(&with(&with(&web(), &both), &tie)).is_ok());
    assert_eq!(
        register(&with(&native(), &tie)),
        Err(RegistrationError::AuthorityUnused)
    );
}

#[test]
fn what_does_not_go_together_is_refused() {
    type Wanted = fn(&RegistrationError) -> bool;
    macro_rules! is {
        ($pattern:pat) => {
            |error| matches!(error, $pattern)
        };
    }
    let machine = json!({"scope": "a"});
    let uris: Vec<String> = (0..33)
        .map(|number| format!("https://app.example/{number}"))
        .collect();
    let acrs: Vec<String> = (0..17).map(|number| format!("acr:{number}")).collect();
    let unused: Wanted = is!(RegistrationError::UnusedByGrants { .. });
    let cases: Vec<(Value, Value, Wanted)> = vec![
        (
            native(),
            json!({"grant_types": ["client_credentials"]}),
            is!(RegistrationError::PublicMachine),
        ),
        (
            native(),
            json!({"introspection": "domain"}),
            is!(RegistrationError::PublicIntrospection),
        ),
        (
            native(),
            json!({"require_pkce": false}),
            is!(RegistrationError::PublicWithoutPkce),
        ),
        (
            native(),
            json!({"default_scope": "openstack:api"}),
            is!(RegistrationError::DefaultScopeOpenstack),
        ),
        (
            web(),
            json!({"grant_types": ["refresh_token"]}),
            is!(RegistrationError::RefreshAlone),
        ),
        (
            web(),
            json!({"grant_types": ["refresh_token", "client_credentials"]}),
            is!(RegistrationError::RefreshAlone),
        ),
        (
            web(),
            json!({"grant_types": ["authorization_code"]}),
            is!(RegistrationError::OfflineAccess),
        ),
        (
            web(),
            json!({"redirect_uris": []}),
            is!(RegistrationError::RedirectUriMissing),
        ),
        (
            web(),
            json!({"redirect_uris": [APP, APP]}),
            is!(RegistrationError::RedirectUris { limit: 32, .. }),
        ),
        (
            web(),
            json!({"redirect_uris": uris}),
            is!(RegistrationError::RedirectUris { .. }),
        ),
        (
            web(),
            json!({"redirect_uris": APP}),
            is!(RegistrationError::Malformed { .. }),
        ),
        (
            web(),
            json!({"response_types": ["token"]}),
            is!(RegistrationError::ResponseTypes),
        ),
        (
            web(),
            json!({"response_types": ["code", "code"]}),
            is!(RegistrationError::ResponseTypes),
        ),
        (
            web(),
            json!({"response_types": ["code id_token"]}),
            is!(RegistrationError::ResponseTypes),
        ),
        (
            web(),
            json!({"response_types": []}),
            is!(RegistrationError::ResponseTypes),
        ),
        (
            web(),
            json!({"application_type": "Web"}),
            is!(RegistrationError::Malformed { .. }),
        ),
        (
            web(),
            json!({"id_token_signed_response_alg": "none"}),
            is!(RegistrationError::PeopleAlgorithm { .. }),
        ),
        (
            web(),
            json!({"userinfo_signed_response_alg": "HS256"}),
            is!(RegistrationError::PeopleAlgorithm { .. }),
        ),
        (
            web(),
            json!({"sector_identifier": "app.example"}),
            is!(RegistrationError::SectorUnused),
        ),
        (
            native(),
            json!({"subject_type": "pairwise"}),
            is!(RegistrationError::Sector),
        ),
        (
            web(),
            json!({"subject_type": "pairwise", "sector_identifier": "https://app.example"}),
            is!(RegistrationError::Sector),
        ),
        (
            web(),
            json!({"subject_type": "pairwise", "redirect_uris": [APP, "https://other.example/cb"]}),
            is!(RegistrationError::Sector),
        ),
        (
            web(),
            json!({"subject_type": "pairwise", "redirect_uris": [format!("https://{}.example/cb", "a".repeat(64))]}),
            is!(RegistrationError::Sector),
        ),
        (
            web(),
            json!({"subject_type": "pairwise", "redirect_uris": ["https://[2001:db8::1]/cb"]}),
            is!(RegistrationError::Sector),
        ),
        (
            web(),
            json!({"default_max_age": -1}),
            is!(RegistrationError::Malformed { .. }),
        ),
        (
            web(),
            json!({"default_acr_values": acrs}),
            is!(RegistrationError::Acr { .. }),
        ),
        (
            web(),
            json!({"default_acr_values": ["a b"]}),
            is!(RegistrationError::Acr { .. }),
        ),
        (
            web(),
            json!({"minimum_acr": ""}),
            is!(RegistrationError::MinimumAcr { suggestion: None }),
        ),
        (
            web(),
            json!({"minimum_acr": "urn:sealstone:acr:two-factors"}),
            is!(RegistrationError::MinimumAcr {
                suggestion: Some("urn:sealstone:acr:two-factor")
            }),
        ),
        (
            web(),
            json!({"consent": "always"}),
            is!(RegistrationError::Malformed { .. }),
        ),
        (
            web(),
            json!({"refresh_token_lifetime_s": 3599}),
            is!(RegistrationError::RefreshLifetime),
        ),
        (
            web(),
            json!({"refresh_token_lifetime_s": 31_536_001}),
            is!(RegistrationError::RefreshLifetime),
        ),
        (
            web(),
            json!({"refresh_token_idle_s": 10}),
            is!(RegistrationError::RefreshIdle),
        ),
        (
            web(),
            json!({"refresh_token_lifetime_s": 7200, "refresh_token_idle_s": 7201}),
            is!(RegistrationError::RefreshIdle),
        ),
        (
            web(),
            json!({"client_uri": "http://app.example/"}),
            is!(RegistrationError::ClientUri),
        ),
        (
            web(),
            json!({"client_uri": "javascript:alert(1)"}),
            is!(RegistrationError::ClientUri),
        ),
        (
            web(),
            json!({"logo_uri": "https://app.example/x.png"}),
            is!(RegistrationError::NotOffered { .. }),
        ),
        (
            web(),
            json!({"sector_identifier_uri": "http://169.254.169.254/"}),
            is!(RegistrationError::NotOffered { .. }),
        ),
        (
            machine.clone(),
            json!({"grant_types": ["client_credentials"], "redirect_uris": [APP]}),
            unused,
        ),
        (machine.clone(), json!({"response_types": ["code"]}), unused),
        (machine.clone(), json!({"require_pkce": true}), unused),
        (machine.clone(), json!({"application_type": "native"}), unused),
        (
            machine.clone(),
            json!({"post_logout_redirect_uris": [APP]}),
            unused,
        ),
        (machine.clone(), json!({"subject_type": "public"}), unused),
        (
            machine.clone(),
            json!({"backchannel_logout_uri": "https://app.example/"}),
            unused,
        ),
        (machine.clone(), json!({"consent": "never"}), unused),
        (machine.clone(), json!({"refresh_token_idle_s": 3600}), unused),
        (machine, json!({"client_uri": "https://app.example/"}), unused),
    ];
    for base in [web(), native()] {
        register(&base).expect("without the fault it registers");
    }
    for (base, change, is_wanted) in cases {
        let error = register(&with(&base, &change)).expect_err(&change.to_string());
        assert!(is_wanted(&error), "{change}: {error:?}");
        assert_eq!(error.code().as_str(), "invalid_client_metadata");
        assert!(error.to_string().len() > 20);
    }
}

#[test]
fn a_record_reads_back_and_shows_every_choice() {
    let chosen = json!({
        "post_logout_redirect_uris": ["https://app.example/bye"], "require_pkce": false,
        "id_token_signed_response_alg": "ES256", "userinfo_signed_response_alg": "RS256",
        "subject_type": "pairwise", "default_max_age": 600, "default_acr_values": ["phr"],
        "minimum_acr": "urn:sealstone:acr:two-factor", "backchannel_logout_uri": "https://app.example/logout",
        "backchannel_logout_session_required": true, "consent": "never", "refresh_token_lifetime_s": 86_400,
        "refresh_token_idle_s": 3600, "client_uri": "https://app.example/",
    });
    for document in [web(), native(), with(&web(), &chosen)] {
        let client = register(&document).unwrap();
        let record = client.to_record().unwrap();
        assert_eq!(Client::from_record(record.as_bytes()).unwrap(), client);
        let shown = serde_json::to_value(client.registration()).unwrap();
        for (member, value) in document.as_object().unwrap() {
            if member != "grant_types" {
                assert_eq!(&shown[member], value, "{member}");
            }
        }
        let again = ClientRegistration::from_json(shown.to_string().as_bytes()).unwrap();
        let same = client.updated(again, None, client.updated_at()).unwrap();
        assert_eq!(same.registration(), client.registration());
    }
    let pairwise = register(&with(&web(), &chosen)).unwrap();
    assert_eq!(pairwise.sector_identifier(), Some("app.example"));
    assert!(pairwise.may_return_to(&RedirectUri::parse("https://app.example/bye").unwrap()));
    for other in ["https://app.example/bye/", "https://app.example/bye?x=1", APP] {
        assert!(
            !pairwise.may_return_to(&RedirectUri::parse(other).unwrap()),
            "{other}"
        );
    }
}

/// A further redirect URI changes nobody's subject.
#[test]
fn a_sector_is_kept_when_redirect_uris_change() {
    let client = register(&with(&web(), &json!({"subject_type": "pairwise"}))).unwrap();
    let mut registration = client.registration();
    registration
        .redirect_uris
        .push("https://other.example/cb".to_owned());
    let changed = client.updated(registration, None, client.updated_at()).unwrap();
    assert_eq!(changed.sector_identifier(), Some("app.example"));
}

const SECOND_VERSION: &str = r#"{"record_version":2,"client_id":"7a6c1f0e5b3d42c8a9e0d1f2b3c4d5e6","domain_id":"demo",
    "version":3,"created_at":1700000000,"updated_at":1700000100,"application_credential_secret":"v1.test.5",
    "tie_changed_at":1700000050,"registration":{"client_name":"ci","token_endpoint_auth_method":"tls_client_auth",
    "grant_types":["client_credentials"],"scope":"openstack:api offline_access openid","default_scope":"",
    "tls_client_auth_subject_dn":"CN=ci","tls_client_certificate_bound_access_tokens":true,"introspection":"none",
    "openstack_application_credential_id":"ac1","enabled":true}}"#;

/// Whatever its scope is called and its identifier looks like: a machine stays the machine that it was.
#[test]
fn a_machine_stored_before_there_were_people_is_read_as_it_was() {
    let client = Client::from_record(SECOND_VERSION.as_bytes()).unwrap();
    assert!(!client.has_people() && !client.is_public());
    assert!(client.has_grant(GrantType::ClientCredentials) && client.redirect_uris().is_empty());
    assert!(client.tie().sealed_secret().is_some());
    let record: Value = serde_json::from_str(&client.to_record().unwrap()).unwrap();
    assert_eq!(record["record_version"], json!(3));
    let before: Value = serde_json::from_str(SECOND_VERSION).unwrap();
    assert_eq!(
        record["registration"], before["registration"],
        "nothing about people is written for it"
    );
}
