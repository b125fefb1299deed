use super::{AuthorizationDenial, Hint};
use sealstone_oauth_types::{ClaimsRequest, PromptSet};

/// The `sub` that the person must have (OpenID Connect Core §3.1.2.1 `id_token_hint`, §5.5.1 `sub`).
///
/// A hint that is not believed names nobody. Where no page may be shown the client relies on it, and the answer is
/// `login_required`; elsewhere it is passed over, since a client may have kept it for longer than keys last.
pub(super) fn decide(
    hint: Hint,
    claims: Option<&ClaimsRequest>,
    prompt: PromptSet,
) -> Result<Option<String>, AuthorizationDenial> {
    let hinted = match hint {
        Hint::None => None,
        Hint::Of(subject) => Some(subject),
        Hint::NotBelieved if prompt.none => return Err(AuthorizationDenial::LoginRequired),
        Hint::NotBelieved => None,
    };
    let claimed = match claims.and_then(ClaimsRequest::subject) {
        None => None,
        Some(Some(subject)) => Some(subject.to_owned()),
        Some(None) => return Err(AuthorizationDenial::OtherPerson),
    };
    match (hinted, claimed) {
        (Some(hinted), Some(claimed)) if hinted != claimed => Err(AuthorizationDenial::OtherPerson),
        (hinted, claimed) => Ok(claimed.or(hinted)),
    }
}
