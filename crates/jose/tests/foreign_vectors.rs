//! Vectors of formats that this crate does not speak: what it makes of them. A JWE and a Fernet token are refused
//! where a JWS is due, by form and before any key is looked at; the JSON of RFC 8785 is read as it stands.

use sealstone_jose::{UnverifiedJwt, json};
use serde_json::Value;

fn cases(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["cases"].as_array().unwrap().clone()
}

#[test]
fn a36_encrypted_tokens_of_rfc_7520_are_no_signed_tokens() {
    let cases = cases(include_str!("vectors/jwe_optional.json"));
    assert_eq!(cases.len(), 3);
    for case in cases {
        let jwe = case["jwe"].as_str().unwrap();
        assert_eq!(jwe.split('.').count(), 5, "{}", case["id"]);
        assert!(UnverifiedJwt::parse(jwe).is_err(), "{}", case["id"]);
    }
}

#[test]
fn s12_fernet_tokens_are_no_signed_tokens() {
    let cases = cases(include_str!("vectors/fernet.json"));
    assert_eq!(cases.len(), 7);
    for case in cases {
        assert!(
            UnverifiedJwt::parse(case["token"].as_str().unwrap()).is_err(),
            "{}",
            case["id"]
        );
    }
}

#[test]
fn the_json_of_rfc_8785_is_strict_and_means_the_same_before_and_after() {
    let cases = cases(include_str!("vectors/jcs.json"));
    assert_eq!(cases.len(), 6);
    for case in cases {
        let input = case["input_utf8"].as_str().unwrap();
        let output = case["output_hex"].as_str().unwrap().as_bytes();
        let digit = |at: u8| u8::try_from(char::from(at).to_digit(16).unwrap()).unwrap();
        let output: Vec<u8> = output
            .chunks(2)
            .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
            .collect();
        let read: Value = json::from_slice(input.as_bytes()).unwrap();
        let canonical: Value = json::from_slice(&output).unwrap();
        assert!(means_the_same(&read, &canonical), "{}", case["id"]);
    }
}

/// 56.0 and 56 are one number, and the last bit of a fraction is the reader's own.
fn means_the_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            let (left, right) = (left.as_f64().unwrap(), right.as_f64().unwrap());
            (left - right).abs() <= f64::EPSILON * left.abs()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| means_the_same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let same = |(name, value): (&String, &Value)| {
                right.get(name).is_some_and(|other| means_the_same(value, other))
            };
            left.len() == right.len() && left.iter().all(same)
        }
        (left, right) => left == right,
    }
}
