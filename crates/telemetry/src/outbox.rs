use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::collector::{Collector, Delivery};
use crate::otlp::FinishedSpan;
use crate::queue::{Counters, add};

/// Spans of one delivery: some hundred kilobytes.
const BATCH: usize = 512;
/// What is gathered is sent at the latest after this.
const INTERVAL: Duration = Duration::from_secs(2);
/// Deliveries that fail for so long are given up: what came since is worth more.
const TRIES: u32 = 5;
/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest of our own pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What is left at the end is sent for no longer than this.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Sends what a [`Tracer`](crate::Tracer) gathered.
#[derive(Debug)]
pub struct Outbox {
    spans: mpsc::Receiver<FinishedSpan>,
    counters: Arc<Counters>,
}

impl Outbox {
    pub(crate) const fn new(spans: mpsc::Receiver<FinishedSpan>, counters: Arc<Counters>) -> Self {
        Self { spans, counters }
    }

    /// What waits, taken out.
    #[cfg(test)]
    pub(crate) fn waiting(mut self) -> Vec<FinishedSpan> {
        std::iter::from_fn(|| self.spans.try_recv().ok()).collect()
    }

    /// Sends until `stop`, then what is left, for five seconds at most.
    ///
    /// While the collector takes nothing, spans wait in the queue, and what it has no place for is dropped.
    pub async fn deliver(mut self, collector: Collector, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut batch = Vec::with_capacity(BATCH);
        let mut failures = 0;
        loop {
            let goes_on = self.gather(&mut batch, stop.as_mut()).await;
            if !goes_on
                || !self
                    .attempt(&collector, &mut batch, &mut failures, stop.as_mut())
                    .await
            {
                break;
            }
        }
        if timeout(LAST_WORDS, self.finish(&collector, &mut batch))
            .await
            .is_err()
        {
            self.give_up(&mut batch, "there is no more time");
        }
        let left = self.spans.len();
        add(&self.counters.undelivered, left);
    }

    /// Waits for a first span, then for more of them; false when it is to stop.
    async fn gather(
        &mut self,
        batch: &mut Vec<FinishedSpan>,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> bool {
        let mut due = None;
        loop {
            let room = BATCH.saturating_sub(batch.len());
            if room == 0 {
                return true;
            }
            let arrived = async {
                match due {
                    None => Some(self.spans.recv_many(batch, room).await),
                    Some(due) => timeout_at(due, self.spans.recv_many(batch, room)).await.ok(),
                }
            };
            tokio::select! {
                () = &mut stop => return false,
                arrived = arrived => match arrived {
                    None => return true,
                    Some(0) => return false,
                    Some(_) => {}
                }
            }
            due.get_or_insert_with(|| later(INTERVAL));
        }
    }

    /// Sends the batch until it is taken or given up; false when it is to stop, with the batch as it is.
    async fn attempt(
        &self,
        collector: &Collector,
        batch: &mut Vec<FinishedSpan>,
        failures: &mut u32,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> bool {
        for round in 1..=TRIES {
            let (why, retry_after) = tokio::select! {
                biased;
                delivery = collector.deliver(batch) => match self.settle(delivery, batch) {
                    None => {
                        *failures = 0;
                        return true;
                    }
                    Some(later) => later,
                },
                () = &mut stop => return false,
            };
            *failures = failures.saturating_add(1);
            if *failures == 1 {
                tracing::warn!(
                    why,
                    "traces can't be delivered; spans wait, and are dropped when too many do"
                );
            }
            if round == TRIES {
                self.give_up(batch, &why);
            }
            let own = FIRST_PAUSE
                .saturating_mul(1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX))
                .min(LONGEST_PAUSE);
            tokio::select! {
                () = sleep(retry_after.unwrap_or(own)) => {}
                () = &mut stop => return false,
            }
        }
        true
    }

    /// What is left, each batch once.
    async fn finish(&mut self, collector: &Collector, batch: &mut Vec<FinishedSpan>) {
        self.spans.close();
        loop {
            while batch.len() < BATCH
                && let Ok(span) = self.spans.try_recv()
            {
                batch.push(span);
            }
            if batch.is_empty() {
                return;
            }
            let delivery = collector.deliver(batch).await;
            if let Some((why, _)) = self.settle(delivery, batch) {
                self.give_up(batch, &why);
                return;
            }
        }
    }

    /// Counts what became of the batch; what is to be tried again stays in it, with the reason.
    fn settle(
        &self,
        delivery: Delivery,
        batch: &mut Vec<FinishedSpan>,
    ) -> Option<(String, Option<Duration>)> {
        let was_failing = self.counters.failing.load(Ordering::Relaxed);
        let sent = batch.len();
        match delivery {
            Delivery::Taken { rejected } => {
                add(&self.counters.delivered, sent.saturating_sub(rejected));
                add(&self.counters.refused, rejected);
                self.counters.failing.store(false, Ordering::Relaxed);
                if was_failing {
                    tracing::info!("traces are delivered again");
                }
            }
            Delivery::Refused(why) => {
                add(&self.counters.refused, sent);
                add(&self.counters.failures, 1);
                self.counters.failing.store(true, Ordering::Relaxed);
                if !was_failing {
                    tracing::error!(
                        why,
                        "the collector refuses traces, which are dropped: look at traces.url and at what it accepts"
                    );
                }
            }
            Delivery::Later { why, retry_after } => {
                add(&self.counters.failures, 1);
                self.counters.failing.store(true, Ordering::Relaxed);
                return Some((why, retry_after));
            }
        }
        batch.clear();
        None
    }

    fn give_up(&self, batch: &mut Vec<FinishedSpan>, why: &str) {
        add(&self.counters.undelivered, batch.len());
        tracing::debug!(spans = batch.len(), why, "traces were dropped undelivered");
        batch.clear();
    }
}

fn later(span: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(span).unwrap_or(now)
}

#[cfg(test)]
mod tests;
