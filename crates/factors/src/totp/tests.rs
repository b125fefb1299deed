use super::*;
use proptest::prelude::*;
use serde::Deserialize as De;
use std::time::Duration;

#[derive(De)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(De)]
struct Case {
    id: String,
    alg: String,
    secret_ascii: String,
    counter: Option<u64>,
    time: Option<u64>,
    #[serde(default)]
    step: u64,
    digits: usize,
    code: String,
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn secret() -> TotpSecret {
    TotpSecret::from_octets(*b"12345678901234567890")
}

#[test]
fn codes_are_those_of_rfc_4226_and_rfc_6238() {
    let vectors: Vectors = serde_json::from_str(include_str!("../../tests/vectors/otp.json")).unwrap();
    assert_eq!(vectors.cases.len(), 19);
    for case in vectors.cases {
        let algorithm = match case.alg.as_str() {
            "SHA1" => Algorithm::Sha1,
            "SHA256" => Algorithm::Sha256,
            other => panic!("{other}"),
        };
        let counter = case.counter.unwrap_or_else(|| {
            assert_eq!(case.step, STEP_SECONDS, "{}", case.id);
            TotpStep::at(at(case.time.unwrap())).0
        });
        let have = digits(algorithm, case.secret_ascii.as_bytes(), counter, case.digits);
        assert_eq!(*have, case.code, "{}", case.id);
    }
}

/// R16: what is not six ASCII digits is no code; spaces are forgiven around it and between its halves.
#[test]
fn r16_only_six_ascii_digits_are_a_code() {
    for good in ["287082", " 287082 ", "287 082", "   287 082"] {
        assert_eq!(TotpCode::parse(good).unwrap().expose(), "287082", "{good:?}");
    }
    for wrong in [
        "",
        " ",
        "28708",
        "2870822",
        "-87082",
        "+87082",
        "28708a",
        "28.082",
        "2 8 7 0 8 2",
        "28 7082",
        "287  082",
        "287\t082",
        "287082\n",
        "287-082",
        "２８７０８２",
        "٢٨٧٠٨٢",
        "2870\u{200b}82",
        "287082\0",
        "287\u{a0}082",
        "0x1234",
        "1e5000",
        "287082287082",
    ] {
        assert!(TotpCode::parse(wrong).is_err(), "{wrong:?}");
    }
}

/// R15: one step to either side is accepted, two are not.
#[test]
fn r15_a_code_of_two_steps_away_is_refused() {
    let now = 1_800_000_000;
    for (offset, accepted) in [
        (-90, false),
        (-60, false),
        (-30, true),
        (0, true),
        (30, true),
        (60, false),
        (90, false),
    ] {
        let then = at(u64::try_from(now + offset).unwrap());
        let step = secret().verify(&secret().code_at(then), at(1_800_000_000), None);
        assert_eq!(step, accepted.then(|| TotpStep::at(then)), "{offset} s");
    }
    // The clock's beginning has no step before it, its end none behind it.
    assert!(secret().verify(&secret().code_at(at(0)), at(0), None).is_some());
    assert!(
        secret()
            .verify(&secret().code_at(at(u64::MAX)), at(u64::MAX), None)
            .is_some()
    );
}

/// R14: a code is accepted once, and none older than the last one accepted.
#[test]
fn r14_a_code_is_accepted_once_and_no_older_one_after_it() {
    let now = at(1_800_000_000);
    let code = secret().code_at(now);
    let step = secret().verify(&code, now, None).unwrap();
    assert_eq!(secret().verify(&code, now, Some(step)), None, "the same again");
    assert_eq!(
        secret().verify(&code, at(1_800_000_029), Some(step)),
        None,
        "later in its step"
    );
    let before = secret().code_at(at(1_799_999_970));
    assert_eq!(
        secret().verify(&before, now, Some(step)),
        None,
        "the one before it"
    );
    let after = secret().code_at(at(1_800_000_030));
    let next = secret().verify(&after, now, Some(step)).unwrap();
    assert!(next > step, "the one behind it is another code");
    assert_eq!(secret().verify(&code, now, Some(next)), None);
}

/// R13: a guess helps nobody beyond its own chance: three codes of a million are right at a time.
#[test]
fn r13_three_codes_of_a_million_are_right_at_a_time() {
    let now = at(1_800_000_000);
    let right: usize = (0..1_000_000_u32)
        .filter(|guess| {
            let guess = TotpCode::parse(&format!("{guess:06}")).unwrap();
            secret().verify(&guess, now, None).is_some()
        })
        .count();
    assert_eq!(right, 3);
}

#[test]
fn a_secret_is_taken_as_apps_show_it() {
    let shown = secret().expose();
    assert_eq!(*shown, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    for text in [
        "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "gezd gnbv gy3t qojq gezd gnbv gy3t qojq",
        "GEZDGNBV-GY3TQOJQ-GEZDGNBV-GY3TQOJQ",
    ] {
        assert_eq!(TotpSecret::parse(text).unwrap().expose(), shown, "{text}");
    }
    for (text, want) in [
        ("", TotpSecretFault::Length),
        ("GEZDGNBVGY3TQOJQGEZDGNBV", TotpSecretFault::Length),
        (&"A".repeat(1000), TotpSecretFault::Length),
        ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1", TotpSecretFault::Characters),
        ("ＧEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", TotpSecretFault::Characters),
    ] {
        assert_eq!(TotpSecret::parse(text).unwrap_err(), want, "{text}");
    }
}

#[test]
fn the_uri_is_what_apps_read() {
    let uri = secret().uri("Example: Cloud & Söhne", "a:b@demo");
    assert_eq!(
        *uri,
        "otpauth://totp/Example%20Cloud%20%26%20S%C3%B6hne:ab%40demo?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
         &issuer=Example%20Cloud%20%26%20S%C3%B6hne&algorithm=SHA1&digits=6&period=30"
    );
}

#[test]
fn no_debug_shows_a_secret_or_a_code() {
    let text = format!("{:?} {:?}", secret(), secret().code_at(at(59)));
    assert!(
        !text.contains("GEZD") && !text.contains("287082") && !text.contains("49, 50"),
        "{text}"
    );
}

proptest! {
    /// Whatever is typed, it is six digits or it is refused.
    #[test]
    fn r16_whatever_parses_has_six_digits(text in ".{0,12}") {
        if let Ok(code) = TotpCode::parse(&text) {
            prop_assert!(code.expose().len() == 6 && code.expose().bytes().all(|b| b.is_ascii_digit()));
            prop_assert_eq!(text.replace(' ', ""), code.expose());
        }
    }

    /// Whatever is tried in whatever order, the steps that are accepted only grow, and each code is accepted once.
    #[test]
    fn r14_accepted_steps_only_grow(tries in proptest::collection::vec((0_u64..240, -3_i64..=3), 1..60)) {
        let (mut clock, mut last) = (1_800_000_000_u64, None);
        for (wait, offset) in tries {
            clock += wait;
            let shown = at(clock.checked_add_signed(offset * 30).unwrap());
            let step = secret().verify(&secret().code_at(shown), at(clock), last);
            if let Some(step) = step {
                prop_assert!(last.is_none_or(|last| step > last));
                prop_assert!(offset.abs() <= 1);
                last = Some(step);
            }
        }
    }

    #[test]
    fn a_secret_survives_its_text(octets: [u8; 20]) {
        let secret = TotpSecret::from_octets(octets);
        let again = TotpSecret::parse(&secret.expose()).unwrap();
        prop_assert_eq!(again.expose(), secret.expose());
    }
}
