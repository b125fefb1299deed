use std::{fmt, sync::Arc, time::Duration};

use rustls::RootCertStore;
use rustls_pki_types::UnixTime;
use sealstone_https::{HttpsClient, PlainHttp, Settings, SetupError};
use sealstone_jose::base64url;

use crate::CertificatePair;

/// A person waits, and a machine tries again: more than any answer takes, less than anybody's patience.
const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// What time it is.
pub type Clock = dyn Fn() -> UnixTime + Send + Sync;
/// Fills octets at random; `false` when the source failed.
pub type Entropy = dyn Fn(&mut [u8]) -> bool + Send + Sync;

/// The machine has no random octets to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this machine gives no random octets: try again")]
pub struct NoEntropy;

/// What every exchange of this crate stands on: whom to trust, what time it is, where random octets come from.
///
/// Clones share it.
#[derive(Clone)]
pub struct ClientContext {
    roots: Arc<RootCertStore>,
    plain_http: PlainHttp,
    call_deadline: Duration,
    clock: Arc<Clock>,
    entropy: Arc<Entropy>,
}

impl ClientContext {
    /// Trusts these authorities, by the machine's own clock and random source.
    #[must_use]
    pub fn of_this_machine(roots: RootCertStore) -> Self {
        Self::new(roots, Arc::new(machine_time), Arc::new(machine_entropy))
    }

    /// Trusts these authorities, by this clock and this random source.
    ///
    /// # Security
    /// Whoever can foresee what `entropy` gives can take over a login.
    #[must_use]
    pub fn new(roots: RootCertStore, clock: Arc<Clock>, entropy: Arc<Entropy>) -> Self {
        Self {
            roots: Arc::new(roots),
            plain_http: PlainHttp::Never,
            call_deadline: CALL_DEADLINE,
            clock,
            entropy,
        }
    }

    /// Admits plain HTTP, by default to nobody.
    #[must_use]
    pub const fn with_plain_http(mut self, plain_http: PlainHttp) -> Self {
        self.plain_http = plain_http;
        self
    }

    /// How long one exchange may take; 30 s by default.
    #[must_use]
    pub const fn with_call_deadline(mut self, deadline: Duration) -> Self {
        self.call_deadline = deadline;
        self
    }

    /// The time by this context's clock.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        (self.clock)()
    }

    /// 256 random bits as 43 characters of base64url.
    pub(crate) fn token(&self) -> Result<String, NoEntropy> {
        let mut octets = [0; 32];
        if !(self.entropy)(&mut octets) {
            return Err(NoEntropy);
        }
        Ok(base64url::encode(octets))
    }

    pub(crate) const fn call_deadline(&self) -> Duration {
        self.call_deadline
    }

    /// A client that presents nothing, or this certificate.
    pub(crate) fn https(&self, certificate: Option<&CertificatePair>) -> Result<HttpsClient, SetupError> {
        let roots = RootCertStore::clone(&self.roots);
        let settings = match certificate {
            Some(pair) => Settings::presenting(roots, pair.chain().to_vec(), pair.key())?,
            None => Settings::trusting(roots)?,
        };
        Ok(HttpsClient::new(settings.with_plain_http(self.plain_http)))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock of those who bring none"
)]
fn machine_time() -> UnixTime {
    UnixTime::now()
}

fn machine_entropy(octets: &mut [u8]) -> bool {
    aws_lc_rs::rand::fill(octets).is_ok()
}

impl fmt::Debug for ClientContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ClientContext")
            .field("authorities", &self.roots.len())
            .field("plain_http", &self.plain_http)
            .finish_non_exhaustive()
    }
}
