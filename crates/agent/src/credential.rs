use std::sync::Arc;

use rustls_pki_types::UnixTime;

use crate::{AgentToken, MachinePair};

/// So long before its end a token is not given out any more: it would end on its way. Of a token that lives for less
/// than a minute it is the last tenth.
const LAST_SECONDS: u64 = 5;

/// A certificate with its key, and a token that is bound to it: what is shown together, and changes together.
#[derive(Debug, Clone)]
pub struct Credential(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    pair: MachinePair,
    token: AgentToken,
}

impl Credential {
    /// The two.
    ///
    /// # Security
    /// The token is bound to the pair's certificate: [`TokenSource`](crate::TokenSource) saw to that.
    #[must_use]
    pub fn new(pair: MachinePair, token: AgentToken) -> Self {
        Self(Arc::new(Parts { pair, token }))
    }

    /// Certificate and key.
    #[must_use]
    pub fn pair(&self) -> &MachinePair {
        &self.0.pair
    }

    /// The token.
    #[must_use]
    pub fn token(&self) -> &AgentToken {
        &self.0.token
    }

    /// Whether both are good for a request that is sent now.
    #[must_use]
    pub fn is_good(&self, now: UnixTime) -> bool {
        let (since, until) = (self.token().since().as_secs(), self.token().until().as_secs());
        let kept_back = (until.saturating_sub(since) / 10).min(LAST_SECONDS);
        now.as_secs() < until.saturating_sub(kept_back) && self.pair().is_in_date(now)
    }

    /// Whether it is this very one.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
