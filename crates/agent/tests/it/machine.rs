//! A machine whose time passes when nothing else happens, an authority, and a server that gives tokens as told.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, UnixTime, pem::PemObject as _};
use sealstone_agent::{
    AgentToken, CertificateSource, EstFault, MachinePair, RenewFault, Surroundings, TokenFault, TokenSource,
};
use sealstone_ca::{
    AltName, Authority, CaRequest, CertificateInfo, CertificateRequest, KeyKind, RenewKey, Subject,
};
use tokio::time::Instant;

pub(crate) const HOUR: u64 = 3600;
pub(crate) const DAY: u64 = 24 * HOUR;
pub(crate) const EPOCH: u64 = 1_790_000_000;

/// Tokio's own time, which a paused runtime moves on by itself, as a machine's clock that can be set.
#[derive(Debug)]
pub(crate) struct Machine {
    started: Instant,
    set: AtomicI64,
    drawn: AtomicU64,
}

impl Machine {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            set: AtomicI64::new(0),
            drawn: AtomicU64::new(0),
        })
    }

    /// Somebody sets the clock, by so many seconds.
    pub(crate) fn set_clock(&self, seconds: i64) {
        self.set.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Since the start, by the clock.
    pub(crate) fn elapsed(&self) -> u64 {
        self.now().as_secs() - EPOCH
    }
}

#[async_trait]
impl Surroundings for Machine {
    fn now(&self) -> UnixTime {
        let elapsed = i64::try_from(self.started.elapsed().as_secs()).unwrap();
        let seconds = i64::try_from(EPOCH).unwrap() + elapsed + self.set.load(Ordering::SeqCst);
        UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap()))
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    fn random(&self) -> u64 {
        // Any will do that is not always the same.
        let drawn = self.drawn.fetch_add(1, Ordering::SeqCst) + 1;
        drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(EPOCH + seconds))
}

/// An authority of machines.
pub(crate) struct Ca(pub(crate) Authority);

impl Ca {
    pub(crate) fn new(name: &str) -> Self {
        let mut request = CaRequest::new(Subject::parse(name).unwrap());
        request.lifetime = Duration::from_secs(3650 * DAY);
        Self(Authority::create(&request, at(0)).unwrap())
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let pem = self.0.certificate_pem();
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
        roots
    }

    pub(crate) fn issue(&self, subject: &str, san: &[&str], lifetime: u64, now: UnixTime) -> MachinePair {
        let names = san.iter().map(|name| AltName::parse(name).unwrap()).collect();
        let request = CertificateRequest::client(Subject::parse(subject).unwrap())
            .with_alt_names(names)
            .with_lifetime(Duration::from_secs(lifetime));
        let issued = self.0.issue(&request, now).unwrap();
        MachinePair::from_pem(&issued.certificate_pem, &issued.private_key_pem).unwrap()
    }

    pub(crate) fn machine(&self, lifetime: u64) -> MachinePair {
        self.issue(
            "CN=machine,O=Example",
            &["uri:spiffe://example.org/m"],
            lifetime,
            at(0),
        )
    }

    pub(crate) fn renew(&self, pair: &MachinePair, lifetime: u64, now: UnixTime) -> MachinePair {
        let info = CertificateInfo::parse(pair.certificate().der()).unwrap();
        let key = RenewKey::New(KeyKind::P256);
        let issued = self
            .0
            .renew(&info, key, Duration::from_secs(lifetime), now)
            .unwrap();
        MachinePair::from_pem(&issued.certificate_pem, &issued.private_key_pem).unwrap()
    }
}

/// Gives tokens that name the certificate that they were asked for with, unless it was told otherwise.
#[derive(Debug)]
pub(crate) struct Tokens {
    lifetime: u64,
    pub(crate) asked: Mutex<Vec<(UnixTime, String)>>,
    fault: Mutex<Option<TokenFault>>,
    refuses: Mutex<Option<String>>,
}

impl Tokens {
    pub(crate) fn new(lifetime: u64) -> Arc<Self> {
        Arc::new(Self {
            lifetime,
            asked: Mutex::default(),
            fault: Mutex::default(),
            refuses: Mutex::default(),
        })
    }

    pub(crate) fn fail(&self, fault: Option<TokenFault>) {
        *self.fault.lock().unwrap() = fault;
    }

    /// Knows no certificate but this.
    pub(crate) fn know_only(&self, pair: Option<&MachinePair>) {
        *self.refuses.lock().unwrap() = pair.map(|pair| pair.thumbprint().to_string());
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl TokenSource for Tokens {
    async fn token(&self, pair: &MachinePair, now: UnixTime) -> Result<AgentToken, TokenFault> {
        let thumbprint = pair.thumbprint().to_string();
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push((now, thumbprint.clone()));
            asked.len()
        };
        tokio::task::yield_now().await;
        if let Some(fault) = &*self.fault.lock().unwrap() {
            return Err(fault.clone());
        }
        if self
            .refuses
            .lock()
            .unwrap()
            .as_ref()
            .is_some_and(|known| *known != thumbprint)
        {
            return Err(TokenFault::Refused(
                "the server refused with invalid_client: who?".to_owned(),
            ));
        }
        let end = now.as_secs() + self.lifetime;
        let end = end.min(pair.certificate().not_after().as_secs());
        let until = UnixTime::since_unix_epoch(Duration::from_secs(end));
        Ok(AgentToken::new(
            &format!("{thumbprint}.{number}"),
            Some("s"),
            now,
            until,
        ))
    }
}

/// What an authority does when it is asked next; after the last of these it renews.
pub(crate) enum Does {
    Gives(MachinePair),
    Refuses(u16),
    Later(u64),
}

pub(crate) struct Issuer {
    ca: Arc<Ca>,
    lifetime: u64,
    next: Mutex<VecDeque<Does>>,
    pub(crate) asked: Mutex<Vec<UnixTime>>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Issuer")
    }
}

impl Issuer {
    pub(crate) fn new(ca: &Arc<Ca>, lifetime: u64, next: Vec<Does>) -> Arc<Self> {
        Arc::new(Self {
            ca: Arc::clone(ca),
            lifetime,
            next: Mutex::new(next.into()),
            asked: Mutex::default(),
        })
    }
}

#[async_trait]
impl CertificateSource for Issuer {
    fn name(&self) -> &'static str {
        "the test's authority"
    }

    async fn successor(&self, present: &MachinePair, now: UnixTime) -> Result<MachinePair, RenewFault> {
        self.asked.lock().unwrap().push(now);
        match self.next.lock().unwrap().pop_front() {
            None => Ok(self.ca.renew(present, self.lifetime, now)),
            Some(Does::Gives(pair)) => Ok(pair),
            Some(Does::Refuses(status)) => Err(RenewFault::Est(EstFault::Refused {
                status,
                said: String::new(),
            })),
            Some(Does::Later(seconds)) => Err(RenewFault::Est(EstFault::Later(Duration::from_secs(seconds)))),
        }
    }
}

/// A machine whose clock stands still until it is moved on: for tests with real connections.
#[derive(Debug)]
pub(crate) struct Stepped {
    now: tokio::sync::watch::Sender<u64>,
    drawn: AtomicU64,
}

impl Stepped {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            now: tokio::sync::watch::Sender::new(0),
            drawn: AtomicU64::new(0),
        })
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.now.send_modify(|now| *now += seconds);
    }

    /// Wakes who sleeps, at the same time: who looked at the clock before it passed, and slept after, would sleep on.
    pub(crate) fn nudge(&self) {
        self.now.send_modify(|_same| {});
    }
}

#[async_trait]
impl Surroundings for Stepped {
    fn now(&self) -> UnixTime {
        at(*self.now.borrow())
    }

    async fn sleep(&self, span: Duration) {
        // At most for the span: who sleeps looks at the clock again.
        let _span = span;
        self.now.subscribe().changed().await.unwrap();
    }

    fn random(&self) -> u64 {
        self.drawn.fetch_add(1, Ordering::SeqCst)
    }
}
