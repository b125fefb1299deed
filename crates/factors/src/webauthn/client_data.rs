//! What the browser says about the ceremony: WebAuthn §5.8.1.

use serde::Deserialize;

use super::{Challenge, RelyingParty, WebAuthnError, encoding::Octets};

/// The longest client data: a challenge, two origins and a few words fit ten times.
const MAX_CLIENT_DATA: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ceremony {
    Create,
    Get,
}

impl Ceremony {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "webauthn.create",
            Self::Get => "webauthn.get",
        }
    }
}

#[derive(Deserialize)]
struct ClientData {
    r#type: String,
    challenge: Octets,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    cross_origin: bool,
    #[serde(default, rename = "topOrigin")]
    top_origin: Option<String>,
}

/// The checks of WebAuthn §7.1 steps 5 to 11 and §7.2 steps 10 to 14. The octets are signed as they are.
pub(super) fn check(
    octets: &[u8],
    ceremony: Ceremony,
    challenge: &Challenge,
    party: &RelyingParty,
) -> Result<(), WebAuthnError> {
    if octets.len() > MAX_CLIENT_DATA {
        return Err(WebAuthnError::Malformed);
    }
    let data: ClientData = serde_json::from_slice(octets).map_err(|_json| WebAuthnError::Malformed)?;
    if data.r#type != ceremony.as_str() {
        return Err(WebAuthnError::Ceremony);
    }
    if data.challenge.0 != challenge.as_octets() {
        return Err(WebAuthnError::Challenge);
    }
    // Our pages are in no frame; a page that frames them is an attack.
    if data.origin != party.origin() || data.cross_origin || data.top_origin.is_some() {
        return Err(WebAuthnError::Origin);
    }
    Ok(())
}
