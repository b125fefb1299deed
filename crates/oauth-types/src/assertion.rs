//! Client assertions as they are sent (RFC 7521 §4.2), unverified.

use serde::Deserialize;

use crate::{Form, RequestError, Secret};

/// The only type of assertion that is read (RFC 7523 §2.2).
pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The longest assertion whose claimed subject is looked for, in bytes: longer ones are refused by whoever verifies.
const MAX_LENGTH: usize = 16 * 1024;

/// The assertion of a form, if it has one.
///
/// # Errors
/// [`RequestError::IncompleteAssertion`] for one of the two parameters without the other;
/// [`RequestError::AssertionType`] for another type than jwt-bearer.
pub(crate) fn parse(form: &Form) -> Result<Option<Secret>, RequestError> {
    match (form.get("client_assertion_type"), form.get("client_assertion")) {
        (None, None) => Ok(None),
        (Some(JWT_BEARER), Some(assertion)) => Ok(Some(Secret::from(assertion))),
        (Some(_), Some(_)) => Err(RequestError::AssertionType),
        (Some(_), None) | (None, Some(_)) => Err(RequestError::IncompleteAssertion),
    }
}

/// Whom an assertion claims to be from: its `sub`, which nothing vouches for (RFC 7521 §4.2 lets it stand in for
/// `client_id`). It tells whose key to verify with, and whom to blame in the audit trail.
pub(crate) fn claimed_subject(assertion: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    if assertion.len() > MAX_LENGTH {
        return None;
    }
    let mut parts = assertion.split('.');
    let payload = parts.nth(1)?;
    parts.next().filter(|_signature| parts.next().is_none())?;
    let payload = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload).ok()?;
    serde_json::from_slice::<Claims>(&payload)
        .ok()
        .map(|claims| claims.sub)
}

#[cfg(test)]
mod tests {
    use super::claimed_subject;

    fn token(payload: &str) -> String {
        format!(
            "e30.{}.c2ln",
            base64_simd::URL_SAFE_NO_PAD.encode_to_string(payload)
        )
    }

    #[test]
    fn the_subject_is_read_from_a_jwt_and_from_nothing_else() {
        let subject = |payload: &str| claimed_subject(&token(payload));
        assert_eq!(subject(r#"{"iss":"a","sub":"b","exp":1}"#), Some("b".to_owned()));
        for none in [
            r#"{"iss":"a"}"#,
            r#"{"sub":7}"#,
            r#"{"sub":null}"#,
            "b",
            "",
            &format!("{}{}", r#"{"sub":"b","x":"#, "[".repeat(5000)),
        ] {
            assert_eq!(subject(none), None, "{none:.20}");
        }
        let good = token(r#"{"sub":"b"}"#);
        for none in [
            good.replacen("e30.", "", 1),
            format!("{good}.x"),
            format!("{good}{}", "x".repeat(16 * 1024)),
            good.replace(".c2ln", "=.c2ln"),
            "..".to_owned(),
            String::new(),
        ] {
            assert_eq!(claimed_subject(&none), None, "{none:.40}");
        }
    }
}
