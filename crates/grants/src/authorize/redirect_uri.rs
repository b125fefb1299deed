use super::Displayed;
use sealstone_oauth_types::RedirectUri;
use sealstone_registry::Client;

/// The redirect URI is the client's, letter by letter but for a loopback port (RFC 6749 §3.1.2.3, RFC 8252 §7.3).
pub(super) fn check(client: &Client, sent: Option<&RedirectUri>) -> Result<RedirectUri, Displayed> {
    client
        .redirect_uri(sent)
        .ok_or(Displayed::UnregisteredRedirectUri)
}
