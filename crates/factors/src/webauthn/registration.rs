//! Registering a passkey: WebAuthn §7.1.

use serde::Deserialize;

use super::{
    Challenge, CredentialId, MAX_RESPONSE, Passkey, RelyingParty, UserHandle, UserVerification,
    WebAuthnError,
    authenticator_data::AuthenticatorData,
    cbor::Reader,
    client_data::{self, Ceremony},
    encoding::Octets,
    passkey::Key,
};

/// Transports are words; a browser names a handful.
const MAX_TRANSPORTS: usize = 8;
const MAX_TRANSPORT: usize = 32;

/// What `navigator.credentials.create` gave: `RegistrationResponseJSON` (WebAuthn §5.1.3), bounded and with its octets
/// decoded. What it says is judged by [`RelyingParty::register`].
#[derive(Debug, Deserialize)]
pub struct RegistrationResponse {
    #[serde(rename = "rawId")]
    id: CredentialId,
    r#type: String,
    response: Attestation,
}

#[derive(Debug, Deserialize)]
struct Attestation {
    #[serde(rename = "clientDataJSON")]
    client_data: Octets,
    #[serde(rename = "attestationObject")]
    object: Octets,
    #[serde(default)]
    transports: Vec<String>,
}

impl RegistrationResponse {
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
}

impl RelyingParty {
    /// The passkey that was registered in answer to `challenge`, for the person with the handle `user`.
    ///
    /// An attestation is not asked for and not looked at: every authenticator will do. The caller sees to it that the
    /// challenge is this interaction's and used once, and that no other person has a passkey of this id.
    ///
    /// # Errors
    /// [`WebAuthnError`]; nothing is to be stored then.
    pub fn register(
        &self,
        challenge: &Challenge,
        user: &UserHandle,
        verification: UserVerification,
        response: &RegistrationResponse,
    ) -> Result<Passkey, WebAuthnError> {
        if response.r#type != "public-key" {
            return Err(WebAuthnError::Malformed);
        }
        let attestation = &response.response;
        client_data::check(&attestation.client_data.0, Ceremony::Create, challenge, self)?;
        let data = AuthenticatorData::parse(authenticator_data(&attestation.object.0)?)?;
        data.check(self, verification)?;
        let attested = data.attested.as_ref().ok_or(WebAuthnError::Malformed)?;
        if attested.id != response.id {
            return Err(WebAuthnError::Credential);
        }
        Ok(Passkey {
            id: response.id.clone(),
            user: user.clone(),
            key: Key {
                cose: attested.cose.to_vec(),
                parsed: attested.key.clone(),
            },
            sign_count: data.sign_count,
            transports: known(&attestation.transports),
            backup_eligible: data.backup_eligible(),
            backed_up: data.backed_up(),
            user_verified: data.user_verified(),
            answered: vec![*challenge],
        })
    }
}

/// The authenticator data within an attestation object (WebAuthn §6.5): a map of `fmt`, `attStmt` and `authData`.
fn authenticator_data(object: &[u8]) -> Result<&[u8], WebAuthnError> {
    read(object).ok_or(WebAuthnError::Malformed)
}

fn read(object: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(object);
    let (mut format, mut statement, mut data) = (None, None, None);
    let count = reader.map().filter(|count| *count == 3)?;
    for _member in 0..count {
        let first = match reader.text()? {
            "fmt" => format.replace(reader.text()?).is_none(),
            "attStmt" => {
                let before = reader.rest();
                reader.skip()?;
                statement.replace(before).is_none()
            }
            "authData" => data.replace(reader.octets()?).is_none(),
            _ => false,
        };
        first.then_some(())?;
    }
    // The format `none` has an empty map for its statement (§8.7); others are not looked at.
    if format? == "none" && statement?.first() != Some(&0xa0) {
        return None;
    }
    reader.rest().is_empty().then_some(data)?
}

/// Words of the shape that browsers give; others are dropped, for they are handed to browsers again.
fn known(transports: &[String]) -> Vec<String> {
    let word = |text: &&String| {
        (1..=MAX_TRANSPORT).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
    };
    let mut words: Vec<String> = transports
        .iter()
        .filter(word)
        .take(MAX_TRANSPORTS)
        .cloned()
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}
