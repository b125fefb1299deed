//! What a browser sends of a passkey: the JSON of its answers, and within it the client data, the attestation object
//! and the authenticator data. The first octet says which.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sealstone_factors::{
    AssertionResponse, Challenge, Passkey, RegistrationResponse, RelyingParty, UserHandle, UserVerification,
};
use serde_json::Value;

struct Known {
    party: RelyingParty,
    user: UserHandle,
    registration: Value,
    assertion: Value,
    passkey: Passkey,
}

/// A registration, an assertion and the passkey, for the two challenges below. The private key is gone.
static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let mut known: Value = serde_json::from_str(include_str!("../webauthn.json")).expect("JSON");
    Known {
        party: RelyingParty::new("login.example.org", "Example", "https://login.example.org").expect("sound"),
        user: UserHandle::of("demo", "u1"),
        registration: known["registration"].take(),
        assertion: known["assertion"].take(),
        passkey: serde_json::from_value(known["passkey"].take()).expect("a passkey"),
    }
});

const CREATED: Challenge = Challenge::from_octets([3; 32]);
const ASKED: Challenge = Challenge::from_octets([4; 32]);

fuzz_target!(|data: &[u8]| {
    let Some((which, data)) = data.split_first() else {
        return;
    };
    match which {
        b'R' => with_text(data, register),
        b'A' => with_text(data, |json| assert(json, false)),
        b'P' => with_text(data, passkey),
        b'C' => register(&changed(&KNOWN.registration, "clientDataJSON", data)),
        b'O' => register(&changed(&KNOWN.registration, "attestationObject", data)),
        b'D' => assert(&changed(&KNOWN.assertion, "authenticatorData", data), true),
        _ => (),
    }
});

fn with_text(data: &[u8], work: impl FnOnce(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        work(text);
    }
}

fn changed(answer: &Value, member: &str, octets: &[u8]) -> String {
    let mut answer = answer.clone();
    answer["response"][member] = base64_simd::URL_SAFE_NO_PAD.encode_to_string(octets).into();
    answer.to_string()
}

/// Whatever is registered is whole: it is stored and read again, and nothing that was made up is its signature.
fn register(json: &str) {
    let Ok(response) = RegistrationResponse::parse(json) else {
        return;
    };
    let required = KNOWN
        .party
        .register(&CREATED, &KNOWN.user, UserVerification::Required, &response);
    let preferred = KNOWN
        .party
        .register(&CREATED, &KNOWN.user, UserVerification::Preferred, &response);
    if required.is_ok() {
        assert_eq!(
            required, preferred,
            "what is required is taken where it is preferred"
        );
    }
    if let Ok(made) = preferred {
        assert_eq!(made.user(), &KNOWN.user);
        stored(&made);
        let options = KNOWN
            .party
            .request_options(&ASKED, &[&made], UserVerification::Preferred);
        serde_json::from_str::<Value>(&options.to_json()).expect("JSON");
    }
}

/// Without the private key nobody logs in, save by the one answer that was given when it was there.
fn assert(json: &str, is_changed: bool) {
    let Ok(response) = AssertionResponse::parse(json) else {
        return;
    };
    let given = serde_json::from_str::<Value>(json).is_ok_and(|answer| {
        ["clientDataJSON", "authenticatorData"]
            .iter()
            .all(|member| answer["response"][member] == KNOWN.assertion["response"][member])
    });
    let judged = KNOWN
        .party
        .assert(&ASKED, UserVerification::Preferred, &response, &KNOWN.passkey);
    if let Ok(assertion) = judged {
        assert!(given, "a forgery, changed: {is_changed}");
        stored(&assertion.passkey);
    }
}

fn passkey(json: &str) {
    if let Ok(passkey) = serde_json::from_str::<Passkey>(json) {
        stored(&passkey);
    }
}

fn stored(passkey: &Passkey) {
    let text = serde_json::to_string(passkey).expect("a passkey is stored");
    assert_eq!(
        &serde_json::from_str::<Passkey>(&text).expect("and read"),
        passkey
    );
}
