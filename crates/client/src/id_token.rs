//! What of an ID token is believed (OpenID Connect Core 1.0 §3.1.3.7).

use aws_lc_rs::digest;
use rustls_pki_types::UnixTime;
use sealstone_jose::{Algorithm, UnverifiedJwt, VerifierSet, base64url};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use crate::{ClockSkew, Person};

/// How far our clock and the provider's may be apart.
const SKEW: u64 = 60;
/// The longest subject (OpenID Connect Core 1.0 §2).
const MAX_SUBJECT: usize = 255;

/// Why an ID token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdTokenFault {
    /// None came, though `openid` was asked for.
    #[error("there is none, though one was asked for")]
    Missing,
    /// No compact JWS of an algorithm that is taken, or one that wants to be read otherwise.
    #[error("it is no signed token of an algorithm that is taken")]
    Form,
    /// The provider's keys did not sign it.
    #[error("its signature is not the provider's")]
    Signature,
    /// A claim that it must have is missing or of another type.
    #[error("it lacks what every ID token has")]
    Claims,
    /// Another `iss`.
    #[error("it is another issuer's")]
    Issuer,
    /// Another `aud`, a further one, or another `azp`.
    #[error("it is for another client")]
    Audience,
    /// `exp` is past.
    #[error("it has ended already")]
    Expired,
    /// `iat` or `nbf` is yet to come.
    #[error("it is from the future")]
    Future,
    /// Another `nonce`, or none.
    #[error("it is of another login (`nonce`)")]
    Nonce,
    /// Another access token's `at_hash`.
    #[error("it belongs to another access token (`at_hash`)")]
    AccessToken,
    /// Nobody, a name that is too long, or another person than before.
    #[error("its subject is not who it should be")]
    Subject,
}

/// How long an ID token that was believed lasts in all, seconds.
pub(crate) fn lifetime(token: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Times {
        exp: u64,
        iat: u64,
    }
    let payload = base64url::decode(token.split('.').nth(1)?).ok()?;
    let times: Times = serde_json::from_slice(&payload).ok()?;
    times.exp.checked_sub(times.iat)
}

/// Whether a new ID token, of the same lifetime, would be from the future, or would have ended, on such a clock.
pub(crate) fn would_be_of_another_time(skew: ClockSkew, lifetime: u64) -> bool {
    if skew.is_ahead() {
        skew.seconds() >= lifetime.saturating_add(SKEW)
    } else {
        skew.seconds() > SKEW
    }
}

impl IdTokenFault {
    /// Whether a wrong clock makes it.
    #[must_use]
    pub const fn is_of_time(self) -> bool {
        matches!(self, Self::Expired | Self::Future)
    }
}

/// What an ID token must say.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    /// None after a refresh.
    pub(crate) nonce: Option<&'a str>,
    pub(crate) access_token: &'a str,
    /// After a refresh.
    pub(crate) subject: Option<&'a str>,
    pub(crate) now: UnixTime,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: u64,
    iat: u64,
    nbf: Option<u64>,
    azp: Option<String>,
    nonce: Option<String>,
    at_hash: Option<String>,
    preferred_username: Option<String>,
    email: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Its signature, then everything else.
pub(crate) fn believe(
    token: UnverifiedJwt<'_>,
    keys: &VerifierSet,
    expected: &Expected<'_>,
) -> Result<Person, IdTokenFault> {
    // A token of another kind, signed by the same keys, is no ID token (RFC 8725 §3.11).
    if token.header().typ.is_some() && !token.typ_is("JWT") {
        return Err(IdTokenFault::Form);
    }
    let algorithm = token.header().alg;
    let verified = keys.verify(token).map_err(|_refused| IdTokenFault::Signature)?;
    let claims: Claims = verified.claims().map_err(|_not_it| IdTokenFault::Claims)?;
    judge(claims, algorithm, expected)
}

fn judge(claims: Claims, algorithm: Algorithm, expected: &Expected<'_>) -> Result<Person, IdTokenFault> {
    if claims.iss != expected.issuer {
        return Err(IdTokenFault::Issuer);
    }
    let for_us = match &claims.aud {
        Audience::One(one) => one == expected.client_id,
        Audience::Several(several) => several.as_slice() == [expected.client_id],
    };
    let party = claims
        .azp
        .as_deref()
        .is_none_or(|party| party == expected.client_id);
    if !for_us || !party {
        return Err(IdTokenFault::Audience);
    }
    let now = expected.now.as_secs();
    if claims.exp.saturating_add(SKEW) <= now {
        return Err(IdTokenFault::Expired);
    }
    let latest = now.saturating_add(SKEW);
    if claims.iat > latest || claims.nbf.is_some_and(|begin| begin > latest) {
        return Err(IdTokenFault::Future);
    }
    if let Some(nonce) = expected.nonce {
        let said = claims.nonce.as_deref().unwrap_or_default();
        if !bool::from(said.as_bytes().ct_eq(nonce.as_bytes())) {
            return Err(IdTokenFault::Nonce);
        }
    }
    if let Some(hash) = &claims.at_hash
        && *hash != half_hash(algorithm, expected.access_token)
    {
        return Err(IdTokenFault::AccessToken);
    }
    let same = expected.subject.is_none_or(|subject| subject == claims.sub);
    if claims.sub.is_empty() || claims.sub.len() > MAX_SUBJECT || !same {
        return Err(IdTokenFault::Subject);
    }
    let name = [claims.preferred_username, claims.email, claims.name];
    let name = name.into_iter().flatten().find(|name| !name.is_empty());
    Ok(Person {
        subject: claims.sub,
        name: name.map(|name| crate::error::visible(&name)),
    })
}

/// The left half of the token's hash, by the hash of the signature's algorithm (§3.1.3.6).
fn half_hash(algorithm: Algorithm, access_token: &str) -> String {
    let by = match algorithm {
        Algorithm::Es256 | Algorithm::Rs256 | Algorithm::Ps256 => &digest::SHA256,
        Algorithm::Es384 => &digest::SHA384,
        Algorithm::EdDsa => &digest::SHA512,
    };
    let hash = digest::digest(by, access_token.as_bytes());
    let half = hash.as_ref().len() / 2;
    base64url::encode(hash.as_ref().get(..half).unwrap_or_default())
}
