//! The connections at work.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::options::{Flow, Options};
use crate::tally::Tally;
use crate::target::{Fault, Target};
use crate::wire::{Address, Answer, Wire};

/// After a connection that broke: a server that is gone is not asked thousands of times a second.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks for as long as it was told, and gives what came.
pub(crate) async fn drive(options: &Options, target: Target) -> Result<Tally, Fault> {
    let begun = Instant::now();
    let until = begun + Duration::from_secs(u64::from(options.duration_s));
    let connections = u32::from(options.connections.get());
    let mut workers = JoinSet::new();
    for place in 0..connections {
        let worker = Worker {
            place: usize::try_from(place)?,
            at: options
                .connect
                .iter()
                .cycle()
                .nth(usize::try_from(place)?)
                .cloned(),
            flow: options.flow,
            reconnects: options.reconnect,
            // Each connection's share of the rate, one after the other.
            due: options.rate.map(|rate| {
                let between = Duration::from_secs(u64::from(connections)) / rate.get();
                (begun + between * place / connections, between)
            }),
            token: target
                .refresh_tokens
                .get(usize::try_from(place)?)
                .cloned()
                .unwrap_or_default(),
            target: target.clone(),
            wire: None,
            tally: Tally::default(),
        };
        workers.spawn(worker.work(until));
    }
    let mut tally = Tally::default();
    let mut last = target.refresh_tokens;
    while let Some(done) = workers.join_next().await {
        let (place, one, token) = done?;
        tally.add(one);
        if let Some(kept) = last.get_mut(place) {
            *kept = token;
        }
    }
    tally.elapsed = begun.elapsed();
    if let Some(file) = options
        .refresh_tokens
        .as_ref()
        .filter(|_| options.flow == Flow::RefreshToken)
    {
        fs::write(file, last.join("\n") + "\n")?;
    }
    Ok(tally)
}

/// One connection.
struct Worker {
    place: usize,
    at: Option<String>,
    flow: Flow,
    reconnects: bool,
    /// When the next request is due, and the time between two.
    due: Option<(Instant, Duration)>,
    /// The access token that is asked about, or the refresh token that is used next.
    token: String,
    target: Target,
    wire: Option<Wire>,
    tally: Tally,
}

impl Worker {
    async fn work(mut self, until: Instant) -> (usize, Tally, String) {
        loop {
            let begun = match &mut self.due {
                None => Instant::now(),
                Some((due, between)) => {
                    let now = *due;
                    *due += *between;
                    now
                }
            };
            if begun >= until || Instant::now() >= until {
                return (self.place, self.tally, self.token);
            }
            sleep_until(begun).await;
            if self.reconnects {
                self.wire = None;
            }
            match self.once().await {
                Ok(answer) if answer.status == 200 => self.tally.given(begun.elapsed()),
                Ok(answer) => self.tally.failed(&code(&answer)),
                Err(error) => {
                    self.wire = None;
                    self.tally.failed(&format!("broken: {error}"));
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn once(&mut self) -> Result<Answer, Fault> {
        let scope = self.target.scope.clone();
        match self.flow {
            Flow::ClientCredentials => self.issue(&scope).await,
            Flow::RefreshToken => {
                let form = [
                    ("grant_type", "refresh_token"),
                    ("refresh_token", &self.token.clone()),
                ];
                let answer = self.ask(Endpoint::Token, &form).await?;
                if let Some(next) = member(&answer, "refresh_token") {
                    self.token = next;
                }
                Ok(answer)
            }
            Flow::Introspection => {
                if self.token.is_empty() {
                    let answer = self.issue(&scope).await?;
                    if answer.status != 200 {
                        return Ok(answer);
                    }
                }
                let answer = self
                    .ask(Endpoint::Next, &[("token", &self.token.clone())])
                    .await?;
                if active(&answer) == Some(false) {
                    // It has ended; the next one is asked about.
                    self.token.clear();
                }
                Ok(answer)
            }
            Flow::Revocation => {
                let answer = self.issue(&scope).await?;
                if answer.status != 200 {
                    return Ok(answer);
                }
                self.ask(Endpoint::Next, &[("token", &self.token.clone())]).await
            }
        }
    }

    async fn issue(&mut self, scope: &str) -> Result<Answer, Fault> {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        let answer = self.ask(Endpoint::Token, &form).await?;
        if let Some(token) = member(&answer, "access_token").filter(|_| self.flow != Flow::ClientCredentials)
        {
            self.token = token;
        }
        Ok(answer)
    }

    async fn ask(&mut self, endpoint: Endpoint, form: &[(&str, &str)]) -> Result<Answer, Fault> {
        let address = match endpoint {
            Endpoint::Token => &self.target.token,
            Endpoint::Next => &self.target.next,
        };
        let address = address.clone().at(self.at.as_ref());
        let mut text = String::new();
        for (name, value) in form.iter().filter(|(_, value)| !value.is_empty()) {
            push(&mut text, name, value);
        }
        let authorization = self.target.authorization.clone();
        if authorization.is_none() {
            push(&mut text, "client_id", &self.target.client);
        }
        let wire = self.wire(&address).await?;
        wire.post(&address, authorization.as_deref(), Bytes::from(text))
            .await
    }

    async fn wire(&mut self, address: &Address) -> Result<&mut Wire, Fault> {
        if self.wire.is_none() {
            self.wire = Some(Wire::open(address, &self.target.tls).await?);
            self.tally.handshakes += 1;
        }
        self.wire.as_mut().ok_or_else(|| "no connection".into())
    }
}

#[derive(Clone, Copy)]
enum Endpoint {
    Token,
    Next,
}

/// The RFC's code of an error, or its status.
fn code(answer: &Answer) -> String {
    member(answer, "error").unwrap_or_else(|| format!("status {} without an error code", answer.status))
}

fn member(answer: &Answer, name: &str) -> Option<String> {
    let json: Value = serde_json::from_slice(&answer.body).ok()?;
    json.get(name)?.as_str().map(str::to_owned)
}

fn active(answer: &Answer) -> Option<bool> {
    let json: Value = serde_json::from_slice(&answer.body).ok()?;
    json.get("active")?.as_bool()
}

/// `name=value` as forms have it.
fn push(text: &mut String, name: &str, value: &str) {
    if !text.is_empty() {
        text.push('&');
    }
    text.push_str(name);
    text.push('=');
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            text.push(char::from(octet));
        } else {
            text.push_str(&format!("%{octet:02X}"));
        }
    }
}
