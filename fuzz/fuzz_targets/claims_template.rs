//! A claims template from a registration.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_claims::{ClaimsSubject, ClaimsTemplate, ReservedClaim};
use sealstone_identity::DomainId;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let Ok(template) = ClaimsTemplate::parse(&value) else {
        return;
    };
    let domain = DomainId::parse("demo").expect("a domain");
    let subject = ClaimsSubject {
        subject: "${subject}",
        client_id: "machine",
        client_name: "a \"name\" with ${client_id}",
        domain: &domain,
        authority: None,
    };
    let claims =
        serde_json::to_value(template.map(&subject).expect("clean values")).expect("claims are JSON");
    for name in claims.as_object().expect("an object").keys() {
        assert!(
            ReservedClaim::named(name).is_none(),
            "a reserved claim from a template: {name}"
        );
    }
});
