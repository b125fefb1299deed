use std::fmt;

use zeroize::Zeroizing;

use super::{AuthorizationError, AuthorizationHeadError};
use crate::form::decode;
use crate::{Form, FormError};

/// The parameter that may come more than once (RFC 8707 §2).
const REPEATABLE: &str = "resource";

/// The parameters of a request that a browser brings, from a query or from a form.
///
/// Unlike [`Form`], one parameter that is repeated or cannot be decoded does not spoil the rest: the client has a right
/// to hear of it, if it is known where to tell it. Within the limits of [`Form`]; an empty value counts as absent.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::{AuthorizationHead, AuthorizationParameters};
///
/// let twice = AuthorizationParameters::parse(b"client_id=web&client_id=other")?;
/// assert!(AuthorizationHead::parse(&twice).is_err());
/// # Ok::<(), sealstone_oauth_types::FormError>(())
/// ```
pub struct AuthorizationParameters {
    parameters: Vec<Parameter>,
}

struct Parameter {
    /// `None`: not UTF-8, or not encoded as a form is.
    name: Option<String>,
    value: Option<Zeroizing<String>>,
}

/// Why one parameter has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParameterFault {
    Repeated,
    Encoding,
}

impl AuthorizationParameters {
    /// Splits and decodes a query or a form.
    ///
    /// # Errors
    /// [`FormError::TooLarge`], [`FormError::TooManyParameters`].
    pub fn parse(encoded: &[u8]) -> Result<Self, FormError> {
        if encoded.len() > Form::MAX_LENGTH {
            return Err(FormError::TooLarge);
        }
        let mut parameters = Vec::with_capacity(16);
        for pair in encoded
            .split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty())
        {
            if parameters.len() >= Form::MAX_PARAMETERS {
                return Err(FormError::TooManyParameters);
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let mut half = || text(halves.next().unwrap_or_default());
            parameters.push(Parameter {
                name: half(),
                value: half().map(Zeroizing::new),
            });
        }
        Ok(Self { parameters })
    }

    /// The only value of a parameter; `None` if it is absent or empty.
    pub(crate) fn single(&self, name: &str) -> Result<Option<&str>, ParameterFault> {
        let mut found = self.named(name);
        let Some(first) = found.next() else {
            return Ok(None);
        };
        if found.next().is_some() {
            return Err(ParameterFault::Repeated);
        }
        let value = first.value.as_ref().ok_or(ParameterFault::Encoding)?;
        Ok(Some(value.as_str()).filter(|value| !value.is_empty()))
    }

    /// Every value of a parameter that may be repeated.
    pub(crate) fn all(&self, name: &str) -> Result<Vec<&str>, ParameterFault> {
        let values = self.named(name).map(|parameter| {
            let value = parameter.value.as_ref().ok_or(ParameterFault::Encoding)?;
            Ok(value.as_str())
        });
        let values: Result<Vec<&str>, ParameterFault> = values.collect();
        Ok(values?.into_iter().filter(|value| !value.is_empty()).collect())
    }

    /// Whether every name can be read: one that cannot may be any, `redirect_uri` among them.
    pub(crate) fn are_readable(&self) -> Result<(), AuthorizationHeadError> {
        if self.parameters.iter().all(|parameter| parameter.name.is_some()) {
            Ok(())
        } else {
            Err(AuthorizationHeadError::Encoding)
        }
    }

    /// Whether no name comes twice, known or not (RFC 6749 §3.1), and every value can be read.
    pub(super) fn have_no_repetition(&self) -> Result<(), AuthorizationError> {
        let mut rest = self.parameters.iter();
        while let Some(first) = rest.next() {
            if first.value.is_none() {
                return Err(AuthorizationError::Encoding);
            }
            let is_repeatable = first.name.as_deref() == Some(REPEATABLE);
            if !is_repeatable && rest.clone().any(|other| other.name == first.name) {
                return Err(AuthorizationError::Repeated);
            }
        }
        Ok(())
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Parameter> {
        self.parameters
            .iter()
            .filter(move |parameter| parameter.name.as_deref() == Some(name))
    }
}

impl fmt::Debug for AuthorizationParameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AuthorizationParameters({})", self.parameters.len())
    }
}

fn text(part: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(part.len());
    decode(part, &mut decoded).ok()?;
    String::from_utf8(decoded).ok()
}
