//! Fernet tokens and receipts of a real Keystone, read and written back, and the specification's own vectors.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_fernet::{
    AuthMethods, FernetKey, FernetKeys, FernetReceipts, FernetTokens, Iv, KeystoneId, Scope,
};
use serde_json::Value;

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn methods(file: &Value) -> AuthMethods {
    let names: Vec<&str> = file["auth_methods_option"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    AuthMethods::new(&names).unwrap()
}

/// The keys with `primary` in front, so that what is sealed has the key of the token it is compared with.
fn keys(file: &Value, primary: u64) -> FernetKeys {
    let texts: Vec<&str> = file["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key.as_str().unwrap())
        .collect();
    let first = usize::try_from(primary).unwrap();
    let mut order: Vec<usize> = (0..texts.len()).rev().collect();
    order.sort_by_key(|place| usize::from(*place != first));
    FernetKeys::new(
        order
            .iter()
            .map(|place| FernetKey::parse(texts[*place]).unwrap())
            .collect(),
    )
    .unwrap()
}

fn tokens(file: &Value, primary: u64) -> FernetTokens {
    FernetTokens::new(
        keys(file, primary),
        methods(file),
        KeystoneId::parse("default").unwrap(),
    )
}

fn file() -> Value {
    vectors(include_str!("vectors/fernet_tokens.json"))
}

fn sorted(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort();
    names
}

fn strings(value: &Value) -> Vec<String> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_token_of_keystone_is_read_and_written_back_octet_for_octet() {
    let file = file();
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() >= 25, "all kinds are there");
    let mut versions = std::collections::BTreeSet::new();
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let text = case["token"].as_str().unwrap();
        let issued_at = at(case["fernet_timestamp"].as_u64().unwrap());
        let tokens = tokens(&file, case["key_index"].as_u64().unwrap());
        let token = tokens
            .read(text, issued_at)
            .unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(token.key, 0, "{id}");
        assert_eq!(token.version.number(), case["fields"]["version"], "{id}");
        assert_eq!(token.claims.issued_at, issued_at, "{id}");
        assert_eq!(tokens.issue(&token.claims, token.iv).unwrap(), text, "{id}");
        versions.insert(token.version);

        // What Keystone itself reads out of it.
        let subject = &token.claims.subject;
        let seen = &case["validation"];
        assert_eq!(
            sorted(subject.methods.to_vec()),
            sorted(strings(&seen["methods"])),
            "{id}"
        );
        let ids = token.claims.audit_ids;
        let ids: Vec<String> = [Some(ids.own), ids.chain]
            .iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        assert_eq!(ids, strings(&seen["audit_ids"]), "{id}");
        if subject.trust_id.is_none() {
            assert_eq!(subject.user_id.as_str(), seen["user_id"], "{id}");
        }
        let (project, domain) = match &subject.scope {
            Scope::Unscoped => (Value::Null, Value::Null),
            Scope::Project(project) => (project.as_str().into(), Value::Null),
            Scope::Domain(domain) => (Value::Null, domain.as_str().into()),
            Scope::System(system) => {
                assert_eq!(system.as_str(), "all");
                assert_eq!(seen["system"]["all"], true);
                (Value::Null, Value::Null)
            }
        };
        assert_eq!(
            (&project, &domain),
            (&seen["project_id"], &seen["domain_id"]),
            "{id}"
        );
        let text_of = |id: &Option<KeystoneId>| id.as_ref().map_or(Value::Null, |id| id.as_str().into());
        assert_eq!(text_of(&subject.trust_id), seen["trust_id"], "{id}");
        assert_eq!(
            text_of(&subject.application_credential_id),
            seen["application_credential_id"],
            "{id}"
        );
        assert_eq!(
            subject.thumbprint.as_deref().map_or(Value::Null, Into::into),
            seen["thumbprint"],
            "{id}"
        );
        let federation = subject.federation.as_ref().map_or(Value::Null, |federation| {
            let groups: Vec<&str> = federation.groups.iter().map(KeystoneId::as_str).collect();
            serde_json::json!({
                "groups": groups,
                "identity_provider_id": federation.identity_provider_id.as_str(),
                "protocol_id": federation.protocol_id.as_str(),
            })
        });
        assert_eq!(federation, seen["federation"], "{id}");
    }
    assert_eq!(versions.len(), 11, "every layout");
}

#[test]
fn what_keystone_refuses_or_fails_on_is_refused() {
    let negative = vectors(include_str!("vectors/fernet_negative.json"));
    let tokens = tokens(&file(), 2);
    for case in negative["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let read = tokens.read(case["token"].as_str().unwrap(), at(1_795_302_900));
        if case["status"] == 200 {
            assert!(read.is_ok(), "{id}: {read:?}");
        } else {
            assert!(read.is_err(), "{id}");
        }
    }
}

#[test]
fn receipts_are_read_and_written_back_octet_for_octet() {
    let file = vectors(include_str!("vectors/receipts.json"));
    for case in file["cases"].as_array().unwrap() {
        let text = case["receipt"].as_str().unwrap();
        let keys = keys(&file, case["key_index"].as_u64().unwrap());
        let iv = keys.open(text).unwrap().iv;
        let receipts = FernetReceipts::new(keys, methods(&file));
        let issued_at = at(case["fernet_timestamp"].as_u64().unwrap());
        let receipt = receipts.read(text, issued_at).unwrap();
        assert_eq!(receipt.user_id.as_str(), case["fields"]["user_id"]);
        assert_eq!(receipt.methods, strings(&case["fields"]["methods"]));
        assert_eq!(receipts.issue(&receipt, iv).unwrap(), text);
        assert!(receipts.read(text, receipt.expires_at).is_err());
    }
}

#[test]
fn the_specification_agrees() {
    let file = vectors(include_str!("vectors/fernet_specification.json"));
    let times = [
        ("1985-10-26T01:20:00-07:00", 499_162_800),
        ("1985-10-26T01:20:01-07:00", 499_162_801),
        ("1985-10-26T01:21:31-07:00", 499_162_891),
    ];
    for case in file["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let key = FernetKey::parse(case["secret"].as_str().unwrap()).unwrap();
        let keys = FernetKeys::new(vec![key]).unwrap();
        let now = times
            .iter()
            .find(|(text, _seconds)| case["now"] == *text)
            .unwrap()
            .1;
        let token = case["token"].as_str().unwrap();
        if let Some(iv) = case["iv"].as_array() {
            let iv: Vec<u8> = iv
                .iter()
                .map(|octet| u8::try_from(octet.as_u64().unwrap()).unwrap())
                .collect();
            let iv = Iv::new(iv.try_into().unwrap());
            let sealed = keys
                .seal(case["src"].as_str().unwrap().as_bytes(), at(now), iv)
                .unwrap();
            assert_eq!(sealed, token.trim_end_matches('='), "{id}");
            continue;
        }
        let lifetime = Duration::from_secs(case["ttl_sec"].as_u64().unwrap());
        let opened = keys.open_within(token, at(now), lifetime);
        if case["expect"] == "valid" {
            assert_eq!(
                opened.unwrap().payload(),
                case["src"].as_str().unwrap().as_bytes(),
                "{id}"
            );
        } else {
            assert!(opened.is_err(), "{id}");
        }
    }
}
