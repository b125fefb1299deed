//! The token of the `Authorization` header (RFC 6750 §2.1).

use http::{HeaderMap, header::AUTHORIZATION};

use crate::Challenge;

/// The token, as sent. The query and the body are never looked at: both end up in logs (RFC 6750 §5.3).
///
/// No header, or one of another scheme, is a request without a token. Two headers, or a `Bearer` that isn't
/// followed by spaces and one `b64token`, is a malformed request. The scheme's case doesn't matter (RFC 9110 §11.1).
pub(crate) fn token(headers: &HeaderMap) -> Result<&str, Challenge> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Challenge::TokenMissing)?;
    if values.next().is_some() {
        return Err(Challenge::AuthorizationRepeated);
    }
    let value = value.as_bytes();
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at_checked(end).unwrap_or((value, &[]));
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Err(Challenge::TokenMissing);
    }
    str::from_utf8(rest)
        .ok()
        .map(|rest| rest.trim_start_matches(' '))
        .filter(|token| is_b64token(token))
        .ok_or(Challenge::AuthorizationMalformed)
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_b64token(text: &str) -> bool {
    let text = text.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(values: &[&[u8]]) -> Result<String, Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        token(&headers).map(str::to_owned)
    }

    #[test]
    fn one_bearer_token_in_any_case_of_the_scheme() {
        for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
            assert_eq!(
                read(&[format!("{scheme} a.b-_~+/c==").as_bytes()]),
                Ok("a.b-_~+/c==".into())
            );
        }
        assert_eq!(read(&[b"Bearer   abc"]), Ok("abc".into()), "1*SP");
    }

    #[test]
    fn another_scheme_is_no_token_and_a_broken_bearer_is_malformed() {
        let missing = [
            &b""[..],
            b"Basic abc",
            b"DPoP abc",
            b"Bearerabc",
            b"Bearer\tabc",
            b"Token Bearer abc",
        ];
        assert_eq!(read(&[]), Err(Challenge::TokenMissing));
        for value in missing {
            assert_eq!(read(&[value]), Err(Challenge::TokenMissing), "{value:?}");
        }
        let malformed: [&[u8]; 9] = [
            b"Bearer",
            b"Bearer ",
            b"Bearer  ",
            b"Bearer a b",
            b"Bearer a,Bearer b",
            b"Bearer =",
            b"Bearer a=b",
            b"Bearer \"a\"",
            b"Bearer \xff",
        ];
        for value in malformed {
            assert_eq!(
                read(&[value]),
                Err(Challenge::AuthorizationMalformed),
                "{value:?}"
            );
        }
        assert_eq!(
            read(&[b"Bearer a", b"Bearer a"]),
            Err(Challenge::AuthorizationRepeated)
        );
        assert_eq!(
            read(&[b"Basic a", b"Bearer a"]),
            Err(Challenge::AuthorizationRepeated)
        );
    }
}
