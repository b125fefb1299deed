//! What a bridge has done, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Counts {
    requests: AtomicU64,
    to_jws: AtomicU64,
    to_fernet: AtomicU64,
    remembered: AtomicU64,
    refused: AtomicU64,
    malformed: AtomicU64,
    echoes: AtomicU64,
    unanswered: AtomicU64,
    surprises: AtomicU64,
}

/// Something that is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    Request,
    ToJws,
    ToFernet,
    Remembered,
    Refused,
    Malformed,
    Echo,
    Unanswered,
    Surprise,
}

impl Counts {
    pub(crate) fn count(&self, event: Event) {
        let counter = match event {
            Event::Request => &self.requests,
            Event::ToJws => &self.to_jws,
            Event::ToFernet => &self.to_fernet,
            Event::Remembered => &self.remembered,
            Event::Refused => &self.refused,
            Event::Malformed => &self.malformed,
            Event::Echo => &self.echoes,
            Event::Unanswered => &self.unanswered,
            Event::Surprise => &self.surprises,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn totals(&self) -> Totals {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            requests: of(&self.requests),
            to_jws: of(&self.to_jws),
            to_fernet: of(&self.to_fernet),
            remembered: of(&self.remembered),
            refused: of(&self.refused),
            malformed: of(&self.malformed),
            echoes: of(&self.echoes),
            unanswered: of(&self.unanswered),
            surprises: of(&self.surprises),
        }
    }
}

/// What a bridge has done since it started. `Display` is a line for a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Requests that came.
    pub requests: u64,
    /// Tokens that were written as JWS.
    pub to_jws: u64,
    /// Tokens that were written as Fernet.
    pub to_fernet: u64,
    /// Tokens whose other form was known still; they count in neither of the two before.
    pub remembered: u64,
    /// Tokens that were not translated, and not passed on.
    pub refused: u64,
    /// Requests that were answered with a 4xx for their form.
    pub malformed: u64,
    /// Answers in which the node's token was put back to the client's.
    pub echoes: u64,
    /// Requests that the node did not answer.
    pub unanswered: u64,
    /// Tokens that the node issued in another form than the one it was taken to issue.
    pub surprises: u64,
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} requests; tokens: {} to jws, {} to fernet, {} known still, {} refused, {} put back in answers; \
             {} malformed, {} unanswered, {} issued in another form than expected",
            self.requests,
            self.to_jws,
            self.to_fernet,
            self.remembered,
            self.refused,
            self.echoes,
            self.malformed,
            self.unanswered,
            self.surprises
        )
    }
}
