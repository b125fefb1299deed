//! Follows what Keystone revokes.

use std::{future::Future, pin::pin, time::Duration};

use rustls_pki_types::UnixTime;

use super::KeystoneIdentity;
use crate::{KeystoneError, KeystoneSession, RevocationEvent, moment, tokens::MAX_SKEW};

/// Events are asked for again this long after they were seen: Keystone's nodes write them with clocks of their own.
const OVERLAP: Duration = Duration::from_secs(10);

/// Which events were seen.
struct Followed {
    /// Asked for from here on, by Keystone's clock.
    since: UnixTime,
    /// Those of the last answer: they come again within the overlap.
    seen: Vec<RevocationEvent>,
    failing: bool,
}

impl KeystoneIdentity {
    /// Follows Keystone's revocations until `stop` is done: what an event may concern is forgotten, so that the next
    /// request asks Keystone anew. Without a service account it only waits for `stop`.
    ///
    /// To be spawned once. Where it fails, it says so in the log and goes on; identities are then as old as their
    /// stated age allows.
    pub async fn follow_revocations(&self, stop: impl Future<Output = ()> + Send) {
        let mut stop = pin!(stop);
        let Some(service) = &self.inner.service else {
            return stop.await;
        };
        let mut followed = Followed {
            // Nothing is remembered yet; from when on events count must not depend on whose clock is right.
            since: moment::before(self.inner.client.now(), MAX_SKEW),
            seen: Vec::new(),
            failing: false,
        };
        loop {
            let round = async {
                self.follow_once(service, &mut followed).await;
                tokio::time::sleep(self.inner.poll_interval).await;
            };
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = round => {}
            }
        }
    }

    async fn follow_once(&self, service: &KeystoneSession, followed: &mut Followed) {
        let asked_at = self.inner.client.now();
        match service.revocations(Some(followed.since)).await {
            Ok(events) => {
                if followed.failing {
                    tracing::info!("Keystone's revocations are followed again");
                }
                followed.failing = false;
                self.apply(events, followed);
                *self.inner.followed_at.lock() = Some(asked_at);
            }
            Err(error) => self.not_followed(&error, followed),
        }
    }

    fn apply(&self, events: Vec<RevocationEvent>, followed: &mut Followed) {
        let new: Vec<&RevocationEvent> = events
            .iter()
            .filter(|event| !followed.seen.contains(event))
            .collect();
        for event in &new {
            let time = event.revoked_at.unwrap_or(event.issued_before);
            let from_here = moment::before(time, OVERLAP);
            // No further than our own clock allows: one event "of the future" must not hide the next ones.
            let latest = moment::after(self.inner.client.now(), MAX_SKEW);
            followed.since = followed.since.max(from_here.min(latest));
        }
        if !new.is_empty() {
            tracing::debug!(events = new.len(), "Keystone revoked tokens");
        }
        for (_key, entry) in self.inner.entries.iter() {
            for event in &new {
                entry.revoke(event);
            }
        }
        followed.seen = events;
    }

    fn not_followed(&self, error: &KeystoneError, followed: &mut Followed) {
        if !followed.failing {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(%error, cause, "Keystone's revocations cannot be followed");
        }
        followed.failing = true;
        // Who lies about revocations, or has more of them than are read, may have revoked anything.
        if matches!(error, KeystoneError::Malformed { .. }) {
            self.forget_all();
        }
    }
}
