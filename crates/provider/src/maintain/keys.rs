//! The keys of one domain: made, rotated, recorded.

use super::MaintainError;
use super::load::ring_error;
use crate::error::BackendError;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Actor, Event, EventId, Outcome, Target};
use sealstone_identity::DomainId;

impl Provider {
    /// Makes the keys of a new domain, or does what is due for those that it has, and serves the domain with them.
    /// Returns how many keys changed; those of a new domain do not count.
    ///
    /// Any number of domains may be kept at once, and one on several nodes: who loses the race takes what the winner
    /// stored. Keys are made on the calling thread, an RSA key for a tenth of a second and more: call it where that
    /// holds up nobody.
    ///
    /// # Errors
    /// [`MaintainError`]; nothing half-done is stored, and the domain is served as before.
    pub async fn keep_keys(&self, domain: &DomainId) -> Result<usize, MaintainError> {
        let (config, now) = (&self.0.config, self.0.ports.clock.now());
        let kept = sealstone_keyring::maintain(
            &*self.0.ports.keys,
            domain.as_str(),
            &config.rotation,
            &config.key_encryption_key,
            now,
        );
        let kept = kept.await.map_err(|error| ring_error(domain, error))?;
        let changes = kept.done.changes().len();
        if kept.created {
            tracing::info!(domain.id = %domain, "key ring made");
        }
        if changes > 0 {
            tracing::info!(domain.id = %domain, changes, "keys rotated");
        }
        if kept.created || changes > 0 {
            self.record_rotation(domain, now)?;
        }
        // Not the ring at hand: another may have been stored meanwhile, by whoever revoked a key of this one.
        self.load_one(domain).await?;
        Ok(changes)
    }

    fn record_rotation(&self, domain: &DomainId, now: UnixTime) -> Result<(), BackendError> {
        let event = Event {
            id: EventId::from_random(self.draw()?.event),
            time: now,
            action: Action::RotateKey,
            outcome: Outcome::Success,
            reason: None,
            initiator: Actor {
                client_id: Some("sealstone".into()),
                user_id: None,
                address: None,
            },
            target: Target::Issuer(domain.as_str().into()),
            request_id: "maintenance".into(),
        };
        Ok(self.0.ports.audit.record(&event)?)
    }
}
