//! Keeps a token and its certificate fresh: what is due, when, and what follows from a failure.

mod certificates;
mod tokens;

use std::{sync::Arc, time::Duration};

use rustls::RootCertStore;
use rustls_pki_types::UnixTime;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    CertificateSource, Credential, MachinePair, Status, Surroundings, TokenFault, TokenSource, WatchedPair,
    status::{Board, Work},
};

/// No wait is longer: a machine that slept, or whose clock was set, looks at the clock again before long.
const TICK: Duration = Duration::from_secs(30);
/// Requests for a token instead of a refused one that may wait: more proxied requests at a time there are not.
const MAX_DEMANDS: usize = 1024;

/// Asks for a token in place of one that a service refused.
struct Demand {
    refused: Credential,
    answer: oneshot::Sender<()>,
}

/// A new pair, which counts from the moment that there is a token for it.
struct Candidate {
    pair: MachinePair,
    answer: oneshot::Sender<Result<(), TokenFault>>,
}

/// Who issues the next certificate, and whom a new one must be by.
#[derive(Debug)]
struct Renewal {
    source: Arc<dyn CertificateSource>,
    authorities: Arc<RootCertStore>,
}

/// Keeps the credential of one machine fresh. It serves nobody: [`Agent`](crate::Agent) does, or you by a [`Handle`].
#[derive(Debug)]
pub struct Keeper {
    pair: MachinePair,
    surroundings: Arc<dyn Surroundings>,
    tokens: Arc<dyn TokenSource>,
    renewal: Option<Renewal>,
    watched: Option<WatchedPair>,
    shared: Arc<Shared>,
    demands: mpsc::Receiver<Demand>,
}

#[derive(Debug)]
struct Shared {
    credential: watch::Sender<Option<Credential>>,
    board: Board,
    /// Whether a first credential, and the status with it, has been brought to where others read them.
    in_place: watch::Sender<bool>,
}

/// What a [`Keeper`] keeps, for those who use it. Clones are the same.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    surroundings: Arc<dyn Surroundings>,
    demands: mpsc::Sender<Demand>,
}

impl Keeper {
    /// Begins with this pair, and asks `tokens` for tokens.
    #[must_use]
    pub fn new(
        pair: MachinePair,
        tokens: Arc<dyn TokenSource>,
        surroundings: Arc<dyn Surroundings>,
    ) -> (Self, Handle) {
        let shared = Arc::new(Shared {
            credential: watch::Sender::new(None),
            board: Board::new(&pair),
            in_place: watch::Sender::new(false),
        });
        let (sender, demands) = mpsc::channel(MAX_DEMANDS);
        let handle = Handle {
            shared: Arc::clone(&shared),
            surroundings: Arc::clone(&surroundings),
            demands: sender,
        };
        let keeper = Self {
            pair,
            surroundings,
            tokens,
            renewal: None,
            watched: None,
            shared,
            demands,
        };
        (keeper, handle)
    }

    /// Renews the certificate by `source`, before two thirds of its life; a new one must be by one of `authorities`.
    #[must_use]
    pub fn renewing(mut self, source: Arc<dyn CertificateSource>, authorities: RootCertStore) -> Self {
        self.renewal = Some(Renewal {
            source,
            authorities: Arc::new(authorities),
        });
        self
    }

    /// Takes over a pair that others put into these files.
    #[must_use]
    pub fn watching(mut self, watched: WatchedPair) -> Self {
        self.watched = Some(watched);
        self
    }

    /// Works until it is dropped.
    pub async fn run(self) {
        let (candidates, offered) = mpsc::channel(1);
        let tokens = tokens::Tokens {
            pair: self.pair.clone(),
            source: self.tokens,
            surroundings: Arc::clone(&self.surroundings),
            shared: Arc::clone(&self.shared),
            asked: None,
        };
        let certificates = certificates::Certificates {
            pair: self.pair,
            renewal: self.renewal,
            watched: self.watched,
            surroundings: self.surroundings,
            shared: self.shared,
            candidates,
        };
        tokio::join!(tokens.run(self.demands, offered), certificates.run());
    }
}

impl Handle {
    /// What can be shown now, if there is something.
    #[must_use]
    pub fn credential(&self) -> Option<Credential> {
        loop {
            let credential = self.shared.credential.borrow().clone()?;
            if credential.is_good(self.surroundings.now()) {
                return Some(credential);
            }
            // Whoever was held up between the two looks has an old one in hand: there may be another by now.
            let latest = self.shared.credential.borrow();
            if latest.as_ref().is_some_and(|latest| latest.is(&credential)) {
                return None;
            }
        }
    }

    /// Tells of each new credential.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Option<Credential>> {
        self.shared.credential.subscribe()
    }

    /// Tells of each change in the status.
    #[must_use]
    pub fn status_changes(&self) -> watch::Receiver<u64> {
        self.shared.board.changes()
    }

    /// Tells when an [`Agent`](crate::Agent) has brought its first credential into the state folder and the token files, or
    /// has tried to, and its status too: whoever says that it is ready waits for this. What could not be written is among
    /// the status's faults.
    #[must_use]
    pub fn in_place(&self) -> watch::Receiver<bool> {
        self.shared.in_place.subscribe()
    }

    pub(crate) fn is_in_place(&self) {
        self.shared
            .in_place
            .send_if_modified(|before| !std::mem::replace(before, true));
    }

    /// How the agent is.
    #[must_use]
    pub fn status(&self) -> Status {
        self.shared.board.status(&*self.surroundings)
    }

    /// A service refused this one with 401: what can be shown instead, if there is another by now. Many who ask for the
    /// same cost one request for a token, and none when the refused one is seconds old.
    pub async fn instead_of(&self, refused: &Credential) -> Option<Credential> {
        let (answer, answered) = oneshot::channel();
        let demand = Demand {
            refused: refused.clone(),
            answer,
        };
        // A keeper that is gone renews nothing.
        self.demands.send(demand).await.ok()?;
        answered.await.ok()?;
        self.credential().filter(|now| !now.is(refused))
    }

    pub(crate) fn failed(&self, work: Work, message: String) {
        self.shared.board.failed(work, message, self.surroundings.now());
    }

    pub(crate) fn works(&self, work: Work) {
        self.shared.board.works(work);
    }

    pub(crate) fn surroundings(&self) -> &Arc<dyn Surroundings> {
        &self.surroundings
    }
}

/// Returns when it is `due`, or when the clock was set back to before `begun`.
async fn until(surroundings: &dyn Surroundings, due: UnixTime) {
    let begun = surroundings.now();
    loop {
        let now = surroundings.now();
        if now >= due || now < begun {
            return;
        }
        let left = Duration::from_secs(due.as_secs().saturating_sub(now.as_secs()));
        surroundings.sleep(left.min(TICK)).await;
    }
}

fn after(now: UnixTime, wait: Duration) -> UnixTime {
    // Times are whole seconds: a wait is never rounded down to none.
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs().saturating_add(seconds)))
}
