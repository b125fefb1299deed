//! Follows what Keystone revokes.

use std::{future::Future, pin::pin, time::Duration};

use rustls_pki_types::UnixTime;

use super::KeystoneIdentity;
use crate::{KeystoneError, KeystoneSession, RevocationEvent, moment, tokens::MAX_SKEW};

/// Events are asked for again this long after they were seen: Keystone's nodes write them with clocks of their own.
const OVERLAP: Duration = Duration::from_secs(10);

/// Which events were seen.
#[derive(Default)]
pub(super) struct Followed {
    /// Asked for from here on, by Keystone's clock; nothing before the first round.
    since: Option<UnixTime>,
    /// Those of the last answer: they come again within the overlap.
    seen: Vec<RevocationEvent>,
    /// Whether a whole answer came before: what is new since then is of since then.
    is_live: bool,
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
        loop {
            let round = async {
                let mut followed = self.inner.followed.lock().await;
                let _told = self.follow_once(service, &mut followed).await;
                drop(followed);
                tokio::time::sleep(self.inner.poll_interval).await;
            };
            tokio::select! {
                biased;
                () = &mut stop => return,
                () = round => {}
            }
        }
    }

    /// Makes sure that the revocations are known as of `max_age` ago at least.
    pub(crate) async fn catch_up(&self, service: &KeystoneSession) -> Result<(), KeystoneError> {
        // Those who waited for another's look find that it was recent.
        let mut followed = self.inner.followed.lock().await;
        let known_at = self.followed_at();
        let age = known_at.and_then(|known_at| moment::since(known_at, self.inner.client.now()));
        if age.is_some_and(|age| age < self.inner.max_age) {
            return Ok(());
        }
        self.follow_once(service, &mut followed).await
    }

    async fn follow_once(
        &self,
        service: &KeystoneSession,
        followed: &mut Followed,
    ) -> Result<(), KeystoneError> {
        let asked_at = self.inner.client.now();
        // For machines nothing is remembered yet; people logged in long ago, so that all that is kept is read.
        let from = match followed.since {
            None if self.inner.people.is_used() => None,
            None => Some(moment::before(asked_at, MAX_SKEW)),
            since => since,
        };
        followed.since = followed.since.or(from);
        match service.revocations(from).await {
            Ok(events) => {
                if followed.failing {
                    tracing::info!("Keystone's revocations are followed again");
                }
                followed.failing = false;
                self.apply(events, followed);
                *self.inner.followed_at.lock() = Some(asked_at);
                Ok(())
            }
            Err(error) => {
                self.not_followed(&error, followed);
                Err(error)
            }
        }
    }

    fn apply(&self, events: Vec<RevocationEvent>, followed: &mut Followed) {
        let now = self.inner.client.now();
        let new: Vec<RevocationEvent> = events
            .iter()
            .filter(|event| !followed.seen.contains(event))
            .cloned()
            .collect();
        for event in &new {
            let time = event.revoked_at.unwrap_or(event.issued_before);
            let from_here = moment::before(time, OVERLAP);
            // No further than our own clock allows: one event "of the future" must not hide the next ones.
            let latest = moment::after(now, MAX_SKEW);
            followed.since = followed.since.max(Some(from_here.min(latest)));
        }
        if !new.is_empty() {
            tracing::debug!(events = new.len(), "Keystone revoked tokens");
        }
        // First who is concerned, then what is forgotten: an answer that is asked for from here on knows of both.
        self.inner.people.changes.tell(&new, now, followed.is_live);
        self.inner.known.revoke(&new);
        self.inner.people.revoke(&new);
        followed.is_live = true;
        // The first answer of all that is kept may have had no event: what comes is asked for from here on.
        followed.since = followed.since.or_else(|| Some(moment::before(now, MAX_SKEW)));
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
