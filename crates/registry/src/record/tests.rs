use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::secret::{ClientSecretText, Pepper};

fn client(document: &Value, secrets: Option<SecretSet>) -> Client {
    ClientRegistration::from_json(document.to_string().as_bytes())
        .and_then(|registration| {
            let (domain, id) = (
                DomainId::parse("demo").expect("domain"),
                ClientId::parse("c1").expect("id"),
            );
            registration.into_client(domain, id, secrets, at(1_700_000_000))
        })
        .expect("good registration")
}

fn secrets(overlap: u64) -> SecretSet {
    let hash = |fill| ClientSecretText::from_random([fill; 32]).hash(&Pepper::from_bytes([7; 32]));
    let set = SecretSet::new(hash(1), Some(at(2_000_000_000)));
    if overlap == 0 {
        set
    } else {
        set.rotate(hash(2), None, Duration::from_secs(overlap), at(1_700_000_000))
            .expect("rotation")
    }
}

fn changed(record: &str, change: impl FnOnce(&mut Value)) -> Result<Client, RecordError> {
    let mut value: Value = serde_json::from_str(record).expect("json");
    change(&mut value);
    Client::from_record(value.to_string().as_bytes())
}

#[test]
fn a_record_that_was_changed_by_hand_is_checked_as_a_registration_is() {
    let record = client(&json!({"scope": "a"}), Some(secrets(60)))
        .to_record()
        .expect("record");
    assert!(changed(&record, |_| ()).is_ok());

    let invalid = changed(&record, |r| {
        r["registration"]["access_token_lifetime_s"] = json!(86_400)
    });
    assert!(matches!(
        invalid,
        Err(RecordError::Invalid(RegistrationError::Lifetime { .. }))
    ));
    let invalid = changed(&record, |r| {
        r["registration"]["grant_types"] = json!(["password"])
    });
    assert!(matches!(
        invalid,
        Err(RecordError::Invalid(RegistrationError::ForbiddenGrantType { .. }))
    ));
    let invalid = changed(&record, |r| r["secrets"] = json!([]));
    assert!(matches!(
        invalid,
        Err(RecordError::Invalid(RegistrationError::SecretMissing { .. }))
    ));

    let newer = changed(&record, |r| {
        r["record_version"] = json!(RECORD_VERSION + 1);
        r["something_new"] = json!(true);
    });
    assert!(matches!(newer, Err(RecordError::Newer { found }) if found == RECORD_VERSION + 1));
    let damaged = changed(&record, |r| r["secrets"][0]["hmac_sha256"] = json!("AAAA"));
    assert!(matches!(damaged, Err(RecordError::Secrets)));
    let third = changed(&record, |r| {
        let one = r["secrets"][0].clone();
        r["secrets"].as_array_mut().expect("array").push(one);
    });
    assert!(matches!(third, Err(RecordError::Secrets)));
    let unknown = changed(&record, |r| r["admin"] = json!(true));
    assert!(matches!(unknown, Err(RecordError::Malformed { .. })));
    let bad_id = changed(&record, |r| r["client_id"] = json!("../x"));
    assert!(matches!(bad_id, Err(RecordError::Malformed { .. })));
    for text in ["", "{}", "null", "[", &record[..record.len() - 1]] {
        assert!(Client::from_record(text.as_bytes()).is_err(), "{text}");
    }
}

/// Registrations of every method, with every optional member there or not.
fn registrations() -> impl Strategy<Value = (Value, Option<u64>)> {
    let method = prop_oneof![
        Just((
            json!({"token_endpoint_auth_method": "client_secret_basic"}),
            true,
            false
        )),
        Just((
            json!({"token_endpoint_auth_method": "client_secret_post",
                     "tls_client_certificate_bound_access_tokens": true}),
            true,
            true
        )),
        Just((
            json!({"token_endpoint_auth_method": "tls_client_auth",
                     "tls_client_auth_subject_dn": "CN=Jos\\C3\\A9 \\+ co,OU=a+CN=b,O=Example"}),
            false,
            true
        )),
        Just((
            json!({"token_endpoint_auth_method": "tls_client_auth",
                     "tls_client_auth_san_ip": "2001:DB8:0::1"}),
            false,
            true
        )),
        Just((
            json!({"token_endpoint_auth_method": "tls_client_auth", "tls_client_certificate_bound_access_tokens": false,
                     "tls_client_auth_san_dns": "CI.example.org"}),
            false,
            false
        )),
        Just((
            json!({"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": {"keys": [
            {"kty": "EC", "crv": "P-256", "kid": "a", "use": "sig", "alg": "ES256",
             "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
             "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}}),
            false,
            true
        )),
    ];
    let optional = (
        proptest::option::of("[a-zA-Zäß東 ]{0,20}[a-z]"),
        proptest::collection::btree_set("[!#-\\[\\]-~]{1,10}", 0..5),
        0_usize..5,
        proptest::collection::btree_set("https://[a-z]{1,8}\\.example/[a-z]{0,8}", 0..4),
        proptest::option::of(30_u64..=900),
        proptest::option::of(proptest::sample::select(vec![
            "ES256", "ES384", "EdDSA", "RS256", "PS256",
        ])),
        proptest::option::of(proptest::sample::select(vec!["none", "own", "domain"])),
        (any::<bool>(), any::<bool>(), any::<bool>(), 0_u64..=2_592_000),
    );
    (method, optional).prop_map(|((mut document, secret, _), (name, scopes, defaults, resources, lifetime, alg, right, flags))| {
        let (enabled, with_authority, with_claims, overlap) = flags;
        let mut scopes: Vec<String> = scopes.into_iter().filter(|name| name != "openstack:api").collect();
        document["default_scope"] = json!(scopes.iter().take(defaults).cloned().collect::<Vec<_>>().join(" "));
        if with_authority {
            scopes.push("openstack:api".to_owned());
            document["authority"] = json!({
                "user": {"id": "u1", "name": "ci", "domain_id": "demo"}, "scope": {"type": "system"},
                "roles": ["reader"], "access_rules": [{"service": "compute", "method": "GET", "path": "/v2.1/**"}]
            });
        }
        if with_claims {
            document["claims"] = json!({"team": "${client_name}", "level": 3});
        }
        document["scope"] = json!(scopes.join(" "));
        document["resources"] = json!(resources);
        document["enabled"] = json!(enabled);
        for (member, value) in [("client_name", name.map(|name| json!(name.trim()))), ("access_token_lifetime_s", lifetime.map(|s| json!(s))),
                                ("access_token_signing_alg", alg.map(|a| json!(a))), ("introspection", right.map(|r| json!(r)))] {
            if let Some(value) = value {
                document[member] = value;
            }
        }
        (document, secret.then_some(overlap))
    })
}

proptest! {
    #[test]
    fn a_record_round_trips((document, overlap) in registrations()) {
        let client = client(&document, overlap.map(secrets));
        let record = client.to_record().expect("record");
        let again = Client::from_record(record.as_bytes()).expect("reads its own record");
        prop_assert_eq!(&again, &client);
        prop_assert_eq!(again.to_record().expect("record"), record);
        // The registration that is shown registers the same client.
        let shown = serde_json::to_string(&client.registration()).expect("json");
        let shown = ClientRegistration::from_json(shown.as_bytes()).expect("reads what it shows");
        prop_assert_eq!(&shown, &client.registration());
        let updated = client.updated(shown, None, at(1_700_000_000)).expect("registers what it shows");
        prop_assert_eq!(updated.auth(), client.auth());
        prop_assert_eq!(updated.version(), 2);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,200}") {
        let _ = Client::from_record(text.as_bytes());
        let _ = ClientRegistration::from_json(text.as_bytes());
    }
}
