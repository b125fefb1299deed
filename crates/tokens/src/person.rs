//! What is told about a person: in ID tokens, at the userinfo endpoint, at a sign-out.

use crate::login::LoginClaims;
use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use rustls_pki_types::UnixTime;
use sealstone_claims::{MappedClaims, ReservedClaim};
use sealstone_jose::Algorithm;
use sealstone_oauth_types::{ClientId, Issuer, Nonce};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};

/// The member of `events` that makes a token a logout token (OpenID Connect Back-Channel Logout §2.4).
pub(crate) const BACKCHANNEL_LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Who the person is, as far as this client may know (OpenID Connect Core §5.1, §5.4). What is `None` is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever tells of a person decides on each of these"
)]
pub struct PersonClaims<'a> {
    /// `name`: the full name.
    pub name: Option<&'a str>,
    /// `preferred_username`: the name that the person types.
    pub preferred_username: Option<&'a str>,
    /// `email`.
    pub email: Option<&'a str>,
    /// `email_verified`.
    pub email_verified: Option<bool>,
    /// `groups`, by name.
    pub groups: Option<&'a [&'a str]>,
    /// `roles`, by name.
    pub roles: Option<&'a [&'a str]>,
    /// Others, for a profile of its own. One that the server alone sets, or that is among those above, is not written.
    pub further: Option<&'a Map<String, Value>>,
}

/// The claims of [`PersonClaims`] that scopes and templates give, but for `roles`, which is reserved.
const OWN: [&str; 5] = ["name", "preferred_username", "email", "email_verified", "groups"];

impl PersonClaims<'_> {
    fn write_into<M: SerializeMap>(&self, object: &mut M) -> Result<(), M::Error> {
        let texts = [
            ("name", self.name),
            ("preferred_username", self.preferred_username),
            ("email", self.email),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                object.serialize_entry(name, text)?;
            }
        }
        if let Some(verified) = self.email_verified {
            object.serialize_entry("email_verified", &verified)?;
        }
        for (name, list) in [("groups", self.groups), (ReservedClaim::ROLES.name(), self.roles)] {
            if let Some(list) = list {
                object.serialize_entry(name, list)?;
            }
        }
        for (name, value) in self.further.into_iter().flatten() {
            if ReservedClaim::named(name).is_none() && !OWN.contains(&name.as_str()) {
                object.serialize_entry(name, value)?;
            }
        }
        Ok(())
    }
}

/// Half the hash of an access token, by which an ID token vouches for it (OpenID Connect Core §3.1.3.6).
///
/// ```
/// use sealstone_jose::Algorithm;
/// use sealstone_tokens::AccessTokenHash;
///
/// let hash = AccessTokenHash::of("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", Algorithm::Rs256);
/// assert_eq!(hash.as_str(), "77QmUPtjPfzWtF2AnpK9RQ");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessTokenHash(String);

impl AccessTokenHash {
    /// The hash that goes with the algorithm of the ID token.
    #[must_use]
    pub fn of(access_token: &str, algorithm: Algorithm) -> Self {
        let function = match algorithm {
            Algorithm::Es256 | Algorithm::Rs256 | Algorithm::Ps256 => &SHA256,
            Algorithm::Es384 => &SHA384,
            // Of Ed25519 itself (RFC 8032 §5.1).
            Algorithm::EdDsa => &SHA512,
        };
        let hash = digest::digest(function, access_token.as_bytes());
        let half = hash.as_ref().split_at(hash.as_ref().len() / 2).0;
        Self(sealstone_jose::base64url::encode(half))
    }

    /// The value of `at_hash`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Everything that an ID token says (OpenID Connect Core §2), borrowed from where it is kept.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "minted in one place; a new claim must be decided there"
)]
pub struct IdTokenClaims<'a> {
    /// `iss`.
    pub issuer: &'a Issuer,
    /// `sub`: the person, as this client knows them.
    pub subject: &'a str,
    /// `aud`: the client and nobody else.
    pub client_id: &'a ClientId,
    /// `iat`.
    pub issued_at: UnixTime,
    /// `exp`.
    pub expires_at: UnixTime,
    /// `auth_time`, `acr`, `amr`, `sid`.
    pub login: LoginClaims<'a>,
    /// `nonce`, as the request had it; none in one that a refresh token gave (§12.2).
    pub nonce: Option<&'a Nonce>,
    /// `at_hash`, of the access token beside it.
    pub at_hash: Option<&'a AccessTokenHash>,
    /// Who the person is.
    pub person: PersonClaims<'a>,
    /// What the client's template adds.
    pub mapped: Option<MappedClaims<'a>>,
}

impl Serialize for IdTokenClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry(ReservedClaim::ISS.name(), self.issuer.as_str())?;
        object.serialize_entry(ReservedClaim::SUB.name(), self.subject)?;
        object.serialize_entry(ReservedClaim::AUD.name(), self.client_id.as_str())?;
        object.serialize_entry(ReservedClaim::IAT.name(), &self.issued_at.as_secs())?;
        object.serialize_entry(ReservedClaim::EXP.name(), &self.expires_at.as_secs())?;
        self.login.write_into(&mut object)?;
        if let Some(nonce) = self.nonce {
            object.serialize_entry(ReservedClaim::NONCE.name(), nonce)?;
        }
        if let Some(at_hash) = self.at_hash {
            object.serialize_entry(ReservedClaim::AT_HASH.name(), at_hash.as_str())?;
        }
        self.person.write_into(&mut object)?;
        if let Some(mapped) = &self.mapped {
            mapped.write_into(&mut object)?;
        }
        object.end()
    }
}

/// A userinfo answer (OpenID Connect Core §5.3.2).
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made in one place; a new claim must be decided there"
)]
pub struct UserinfoClaims<'a> {
    /// `sub`: the same as in the ID token, or the client must not use the answer.
    pub subject: &'a str,
    /// Who the person is.
    pub person: PersonClaims<'a>,
    /// `iss` and `aud`, which a signed answer has.
    pub signed_for: Option<(&'a Issuer, &'a ClientId)>,
}

impl Serialize for UserinfoClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry(ReservedClaim::SUB.name(), self.subject)?;
        if let Some((issuer, client_id)) = self.signed_for {
            object.serialize_entry(ReservedClaim::ISS.name(), issuer.as_str())?;
            object.serialize_entry(ReservedClaim::AUD.name(), client_id.as_str())?;
        }
        self.person.write_into(&mut object)?;
        object.end()
    }
}

/// What tells a client that a session ended (OpenID Connect Back-Channel Logout §2.4). It has no `nonce`, so that nobody
/// takes it for an ID token.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "minted in one place; a new claim must be decided there"
)]
pub struct LogoutTokenClaims<'a> {
    /// `iss`.
    pub issuer: &'a Issuer,
    /// `aud`.
    pub client_id: &'a ClientId,
    /// `iat`.
    pub issued_at: UnixTime,
    /// `exp`: at most two minutes on.
    pub expires_at: UnixTime,
    /// `jti`.
    pub token_id: &'a str,
    /// `sub`: the person, as this client knows them.
    pub subject: &'a str,
    /// `sid`: which session ended; all of them, if it is left out.
    pub sid: Option<&'a str>,
}

impl Serialize for LogoutTokenClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry(ReservedClaim::ISS.name(), self.issuer.as_str())?;
        object.serialize_entry(ReservedClaim::SUB.name(), self.subject)?;
        object.serialize_entry(ReservedClaim::AUD.name(), self.client_id.as_str())?;
        object.serialize_entry(ReservedClaim::IAT.name(), &self.issued_at.as_secs())?;
        object.serialize_entry(ReservedClaim::EXP.name(), &self.expires_at.as_secs())?;
        object.serialize_entry(ReservedClaim::JTI.name(), self.token_id)?;
        let events = json!({BACKCHANNEL_LOGOUT_EVENT: {}});
        object.serialize_entry(ReservedClaim::EVENTS.name(), &events)?;
        if let Some(sid) = self.sid {
            object.serialize_entry(ReservedClaim::SID.name(), sid)?;
        }
        object.end()
    }
}
