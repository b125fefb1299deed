use crate::context::{DelegationContext, OpenstackContextWire};
use crate::mint::AT_JWT;
use crate::revocation::Revocations;
use rustls_pki_types::UnixTime;
use sealstone_identity::Authority;
use sealstone_jose::{JoseError, UnverifiedJwt, VerifierSet};
use sealstone_mtls::{BindingError, CertificateThumbprint, Confirmation};
use sealstone_oauth_types::{ClientId, Issuer, ScopeSet};
use serde::Deserialize;
use std::time::Duration;

/// How far a token's `iat` and `nbf` may lie ahead of the verifier's clock. Its end gets no such grace.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// Who checks that the sender holds the key that a bound token names.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a verifier must know which of these it does"
)]
pub enum Possession<'a> {
    /// The verifier: the certificate whose key the sender proved on this connection, if there was one. A token
    /// without `cnf` is refused.
    Proved(Option<&'a CertificateThumbprint>),
    /// As above for tokens with `cnf`, but tokens without are taken from anybody.
    ProvedUnlessBearer(Option<&'a CertificateThumbprint>),
    /// Whoever asked, by the `cnf` it is told (RFC 8705 §3.2).
    LeftToCaller,
}

/// Why a token is not accepted. What the sender is told is `invalid_token`, whichever it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Not a JWT, a bad signature, a key of another algorithm, or not JSON.
    #[error("the token's form or signature is not acceptable")]
    Jose(#[source] JoseError),
    /// Signed by a key that is not in the set: the set may be stale.
    #[error("the token names a key that is not in the key set")]
    UnknownKey,
    /// It does not say which key signed it (RFC 7515 §4.1.4).
    #[error("the token names no key")]
    NoKeyId,
    /// The key was revoked.
    #[error("the token was signed by a revoked key")]
    KeyRevoked,
    /// The token was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// Not an access token (RFC 9068 §4).
    #[error("`typ` is not `at+jwt`")]
    Type,
    /// Not an ID token.
    #[error("`typ` is not `JWT`")]
    IdTokenType,
    /// A claim is missing or of the wrong form.
    #[error("a required claim is missing or malformed")]
    Claims,
    /// Of another issuer.
    #[error("`iss` is another issuer")]
    Issuer,
    /// Meant for somebody else.
    #[error("`aud` does not name this resource")]
    Audience,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Not bound, where only bound tokens are taken.
    #[error("the token is not bound to a certificate")]
    Unbound,
    /// Bound to another certificate, or none was presented.
    #[error("the token is bound to another certificate")]
    Binding(#[source] BindingError),
}

/// Verifies access tokens of one issuer for one resource (RFC 9068 §4, RFC 8705 §3).
#[derive(Debug, Clone)]
pub struct AccessTokenVerifier {
    issuer: Issuer,
    /// `None` takes tokens for anybody: only for the issuer's own introspection.
    audiences: Option<Vec<String>>,
}

impl AccessTokenVerifier {
    /// A verifier for tokens of `issuer` that name one of `audiences`.
    #[must_use]
    pub const fn new(issuer: Issuer, audiences: Vec<String>) -> Self {
        Self {
            issuer,
            audiences: Some(audiences),
        }
    }

    /// A verifier for the issuer itself, which must know its tokens whomever they are meant for.
    ///
    /// # Security
    /// A resource that verifies so accepts tokens that were given to other resources.
    #[must_use]
    pub const fn dangerous_for_any_audience(issuer: Issuer) -> Self {
        Self {
            issuer,
            audiences: None,
        }
    }

    /// The issuer.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Verifies a token as received. `keys` holds the issuer's published keys with the algorithms allowed.
    ///
    /// # Errors
    /// A [`VerifyError`]; [`VerifyError::UnknownKey`] when fetching the key set again may help.
    pub fn verify(
        &self,
        token: &str,
        keys: &VerifierSet,
        possession: Possession<'_>,
        revocations: &dyn Revocations,
        now: UnixTime,
    ) -> Result<VerifiedToken, VerifyError> {
        let unverified = UnverifiedJwt::parse(token).map_err(VerifyError::Jose)?;
        if !unverified.header().typ_is(AT_JWT) {
            return Err(VerifyError::Type);
        }
        // Without it nobody could tell whether the key that fits was revoked; every token of ours names its key.
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
        let token = VerifiedToken::from_wire(claims)?;
        self.check(&token, possession, revocations, now)?;
        Ok(token)
    }

    fn check(
        &self,
        token: &VerifiedToken,
        possession: Possession<'_>,
        revocations: &dyn Revocations,
        now: UnixTime,
    ) -> Result<(), VerifyError> {
        if token.issuer != self.issuer.as_str() {
            return Err(VerifyError::Issuer);
        }
        if let Some(audiences) = &self.audiences
            && !audiences.iter().any(|audience| token.audience.contains(audience))
        {
            return Err(VerifyError::Audience);
        }
        if now.as_secs() >= token.expires_at.as_secs() {
            return Err(VerifyError::Expired);
        }
        let horizon = now.as_secs().saturating_add(CLOCK_SKEW.as_secs());
        if token.issued_at.as_secs() > horizon
            || token.not_before.is_some_and(|time| time.as_secs() > horizon)
        {
            return Err(VerifyError::NotYetValid);
        }
        token.check_possession(possession)?;
        let end = revocations.client_end(&token.client_id);
        if revocations.is_token_revoked(&token.token_id)
            || end.is_some_and(|end| end.covers(token.issued_at.as_secs(), token.client_version))
        {
            return Err(VerifyError::Revoked);
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AudienceWire {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct Wire {
    iss: String,
    sub: String,
    aud: AudienceWire,
    client_id: ClientId,
    client_version: Option<u64>,
    iat: u64,
    nbf: Option<u64>,
    exp: u64,
    jti: String,
    #[serde(default)]
    scope: ScopeSet,
    cnf: Option<Confirmation>,
    openstack_context: Option<OpenstackContextWire>,
    delegation_context: Option<DelegationContext>,
    #[serde(flatten)]
    other: serde_json::Map<String, serde_json::Value>,
}

/// A token that was verified: what it says can be relied on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifiedToken {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `aud`, one or more.
    pub audience: Vec<String>,
    /// `client_id`.
    pub client_id: ClientId,
    /// `client_version`.
    pub client_version: Option<u64>,
    /// `iat`.
    pub issued_at: UnixTime,
    /// `nbf`.
    pub not_before: Option<UnixTime>,
    /// `exp`.
    pub expires_at: UnixTime,
    /// `jti`.
    pub token_id: String,
    /// `scope`.
    pub scope: ScopeSet,
    /// `cnf`.
    pub confirmation: Option<Confirmation>,
    /// `openstack_context`.
    pub authority: Option<Authority>,
    /// `delegation_context`.
    pub delegation: Option<DelegationContext>,
    /// Every other claim.
    pub other: serde_json::Map<String, serde_json::Value>,
}

impl VerifiedToken {
    fn from_wire(wire: Wire) -> Result<Self, VerifyError> {
        let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let authority = wire
            .openstack_context
            .map(OpenstackContextWire::into_authority)
            .transpose();
        if wire.sub.is_empty() || wire.jti.is_empty() {
            return Err(VerifyError::Claims);
        }
        Ok(Self {
            issuer: wire.iss,
            subject: wire.sub,
            audience: match wire.aud {
                AudienceWire::One(audience) => vec![audience],
                AudienceWire::Many(audience) => audience,
            },
            client_id: wire.client_id,
            client_version: wire.client_version,
            issued_at: time(wire.iat),
            not_before: wire.nbf.map(time),
            expires_at: time(wire.exp),
            token_id: wire.jti,
            scope: wire.scope,
            confirmation: wire.cnf,
            authority: authority.map_err(|_malformed| VerifyError::Claims)?,
            delegation: wire.delegation_context,
            other: wire.other,
        })
    }

    fn check_possession(&self, possession: Possession<'_>) -> Result<(), VerifyError> {
        let (presented, bearer_allowed) = match possession {
            Possession::Proved(presented) => (presented, false),
            Possession::ProvedUnlessBearer(presented) => (presented, true),
            Possession::LeftToCaller => return Ok(()),
        };
        match &self.confirmation {
            Some(confirmation) => confirmation.check(presented).map_err(VerifyError::Binding),
            None if bearer_allowed => Ok(()),
            None => Err(VerifyError::Unbound),
        }
    }
}
