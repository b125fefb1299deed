use std::{sync::Arc, time::Duration};

use rustls_pki_types::UnixTime;
use tokio::sync::{mpsc, oneshot};

use super::{Candidate, Renewal, Shared, TICK, after, until};
use crate::{
    Backoff, MachinePair, Surroundings, Unfit, WatchedPair,
    check::{check_dates, check_successor},
    schedule::certificate_due,
    status::Work,
};

/// An authority is not asked as often as a token endpoint: each answer may be a signature by a hardware module, and a
/// third of a certificate's life is left.
const WAITS: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(3600));

pub(super) struct Certificates {
    pub(super) pair: MachinePair,
    pub(super) renewal: Option<Renewal>,
    pub(super) watched: Option<WatchedPair>,
    pub(super) surroundings: Arc<dyn Surroundings>,
    pub(super) shared: Arc<Shared>,
    pub(super) candidates: mpsc::Sender<Candidate>,
}

impl Certificates {
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(WAITS.0, WAITS.1);
        let mut due = self.next(false);
        // Issued, and without a token yet: the authority is not asked for another one.
        let mut issued = None;
        loop {
            let soon = after(self.surroundings.now(), TICK);
            until(&*self.surroundings, due.unwrap_or(soon).min(soon)).await;
            if self.look().await {
                backoff.succeeded();
                issued = None;
                due = self.next(true);
                continue;
            }
            if due.is_none_or(|due| self.surroundings.now() < due) {
                continue;
            }
            due = match self.renew(&mut issued).await {
                Ok(()) => {
                    backoff.succeeded();
                    self.shared.board.works(Work::Certificate);
                    self.next(true)
                }
                Err((message, wait)) => {
                    let now = self.surroundings.now();
                    self.shared.board.failed(Work::Certificate, message, now);
                    let own = self.in_time(backoff.failed(self.surroundings.random()), now);
                    let wait = wait.unwrap_or_default().max(own);
                    let due = after(now, wait);
                    self.shared.board.certificate_due(due);
                    Some(due)
                }
            };
        }
    }

    /// When this pair's successor is due, if there is somebody to ask. `fresh`: it was issued just now.
    fn next(&self, fresh: bool) -> Option<UnixTime> {
        self.renewal.as_ref()?;
        let certificate = self.pair.certificate();
        let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
        let (now, random) = (self.surroundings.now(), self.surroundings.random());
        let mut due = certificate_due(not_before, not_after, random);
        if fresh && due <= now {
            // Certificates of minutes are dated back by most of their life: what counts is what is left.
            due = certificate_due(now, not_after, random);
        }
        self.shared.board.certificate_due(due);
        Some(due)
    }

    /// A quarter of what is left at most: certificates of an hour leave no time for the longest wait.
    fn in_time(&self, wait: Duration, now: UnixTime) -> Duration {
        let end = self.pair.certificate().not_after().as_secs();
        match end.saturating_sub(now.as_secs()) {
            0 => wait,
            left => wait.min(Duration::from_secs((left / 4).max(1))),
        }
    }

    /// Whether others have put another pair into the watched files, and it is in use now.
    async fn look(&mut self) -> bool {
        let Some(watched) = &mut self.watched else {
            return false;
        };
        let found = match watched.look() {
            Ok(Some(found)) if found != self.pair => found,
            Ok(_same) => {
                self.shared.board.works(Work::Reload);
                return false;
            }
            Err(fault) => {
                let now = self.surroundings.now();
                let message = format!("the files of the machine's certificate: {fault}");
                self.shared.board.failed(Work::Reload, message, now);
                return false;
            }
        };
        let now = self.surroundings.now();
        let taken = match check_dates(&found, now) {
            Ok(()) => self.offer(found).await,
            Err(unfit) => Err(unfit.to_string()),
        };
        match taken {
            Ok(()) => {
                self.shared.board.works(Work::Reload);
                self.shared.board.works(Work::Certificate);
                true
            }
            Err(message) => {
                if let Some(watched) = &mut self.watched {
                    watched.look_again();
                }
                let message = format!("the certificate that was put into the files: {message}");
                self.shared.board.failed(Work::Reload, message, now);
                false
            }
        }
    }

    async fn renew(&mut self, issued: &mut Option<MachinePair>) -> Result<(), (String, Option<Duration>)> {
        let Some(renewal) = &self.renewal else {
            return Ok(());
        };
        let pair = match issued.take() {
            Some(pair) => pair,
            None => {
                let told = renewal
                    .source
                    .successor(&self.pair, self.surroundings.now())
                    .await;
                told.map_err(|fault| (fault.to_string(), fault.retry_after()))?
            }
        };
        // The time of now: an authority that dates nothing back begins with the second of its answer.
        let now = self.surroundings.now();
        if let Err(unfit) = check_successor(&pair, &self.pair, &renewal.authorities, now) {
            if let Unfit::NotYet { not_before, .. } = &unfit
                && *not_before < self.pair.certificate().not_after()
            {
                // An authority whose clock is ahead: it is good before long.
                *issued = Some(pair);
            }
            let name = renewal.source.name();
            return Err((format!("the certificate of {name} is not used: {unfit}"), None));
        }
        *issued = Some(pair.clone());
        self.offer(pair).await.map_err(|message| {
            let message = format!("the new certificate is there, and gets no token yet: {message}");
            (message, None)
        })?;
        *issued = None;
        Ok(())
    }

    async fn offer(&mut self, pair: MachinePair) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        let candidate = Candidate {
            pair: pair.clone(),
            answer,
        };
        let gone = "the agent is about to end".to_owned();
        if self.candidates.send(candidate).await.is_err() {
            return Err(gone);
        }
        match answered.await {
            Ok(Ok(())) => {
                self.pair = pair;
                Ok(())
            }
            Ok(Err(fault)) => Err(fault.to_string()),
            Err(_ended) => Err(gone),
        }
    }
}
