use crate::{ErrorCode, Form, Secret};

/// A token presented for what it allows (RFC 6750 §2): in the `Authorization` header or in a form, never in a URL.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::{BearerError, UserinfoRequest};
///
/// let request = UserinfoRequest::parse(Some("Bearer eyJ.eyJ.sig"), None)?;
/// assert_eq!(request.token.expose(), "eyJ.eyJ.sig");
/// assert_eq!(UserinfoRequest::parse(None, None).unwrap_err(), BearerError::Missing);
/// # Ok::<(), BearerError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserinfoRequest {
    /// The access token, as sent.
    pub token: Secret,
}

/// Why a request presents no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "the answer differs for each")]
pub enum BearerError {
    /// None is there: 401 without a code (RFC 6750 §3.1).
    #[error("no access token is presented")]
    Missing,
    /// In header and form (RFC 6750 §2).
    #[error("the access token is presented in two ways")]
    Twice,
    /// The header is of another scheme, or holds no token.
    #[error("the Authorization header holds no bearer token")]
    Malformed,
}

impl UserinfoRequest {
    /// The longest token, in bytes: the limit of a header.
    pub const MAX_LENGTH: usize = 16 * 1024;

    /// Reads the token from the `Authorization` header or from `access_token` of a posted form.
    ///
    /// # Errors
    /// A [`BearerError`].
    pub fn parse(authorization: Option<&str>, form: Option<&Form>) -> Result<Self, BearerError> {
        let posted = form.and_then(|form| form.get("access_token"));
        let token = match (authorization, posted) {
            (None, None) => return Err(BearerError::Missing),
            (Some(_), Some(_)) => return Err(BearerError::Twice),
            (None, Some(token)) => token,
            (Some(header), None) => of_header(header)?,
        };
        let fits = token.len() <= Self::MAX_LENGTH && is_b64token(token);
        let token = fits.then(|| Secret::from(token)).ok_or(BearerError::Malformed)?;
        Ok(Self { token })
    }
}

impl BearerError {
    /// The code of the answer; none where nothing was presented (RFC 6750 §3.1).
    #[must_use]
    pub const fn code(self) -> Option<ErrorCode> {
        match self {
            Self::Missing => None,
            Self::Twice | Self::Malformed => Some(ErrorCode::InvalidRequest),
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Missing => 401,
            Self::Twice | Self::Malformed => 400,
        }
    }

    /// The fixed description of the answer.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Missing => "no access token is presented",
            Self::Twice => "the access token is presented in two ways",
            Self::Malformed => "the Authorization header holds no bearer token",
        }
    }
}

fn of_header(header: &str) -> Result<&str, BearerError> {
    let (scheme, token) = header.split_once(' ').ok_or(BearerError::Malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim_start_matches(' '))
    } else {
        Err(BearerError::Malformed)
    }
}

/// RFC 6750 §2.1.
fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    !body.is_empty()
        && body
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{BearerError, UserinfoRequest};
    use crate::Form;

    fn read(header: Option<&str>, body: Option<&str>) -> Result<String, BearerError> {
        let form = body.map(|body| Form::parse(body.as_bytes()).unwrap());
        UserinfoRequest::parse(header, form.as_ref()).map(|request| request.token.expose().to_owned())
    }

    #[test]
    fn a_token_comes_in_one_way() {
        assert_eq!(read(Some("Bearer a.b.c"), None), Ok("a.b.c".into()));
        assert_eq!(read(Some("bEARER  a.b=="), Some("x=y")), Ok("a.b==".into()));
        assert_eq!(read(None, Some("access_token=a.b.c")), Ok("a.b.c".into()));
        for (header, body, want) in [
            (None, None, BearerError::Missing),
            (None, Some("access_token="), BearerError::Missing),
            (None, Some("Access_Token=a"), BearerError::Missing),
            (Some("Bearer a"), Some("access_token=a"), BearerError::Twice),
            (Some("Bearer"), None, BearerError::Malformed),
            (Some("Bearer "), None, BearerError::Malformed),
            (Some("Bearer a b"), None, BearerError::Malformed),
            (Some("Bearer =a"), None, BearerError::Malformed),
            (Some("Basic YTpi"), None, BearerError::Malformed),
            (Some("DPoP a"), None, BearerError::Malformed),
            (None, Some("access_token=a%20b"), BearerError::Malformed),
            (None, Some("access_token=%C3%A9"), BearerError::Malformed),
        ] {
            assert_eq!(read(header, body), Err(want), "{header:?} {body:?}");
        }
        let long = format!("Bearer {}", "a".repeat(UserinfoRequest::MAX_LENGTH + 1));
        assert_eq!(read(Some(&long), None), Err(BearerError::Malformed));
    }
}
