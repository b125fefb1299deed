//! What the provider asks of the world.

use rustls_pki_types::UnixTime;
use sealstone_audit::AuditSink;
use sealstone_keyring::KeyStore;
use sealstone_registry::{ClientStore, DomainStore};
use sealstone_tokens::RevocationStore;
use std::{fmt, sync::Arc};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, in whole seconds since 1970.
    fn now(&self) -> UnixTime;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else is given"
    )]
    fn now(&self) -> UnixTime {
        UnixTime::now()
    }
}

/// The random source failed; nothing may be issued without it.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the system's random source failed")]
pub struct EntropyError;

/// Gives random octets.
///
/// # Security
/// They become token ids that nobody may guess: only a cryptographic source will do.
pub trait Entropy: Send + Sync {
    /// Fills all of `octets`.
    ///
    /// # Errors
    /// [`EntropyError`] when the source failed; `octets` then holds nothing of use.
    fn fill(&self, octets: &mut [u8]) -> Result<(), EntropyError>;
}

/// The machine's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, octets: &mut [u8]) -> Result<(), EntropyError> {
        aws_lc_rs::rand::fill(octets).map_err(|_unspecified| EntropyError)
    }
}

/// Everything that the provider asks of the world, each behind a trait.
#[derive(Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever composes a provider decides on each port"
)]
pub struct Ports {
    /// The registered clients. Asked on every request: put a cache in front of a database.
    pub clients: Arc<dyn ClientStore>,
    /// The domains, one issuer each.
    pub domains: Arc<dyn DomainStore>,
    /// The key rings, sealed.
    pub keys: Arc<dyn KeyStore>,
    /// The revoked tokens.
    pub revocations: Arc<dyn RevocationStore>,
    /// Where audit events go.
    pub audit: Arc<dyn AuditSink>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random octets.
    pub entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Ports {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ports").finish_non_exhaustive()
    }
}
