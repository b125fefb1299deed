//! How a person came to be signed in, as tokens say it.

use crate::VerifiedToken;
use rustls_pki_types::UnixTime;
use sealstone_claims::ReservedClaim;
use serde::ser::SerializeMap;
use serde_json::Value;
use std::time::Duration;

/// When and by which ways a person signed in (OpenID Connect Core §2, RFC 8176).
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever mints says each of these; one that is forgotten must not compile"
)]
pub struct LoginClaims<'a> {
    /// `auth_time`: when the person last proved who they are. Not when a session was last used.
    pub auth_time: UnixTime,
    /// `acr`.
    pub acr: Option<&'a str>,
    /// `amr`: only what happened; left out if there is nothing to name.
    pub amr: &'a [&'a str],
    /// `sid`: the session's public id, where a client may hear of its end.
    pub sid: Option<&'a str>,
}

impl LoginClaims<'_> {
    pub(crate) fn write_into<M: SerializeMap>(&self, object: &mut M) -> Result<(), M::Error> {
        object.serialize_entry(ReservedClaim::AUTH_TIME.name(), &self.auth_time.as_secs())?;
        if let Some(acr) = self.acr {
            object.serialize_entry(ReservedClaim::ACR.name(), acr)?;
        }
        if !self.amr.is_empty() {
            object.serialize_entry(ReservedClaim::AMR.name(), self.amr)?;
        }
        if let Some(sid) = self.sid {
            object.serialize_entry(ReservedClaim::SID.name(), sid)?;
        }
        Ok(())
    }
}

/// What a verified access token says of its person's login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedLogin<'a> {
    /// `auth_time`.
    pub auth_time: UnixTime,
    /// `acr`.
    pub acr: Option<&'a str>,
    /// `sid`.
    pub sid: Option<&'a str>,
}

impl VerifiedToken {
    /// How its person signed in; `None` for a machine's token, whose subject is its client.
    #[must_use]
    pub fn login(&self) -> Option<VerifiedLogin<'_>> {
        let claim = |claim: ReservedClaim| self.other.get(claim.name());
        let seconds = claim(ReservedClaim::AUTH_TIME).and_then(Value::as_u64)?;
        Some(VerifiedLogin {
            auth_time: UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            acr: claim(ReservedClaim::ACR).and_then(Value::as_str),
            sid: claim(ReservedClaim::SID).and_then(Value::as_str),
        })
    }
}
