//! What an ID token and userinfo say, and what of it is believed.

use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, IdToken, IdTokenVerifier, Nonce, SubjectIdentifier,
    UserInfoClaims,
    core::{CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm},
};
use rustls_pki_types::UnixTime;
use sealstone_jose::{JoseError, UnverifiedJwt, json};
use sealstone_login::PendingUpstream;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::metadata::Keys;

/// How far our clock and the provider's may be apart.
const SKEW: TimeDelta = TimeDelta::seconds(60);
/// The longest subject that OpenID Connect Core 1.0 §2 allows.
const MAX_SUBJECT: usize = 255;

/// Claims that we read ourselves, from the same text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Unread {}

impl AdditionalClaims for Unread {}

type Token = IdToken<Unread, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

/// Why an ID token is not believed: for the log, not for the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdTokenFault {
    #[error("it is no signed token of the configured algorithms")]
    Form(#[from] FormFault),
    #[error("its key is not the provider's, or its signature is wrong")]
    Signature,
    #[error("its issuer, audience, nonce or end is not right, or it lacks one of them")]
    Claims,
    #[error("it was issued for another client")]
    AuthorizedParty,
    #[error("it says that it was issued later than now")]
    IssuedAt,
    #[error("the person signed in too long ago, or later than now, or it does not say though it was asked")]
    AuthTime,
    #[error("it belongs to another access token")]
    AccessToken,
    #[error("its subject is empty or too long")]
    Subject,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct FormFault(pub(crate) &'static str);

/// The key that a token names, before anything of it is believed.
pub(crate) fn key_name(text: &str) -> Result<Option<String>, IdTokenFault> {
    let token = UnverifiedJwt::parse(text).map_err(|error| IdTokenFault::Form(form(&error)))?;
    Ok(token.header().kid.clone())
}

const fn form(error: &JoseError) -> FormFault {
    FormFault(if matches!(error, JoseError::AlgorithmNotAllowed) {
        "its algorithm is not one of those configured"
    } else if matches!(error, JoseError::ForbiddenHeader(_)) {
        "its header names keys, or wants to be understood otherwise"
    } else {
        "it is malformed"
    })
}

/// What a believed ID token says.
#[derive(Debug)]
pub(crate) struct Believed {
    pub(crate) subject: SubjectIdentifier,
    pub(crate) claims: Map<String, Value>,
    pub(crate) amr: Vec<String>,
    pub(crate) acr: Option<String>,
    pub(crate) auth_time: Option<UnixTime>,
}

/// Checks everything of an ID token.
pub(crate) fn id_token(
    text: &str,
    access_token: &AccessToken,
    keys: &Keys,
    verifier: IdTokenVerifier<'_, CoreJsonWebKey>,
    client_id: &str,
    (pending, now): (&PendingUpstream, UnixTime),
) -> Result<Believed, IdTokenFault> {
    // The form and the signature first, by the stricter reader of the two.
    let unverified = UnverifiedJwt::parse(text).map_err(|error| IdTokenFault::Form(form(&error)))?;
    let verified = keys.verifiers.verify(unverified);
    let verified = verified.map_err(|error| {
        if error == JoseError::AlgorithmNotAllowed {
            IdTokenFault::Form(form(&error))
        } else {
            IdTokenFault::Signature
        }
    })?;
    let claims: Map<String, Value> = verified.claims().map_err(|_error| IdTokenFault::Claims)?;

    let now = moment(now).ok_or(IdTokenFault::Claims)?;
    let allowed = now.checked_sub_signed(SKEW).ok_or(IdTokenFault::Claims)?;
    let verifier = verifier.set_time_fn(move || allowed);
    let token: Token = text.parse().map_err(|_error| IdTokenFault::Claims)?;
    let nonce = Nonce::new(pending.expose_nonce().to_owned());
    let read = token
        .claims(&verifier, &nonce)
        .map_err(|_error| IdTokenFault::Claims)?;

    if read
        .authorized_party()
        .is_some_and(|party| party.as_str() != client_id)
    {
        return Err(IdTokenFault::AuthorizedParty);
    }
    let latest = now.checked_add_signed(SKEW).ok_or(IdTokenFault::Claims)?;
    if read.issue_time() > latest {
        return Err(IdTokenFault::IssuedAt);
    }
    // A login of the future would never grow old here.
    if read.auth_time().is_some_and(|signed_in| signed_in > latest) {
        return Err(IdTokenFault::AuthTime);
    }
    if let Some(age) = pending.max_age() {
        let age = TimeDelta::from_std(age).map_err(|_too_long| IdTokenFault::AuthTime)?;
        let earliest = moment(pending.started_at())
            .and_then(|started| started.checked_sub_signed(age))
            .and_then(|earliest| earliest.checked_sub_signed(SKEW));
        let fresh = read.auth_time().zip(earliest);
        if fresh.is_none_or(|(signed_in, earliest)| signed_in < earliest) {
            return Err(IdTokenFault::AuthTime);
        }
    }
    if let Some(hash) = read.access_token_hash() {
        let algorithm = token.signing_alg().map_err(|_error| IdTokenFault::Signature)?;
        let key = token
            .signing_key(&verifier)
            .map_err(|_error| IdTokenFault::Signature)?;
        let own = AccessTokenHash::from_token(access_token, algorithm, key);
        if own.map_err(|_error| IdTokenFault::AccessToken)? != *hash {
            return Err(IdTokenFault::AccessToken);
        }
    }
    let subject = read.subject();
    if subject.is_empty() || subject.len() > MAX_SUBJECT {
        return Err(IdTokenFault::Subject);
    }
    let amr = read.auth_method_refs().into_iter().flatten();
    Ok(Believed {
        subject: subject.clone(),
        amr: amr.map(|method| method.to_string()).collect(),
        acr: read.auth_context_ref().map(|acr| acr.to_string()),
        auth_time: read.auth_time().and_then(|signed_in| unix(signed_in.min(now))),
        claims,
    })
}

/// Adds what userinfo says and the ID token does not. Nothing if it speaks of another subject.
pub(crate) fn with_userinfo(believed: &mut Believed, body: &[u8]) -> bool {
    let same: Result<UserInfoClaims<Unread, CoreGenderClaim>, _> =
        UserInfoClaims::from_json::<std::convert::Infallible>(body, Some(&believed.subject));
    let Ok(members) = json::from_slice::<Map<String, Value>>(body) else {
        return false;
    };
    if same.is_err() {
        return false;
    }
    for (name, value) in members {
        believed.claims.entry(name).or_insert(value);
    }
    true
}

fn moment(time: UnixTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(i64::try_from(time.as_secs()).ok()?, 0)
}

fn unix(time: DateTime<Utc>) -> Option<UnixTime> {
    let seconds = u64::try_from(time.timestamp()).ok()?;
    Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(
        seconds,
    )))
}
