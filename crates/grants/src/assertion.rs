//! Client assertions (RFC 7523 §3, OpenID Connect Core §9) whose signature holds: what they must claim, and that each is
//! used once.

use async_trait::async_trait;
use rustls_pki_types::UnixTime;
use sealstone_oauth_types::ClientId;
use sealstone_registry::{AssertionAudience, AssertionDates, AssertionRules};
use serde::Deserialize;
use serde_json::Value;
use std::error::Error;
use std::time::Duration;

/// How far ahead an assertion may end: `keystonemiddleware` makes them for an hour. Each one's `jti` is kept for as long.
pub const MAX_ASSERTION_LIFETIME: Duration = Duration::from_secs(3600);
/// How far ahead of ours the client's clock may be: `iat` and `nbf`, and the lifetime's bound.
pub const ASSERTION_LEEWAY: Duration = Duration::from_secs(60);
/// The longest `jti`, in bytes: it is stored. UUIDs have 36, SHA-512 in hexadecimal 128.
pub const MAX_ASSERTION_ID: usize = 256;
/// How many used assertions of one client are kept at once: 5 a second if each is made for an hour, 300 if for a minute.
///
/// A client beyond it is refused until older ones have ended, and nobody else is.
pub const MAX_USED_ASSERTIONS: u64 = 20_000;

/// Why an assertion does not authenticate its client. The caller is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "every fault has its word and its test")]
pub enum AssertionFault {
    /// Not a JWT that is read, or its claims are no JSON object.
    #[error("it cannot be read")]
    Unreadable,
    /// Its algorithm is not one that the client's registration allows.
    #[error("its algorithm is not allowed")]
    Algorithm,
    /// The client has no key that it names, or too many that fit.
    #[error("the client has no such key")]
    UnknownKey,
    /// The signature is another's.
    #[error("its signature does not verify")]
    Signature,
    /// `iss` and `sub` are not both the client (RFC 7523 §3).
    #[error("it is not from and about the client")]
    OtherClient,
    /// `aud` is missing, or names anybody but this server.
    #[error("it is not for this server")]
    Audience,
    /// `exp` is missing, or a date is not written as it must be (RFC 7519 §2).
    #[error("its dates are missing or malformed")]
    Dates,
    /// `exp` is not after now.
    #[error("it has ended")]
    Expired,
    /// `exp` is too far ahead.
    #[error("it lives for too long")]
    LivesTooLong,
    /// `iat` or `nbf` is ahead.
    #[error("it has not begun")]
    NotYetValid,
    /// `jti` is missing, too long, or no plain text.
    #[error("it has no usable jti")]
    NoId,
    /// It was used before (RFC 7523 §3).
    #[error("it was used before")]
    Replayed,
    /// The client has used too many that still live.
    #[error("the client has used too many of them")]
    TooMany,
}

impl AssertionFault {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Unreadable,
        Self::Algorithm,
        Self::UnknownKey,
        Self::Signature,
        Self::OtherClient,
        Self::Audience,
        Self::Dates,
        Self::Expired,
        Self::LivesTooLong,
        Self::NotYetValid,
        Self::NoId,
        Self::Replayed,
        Self::TooMany,
    ];

    /// Its stable word for the audit trail, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::OtherClient => "other_client",
            Self::Audience => "audience",
            Self::Dates => "dates",
            Self::Expired => "expired",
            Self::LivesTooLong => "lives_too_long",
            Self::NotYetValid => "not_yet_valid",
            Self::NoId => "no_id",
            Self::Replayed => "replayed",
            Self::TooMany => "too_many",
        }
    }
}

/// The names by which an assertion may call this server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever composes an issuer knows all of them"
)]
pub struct AssertionAudiences {
    /// The issuer.
    pub issuer: String,
    /// The addresses of its token endpoint: one for each listener.
    pub token_endpoints: Vec<String>,
}

impl AssertionAudiences {
    fn has(&self, name: &str, rule: AssertionAudience) -> bool {
        match rule {
            AssertionAudience::Issuer => name == self.issuer,
            AssertionAudience::IssuerOrTokenEndpoint => {
                name == self.issuer || self.token_endpoints.iter().any(|endpoint| endpoint == name)
            }
        }
    }
}

/// The claims of an assertion whose signature holds, each of whatever type it came.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AssertionClaims {
    iss: Value,
    sub: Value,
    aud: Value,
    exp: Value,
    iat: Value,
    nbf: Value,
    jti: Value,
}

/// An assertion to be used once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a store keeps all of it")]
pub struct UsedAssertion {
    /// The client that made it.
    pub client_id: ClientId,
    /// Its `jti`: 1 to [`MAX_ASSERTION_ID`] bytes without control characters.
    pub id: String,
    /// From when it need not be remembered: it has ended, on every clock that is at most a minute off.
    pub forget_at: UnixTime,
}

/// Judges the claims of an assertion of the client `client_id` at `now`.
///
/// # Errors
/// The first [`AssertionFault`].
pub(crate) fn judge(
    claims: &AssertionClaims,
    client_id: &ClientId,
    rules: AssertionRules,
    audiences: &AssertionAudiences,
    now: UnixTime,
) -> Result<UsedAssertion, AssertionFault> {
    let is_client = |claim: &Value| claim.as_str() == Some(client_id.as_str());
    if !is_client(&claims.iss) || !is_client(&claims.sub) {
        return Err(AssertionFault::OtherClient);
    }
    if !is_for(&claims.aud, audiences, rules.audience) {
        return Err(AssertionFault::Audience);
    }
    let expires_at = check_dates(claims, rules.dates, now.as_secs())?;
    let id = claims.jti.as_str().filter(|id| is_usable(id));
    let forget_at = expires_at.saturating_add(ASSERTION_LEEWAY.as_secs());
    Ok(UsedAssertion {
        client_id: client_id.clone(),
        id: id.ok_or(AssertionFault::NoId)?.to_owned(),
        forget_at: UnixTime::since_unix_epoch(Duration::from_secs(forget_at)),
    })
}

/// One name, or an array of names that are all ours: whoever else is named could present the assertion here.
fn is_for(aud: &Value, audiences: &AssertionAudiences, rule: AssertionAudience) -> bool {
    let is_ours = |name: &Value| name.as_str().is_some_and(|name| audiences.has(name, rule));
    aud.as_array().map_or_else(
        || is_ours(aud),
        |names| !names.is_empty() && names.iter().all(is_ours),
    )
}

/// The end, if it is ahead and near, and the beginning is not ahead.
fn check_dates(claims: &AssertionClaims, rule: AssertionDates, now: u64) -> Result<u64, AssertionFault> {
    let date = |claim: &Value| date(claim, rule).ok_or(AssertionFault::Dates);
    let expires_at = date(&claims.exp)?;
    let begins = [&claims.iat, &claims.nbf]
        .into_iter()
        .filter(|claim| !claim.is_null())
        .map(date)
        .collect::<Result<Vec<u64>, _>>()?;
    let leeway = ASSERTION_LEEWAY.as_secs();
    if expires_at <= now {
        return Err(AssertionFault::Expired);
    }
    let latest = now.saturating_add(MAX_ASSERTION_LIFETIME.as_secs());
    if expires_at > latest.saturating_add(leeway) {
        return Err(AssertionFault::LivesTooLong);
    }
    if begins.iter().any(|begin| *begin > now.saturating_add(leeway)) {
        return Err(AssertionFault::NotYetValid);
    }
    Ok(expires_at)
}

/// Whole seconds since 1970: a number without fraction, or, where the registration lets it, its decimal digits.
fn date(claim: &Value, rule: AssertionDates) -> Option<u64> {
    match (claim, rule) {
        (Value::Number(number), _) => number.as_u64(),
        (Value::String(text), AssertionDates::NumbersOrText) => {
            // `parse` would take a sign too; twelve digits last for 29,000 years.
            let is_digits = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            is_digits.then(|| text.parse().ok()).flatten()
        }
        _ => None,
    }
}

fn is_usable(id: &str) -> bool {
    (1..=MAX_ASSERTION_ID).contains(&id.len()) && !id.chars().any(char::is_control)
}

/// What became of an attempt to use an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "the flow decides on each")]
pub enum AssertionUse {
    /// It was not known, and now is.
    First,
    /// It is known already; nothing changed.
    Again,
    /// The client has [`MAX_USED_ASSERTIONS`] that are remembered; nothing changed.
    TooMany,
}

/// Where used assertions are remembered until they have ended.
///
/// # Security
/// What an implementation may get wrong, and what it costs:
/// - **Look, then write**: two requests with one assertion both pass. [`AssertionStore::use_once`] is one atomic step,
///   for all processes that share the store.
/// - **An answer before the mark is durable**: after a crash the assertion is good again.
/// - **No bound for each client**: one client fills the store for all.
/// - **Forgetting early**: an assertion is good again before it has ended.
#[async_trait]
pub trait AssertionStore: Send + Sync {
    /// Marks the assertion as used, unless it is so already or the client has [`MAX_USED_ASSERTIONS`].
    ///
    /// # Errors
    /// [`AssertionStoreError`] when it is not known whether it is marked: the caller must refuse.
    async fn use_once(&self, assertion: &UsedAssertion) -> Result<AssertionUse, AssertionStoreError>;

    /// Forgets those whose `forget_at` is not after `now`. Returns how many.
    ///
    /// # Errors
    /// [`AssertionStoreError`].
    async fn purge_assertions(&self, now: UnixTime) -> Result<u64, AssertionStoreError>;
}

/// The store of used assertions gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("the used assertions can't be read or written")]
pub struct AssertionStoreError(#[source] Box<dyn Error + Send + Sync>);

impl AssertionStoreError {
    /// For this cause.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

#[cfg(test)]
mod tests;
