use super::AuthorizationDenial;
use sealstone_oauth_types::CodeChallenge;
use sealstone_registry::{Client, Pkce};

/// Who must bring a challenge brings one. A client that need not is held to the one that it brings.
pub(super) fn check(client: &Client, challenge: Option<&CodeChallenge>) -> Result<(), AuthorizationDenial> {
    match (client.pkce(), challenge) {
        (Pkce::Required, None) => Err(AuthorizationDenial::NoChallenge),
        (Pkce::Required, Some(_)) | (Pkce::Optional, _) => Ok(()),
    }
}
