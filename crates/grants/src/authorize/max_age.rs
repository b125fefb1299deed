use sealstone_oauth_types::MaxAge;
use sealstone_registry::Client;

/// What the request says goes before what the registration says (OpenID Connect Registration §2).
pub(super) fn decide(client: &Client, requested: Option<MaxAge>) -> Option<MaxAge> {
    requested.or_else(|| client.default_max_age())
}
