use crate::cursor::Cursor;
use crate::receiver::{DeliveryError, Receiver};
use crate::standing::{Mode, Standing};
use sealstone_trail::{Follower, Read, TrailFile};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Events delivered at once: enough to fill a segment many times over, little enough to repeat.
const BATCH_EVENTS: usize = 500;
/// Octets delivered at once, about: what common HTTP endpoints take in one request.
const BATCH_OCTETS: usize = 512 * 1024;
/// How often the trail is looked at for something new: how late a receiver hears of an event.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often it is counted how far behind a receiver is while a delivery is under way.
const COUNT_EVERY: Duration = Duration::from_millis(100);
/// A delivery that takes longer has failed.
const DELIVERY: Duration = Duration::from_secs(20);
/// After a failure it is tried again so soon, then after twice the time, and so on,
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// up to this: who comes back has events within half a minute.
const LAST_RETRY: Duration = Duration::from_secs(30);
/// The same for a required receiver, for which the whole node may wait: about what its clients are told to wait.
const LAST_RETRY_OF_REQUIRED: Duration = Duration::from_secs(2);

/// How far a receiver may fall behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the one measure")]
pub struct Limits {
    /// In events; each has some 900 octets in the trail's files, which are kept anyway.
    pub most_behind: u64,
}

/// Carries events from a trail to one receiver.
#[derive(Debug)]
pub struct Carrier {
    trail: Arc<TrailFile>,
    standing: Standing,
    limits: Limits,
    cursor: Cursor,
    follower: Follower,
}

impl Carrier {
    /// From where the receiver's `cursor` file says; without one from the last event of the trail on.
    ///
    /// # Errors
    /// What the operating system says of the file.
    pub fn new(
        trail: Arc<TrailFile>,
        standing: Standing,
        limits: Limits,
        cursor: &Path,
    ) -> std::io::Result<Self> {
        let cursor = Cursor::at(cursor);
        let due = match cursor.read()? {
            Some(delivered) => delivered.saturating_add(1),
            None => trail.standing().sequence,
        };
        Ok(Self {
            follower: Follower::new(trail.path(), due),
            trail,
            standing,
            limits,
            cursor,
        })
    }

    /// Delivers what is there and what comes, until `stop`. A failure is logged once, counted, and tried again.
    ///
    /// At the end what is there is delivered once more, if the receiver takes it.
    pub async fn carry(mut self, mut receiver: Box<dyn Receiver>, stop: impl Future<Output = ()>) {
        let mut retry = FIRST_RETRY;
        let last_retry = match self.standing.mode() {
            Mode::Required => LAST_RETRY_OF_REQUIRED,
            Mode::BestEffort => LAST_RETRY,
        };
        tokio::pin!(stop);
        loop {
            self.count();
            let batch = self.batch();
            let wait = if batch.is_empty() {
                LOOK_EVERY
            } else {
                let delivered = tokio::select! {
                    delivered = self.deliver(&mut *receiver, &batch) => delivered,
                    () = &mut stop => return self.last(&mut *receiver, batch).await,
                };
                if self.settle(&batch, delivered) {
                    retry = FIRST_RETRY;
                    continue;
                }
                retry = retry.saturating_mul(2).min(last_retry);
                retry
            };
            tokio::select! {
                () = &mut stop => return self.last(&mut *receiver, Vec::new()).await,
                () = self.counting(wait) => {}
            }
        }
    }

    /// What is there when the process ends: one try.
    async fn last(&mut self, receiver: &mut dyn Receiver, mut batch: Vec<Read>) {
        loop {
            if batch.is_empty() {
                batch = self.batch();
            }
            if batch.is_empty() {
                return;
            }
            let delivered = self.deliver(receiver, &batch).await;
            if !self.settle(&batch, delivered) {
                return;
            }
            batch.clear();
        }
    }

    /// What comes next. What can't be read now is read later.
    fn batch(&mut self) -> Vec<Read> {
        let (mut batch, mut octets) = (Vec::new(), 0_usize);
        while batch.len() < BATCH_EVENTS && octets < BATCH_OCTETS {
            let due = self.follower.due();
            match self.follower.read() {
                Ok(Some(read)) => {
                    let gone = read.line.sequence.saturating_sub(due);
                    if gone > 0 {
                        self.standing.lose(gone);
                        tracing::error!(
                            receiver = self.standing.name(),
                            events = gone,
                            "events were gone from the audit trail's files before they were delivered"
                        );
                    }
                    octets = octets.saturating_add(read.text.len());
                    batch.push(read);
                }
                Ok(None) => break,
                Err(error) => {
                    if self.standing.fail(true) {
                        tracing::error!(%error, receiver = self.standing.name(), "the audit trail can't be read to be delivered");
                    }
                    break;
                }
            }
        }
        batch
    }

    async fn deliver(&self, receiver: &mut dyn Receiver, batch: &[Read]) -> Result<(), DeliveryError> {
        let delivery = tokio::time::timeout(DELIVERY, receiver.deliver(batch));
        tokio::select! {
            delivered = delivery => delivered.unwrap_or(Err(DeliveryError::Deadline)),
            () = self.counting_on(batch) => Err(DeliveryError::Deadline),
        }
    }

    /// Writes down what was delivered, or tells of what was not; true if there may be more.
    fn settle(&mut self, batch: &[Read], delivered: Result<(), DeliveryError>) -> bool {
        let name = self.standing.name();
        match delivered {
            Ok(()) => {
                self.standing.took(u64::try_from(batch.len()).unwrap_or(u64::MAX));
                let last = batch.last().map_or(0, |read| read.line.sequence);
                if let Err(error) = self.cursor.write(last) {
                    tracing::error!(%error, receiver = name, "how far a receiver of the audit trail is can't be written down: it gets events again after a restart");
                }
                if self.standing.fail(false) {
                    tracing::info!(receiver = name, "the receiver takes audit events again");
                }
                true
            }
            Err(error) => {
                let first = batch.first().map_or(0, |read| read.line.sequence);
                self.follower = Follower::new(self.trail.path(), first);
                if self.standing.fail(true) {
                    let cause: &dyn std::error::Error = &error;
                    tracing::error!(
                        error = cause,
                        receiver = name,
                        "audit events can't be delivered; it is tried again, and told when they are"
                    );
                }
                false
            }
        }
    }

    /// How far the receiver is behind, and what follows from it.
    fn count(&mut self) {
        let due = self.follower.due();
        let sequence = self.trail.standing().sequence;
        let behind = sequence.saturating_add(1).saturating_sub(due);
        self.tell(behind);
        if self.standing.mode() == Mode::BestEffort && behind > self.limits.most_behind {
            let skipped = behind.saturating_sub(self.limits.most_behind);
            self.follower.skip_to(due.saturating_add(skipped));
            self.standing.lose(skipped);
        }
    }

    fn tell(&self, behind: u64) {
        if !self.standing.is_behind(behind, self.limits.most_behind) {
            return;
        }
        let receiver = self.standing.name();
        match (self.standing.mode(), behind > self.limits.most_behind) {
            (Mode::Required, true) => tracing::error!(
                receiver,
                behind,
                "a required receiver of the audit trail is too far behind: nothing is issued until it has caught up"
            ),
            (Mode::Required, false) => {
                tracing::info!(
                    receiver,
                    "the required receiver has caught up: requests are served again"
                );
            }
            (Mode::BestEffort, true) => tracing::error!(
                receiver,
                behind,
                "a receiver of the audit trail is too far behind: the oldest events are passed over and counted"
            ),
            (Mode::BestEffort, false) => tracing::info!(receiver, "the receiver has caught up"),
        }
    }

    /// Counts while time passes.
    async fn counting(&mut self, wait: Duration) {
        let end = tokio::time::sleep(wait);
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => return,
                () = tokio::time::sleep(COUNT_EVERY) => self.count(),
            }
        }
    }

    /// Counts while a delivery of these is under way; never ends.
    async fn counting_on(&self, batch: &[Read]) {
        // The follower has read past them, and the receiver does not have them yet.
        let due = batch
            .first()
            .map_or_else(|| self.follower.due(), |read| read.line.sequence);
        loop {
            tokio::time::sleep(COUNT_EVERY).await;
            let sequence = self.trail.standing().sequence;
            self.tell(sequence.saturating_add(1).saturating_sub(due));
        }
    }
}
