//! A rule document and an assertion, with a NUL between them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_claims::{Assertion, RuleSet, import_mapping};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (document, assertion) = (parts.next().unwrap_or_default(), parts.next().unwrap_or(b"{}"));
    let Ok(rules) = RuleSet::from_json(document) else {
        assert!(import_mapping(document).is_err(), "refused, and converted");
        return;
    };
    let (converted, _) = import_mapping(document).expect("a document that is accepted can be converted");
    let converted = RuleSet::parse(&converted.into()).expect("what an importer makes is accepted");
    let Ok(assertion) = Assertion::from_json(assertion) else {
        return;
    };
    let mapped = rules.map(&assertion);
    assert_eq!(
        mapped,
        converted.map(&assertion),
        "the converted rules map otherwise"
    );
    let explained = rules.explain(&assertion);
    assert_eq!(explained.identity, mapped.as_ref().ok().cloned());
    assert_eq!(explained.error, mapped.as_ref().err().map(ToString::to_string));
    if let Ok(identity) = mapped {
        let user = identity.user();
        assert!(user.id().is_some() || user.name().is_some(), "half an identity");
        let identity = serde_json::to_value(&identity).expect("JSON");
        assert!(is_clean(&identity), "a control character came out: {identity}");
    }
});

fn is_clean(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.chars().any(char::is_control),
        Value::Array(items) => items.iter().all(is_clean),
        Value::Object(members) => members.values().all(is_clean),
        _ => true,
    }
}
