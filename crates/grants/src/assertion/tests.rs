use super::*;
use serde_json::json;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://id.example/v4/oauth2/demo";

fn audiences() -> AssertionAudiences {
    AssertionAudiences {
        issuer: ISSUER.to_owned(),
        token_endpoints: vec![
            format!("{ISSUER}/token"),
            "https://mtls.id.example/v4/oauth2/demo/token".to_owned(),
        ],
    }
}

fn good() -> Value {
    json!({"iss": "ci", "sub": "ci", "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "jti": "j1"})
}

fn judged(claims: &Value, rules: AssertionRules) -> Result<UsedAssertion, AssertionFault> {
    let claims: AssertionClaims = serde_json::from_value(claims.clone()).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
    judge(&claims, &ClientId::parse("ci").unwrap(), rules, &audiences(), now)
}

fn fault(name: &str, value: Value) -> Option<AssertionFault> {
    let mut claims = good();
    claims[name] = value;
    judged(&claims, AssertionRules::default()).err()
}

#[test]
fn what_is_right_is_remembered_until_it_has_ended_everywhere() {
    let used = judged(&good(), AssertionRules::default()).unwrap();
    assert_eq!((used.client_id.as_str(), used.id.as_str()), ("ci", "j1"));
    assert_eq!(used.forget_at.as_secs(), NOW + 120);
    let mut least = good();
    least.as_object_mut().unwrap().remove("iat");
    assert!(judged(&least, AssertionRules::default()).is_ok());
    for (name, value) in [
        ("aud", json!([ISSUER])),
        ("aud", json!(format!("{ISSUER}/token"))),
        (
            "aud",
            json!([ISSUER, "https://mtls.id.example/v4/oauth2/demo/token"]),
        ),
        ("exp", json!(NOW + 1)),
        ("exp", json!(NOW + 3660)),
        ("iat", json!(NOW + 60)),
        ("nbf", json!(NOW + 8)),
        ("jti", json!("ä".repeat(128))),
        ("unknown", json!({"x": 1})),
    ] {
        assert_eq!(fault(name, value.clone()), None, "{name} {value}");
    }
}

#[test]
fn each_claim_that_is_wrong_is_refused_for_what_it_is() {
    use AssertionFault::{Audience, Dates, Expired, LivesTooLong, NoId, NotYetValid, OtherClient};
    for (name, value, want) in [
        ("iss", json!("cd"), OtherClient),
        ("iss", json!(null), OtherClient),
        ("sub", json!("CI"), OtherClient),
        ("sub", json!(["ci"]), OtherClient),
        ("sub", json!(null), OtherClient),
        ("aud", json!(null), Audience),
        ("aud", json!([]), Audience),
        ("aud", json!([ISSUER, "https://evil.example"]), Audience),
        ("aud", json!([ISSUER, 1]), Audience),
        ("aud", json!({"x": ISSUER}), Audience),
        ("aud", json!("https://id.example"), Audience),
        ("aud", json!(format!("{ISSUER}/")), Audience),
        ("aud", json!(format!("{ISSUER}.evil")), Audience),
        ("aud", json!(format!("{ISSUER}/introspect")), Audience),
        ("aud", json!(format!("{ISSUER}/token/")), Audience),
        ("exp", json!(null), Dates),
        ("exp", json!("1800000060"), Dates),
        ("exp", json!(1e308), Dates),
        ("exp", json!(1_800_000_060.5), Dates),
        ("exp", json!(-1), Dates),
        ("exp", json!(true), Dates),
        ("exp", json!([1_800_000_060]), Dates),
        ("exp", json!(u64::MAX), LivesTooLong),
        ("exp", json!(9_223_372_036_854_775_808_u64), LivesTooLong),
        ("exp", json!(NOW), Expired),
        ("exp", json!(NOW - 1), Expired),
        ("exp", json!(0), Expired),
        ("exp", json!(NOW + 3661), LivesTooLong),
        ("exp", json!(NOW + 315_360_000), LivesTooLong),
        ("iat", json!(NOW + 61), NotYetValid),
        ("iat", json!("now"), Dates),
        ("iat", json!(false), Dates),
        ("nbf", json!(NOW + 300), NotYetValid),
        ("nbf", json!(1.5), Dates),
        ("jti", json!(null), NoId),
        ("jti", json!(""), NoId),
        ("jti", json!(7), NoId),
        ("jti", json!("a\0"), NoId),
        ("jti", json!("a\nb"), NoId),
        ("jti", json!("a".repeat(257)), NoId),
    ] {
        assert_eq!(fault(name, value.clone()), Some(want), "{name} {value}");
    }
}

#[test]
fn dates_as_text_are_for_clients_registered_for_them() {
    let lax = AssertionRules {
        dates: AssertionDates::NumbersOrText,
        ..AssertionRules::default()
    };
    let mut claims = good();
    claims["exp"] = json!((NOW + 3600).to_string());
    claims["iat"] = json!(NOW.to_string());
    assert_eq!(
        judged(&claims, AssertionRules::default()),
        Err(AssertionFault::Dates)
    );
    assert_eq!(judged(&claims, lax).unwrap().forget_at.as_secs(), NOW + 3660);
    for text in [
        "",
        " 1800000060",
        "+1800000060",
        "1800000060.0",
        "1_800_000_060",
        "0x6b49d23c",
        "-1",
        "1e10",
        "٣",
    ] {
        claims["exp"] = json!(text);
        assert_eq!(judged(&claims, lax), Err(AssertionFault::Dates), "{text:?}");
    }
    claims["exp"] = json!("999999999999");
    assert_eq!(judged(&claims, lax), Err(AssertionFault::LivesTooLong));
    claims["exp"] = json!("1800000000");
    assert_eq!(judged(&claims, lax), Err(AssertionFault::Expired));
}

#[test]
fn a_client_may_be_held_to_the_issuer() {
    let strict = AssertionRules {
        audience: AssertionAudience::Issuer,
        ..AssertionRules::default()
    };
    let mut claims = good();
    assert!(judged(&claims, strict).is_ok());
    for other in [
        json!(format!("{ISSUER}/token")),
        json!([ISSUER, format!("{ISSUER}/token")]),
    ] {
        claims["aud"] = other;
        assert_eq!(judged(&claims, strict), Err(AssertionFault::Audience));
    }
}

#[test]
fn words_are_stable_and_different() {
    let mut words: Vec<&str> = AssertionFault::ALL
        .into_iter()
        .map(AssertionFault::as_str)
        .collect();
    assert!(
        words
            .iter()
            .all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
    );
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), AssertionFault::ALL.len());
}
