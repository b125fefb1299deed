//! What a client says of itself when it registers itself (RFC 7591 §2): what is not understood is passed over.

use std::fmt;

use sealstone_oauth_types::{GrantType, Secret};
use serde_json::{Map, Value};

use super::{ClientRegistration, MAX_BYTES, members};
use crate::{administration::RegistrationPolicy, error::RegistrationError};

/// A client's own metadata. What the server does not read is ignored, as RFC 7591 §2 asks, and so is what only the
/// server sets; what it reads is held to every rule of [`ClientRegistration`].
///
/// # Examples
/// ```
/// # use sealstone_registry::{DynamicRegistration, RegistrationPolicy};
/// let asked = DynamicRegistration::from_json(
///     br#"{"redirect_uris": ["https://app.example/cb"], "contacts": ["me@app.example"], "client_id": "x"}"#,
/// )?;
/// let registration = asked.within(&RegistrationPolicy::default());
/// assert_eq!(registration.redirect_uris, ["https://app.example/cb"]);
/// assert_eq!(registration.scope.as_deref(), Some("openid profile email groups"));
/// # Ok::<(), sealstone_registry::RegistrationError>(())
/// ```
pub struct DynamicRegistration {
    registration: ClientRegistration,
    client_id: Option<String>,
    client_secret: Option<Secret>,
}

impl fmt::Debug for DynamicRegistration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DynamicRegistration")
            .field("registration", &self.registration)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl DynamicRegistration {
    /// Reads a JSON document, at most 128 KiB and 32 levels deep, each member once.
    ///
    /// # Errors
    /// The fault of the document's form, with the member.
    pub fn from_json(document: &[u8]) -> Result<Self, RegistrationError> {
        if document.len() > MAX_BYTES {
            return Err(RegistrationError::TooLarge { limit: MAX_BYTES });
        }
        sealstone_jose::json::check(document).map_err(RegistrationError::Json)?;
        let all: Map<String, Value> = serde_json::from_slice(document)
            .map_err(|_| RegistrationError::Json(sealstone_jose::JoseError::UnexpectedJson))?;
        let text = |member: &'static str| match all.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(RegistrationError::Malformed {
                member: member.to_owned(),
                reason: "expected a string".to_owned(),
            }),
        };
        let (client_id, client_secret) = (text("client_id")?, text("client_secret")?);
        // RFC 7591 §2: a member that is null is one that is left out.
        let read =
            |(member, value): &(String, Value)| members::KNOWN.contains(&member.as_str()) && !value.is_null();
        let known: Map<String, Value> = all.into_iter().filter(read).collect();
        let known = serde_json::to_vec(&Value::Object(known))
            .map_err(|_| RegistrationError::Json(sealstone_jose::JoseError::UnexpectedJson))?;
        Ok(Self {
            registration: ClientRegistration::from_json(&known)?,
            client_id,
            client_secret: client_secret.map(Secret::from),
        })
    }

    /// The `client_id` that it names, for an update (RFC 7592 §2.2).
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// The `client_secret` that it repeats, for an update.
    #[must_use]
    pub const fn client_secret(&self) -> Option<&Secret> {
        self.client_secret.as_ref()
    }

    /// The registration that is asked for. A client that names no scope may have all that the policy allows, for most
    /// never name one (RFC 7591 §2).
    #[must_use]
    pub fn within(self, policy: &RegistrationPolicy) -> ClientRegistration {
        let mut registration = self.registration;
        if registration.scope.is_none() {
            let refreshes = registration.grant_types.as_ref().is_some_and(|grants| {
                grants
                    .iter()
                    .any(|grant| grant == GrantType::RefreshToken.as_str())
            });
            let fits = |name: &&str| refreshes || *name != "offline_access";
            let names: Vec<&str> = policy.scopes().iter().filter(fits).collect();
            registration.scope = Some(names.join(" "));
        }
        registration
    }
}
