use std::{sync::Arc, time::Duration};

use rustls_pki_types::UnixTime;
use tokio::sync::mpsc;

use super::{Candidate, Demand, Shared, after, until};
use crate::{
    AgentToken, Backoff, Credential, MachinePair, Surroundings, TokenFault, TokenSource, check::check_dates,
    schedule::token_due, status::Work,
};

/// A server that restarts is back in seconds; and a wait beyond a minute would cost more than asking.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// A service that refuses every token does not make us ask for one with every request.
const PAUSE_AFTER_DEMAND: u64 = 10;

pub(super) struct Tokens {
    pub(super) pair: MachinePair,
    pub(super) source: Arc<dyn TokenSource>,
    pub(super) surroundings: Arc<dyn Surroundings>,
    pub(super) shared: Arc<Shared>,
    /// When a demand was last followed.
    pub(super) asked: Option<UnixTime>,
}

impl Tokens {
    pub(super) async fn run(
        mut self,
        mut demands: mpsc::Receiver<Demand>,
        mut candidates: mpsc::Receiver<Candidate>,
    ) {
        let mut backoff = Backoff::new(WAITS.0, WAITS.1);
        let mut due = self.surroundings.now();
        loop {
            let surroundings = Arc::clone(&self.surroundings);
            tokio::select! {
                biased;
                Some(candidate) = candidates.recv() => {
                    let taken = self.take_over(candidate).await;
                    due = taken.unwrap_or(due);
                    if taken.is_some() {
                        backoff.succeeded();
                    }
                }
                Some(demand) = demands.recv() => {
                    if self.should_follow(&demand) {
                        self.asked = Some(self.surroundings.now());
                        due = self.renew(&mut backoff).await;
                    }
                    let _ = demand.answer.send(());
                }
                () = until(&*surroundings, due) => due = self.renew(&mut backoff).await,
            }
            self.shared.board.token_due(due);
        }
    }

    /// A token for the pair in use; when the next is due.
    async fn renew(&self, backoff: &mut Backoff) -> UnixTime {
        let now = self.surroundings.now();
        let random = self.surroundings.random();
        match self.ask(&self.pair, now).await {
            Ok(token) => {
                backoff.succeeded();
                self.publish(self.pair.clone(), token, random)
            }
            Err(fault) => {
                self.shared.board.failed(Work::Token, fault, now);
                after(self.surroundings.now(), backoff.failed(random))
            }
        }
    }

    async fn ask(&self, pair: &MachinePair, now: UnixTime) -> Result<AgentToken, String> {
        check_dates(pair, now).map_err(|unfit| {
            format!(
                "the machine's certificate cannot be used: {unfit}. If the clocks are right, issue the machine another one \
                 and put it where the agent's configuration says"
            )
        })?;
        self.source
            .token(pair, now)
            .await
            .map_err(|fault| fault.to_string())
    }

    fn publish(&self, pair: MachinePair, token: AgentToken, random: u64) -> UnixTime {
        let (since, until) = (token.since(), token.until());
        let credential = Credential::new(pair, token);
        self.shared.board.credential(&credential);
        self.shared.board.works(Work::Token);
        self.shared.credential.send_replace(Some(credential));
        token_due(since, until, random)
    }

    /// A new pair counts from the moment that there is a token for it: not before, and then for everything at once.
    async fn take_over(&mut self, candidate: Candidate) -> Option<UnixTime> {
        let now = self.surroundings.now();
        let (answer, due) = match self.source.token(&candidate.pair, now).await {
            Ok(token) => {
                self.pair = candidate.pair;
                tracing::info!(thumbprint = %self.pair.thumbprint(), "a new certificate and its token are in use");
                let due = self.publish(self.pair.clone(), token, self.surroundings.random());
                (Ok(()), Some(due))
            }
            Err(fault) => (Err::<(), TokenFault>(fault), None),
        };
        let _ = candidate.answer.send(answer);
        due
    }

    /// Not when there is another one already, and not right after the last time.
    fn should_follow(&self, demand: &Demand) -> bool {
        let current = self.shared.credential.borrow();
        let current = current
            .as_ref()
            .is_some_and(|current| current.is(&demand.refused));
        let now = self.surroundings.now().as_secs();
        let pausing = |since: UnixTime| now < since.as_secs().saturating_add(PAUSE_AFTER_DEMAND);
        let young = pausing(demand.refused.token().since());
        current && !young && !self.asked.is_some_and(pausing)
    }
}
