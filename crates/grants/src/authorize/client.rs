use super::Displayed;
use sealstone_identity::DomainId;
use sealstone_registry::Client;
use std::sync::Arc;

/// The client is known here, and enabled.
pub(super) fn check(client: Option<Arc<Client>>, domain: &DomainId) -> Result<Arc<Client>, Displayed> {
    let client = client
        .filter(|client| client.domain() == domain)
        .ok_or(Displayed::UnknownClient)?;
    if client.is_enabled() {
        Ok(client)
    } else {
        Err(Displayed::DisabledClient)
    }
}
