use proptest::prelude::*;
use sealstone_testkit::{KeyKind, Lie, SoftAuthenticator};
use serde_json::{Value, json};

use super::*;

const ORIGIN: &str = "https://login.example.org";

fn party() -> RelyingParty {
    RelyingParty::new("login.example.org", "Example Cloud", ORIGIN).unwrap()
}

fn user() -> UserHandle {
    UserHandle::of("demo", "u1")
}

const CHALLENGE: Challenge = Challenge::from_octets([3; 32]);
const NEXT: Challenge = Challenge::from_octets([4; 32]);

fn creation(challenge: &Challenge) -> String {
    let options = party().creation_options(
        challenge,
        (&user(), "ada", "Ada Lovelace"),
        &[],
        UserVerification::Preferred,
    );
    options.to_json()
}

fn request(challenge: &Challenge, allowed: &[&Passkey]) -> String {
    party()
        .request_options(challenge, allowed, UserVerification::Preferred)
        .to_json()
}

fn register(authenticator: &mut SoftAuthenticator) -> Result<Passkey, WebAuthnError> {
    let response = RegistrationResponse::parse(&authenticator.register(&creation(&CHALLENGE)))?;
    party().register(&CHALLENGE, &user(), UserVerification::Required, &response)
}

/// Each time another challenge.
fn assert(authenticator: &mut SoftAuthenticator, passkey: &Passkey) -> Result<Assertion, WebAuthnError> {
    let number = u8::try_from(passkey.answered.len()).unwrap();
    let challenge = Challenge::from_octets([100 + number; 32]);
    let response = AssertionResponse::parse(&authenticator.assert(&request(&challenge, &[passkey])))?;
    party().assert(&challenge, UserVerification::Required, &response, passkey)
}

fn registered(kind: KeyKind) -> (SoftAuthenticator, Passkey) {
    let mut authenticator = SoftAuthenticator::new(kind, ORIGIN);
    let passkey = register(&mut authenticator).unwrap();
    (authenticator, passkey)
}

#[test]
fn a_passkey_of_every_algorithm_logs_in_again_and_again() {
    for (kind, algorithm) in [
        (KeyKind::P256, KeyAlgorithm::Es256),
        (KeyKind::Ed25519, KeyAlgorithm::EdDsa),
        (KeyKind::Rsa2048, KeyAlgorithm::Rs256),
    ] {
        let (mut authenticator, passkey) = registered(kind);
        assert_eq!(passkey.algorithm(), algorithm);
        assert!(passkey.can_verify_user() && !passkey.is_synced());
        assert_eq!(passkey.transports(), ["hybrid", "internal"]);
        let stored = serde_json::to_string(&passkey).unwrap();
        let mut passkey: Passkey = serde_json::from_str(&stored).unwrap();
        for _login in 0..3 {
            let assertion = assert(&mut authenticator, &passkey).unwrap();
            assert!(assertion.user_verified);
            assert_ne!(assertion.passkey, passkey, "the counter grew");
            passkey = assertion.passkey;
        }
    }
}

/// W3C Web Authentication Level 3 §5.1.8, §5.1.9: what `parseCreationOptionsFromJSON` and its sibling take.
#[test]
fn the_options_are_what_browsers_take() {
    let (_, passkey) = registered(KeyKind::P256);
    let creation = party().creation_options(
        &CHALLENGE,
        (&user(), "ada", "Ada Lovelace"),
        &[&passkey],
        UserVerification::Required,
    );
    let descriptor =
        json!([{"type": "public-key", "id": passkey.id().to_text(), "transports": ["hybrid", "internal"]}]);
    let challenge = "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM";
    assert_eq!(
        serde_json::from_str::<Value>(&creation.to_json()).unwrap(),
        json!({
            "rp": {"id": "login.example.org", "name": "Example Cloud"},
            "user": {"id": encoding::encode(user().as_octets()), "name": "ada", "displayName": "Ada Lovelace"},
            "challenge": challenge,
            "pubKeyCredParams": [
                {"type": "public-key", "alg": -7},
                {"type": "public-key", "alg": -8},
                {"type": "public-key", "alg": -257},
            ],
            "timeout": 300_000,
            "excludeCredentials": descriptor,
            "authenticatorSelection": {
                "residentKey": "preferred", "requireResidentKey": false, "userVerification": "required",
            },
            "attestation": "none",
        })
    );
    let request = party().request_options(&CHALLENGE, &[&passkey], UserVerification::Preferred);
    assert_eq!(
        serde_json::from_str::<Value>(&request.to_json()).unwrap(),
        json!({
            "challenge": challenge, "timeout": 300_000, "rpId": "login.example.org",
            "allowCredentials": descriptor, "userVerification": "preferred",
        })
    );
}

type E = WebAuthnError;
type Case = (&'static str, fn(&mut Lie), E);

fn lies() -> Vec<Case> {
    vec![
        (
            "another challenge",
            |l| l.challenge = Some("BQUF".into()),
            E::Challenge,
        ),
        (
            "no challenge",
            |l| l.challenge = Some(String::new()),
            E::Challenge,
        ),
        (
            "a padded challenge",
            |l| l.challenge = Some("AwM=".into()),
            E::Malformed,
        ),
        (
            "another ceremony",
            |l| l.ceremony = Some("payment.get"),
            E::Ceremony,
        ),
        (
            "another origin",
            |l| l.origin = Some("https://login.example.com"),
            E::Origin,
        ),
        (
            "an origin below",
            |l| l.origin = Some("https://x.login.example.org"),
            E::Origin,
        ),
        (
            "plain HTTP",
            |l| l.origin = Some("http://login.example.org"),
            E::Origin,
        ),
        (
            "another port",
            |l| l.origin = Some("https://login.example.org:444"),
            E::Origin,
        ),
        (
            "in a frame",
            |l| l.client_data = Some(("crossOrigin", true.into())),
            E::Origin,
        ),
        (
            "below a page",
            |l| l.client_data = Some(("topOrigin", ORIGIN.into())),
            E::Origin,
        ),
        (
            "a type that is none",
            |l| l.client_data = Some(("type", 1.into())),
            E::Malformed,
        ),
        (
            "another relying party",
            |l| l.rp_id = Some("example.org"),
            E::RelyingParty,
        ),
        ("octets left over", |l| l.tail = vec![0], E::Malformed),
        (
            "long client data",
            |l| l.client_data = Some(("x", "x".repeat(4096).into())),
            E::Malformed,
        ),
        (
            "another id outside",
            |l| l.credential = Some(vec![1; 16]),
            E::Credential,
        ),
        ("an empty id", |l| l.credential = Some(vec![]), E::Malformed),
        ("a huge id", |l| l.credential = Some(vec![1; 1024]), E::Malformed),
    ]
}

#[test]
fn a_registration_that_lies_is_refused() {
    let more: Vec<Case> = vec![
        ("an assertion", |l| l.ceremony = Some("webauthn.get"), E::Ceremony),
        ("nobody there", |l| l.flags = Some(0x44), E::Presence),
        ("nobody verified", |l| l.flags = Some(0x41), E::Verification),
        ("backed up and not", |l| l.flags = Some(0x55), E::Backup),
        ("no credential", |l| l.flags = Some(0x05), E::Malformed),
        (
            "extensions that are not there",
            |l| l.flags = Some(0xc5),
            E::Malformed,
        ),
        ("no key", |l| l.cose = Some(vec![0xa0]), E::Key),
        ("half a key", |l| l.cose = Some(vec![0xa5, 0x01, 0x02]), E::Key),
        (
            "a point off the curve",
            |l| l.cose = Some(point(|p| p[10] ^= 1)),
            E::Key,
        ),
        ("another curve", |l| l.cose = Some(point(|p| p[6] = 2)), E::Key),
        (
            "another algorithm",
            |l| l.cose = Some(point(|p| p[4] = 0x27)),
            E::Key,
        ),
        ("a key twice", |l| l.cose = Some(point(|p| p[3] = 0x01)), E::Key),
        ("y twice", |l| l.cose = Some(point(y_twice)), E::Key),
        ("no object", |l| l.attestation = Some(|_| vec![]), E::Malformed),
        (
            "an empty object",
            |l| l.attestation = Some(|_| vec![0xa0]),
            E::Malformed,
        ),
        (
            "a statement with `none`",
            |l| l.attestation = Some(statement),
            E::Malformed,
        ),
        ("data twice", |l| l.attestation = Some(twice), E::Malformed),
    ];
    for (name, lie, want) in lies().into_iter().chain(more) {
        let mut authenticator = SoftAuthenticator::new(KeyKind::P256, ORIGIN);
        lie(&mut authenticator.lie);
        assert_eq!(register(&mut authenticator).unwrap_err(), want, "{name}");
    }
    let mut other = SoftAuthenticator::new(KeyKind::P384, ORIGIN);
    assert_eq!(
        register(&mut other).unwrap_err(),
        WebAuthnError::Key,
        "an algorithm that was not offered"
    );
}

#[test]
fn an_assertion_that_lies_is_refused() {
    let more: Vec<Case> = vec![
        (
            "a registration",
            |l| l.ceremony = Some("webauthn.create"),
            E::Ceremony,
        ),
        ("nobody there", |l| l.flags = Some(0x04), E::Presence),
        ("nobody verified", |l| l.flags = Some(0x01), E::Verification),
        ("a backup that could not be", |l| l.flags = Some(0x0d), E::Backup),
        ("another person", |l| l.user = Some("AAAA"), E::Credential),
        ("a changed signature", |l| l.signature = Some(flip), E::Signature),
        ("no signature", |l| l.signature = Some(|_| vec![]), E::Signature),
        (
            "a huge signature",
            |l| l.signature = Some(|_| vec![0; 513]),
            E::Malformed,
        ),
        ("the counter of before", |l| l.counter = Some(1), E::Counter),
        ("no counter any longer", |l| l.counter = Some(0), E::Counter),
    ];
    for (name, lie, want) in lies().into_iter().chain(more) {
        let (mut authenticator, passkey) = registered(KeyKind::P256);
        let passkey = assert(&mut authenticator, &passkey).unwrap().passkey;
        lie(&mut authenticator.lie);
        assert_eq!(assert(&mut authenticator, &passkey).unwrap_err(), want, "{name}");
    }
}

#[test]
fn an_answer_works_for_its_challenge_and_its_passkey_alone() {
    let (mut ada, passkey) = registered(KeyKind::P256);
    let answer = AssertionResponse::parse(&ada.assert(&request(&NEXT, &[&passkey]))).unwrap();
    let other = Challenge::from_octets([9; 32]);
    let judged =
        |challenge, passkey| party().assert(challenge, UserVerification::Preferred, &answer, passkey);
    assert_eq!(judged(&other, &passkey).unwrap_err(), WebAuthnError::Challenge);
    let (_, of_another) = registered(KeyKind::P256);
    assert_eq!(judged(&NEXT, &of_another).unwrap_err(), WebAuthnError::Credential);
    let forged = Passkey {
        id: passkey.id.clone(),
        ..of_another.clone()
    };
    assert_eq!(
        judged(&NEXT, &forged).unwrap_err(),
        WebAuthnError::Signature,
        "another's key under its id"
    );
    let after = judged(&NEXT, &passkey).unwrap().passkey;
    assert_eq!(
        judged(&NEXT, &after).unwrap_err(),
        WebAuthnError::Challenge,
        "the same answer again"
    );
}

/// Synced passkeys have no counter: zero each time is theirs (§6.1.1).
#[test]
fn a_passkey_without_a_counter_logs_in_and_is_known_as_synced() {
    let mut authenticator = SoftAuthenticator::new(KeyKind::P256, ORIGIN);
    authenticator.lie = Lie {
        flags: Some(0x5d),
        counter: Some(0),
        ..Lie::default()
    };
    let mut passkey = register(&mut authenticator).unwrap();
    assert!(passkey.is_synced());
    authenticator.lie.flags = Some(0x1d);
    for _login in 0..2 {
        passkey = assert(&mut authenticator, &passkey).unwrap().passkey;
        assert_eq!(passkey.sign_count, 0);
    }
    authenticator.lie.flags = Some(0x05);
    assert_eq!(
        assert(&mut authenticator, &passkey).unwrap_err(),
        WebAuthnError::Backup,
        "can no longer be synced"
    );
}

#[test]
fn an_authenticator_that_cannot_verify_is_a_second_factor_and_no_more() {
    let mut key = SoftAuthenticator::new(KeyKind::P256, ORIGIN);
    key.lie.flags = Some(0x41);
    let response = RegistrationResponse::parse(&key.register(&creation(&CHALLENGE))).unwrap();
    let passkey = party()
        .register(&CHALLENGE, &user(), UserVerification::Preferred, &response)
        .unwrap();
    assert!(!passkey.can_verify_user());
    key.lie.flags = Some(0x01);
    let response = AssertionResponse::parse(&key.assert(&request(&NEXT, &[&passkey]))).unwrap();
    assert_eq!(response.user(), Some(user()));
    let assertion = party()
        .assert(&NEXT, UserVerification::Preferred, &response, &passkey)
        .unwrap();
    assert!(!assertion.user_verified, "`amr` must not say `user`");
}

#[test]
fn an_attestation_of_another_format_is_passed_over() {
    let mut authenticator = SoftAuthenticator::new(KeyKind::P256, ORIGIN);
    authenticator.lie.attestation = Some(packed);
    assert!(register(&mut authenticator).is_ok());
}

#[test]
fn transports_that_are_no_words_are_dropped() {
    let mut authenticator = SoftAuthenticator::new(KeyKind::P256, ORIGIN);
    let mut answer: Value = serde_json::from_str(&authenticator.register(&creation(&CHALLENGE))).unwrap();
    answer["response"]["transports"] = json!(["usb", "<script>", "", "usb", "x".repeat(33), "smart-card"]);
    let response = RegistrationResponse::parse(&answer.to_string()).unwrap();
    let passkey = party()
        .register(&CHALLENGE, &user(), UserVerification::Required, &response)
        .unwrap();
    assert_eq!(passkey.transports(), ["smart-card", "usb"]);
}

#[test]
fn what_is_no_response_is_malformed() {
    let whole = SoftAuthenticator::new(KeyKind::P256, ORIGIN).register(&creation(&CHALLENGE));
    let mut wrong_type: Value = serde_json::from_str(&whole).unwrap();
    wrong_type["type"] = "password".into();
    let response = RegistrationResponse::parse(&wrong_type.to_string()).unwrap();
    let judged = party().register(&CHALLENGE, &user(), UserVerification::Preferred, &response);
    assert_eq!(judged.unwrap_err(), WebAuthnError::Malformed);
    for text in [
        "",
        "{}",
        "null",
        "[]",
        &whole[..whole.len() - 1],
        &format!("{whole} {}", " ".repeat(MAX_RESPONSE)),
    ] {
        assert!(RegistrationResponse::parse(text).is_err());
        assert!(AssertionResponse::parse(text).is_err());
    }
    assert!(
        AssertionResponse::parse(&whole).is_err(),
        "a registration is no assertion"
    );
}

#[test]
fn every_error_has_a_word_of_its_own() {
    let mut words: Vec<&str> = WebAuthnError::ALL.iter().map(|error| error.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), WebAuthnError::ALL.len());
}

#[test]
fn handles_are_one_for_an_account_and_give_its_id_back() {
    let hexadecimal = "0123456789abcdef".repeat(2);
    let ldap = "0123456789abcdef".repeat(4);
    for (id, length) in [
        ("u1", 11),
        ("ada.lovelace", 21),
        (&hexadecimal, 25),
        (&ldap, 41),
        (&hexadecimal.to_uppercase(), 41),
        (&"x".repeat(55), 64),
    ] {
        let handle = UserHandle::of("demo", id);
        assert_eq!(handle.as_octets().len(), length, "{id}");
        assert_eq!(handle.user_of("demo").as_deref(), Some(id));
        assert_eq!(handle.user_of("other"), None, "{id}");
        assert_eq!(handle, UserHandle::of("demo", id));
        let text = serde_json::to_string(&handle).unwrap();
        assert_eq!(serde_json::from_str::<UserHandle>(&text).unwrap(), handle);
    }
    let long = UserHandle::of("demo", &"x".repeat(56));
    assert_eq!(
        (long.as_octets().len(), long.user_of("demo")),
        (41, None),
        "too long to be held"
    );
    assert_ne!(long, UserHandle::of("demo", &"x".repeat(57)));
    assert!(serde_json::from_str::<UserHandle>("\"\"").is_err());
    assert!(serde_json::from_value::<UserHandle>(encoding::encode(&[1; 65]).into()).is_err());
}

#[test]
fn a_handle_in_another_form_than_ours_is_nobodys() {
    let of_demo = |rest: &[u8]| {
        let mark = UserHandle::of("demo", "u1").as_octets()[..8].to_vec();
        UserHandle::from_octets([&mark, rest].concat()).unwrap()
    };
    for rest in [
        &[][..],
        &[1],
        &[1, 0xab],
        &[2, 0xff],
        &[3, b'u'],
        &[9, b'u', b'1'],
        // Hexadecimal digits are packed, and never plain.
        &[&[2_u8][..], &[b'a'; 32]].concat(),
    ] {
        assert_eq!(of_demo(rest).user_of("demo"), None, "{rest:?}");
    }
    assert_eq!(of_demo(&[2, b'u', b'1']), user());
    assert_eq!(UserHandle::from_octets(vec![7]).unwrap().user_of("demo"), None);
}

/// A challenge that the browser is given twice, for it is made and not kept, is answered once all the same.
#[test]
fn r14_a_challenge_is_answered_once_by_a_passkey_without_a_counter() {
    let mut authenticator = SoftAuthenticator::new(KeyKind::P256, ORIGIN);
    authenticator.lie.counter = Some(0);
    let mut passkey = register(&mut authenticator).unwrap();
    let mut answers = Vec::new();
    for number in 0..10 {
        let challenge = Challenge::from_octets([100 + number; 32]);
        let response =
            AssertionResponse::parse(&authenticator.assert(&request(&challenge, &[&passkey]))).unwrap();
        let judge =
            |passkey: &Passkey| party().assert(&challenge, UserVerification::Required, &response, passkey);
        passkey = judge(&passkey).unwrap().passkey;
        assert_eq!(judge(&passkey).unwrap_err(), WebAuthnError::Challenge);
        answers.push((challenge, response));
    }
    for (challenge, response) in &answers {
        let judged = party().assert(challenge, UserVerification::Required, response, &passkey);
        assert_eq!(judged.unwrap_err(), WebAuthnError::Challenge, "nor later");
    }
    for _login in 0..40 {
        passkey = assert(&mut authenticator, &passkey).map_or(passkey, |assertion| assertion.passkey);
    }
    assert!(passkey.answered.len() <= 16, "what is remembered is bounded");
}

proptest! {
    /// One bit changed anywhere in what is signed, or in the signature: refused.
    #[test]
    fn no_bit_of_an_assertion_can_be_changed(part in 0_usize..3, place: prop::sample::Index, bit in 0_u8..8) {
        let (mut authenticator, passkey) = registered(KeyKind::Ed25519);
        let mut answer: Value = serde_json::from_str(&authenticator.assert(&request(&NEXT, &[&passkey]))).unwrap();
        let member = ["clientDataJSON", "authenticatorData", "signature"][part];
        let mut octets = encoding::decode(answer["response"][member].as_str().unwrap()).unwrap();
        let place = place.index(octets.len());
        octets[place] ^= 1 << bit;
        answer["response"][member] = encoding::encode(&octets).into();
        let response = AssertionResponse::parse(&answer.to_string()).unwrap();
        prop_assert!(party().assert(&NEXT, UserVerification::Preferred, &response, &passkey).is_err());
    }

    #[test]
    fn no_octets_make_the_parsers_fail_otherwise_than_by_an_error(octets: Vec<u8>) {
        let _parsed = authenticator_data::AuthenticatorData::parse(&octets);
        let _key = cose::PublicKey::read(&mut cbor::Reader::new(&octets));
        let _skipped = cbor::Reader::new(&octets).skip();
    }
}

fn point(change: fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut cose = SoftAuthenticator::new(KeyKind::P256, ORIGIN).cose();
    change(&mut cose);
    cose
}

/// A sixth member: `-3` again, with the same value.
fn y_twice(cose: &mut Vec<u8>) {
    cose[0] = 0xa6;
    let y = cose[cose.len() - 35..].to_vec();
    cose.extend(y);
}

fn flip(mut signature: Vec<u8>) -> Vec<u8> {
    if let Some(last) = signature.last_mut() {
        *last ^= 1;
    }
    signature
}

/// `{"fmt": format, "attStmt": statement, "authData": data}`.
fn object(format: &[u8], statement: &[u8], data: &[u8]) -> Vec<u8> {
    let mut object = vec![0xa3, 0x63];
    object.extend_from_slice(b"fmt");
    object.push(0x60 | u8::try_from(format.len()).unwrap());
    object.extend_from_slice(format);
    object.push(0x67);
    object.extend_from_slice(b"attStmt");
    object.extend_from_slice(statement);
    object.push(0x68);
    object.extend_from_slice(b"authData");
    object.extend_from_slice(&[0x59]);
    object.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
    object.extend_from_slice(data);
    object
}

fn statement(data: &[u8]) -> Vec<u8> {
    object(b"none", &[0xa1, 0x61, b'x', 0x01], data)
}

fn packed(data: &[u8]) -> Vec<u8> {
    object(
        b"packed",
        &[
            0xa2, 0x63, b'a', b'l', b'g', 0x26, 0x63, b's', b'i', b'g', 0x41, 0x00,
        ],
        data,
    )
}

fn twice(data: &[u8]) -> Vec<u8> {
    let mut object = object(b"none", &[0xa0], data);
    // `attStmt` is named `authData`, and so there are two.
    let at = object.windows(7).position(|window| window == b"attStmt").unwrap();
    object.splice(at - 1..at + 8, [&[0x68][..], b"authData", &[0x40]].concat());
    object
}
