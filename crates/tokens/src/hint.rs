//! ID tokens that come back as a hint.

use crate::people_mint::JWT;
use crate::person::BACKCHANNEL_LOGOUT_EVENT;
use crate::revocation::Revocations;
use crate::verify::{CLOCK_SKEW, VerifyError};
use rustls_pki_types::UnixTime;
use sealstone_jose::{JoseError, UnverifiedJwt, VerifierSet};
use sealstone_oauth_types::{ClientId, Issuer};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// Reads an `id_token_hint` (OpenID Connect Core §3.1.2.1, RP-Initiated Logout §2): an ID token of this issuer, whose end
/// does not matter, since it is no credential.
#[derive(Debug, Clone)]
pub struct HintVerifier {
    issuer: Issuer,
}

/// Whom an ID token of ours was about, and whom it was for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedHint {
    /// `sub`: the person, as that client knows them.
    pub subject: String,
    /// `aud`: the client that it was given to.
    pub client_id: ClientId,
    /// `sid`.
    pub sid: Option<String>,
    /// `exp`; it may have passed.
    pub expires_at: UnixTime,
}

#[derive(Deserialize)]
struct Wire {
    iss: String,
    sub: String,
    aud: ClientId,
    iat: u64,
    exp: u64,
    /// Every ID token has it, and nothing else of type `JWT` that we sign.
    auth_time: u64,
    sid: Option<String>,
    #[serde(default)]
    events: Map<String, Value>,
}

impl HintVerifier {
    /// A verifier for tokens of `issuer`.
    #[must_use]
    pub const fn new(issuer: Issuer) -> Self {
        Self { issuer }
    }

    /// Verifies a hint as received. `keys` holds the issuer's keys that still verify.
    ///
    /// # Errors
    /// A [`VerifyError`]; whichever it is, the hint says nothing.
    ///
    /// # Security
    /// A hint is no proof of anything but that this issuer once told a client of a person: it never signs anybody in.
    pub fn verify(
        &self,
        token: &str,
        keys: &VerifierSet,
        revocations: &dyn Revocations,
        now: UnixTime,
    ) -> Result<VerifiedHint, VerifyError> {
        let unverified = UnverifiedJwt::parse(token).map_err(VerifyError::Jose)?;
        if !unverified.header().typ_is(JWT) {
            return Err(VerifyError::IdTokenType);
        }
        let key_id = unverified.header().kid.as_deref().ok_or(VerifyError::NoKeyId)?;
        if revocations.is_key_revoked(key_id) {
            return Err(VerifyError::KeyRevoked);
        }
        let verified = keys.verify(unverified).map_err(|error| {
            if matches!(error, JoseError::UnknownKey { .. }) {
                VerifyError::UnknownKey
            } else {
                VerifyError::Jose(error)
            }
        })?;
        let claims: Wire = verified.claims().map_err(|_malformed| VerifyError::Claims)?;
        if claims.iss != self.issuer.as_str() {
            return Err(VerifyError::Issuer);
        }
        let horizon = now.as_secs().saturating_add(CLOCK_SKEW.as_secs());
        if claims.iat > horizon || claims.auth_time > horizon {
            return Err(VerifyError::NotYetValid);
        }
        if claims.sub.is_empty() || claims.events.contains_key(BACKCHANNEL_LOGOUT_EVENT) {
            return Err(VerifyError::Claims);
        }
        Ok(VerifiedHint {
            subject: claims.sub,
            client_id: claims.aud,
            sid: claims.sid,
            expires_at: UnixTime::since_unix_epoch(Duration::from_secs(claims.exp)),
        })
    }
}
