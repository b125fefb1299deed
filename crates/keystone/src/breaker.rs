//! Leaves a Keystone alone that failed several times in a row, and tries it with one call after a pause.

use std::time::Duration;

use parking_lot::Mutex;
use rustls_pki_types::UnixTime;

use crate::moment;

#[derive(Debug, Default)]
struct State {
    failures: u32,
    opened_at: Option<UnixTime>,
    trying: bool,
}

#[derive(Debug)]
pub(crate) struct Breaker {
    threshold: u32,
    pause: Duration,
    state: Mutex<State>,
}

/// A call that was let through. Dropped without a report, it says nothing.
pub(crate) struct Admitted<'a> {
    breaker: &'a Breaker,
    is_trial: bool,
    reported: bool,
}

impl Breaker {
    pub(crate) fn new(threshold: u32, pause: Duration) -> Self {
        Self {
            threshold: threshold.max(1),
            pause,
            state: Mutex::default(),
        }
    }

    /// Lets the call through, or says how long Keystone is left alone.
    pub(crate) fn admit(&self, now: UnixTime) -> Result<Admitted<'_>, Duration> {
        let mut state = self.state.lock();
        let is_trial = match state.opened_at {
            None => false,
            Some(opened_at) => {
                // A clock that was set back ends the pause: better a call too many than none for hours.
                let passed = moment::since(opened_at, now).unwrap_or(self.pause);
                let left = self.pause.saturating_sub(passed);
                if !left.is_zero() {
                    return Err(left);
                }
                if state.trying {
                    return Err(Duration::from_secs(1));
                }
                state.trying = true;
                true
            }
        };
        Ok(Admitted {
            breaker: self,
            is_trial,
            reported: false,
        })
    }
}

impl Admitted<'_> {
    /// Keystone answered.
    pub(crate) fn succeeded(mut self) {
        self.reported = true;
        let mut state = self.breaker.state.lock();
        if state.opened_at.is_some() {
            tracing::info!("Keystone answers again");
        }
        *state = State::default();
    }

    /// Keystone did not answer, or could not.
    pub(crate) fn failed(mut self, now: UnixTime) {
        self.reported = true;
        let mut state = self.breaker.state.lock();
        state.failures = state.failures.saturating_add(1);
        if self.is_trial {
            state.trying = false;
            state.opened_at = Some(now);
        } else if state.failures >= self.breaker.threshold && state.opened_at.is_none() {
            tracing::warn!(failures = state.failures, "Keystone is left alone for a while");
            state.opened_at = Some(now);
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if self.is_trial && !self.reported {
            self.breaker.state.lock().trying = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn open(breaker: &Breaker) {
        for _ in 0..3 {
            breaker.admit(at(100)).ok().unwrap().failed(at(100));
        }
    }

    #[test]
    fn q06_opens_after_failures_in_a_row_and_tries_once() {
        let breaker = Breaker::new(3, Duration::from_secs(5));
        breaker.admit(at(100)).ok().unwrap().failed(at(100));
        breaker.admit(at(100)).ok().unwrap().failed(at(100));
        breaker.admit(at(100)).ok().unwrap().succeeded();
        open(&breaker);
        assert_eq!(breaker.admit(at(101)).err(), Some(Duration::from_secs(4)));
        let trial = breaker.admit(at(105)).ok().unwrap();
        assert!(breaker.admit(at(105)).is_err(), "one trial at a time");
        trial.failed(at(106));
        assert_eq!(breaker.admit(at(106)).err(), Some(Duration::from_secs(5)));
        breaker.admit(at(111)).ok().unwrap().succeeded();
        assert!(breaker.admit(at(111)).is_ok() && breaker.admit(at(111)).is_ok());
    }

    #[test]
    fn a_trial_that_is_given_up_and_a_clock_set_back_close_nobody_out() {
        let breaker = Breaker::new(3, Duration::from_secs(5));
        open(&breaker);
        drop(breaker.admit(at(105)).ok().unwrap());
        drop(breaker.admit(at(105)).ok().unwrap());
        assert!(breaker.admit(at(50)).is_ok());
    }
}
