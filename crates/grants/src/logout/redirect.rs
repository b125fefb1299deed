use sealstone_oauth_types::RedirectUri;
use sealstone_registry::Client;

/// Only where the client registered, letter by letter (OpenID Connect RP-Initiated Logout §2, §3); for a client that
/// nobody named, nowhere.
pub(super) fn check(client: Option<&Client>, asked: Option<&RedirectUri>) -> Option<RedirectUri> {
    let asked = asked?;
    client
        .filter(|client| client.may_return_to(asked))
        .map(|_| asked.clone())
}
