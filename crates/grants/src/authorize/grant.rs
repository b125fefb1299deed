use super::AuthorizationDenial;
use sealstone_oauth_types::GrantType;
use sealstone_registry::Client;

/// A code is of use to nobody who may not exchange it.
pub(super) fn check(client: &Client) -> Result<(), AuthorizationDenial> {
    if client.has_grant(GrantType::AuthorizationCode) {
        Ok(())
    } else {
        Err(AuthorizationDenial::UnauthorizedClient)
    }
}
