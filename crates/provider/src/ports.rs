//! What the provider asks of the world.

use crate::people::PeoplePorts;
use rustls_pki_types::UnixTime;
use sealstone_audit::AuditSink;
use sealstone_grants::assertion::AssertionStore;
use sealstone_identity::IdentitySource;
use sealstone_keyring::KeyStore;
use sealstone_registry::{ClientStore, DomainStore};
use sealstone_tokens::RevocationStore;
use std::{cell::RefCell, fmt, sync::Arc};
use zeroize::Zeroize as _;

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
///
/// Each thread draws a block at a time: a draw costs as much for 32 octets as for many (one more seed from the
/// processor, a lock, a rekeying). What was handed out is gone from the block.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

/// Sixty-four requests' worth: little to lose if a core dump shows it, and a draw's cost is shared by that many.
const BLOCK: usize = 2_048;

struct Block {
    octets: [u8; BLOCK],
    /// Those before it are handed out.
    next: usize,
}

impl Block {
    const fn empty() -> Self {
        Self {
            octets: [0; BLOCK],
            next: BLOCK,
        }
    }

    /// The next `count` octets, drawn anew if too few are left; `None` for more than a block.
    fn take(&mut self, count: usize) -> Result<Option<&mut [u8]>, EntropyError> {
        let fits = |next: usize| next.checked_add(count).filter(|end| *end <= BLOCK);
        let (start, end) = match fits(self.next) {
            Some(end) => (self.next, end),
            None if count <= BLOCK => {
                // Nothing is left to hand out, should the source fail halfway.
                self.next = BLOCK;
                draw(&mut self.octets)?;
                (0, count)
            }
            None => return Ok(None),
        };
        self.next = end;
        Ok(self.octets.get_mut(start..end))
    }
}

thread_local! {
    static OCTETS: RefCell<Block> = const { RefCell::new(Block::empty()) };
}

fn draw(octets: &mut [u8]) -> Result<(), EntropyError> {
    aws_lc_rs::rand::fill(octets).map_err(|_unspecified| EntropyError)
}

impl Entropy for SystemEntropy {
    fn fill(&self, octets: &mut [u8]) -> Result<(), EntropyError> {
        OCTETS.with_borrow_mut(|block| match block.take(octets.len())? {
            Some(taken) => {
                octets.copy_from_slice(taken);
                taken.zeroize();
                Ok(())
            }
            None => draw(octets),
        })
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
    /// The client assertions that were used.
    pub assertions: Arc<dyn AssertionStore>,
    /// Where audit events go.
    pub audit: Arc<dyn AuditSink>,
    /// What OpenStack says of the clients that are tied to it; `None` where there is none to ask, and tied clients get
    /// no `openstack:api` token.
    pub identity: Option<Arc<dyn IdentitySource>>,
    /// What the flows of people need; `None` for a server of machines alone, which has none of their endpoints.
    pub people: Option<PeoplePorts>,
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

#[cfg(test)]
mod tests {
    use super::{BLOCK, Entropy as _, OCTETS, SystemEntropy};
    use std::collections::BTreeSet;

    #[test]
    fn octets_are_handed_out_once_and_leave_nothing_behind() {
        let mut seen = BTreeSet::new();
        for round in 0..200 {
            let mut octets = [0; 16];
            SystemEntropy.fill(&mut octets).unwrap();
            assert!(seen.insert(octets), "{round}");
        }
        OCTETS.with_borrow(|block| assert_eq!(block.octets[..block.next], [0; BLOCK][..block.next]));
    }

    #[test]
    fn any_length_is_filled() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK] {
            let mut octets = vec![0; length];
            SystemEntropy.fill(&mut octets).unwrap();
            assert!(length < 32 || octets.iter().any(|octet| *octet != 0));
            let repeats = octets.chunks(16).collect::<BTreeSet<_>>().len();
            assert_eq!(repeats, length.div_ceil(16));
        }
    }

    #[test]
    fn threads_draw_apart() {
        let draw = || {
            let mut octets = [0; 32];
            SystemEntropy.fill(&mut octets).unwrap();
            octets
        };
        let other = std::thread::spawn(draw).join().unwrap();
        assert_ne!(draw(), other);
    }
}
