//! What clients do all the while, and what they must never be told.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sealstone_interop::{Answer, Https, HttpsError};
use sealstone_jose::{Algorithm, JwkSet, UnverifiedJwt, VerifierSet};
use serde_json::Value;

use crate::world::is_unavailable;

/// Between two requests of one client, so that three debug builds and a database keep up on two cores.
const PAUSE: Duration = Duration::from_millis(25);

/// What one kind of client counts.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) given: AtomicU64,
    pub(crate) unavailable: AtomicU64,
    /// The connection broke: its node was killed, or no node was there.
    pub(crate) broken: AtomicU64,
}

impl Tally {
    pub(crate) fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }
}

/// An answer, or that there was none. Everything but what is asked for and 503 is a fault.
#[derive(Debug)]
pub(crate) enum Told {
    Given(Value),
    Later,
}

impl Tally {
    #[track_caller]
    pub(crate) fn note(&self, what: &str, answer: Result<Answer, HttpsError>) -> Told {
        match answer {
            Ok(answer) if answer.status == 200 => {
                self.given.fetch_add(1, Ordering::Relaxed);
                Told::Given(answer.json())
            }
            Ok(answer) if is_unavailable(&answer) => {
                self.unavailable.fetch_add(1, Ordering::Relaxed);
                Told::Later
            }
            Ok(answer) => panic!("{what}: {} {}", answer.status, answer.text()),
            Err(_gone) => {
                self.broken.fetch_add(1, Ordering::Relaxed);
                Told::Later
            }
        }
    }
}

/// Clients at work, until they are stopped.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    pub(crate) machines: Arc<Tally>,
    pub(crate) refreshes: Arc<Tally>,
    pub(crate) verified: Arc<Tally>,
    /// The last refresh token that each family was given.
    pub(crate) last: Arc<Mutex<Vec<String>>>,
    workers: Vec<JoinHandle<()>>,
}

pub(crate) struct Credentials {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Credentials {
    pub(crate) fn of(registered: &Value) -> Self {
        let text = |name: &str| registered[name].as_str().unwrap().to_owned();
        Self {
            id: text("client_id"),
            secret: text("client_secret"),
        }
    }

    pub(crate) fn ask(&self, https: &Https, url: &str, form: &[(&str, &str)]) -> Result<Answer, HttpsError> {
        let pair = base64_simd::STANDARD.encode_to_string(format!("{}:{}", self.id, self.secret));
        https.post(url, &[("authorization", &format!("Basic {pair}"))], form)
    }
}

impl Load {
    /// `keys_url` leads to the keys that verify the tokens of `machine`; `families` are refresh tokens of `web`.
    pub(crate) fn start(
        https: &Https,
        token_url: &str,
        keys_url: &str,
        machine: Arc<Credentials>,
        web: Arc<Credentials>,
        families: Vec<String>,
    ) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            machines: Arc::default(),
            refreshes: Arc::default(),
            verified: Arc::default(),
            last: Arc::new(Mutex::new(families.clone())),
            workers: Vec::new(),
        };
        let verifier = Arc::new(Verifier::fetch(https, keys_url));
        for _ in 0..2 {
            let (https, url, verifier) = (https.clone(), token_url.to_owned(), Arc::clone(&verifier));
            let (machine, stop) = (Arc::clone(&machine), Arc::clone(&load.stop));
            let (tally, verified) = (Arc::clone(&load.machines), Arc::clone(&load.verified));
            load.workers.push(thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let form = [
                        ("grant_type", "client_credentials"),
                        ("resource", "https://metrics.example"),
                    ];
                    let answer = machine.ask(&https, &url, &form);
                    if let Told::Given(token) = tally.note("client_credentials", answer) {
                        verifier.accepts(&token, &verified);
                    }
                    thread::sleep(PAUSE);
                }
            }));
        }
        for (place, first) in families.into_iter().enumerate() {
            let (https, url) = (https.clone(), token_url.to_owned());
            let (web, stop) = (Arc::clone(&web), Arc::clone(&load.stop));
            let (tally, last) = (Arc::clone(&load.refreshes), Arc::clone(&load.last));
            load.workers.push(thread::spawn(move || {
                let mut current = first;
                while !stop.load(Ordering::Relaxed) {
                    if let Some(next) = refresh_twice(&https, &url, &web, &current, &tally) {
                        last.lock().unwrap()[place].clone_from(&next);
                        current = next;
                    }
                    thread::sleep(PAUSE * 2);
                }
            }));
        }
        load
    }

    /// Waits until tokens are given again, both kinds, so many.
    #[track_caller]
    pub(crate) fn goes_on(&self, what: &str) -> Duration {
        let goal = (self.machines.given() + 10, self.refreshes.given() + 4);
        let begun = Instant::now();
        while self.machines.given() < goal.0 || self.refreshes.given() < goal.1 {
            assert!(
                begun.elapsed() < crate::world::LIMIT,
                "{what}: tokens are not given again: {self:?}"
            );
            assert!(
                self.workers.iter().all(|worker| !worker.is_finished()),
                "{what}: a client gave up"
            );
            thread::sleep(PAUSE);
        }
        begun.elapsed()
    }

    /// Ends it; a client that was told something wrong has failed the test.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        for worker in self.workers.drain(..) {
            worker.join().unwrap();
        }
        self.last.lock().unwrap().clone()
    }
}

impl std::fmt::Debug for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "machines {:?}, refreshes {:?}, verified {:?}",
            self.machines, self.refreshes, self.verified
        )
    }
}

/// Who verifies tokens: by keys that it fetched before the first fault, with no leeway at all.
struct Verifier(VerifierSet);

impl Verifier {
    fn fetch(https: &Https, url: &str) -> Self {
        let keys = https.get(url, &[]).unwrap();
        let keys = JwkSet::parse(&keys.body).unwrap();
        Self(VerifierSet::new(&keys, &[Algorithm::Es256, Algorithm::Rs256]).unwrap())
    }

    /// A token that was given is good at once, for as long as it was said to be.
    fn accepts(&self, token: &Value, tally: &Tally) {
        let text = token["access_token"].as_str().unwrap();
        let verified = self.0.verify(UnverifiedJwt::parse(text).unwrap());
        let claims: Value = verified.expect("a good token is refused").claims().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let at = |name: &str| claims[name].as_u64().unwrap();
        assert!(at("iat") <= now && at("exp") > now + 30, "{now}: {claims}");
        tally.given.fetch_add(1, Ordering::Relaxed);
    }
}

/// One token used twice at once, at whichever nodes: whoever gets an answer gets the same child. `None` when both lost
/// theirs: then the token is used again.
fn refresh_twice(
    https: &Https,
    url: &str,
    web: &Arc<Credentials>,
    current: &str,
    tally: &Arc<Tally>,
) -> Option<String> {
    let one = {
        let (https, url, web) = (https.clone(), url.to_owned(), Arc::clone(web));
        let (tally, current) = (Arc::clone(tally), current.to_owned());
        thread::spawn(move || refresh(&https, &url, &web, &current, &tally))
    };
    let two = refresh(https, url, web, current, tally);
    let children: Vec<String> = [one.join().unwrap(), two].into_iter().flatten().collect();
    if let [one, two] = children.as_slice() {
        assert_eq!(one, two, "one refresh token gave two children");
    }
    children.into_iter().next()
}

fn refresh(https: &Https, url: &str, web: &Credentials, current: &str, tally: &Tally) -> Option<String> {
    let form = [("grant_type", "refresh_token"), ("refresh_token", current)];
    match tally.note("refresh", web.ask(https, url, &form)) {
        Told::Given(token) => Some(token["refresh_token"].as_str().unwrap().to_owned()),
        Told::Later => None,
    }
}
