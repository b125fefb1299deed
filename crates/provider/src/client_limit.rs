//! How much one client may ask for.

use crate::error::TokenError;
use crate::provider::Provider;
use sealstone_grants::authenticate::Authenticated;
use sealstone_oauth_types::ClientId;
use sealstone_registry::ClientAuth;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Counts the requests of each client.
///
/// # Security
/// It is asked after the client has proved who it is, and never for a public client, which proves nothing: nobody but the
/// client itself spends what it may ask for. It stands in the way of every token: it must neither wait nor write memory
/// that all clients share.
pub trait ClientLimit: fmt::Debug + Send + Sync {
    /// Counts one request.
    ///
    /// # Errors
    /// How long the client should wait, when there were too many.
    fn request(&self, client: &ClientId) -> Result<(), Duration>;
}

impl Provider {
    /// Has the requests of clients counted from now on. Without it clients are not limited; of several, the first counts.
    pub fn limit_clients(&self, limit: Arc<dyn ClientLimit>) {
        // The first stays.
        let _second = self.0.client_limit.set(limit);
    }

    /// Counts a request of a client that has just authenticated, before anything is done for it.
    pub(crate) fn counted(&self, client: &Authenticated) -> Result<(), TokenError> {
        let Some(limit) = self.0.client_limit.get() else {
            return Ok(());
        };
        let client = client.client();
        if matches!(client.auth(), ClientAuth::None) {
            return Ok(());
        }
        let counted = limit.request(client.id());
        counted.map_err(|retry_after| TokenError::TooManyRequests { retry_after })
    }
}
