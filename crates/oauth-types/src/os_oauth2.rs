//! Keystone's own token endpoint, `POST /v3/OS-OAUTH2/token`, which reads a request in its own way.

use zeroize::Zeroizing;

use crate::{BasicCredentials, Form, GrantType, PresentedClient, PresentedCredential, RequestError, Secret};

/// A request to Keystone's token endpoint, read as Keystone reads it and not judged.
///
/// Unlike RFC 6749 has it, `Authorization: Basic` is not form-decoded, and goes before what the form says; over a
/// connection with a client certificate only the form's `client_id` counts. `scope` and everything else is not read.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::{Form, OsOauth2Request};
///
/// let form = Form::parse(b"grant_type=client_credentials&client_id=ci&scope=any%20thing")?;
/// let request = OsOauth2Request::parse(None, &form, true)?;
/// assert_eq!(request.client.id.as_deref(), Some("ci"));
/// assert!(request.is_supported);
/// # Ok::<(), sealstone_oauth_types::RequestError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OsOauth2Request {
    /// Who asks. Never by an assertion.
    pub client: PresentedClient,
    /// Whether it asks for `client_credentials`, all that there is.
    pub is_supported: bool,
}

impl OsOauth2Request {
    /// Reads a request from its `Authorization` header and its form; `has_certificate` is the connection's.
    ///
    /// # Errors
    /// [`RequestError::MissingGrantType`].
    pub fn parse(
        authorization: Option<&str>,
        form: &Form,
        has_certificate: bool,
    ) -> Result<Self, RequestError> {
        let grant = form.get("grant_type").ok_or(RequestError::MissingGrantType)?;
        Ok(Self {
            client: client(authorization, form, has_certificate),
            is_supported: GrantType::parse(grant) == Some(GrantType::ClientCredentials),
        })
    }
}

fn client(authorization: Option<&str>, form: &Form, has_certificate: bool) -> PresentedClient {
    let id = form.get("client_id").map(ToOwned::to_owned);
    if has_certificate {
        return PresentedClient::presenting(id, PresentedCredential::None);
    }
    // What can't be read counts as not sent.
    if let Some((id, secret)) = authorization.and_then(basic) {
        return PresentedClient::presenting(Some(id), PresentedCredential::SecretBasic(secret));
    }
    let credential = match form.get("client_secret") {
        Some(secret) => PresentedCredential::SecretPost(Secret::from(secret)),
        None => PresentedCredential::None,
    };
    PresentedClient::presenting(id, credential)
}

/// Id and secret as they are. An empty one proves nothing and is none.
fn basic(header: &str) -> Option<(String, Secret)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if header.len() > BasicCredentials::MAX_LENGTH || !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64_simd::STANDARD.decode_to_vec(encoded.trim_start_matches(' '));
    let decoded = Zeroizing::new(decoded.ok()?);
    let (id, secret) = str::from_utf8(&decoded).ok()?.split_once(':')?;
    (!id.is_empty() && !secret.is_empty()).then(|| (id.to_owned(), Secret::from(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(authorization: Option<&str>, form: &str, has_certificate: bool) -> PresentedClient {
        let form = Form::parse(format!("grant_type=client_credentials&{form}").as_bytes()).unwrap();
        let request = OsOauth2Request::parse(authorization, &form, has_certificate).unwrap();
        assert!(request.is_supported);
        request.client
    }

    fn header(text: &str) -> String {
        format!("Basic {}", base64_simd::STANDARD.encode_to_string(text))
    }

    fn by_header(id: &str, secret: &str) -> PresentedClient {
        PresentedClient::presenting(
            Some(id.to_owned()),
            PresentedCredential::SecretBasic(secret.into()),
        )
    }

    fn by_form(id: Option<&str>, secret: Option<&str>) -> PresentedClient {
        let credential = secret.map_or(PresentedCredential::None, |secret| {
            PresentedCredential::SecretPost(secret.into())
        });
        PresentedClient::presenting(id.map(ToOwned::to_owned), credential)
    }

    const BOTH: &str = "client_id=other&client_secret=other";

    #[test]
    fn f11_of_two_authentications_keystones_choice_counts() {
        let cases = [
            (header("ci:s"), BOTH, false, by_header("ci", "s")),
            (header("ci:s"), "x=y", true, by_form(None, None)),
            (header("ci:s"), BOTH, true, by_form(Some("other"), None)),
        ];
        for (authorization, form, has_certificate, want) in cases {
            let found = read(Some(&authorization), form, has_certificate);
            assert_eq!(found, want, "{form} {has_certificate}");
        }
    }

    #[test]
    fn f14_basic_is_taken_as_it_is() {
        let found = read(Some(&header("ci:a%2Bb+c:d")), "x=y", false);
        assert_eq!(found, by_header("ci", "a%2Bb+c:d"));
    }

    #[test]
    fn f15_the_header_goes_before_another_client_in_the_body() {
        let found = read(Some(&header("ci:s")), "client_id=other", false);
        assert_eq!(found, by_header("ci", "s"));
    }

    #[test]
    fn what_cannot_be_read_or_is_empty_is_not_there() {
        let cases = [
            (None, BOTH, by_form(Some("other"), Some("other"))),
            (
                Some("Bearer x".into()),
                BOTH,
                by_form(Some("other"), Some("other")),
            ),
            (
                Some("Basic !!!".into()),
                BOTH,
                by_form(Some("other"), Some("other")),
            ),
            (Some(header("ci:")), "x=y", by_form(None, None)),
            (Some(header(":s")), "x=y", by_form(None, None)),
            (Some(header("ci")), "x=y", by_form(None, None)),
            (Some(header(&"x".repeat(4096))), "x=y", by_form(None, None)),
            (None, "client_id=ci&client_secret=", by_form(Some("ci"), None)),
            (None, "x=y", by_form(None, None)),
        ];
        for (authorization, form, want) in cases {
            let found = read(authorization.as_deref(), form, false);
            assert_eq!(found, want, "{authorization:?} {form}");
        }
        let long = read(Some(&header(&format!("{}:s", "x".repeat(200)))), "x=y", false);
        assert_eq!(long.id.unwrap().len(), PresentedClient::MAX_ID_LENGTH);
    }

    #[test]
    fn one_grant_type_and_no_other() {
        let grant = |form: &str| {
            let form = Form::parse(form.as_bytes()).unwrap();
            OsOauth2Request::parse(None, &form, false).map(|request| request.is_supported)
        };
        assert_eq!(grant("grant_type=client_credentials"), Ok(true));
        for other in [
            "password",
            "Client_Credentials",
            "client_credentials%20",
            "refresh_token",
        ] {
            assert_eq!(grant(&format!("grant_type={other}")), Ok(false), "{other}");
        }
        for none in ["", "x=y", "grant_type="] {
            assert_eq!(grant(none), Err(RequestError::MissingGrantType), "{none}");
        }
    }
}
