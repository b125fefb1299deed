use std::fmt;

use memchr::memchr;
use zeroize::Zeroizing;

use crate::{ClientId, Form, RequestError, Secret};
use crate::{assertion, form};

/// The client id and secret of an `Authorization: Basic` value (RFC 6749 §2.3.1, RFC 7617 §2).
///
/// Both halves are form-decoded. The scheme is read without case; base64 is strict.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::{BasicCredentials, Secret};
///
/// let basic = BasicCredentials::parse("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW")?;
/// assert_eq!(basic.client_id, "s6BhdRkqt3");
/// assert_eq!(basic.secret, Secret::from("gX1fBat3bV"));
/// # Ok::<(), sealstone_oauth_types::BasicError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BasicCredentials {
    /// The client id as sent, decoded; not yet known to be one.
    pub client_id: String,
    /// The secret, decoded; it may be empty.
    pub secret: Secret,
}

/// Why an `Authorization` value holds no client id and secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BasicError {
    /// Another scheme than Basic.
    #[error("the Authorization header is of another scheme than Basic")]
    Scheme,
    /// More than 4 KiB.
    #[error("the Authorization header is larger than 4096 bytes")]
    TooLarge,
    /// Not base64, no colon, an empty client id, or halves that are not form-encoded.
    #[error("the Authorization header does not hold two form-encoded halves in base64")]
    Malformed,
}

impl BasicCredentials {
    /// The longest header value, in bytes.
    pub const MAX_LENGTH: usize = 4096;

    /// Parses a header value.
    ///
    /// # Errors
    /// A [`BasicError`]; it never holds a part of the value.
    pub fn parse(header: &str) -> Result<Self, BasicError> {
        if header.len() > Self::MAX_LENGTH {
            return Err(BasicError::TooLarge);
        }
        let (scheme, encoded) = header.split_once(' ').ok_or(BasicError::Malformed)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(BasicError::Scheme);
        }
        let encoded = encoded.trim_start_matches(' ');
        let decoded = base64_simd::STANDARD
            .decode_to_vec(encoded)
            .map_err(|_| BasicError::Malformed)?;
        let decoded = Zeroizing::new(decoded);
        let colon = memchr(b':', &decoded).ok_or(BasicError::Malformed)?;
        let (client_id, secret) = decoded.split_at_checked(colon).ok_or(BasicError::Malformed)?;
        let client_id = form_text(client_id)?;
        let secret = Secret::from(form_text(secret.get(1..).unwrap_or_default())?);
        if client_id.is_empty() {
            return Err(BasicError::Malformed);
        }
        Ok(Self { client_id, secret })
    }
}

impl fmt::Debug for BasicCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BasicCredentials([redacted])")
    }
}

fn form_text(half: &[u8]) -> Result<String, BasicError> {
    let mut text = Zeroizing::new(Vec::with_capacity(half.len()));
    form::decode(half, &mut text).map_err(|_| BasicError::Malformed)?;
    String::from_utf8(std::mem::take(&mut *text)).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        BasicError::Malformed
    })
}

/// Who a request says it comes from, and what it shows for it besides a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresentedClient {
    /// The client id as sent, or else the `sub` of the assertion, cut at 128 bytes: long enough for the audit record,
    /// too long to be a [`ClientId`]. Nothing vouches for either.
    pub id: Option<String>,
    /// The credential of the header or the body.
    pub credential: PresentedCredential,
}

/// A client's credential besides a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "client authentication handles every kind of credential"
)]
pub enum PresentedCredential {
    /// None: a public client, or one that authenticates by its certificate.
    None,
    /// A secret in `Authorization: Basic`.
    SecretBasic(Secret),
    /// A secret in the body.
    SecretPost(Secret),
    /// A `client_assertion` of the type jwt-bearer (RFC 7523 §2.2), unverified.
    Assertion(Secret),
}

impl PresentedClient {
    /// The longest id kept, in bytes.
    pub const MAX_ID_LENGTH: usize = 128;

    /// Reads the client from the `Authorization` header and the form (RFC 6749 §2.3).
    ///
    /// # Errors
    /// [`RequestError::TwoAuthentications`] for more than one credential, [`RequestError::ClientIdMismatch`] if
    /// header and body name different clients, [`RequestError::Authorization`] for an unreadable header,
    /// [`RequestError::AssertionType`] and [`RequestError::IncompleteAssertion`] for an assertion that is none.
    pub fn parse(authorization: Option<&str>, form: &Form) -> Result<Self, RequestError> {
        let id = form.get("client_id");
        let secret = form.get("client_secret");
        let has_assertion =
            form.get("client_assertion").is_some() || form.get("client_assertion_type").is_some();
        let Some(header) = authorization else {
            if secret.is_some() && has_assertion {
                return Err(RequestError::TwoAuthentications);
            }
            let credential = match (secret, assertion::parse(form)?) {
                (Some(secret), _) => PresentedCredential::SecretPost(Secret::from(secret)),
                (None, Some(assertion)) => PresentedCredential::Assertion(assertion),
                (None, None) => PresentedCredential::None,
            };
            let claimed = match (id, &credential) {
                (Some(id), _) => Some(cut(id).to_owned()),
                (None, PresentedCredential::Assertion(assertion)) => {
                    assertion::claimed_subject(assertion.expose()).map(|id| cut(&id).to_owned())
                }
                (None, _) => None,
            };
            return Ok(Self {
                id: claimed,
                credential,
            });
        };
        if secret.is_some() || has_assertion {
            return Err(RequestError::TwoAuthentications);
        }
        let basic = BasicCredentials::parse(header)?;
        if id.is_some_and(|id| id != basic.client_id) {
            return Err(RequestError::ClientIdMismatch);
        }
        let mut client_id = basic.client_id;
        client_id.truncate(cut(&client_id).len());
        Ok(Self {
            id: Some(client_id),
            credential: PresentedCredential::SecretBasic(basic.secret),
        })
    }

    /// One with this id, cut at the limit, and this credential.
    pub(crate) fn presenting(id: Option<String>, credential: PresentedCredential) -> Self {
        let mut id = id;
        if let Some(id) = &mut id {
            id.truncate(cut(id).len());
        }
        Self { id, credential }
    }

    /// The id, if it is one that a client can have.
    #[must_use]
    pub fn client_id(&self) -> Option<ClientId> {
        self.id.as_deref().and_then(|id| ClientId::parse(id).ok())
    }

    /// Whether the `Authorization` header was used: then a 401 must carry `WWW-Authenticate` (RFC 6749 §5.2).
    #[must_use]
    pub const fn used_authorization_header(&self) -> bool {
        matches!(self.credential, PresentedCredential::SecretBasic(_))
    }
}

fn cut(id: &str) -> &str {
    id.get(..id.floor_char_boundary(PresentedClient::MAX_ID_LENGTH))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
