//! Logging in with a passkey: WebAuthn §7.2.

use aws_lc_rs::digest;
use serde::Deserialize;

use super::{
    Challenge, CredentialId, MAX_RESPONSE, Passkey, RelyingParty, UserHandle, UserVerification,
    WebAuthnError,
    authenticator_data::AuthenticatorData,
    client_data::{self, Ceremony},
    encoding::Octets,
};

/// A signature of an RSA key of 4096 bits.
const MAX_SIGNATURE: usize = 512;

/// What `navigator.credentials.get` gave: `AuthenticationResponseJSON` (WebAuthn §5.1.4), bounded and with its octets
/// decoded. What it says is judged by [`RelyingParty::assert`].
#[derive(Debug, Deserialize)]
pub struct AssertionResponse {
    #[serde(rename = "rawId")]
    id: CredentialId,
    r#type: String,
    response: Signed,
}

#[derive(Debug, Deserialize)]
struct Signed {
    #[serde(rename = "clientDataJSON")]
    client_data: Octets,
    #[serde(rename = "authenticatorData")]
    data: Octets,
    signature: Octets,
    #[serde(default, rename = "userHandle")]
    user: Option<Octets>,
}

/// A passkey was used: by its owner, at this relying party, for this challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_structs, reason = "what a ceremony gives")]
pub struct Assertion {
    /// The passkey with its new counter: store it, by compare-and-swap, before anything is granted.
    pub passkey: Passkey,
    /// Whether the authenticator verified its user, by PIN, finger or face: `user` in `amr`.
    pub user_verified: bool,
}

impl AssertionResponse {
    /// Parses the JSON of the page's form. Members that are not needed are passed over.
    ///
    /// # Errors
    /// [`WebAuthnError::Malformed`].
    pub fn parse(json: &str) -> Result<Self, WebAuthnError> {
        if json.len() > MAX_RESPONSE {
            return Err(WebAuthnError::Malformed);
        }
        serde_json::from_str(json).map_err(|_json| WebAuthnError::Malformed)
    }

    /// Which passkey it claims to be: for finding it in the person's record.
    #[must_use]
    pub const fn id(&self) -> &CredentialId {
        &self.id
    }

    /// Whose it claims to be, for a login that asked for no name; proved by [`RelyingParty::assert`] alone.
    #[must_use]
    pub fn user(&self) -> Option<UserHandle> {
        UserHandle::from_octets(self.response.user.as_ref()?.0.clone())
    }
}

impl RelyingParty {
    /// Checks that `response` is `passkey`'s answer to `challenge`.
    ///
    /// The caller found the passkey in the record of the person who logs in, and sees to it that the challenge is this
    /// browser's. An answer counts once: the passkey remembers the last challenges that it answered, if it is stored.
    ///
    /// # Errors
    /// [`WebAuthnError`]; the person is not logged in then. After [`WebAuthnError::Counter`] the passkey may have been
    /// copied: its owner should hear of it.
    pub fn assert(
        &self,
        challenge: &Challenge,
        verification: UserVerification,
        response: &AssertionResponse,
        passkey: &Passkey,
    ) -> Result<Assertion, WebAuthnError> {
        let signed = &response.response;
        if response.r#type != "public-key" || signed.signature.0.len() > MAX_SIGNATURE {
            return Err(WebAuthnError::Malformed);
        }
        let other_user = signed
            .user
            .as_ref()
            .is_some_and(|user| user.0 != passkey.user.as_octets());
        if response.id != passkey.id || other_user {
            return Err(WebAuthnError::Credential);
        }
        client_data::check(&signed.client_data.0, Ceremony::Get, challenge, self)?;
        if passkey.answered.contains(challenge) {
            return Err(WebAuthnError::Challenge);
        }
        let data = AuthenticatorData::parse(&signed.data.0)?;
        data.check(self, verification)?;
        if data.backup_eligible() != passkey.backup_eligible {
            return Err(WebAuthnError::Backup);
        }
        let mut message = signed.data.0.clone();
        message.extend_from_slice(digest::digest(&digest::SHA256, &signed.client_data.0).as_ref());
        if !passkey.key.parsed.verifies(&message, &signed.signature.0) {
            return Err(WebAuthnError::Signature);
        }
        // Authenticators without a counter send zero each time (§6.1.1).
        let counts = data.sign_count != 0 || passkey.sign_count != 0;
        if counts && data.sign_count <= passkey.sign_count {
            return Err(WebAuthnError::Counter);
        }
        Ok(Assertion {
            passkey: Passkey {
                sign_count: data.sign_count,
                backed_up: data.backed_up(),
                answered: passkey.answered_with(challenge),
                ..passkey.clone()
            },
            user_verified: data.user_verified(),
        })
    }
}
