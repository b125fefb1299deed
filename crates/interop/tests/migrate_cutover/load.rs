//! Users in a loop, and what they met.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// A debug database on a busy machine answers late.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two requests of one user: two cores carry Keystone and all of them.
const PAUSE: Duration = Duration::from_millis(500);
/// How long before its end a token is replaced, as keystoneauth does.
const STALE: Duration = Duration::from_secs(10);

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) token: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// One request over plain HTTP, on a connection of its own.
pub(crate) fn ask(
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer, String> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    let mut stream = TcpStream::connect(host).map_err(|error| error.to_string())?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .map_err(|error| error.to_string())?;
    stream
        .write_all(request.as_bytes())
        .map_err(|error| error.to_string())?;
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).map_err(|error| error.to_string())?;
    let end = raw
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or("no answer")?;
    let head = String::from_utf8_lossy(&raw[..end]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or("no status")?;
    let token = head.lines().filter_map(|line| line.split_once(':'));
    let mut token = token.filter(|(name, _)| name.eq_ignore_ascii_case("x-subject-token"));
    Ok(Answer {
        status,
        token: token.next().map(|(_, value)| value.trim().to_owned()),
        body: raw[end + 4..].to_vec(),
    })
}

/// Something that a user met and should not have.
#[derive(Clone, Debug)]
pub(crate) struct Met {
    pub(crate) at: u64,
    pub(crate) who: &'static str,
    pub(crate) what: String,
    /// What the token was that was shown, by its looks.
    pub(crate) form: &'static str,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    /// Requests that were answered as they should be.
    good: AtomicUsize,
    met: Mutex<Vec<Met>>,
    /// Revoked tokens that were taken.
    revoked_taken: Mutex<Vec<String>>,
    revoked_refused: AtomicUsize,
    /// When a token was shown that nobody replaces, and what the answer was.
    kept: Mutex<Vec<(u64, u16)>>,
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn form(token: &str) -> &'static str {
    if token.matches('.').count() == 2 {
        "jws"
    } else {
        "fernet"
    }
}

/// Everybody. They stop when this is dropped.
pub(crate) struct Load {
    shared: Arc<Shared>,
    users: Vec<JoinHandle<()>>,
}

/// What they met.
pub(crate) struct Report {
    pub(crate) good: usize,
    pub(crate) met: Vec<Met>,
    pub(crate) revoked_taken: Vec<String>,
    pub(crate) revoked_refused: usize,
    pub(crate) kept: Vec<(u64, u16)>,
}

struct User {
    who: &'static str,
    host: String,
    login: String,
    shared: Arc<Shared>,
}

impl Load {
    /// Users of every kind of `accounts` that log in again and again, holders of tokens, and some who revoke theirs.
    pub(crate) fn start(host: &str, accounts: &[Value]) -> Self {
        let mut load = Self {
            shared: Arc::default(),
            users: Vec::new(),
        };
        type Work = fn(&User);
        let all: [(&'static str, &str, Work); 6] = [
            ("password", "project", User::logs_in),
            ("application credential", "application_credential", User::logs_in),
            ("holder", "project", User::holds),
            ("holder by trust", "trust", User::holds),
            (
                "holder by application credential",
                "application_credential",
                User::holds,
            ),
            ("revoker", "project", User::revokes),
        ];
        for (who, kind, work) in all {
            load.join(host, accounts, who, kind, work);
        }
        load
    }

    /// One more, with a token that was pasted somewhere: whatever becomes of it, there is no other.
    pub(crate) fn with_a_kept_token(mut self, host: &str, accounts: &[Value]) -> Self {
        self.join(host, accounts, "keeper", "project", User::keeps);
        self
    }

    fn join(&mut self, host: &str, accounts: &[Value], who: &'static str, kind: &str, work: fn(&User)) {
        let found = accounts.iter().find(|account| account["kind"] == kind).unwrap();
        let user = User {
            who,
            host: host.to_owned(),
            login: json!({"auth": found["auth"]}).to_string(),
            shared: Arc::clone(&self.shared),
        };
        self.users.push(thread::spawn(move || work(&user)));
    }

    pub(crate) fn good(&self) -> usize {
        self.shared.good.load(Ordering::Relaxed)
    }

    /// How often the kept token was shown.
    pub(crate) fn kept(&self) -> usize {
        self.shared.kept.lock().unwrap().len()
    }

    /// Everybody goes home.
    pub(crate) fn end(mut self) -> Report {
        self.shared.over.store(true, Ordering::Relaxed);
        for user in self.users.drain(..) {
            user.join().unwrap();
        }
        Report {
            good: self.good(),
            met: self.shared.met.lock().unwrap().clone(),
            revoked_taken: self.shared.revoked_taken.lock().unwrap().clone(),
            revoked_refused: self.shared.revoked_refused.load(Ordering::Relaxed),
            kept: self.shared.kept.lock().unwrap().clone(),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
    }
}

impl User {
    fn goes_on(&self) -> bool {
        thread::sleep(PAUSE);
        !self.shared.over.load(Ordering::Relaxed)
    }

    /// Counts an answer; `token` is what was shown.
    fn met(&self, what: &str, want: u16, answer: &Result<Answer, String>, token: &str) -> bool {
        let found = match answer {
            Ok(answer) if answer.status == want => {
                self.shared.good.fetch_add(1, Ordering::Relaxed);
                return true;
            }
            Ok(answer) => format!(
                "{what}: {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            ),
            Err(error) => format!("{what}: {error}"),
        };
        self.shared.met.lock().unwrap().push(Met {
            at: now(),
            who: self.who,
            what: found,
            form: form(token),
        });
        false
    }

    fn log_in(&self) -> Option<(String, Instant)> {
        let answer = ask(
            &self.host,
            "POST",
            "/v3/auth/tokens?nocatalog",
            &[("content-type", "application/json")],
            &self.login,
        );
        self.met("login", 201, &answer, "gAAAA");
        let answer = answer.ok().filter(|answer| answer.status == 201)?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let time = |name: &str| {
            let text = body["token"][name].as_str().unwrap();
            let format = time::format_description::well_known::Rfc3339;
            time::OffsetDateTime::parse(text, &format)
                .unwrap()
                .unix_timestamp()
        };
        let life = u64::try_from(time("expires_at") - time("issued_at")).unwrap();
        Some((
            answer.token?,
            Instant::now() + Duration::from_secs(life).saturating_sub(STALE),
        ))
    }

    fn show(&self, method: &str, path: &str, token: &str) -> Result<Answer, String> {
        ask(
            &self.host,
            method,
            path,
            &[("x-auth-token", token), ("x-subject-token", token)],
            "",
        )
    }

    fn logs_in(&self) {
        while self.goes_on() {
            let Some((token, _)) = self.log_in() else { continue };
            self.met(
                "validate",
                200,
                &self.show("GET", "/v3/auth/tokens?nocatalog", &token),
                &token,
            );
            self.met("use", 200, &self.show("GET", "/v3/auth/projects", &token), &token);
        }
    }

    /// Keeps its token as long as it lives, and logs in anew when it is refused, as keystoneauth does.
    fn holds(&self) {
        let mut held: Option<(String, Instant)> = None;
        while self.goes_on() {
            let fresh = held.take().filter(|(_, stale)| Instant::now() < *stale);
            let Some((token, stale)) = fresh.or_else(|| self.log_in()) else {
                continue;
            };
            let answer = self.show("GET", "/v3/auth/projects", &token);
            if self.met("hold", 200, &answer, &token) {
                held = Some((token, stale));
            }
        }
    }

    /// Shows one token as long as this goes on.
    fn keeps(&self) {
        let Some((token, _stale)) = self.log_in() else {
            return;
        };
        while self.goes_on() {
            // When it was asked and when it was answered: the switch may lie in between.
            let before = now();
            if let Ok(answer) = self.show("GET", "/v3/auth/projects", &token)
                && before == now()
            {
                self.shared.kept.lock().unwrap().push((before, answer.status));
            }
        }
    }

    /// Whoever revokes a token wants nobody to take it again, in whichever form the pool is by then.
    fn revokes(&self) {
        let mut dead: Vec<(String, Instant)> = Vec::new();
        while self.goes_on() {
            let Some((token, stale)) = self.log_in() else {
                continue;
            };
            if !self.met(
                "before it is revoked",
                200,
                &self.show("GET", "/v3/auth/projects", &token),
                &token,
            ) {
                continue;
            }
            if !self.met(
                "revoke",
                204,
                &self.show("DELETE", "/v3/auth/tokens", &token),
                &token,
            ) {
                continue;
            }
            dead.push((token, stale));
            dead.retain(|(_, stale)| Instant::now() < *stale);
            // The newest, the oldest and one in between.
            for place in [dead.len().saturating_sub(1), 0, dead.len() / 2] {
                let Some((token, _)) = dead.get(place) else {
                    continue;
                };
                match self.show("GET", "/v3/auth/projects", token) {
                    Ok(answer) if answer.status == 401 => {
                        self.shared.revoked_refused.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(answer) if answer.status == 200 => {
                        self.shared
                            .revoked_taken
                            .lock()
                            .unwrap()
                            .push(form(token).to_owned());
                    }
                    other => {
                        self.met("a revoked token", 401, &other, token);
                    }
                }
            }
        }
    }
}
