//! What a token endpoint answers (RFC 6749 §5).

use sealstone_jose::json;
use sealstone_oauth_types::Secret;
use serde::Deserialize;

use crate::{CallFault, Refusal, TokenError, call::Answer, token::is_bearer};

/// The longest token that is kept: four times what services take in a header.
const MAX_TOKEN: usize = 64 * 1024;

/// A success, as far as its form goes: nothing of it is verified.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) access_token: Secret,
    pub(crate) expires_in: Option<u64>,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) id_token: Option<Secret>,
    pub(crate) scope: Option<String>,
}

/// What is wrong with an answer.
#[derive(Debug)]
pub(crate) enum Ungranted {
    Refused(Refusal),
    Unusable,
    Shape,
}

#[derive(Deserialize)]
struct Document {
    access_token: Option<Secret>,
    token_type: Option<String>,
    expires_in: Option<u64>,
    refresh_token: Option<Secret>,
    id_token: Option<Secret>,
    scope: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Reads one; some providers refuse with 200.
pub(crate) fn read(body: &[u8]) -> Result<Granted, Ungranted> {
    let document: Document = json::from_slice(body).map_err(|_not_it| Ungranted::Shape)?;
    if let Some(code) = &document.error {
        let description = document.error_description.as_deref();
        return Err(Ungranted::Refused(Refusal::new(code, description)));
    }
    let access_token = document.access_token.ok_or(Ungranted::Shape)?;
    let bearer = document.token_type.ok_or(Ungranted::Shape)?;
    let fits = |token: &Secret| token.expose().len() <= MAX_TOKEN;
    let others = [&document.refresh_token, &document.id_token];
    // RFC 6749 App. A.17: printable ASCII.
    let printable =
        |token: &Secret| !token.is_empty() && token.expose().bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    if !bearer.eq_ignore_ascii_case("bearer")
        || !is_bearer(access_token.expose())
        || !fits(&access_token)
        || !others
            .into_iter()
            .flatten()
            .all(|token| fits(token) && printable(token))
    {
        return Err(Ungranted::Unusable);
    }
    Ok(Granted {
        access_token,
        expires_in: document.expires_in,
        refresh_token: document.refresh_token,
        id_token: document.id_token,
        scope: document.scope.map(|scope| crate::error::visible(&scope)),
    })
}

/// The answer to a token request.
pub(crate) fn granted(answer: &Answer) -> Result<Granted, TokenError> {
    let status = answer.status.as_u16();
    if status == 429 || !matches!(status, 200 | 400..=499) {
        return Err(answer.status_error().into());
    }
    match read(answer.body()) {
        Err(Ungranted::Refused(refusal)) => Err(TokenError::Refused(refusal)),
        _ if status != 200 => Err(answer.status_error().into()),
        Ok(granted) => Ok(granted),
        Err(Ungranted::Unusable) => Err(TokenError::Unusable),
        Err(Ungranted::Shape) => Err(answer.fault(CallFault::Shape).into()),
    }
}
