//! What came back, counted.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// Times are kept to seven binary digits: within one part in a hundred, in some thousand places at most, however many
/// requests there are.
const DIGITS: u32 = 7;

/// Answers, errors and times.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How often each latency was seen, in microseconds.
    latencies: BTreeMap<u64, u64>,
    /// By RFC code, or by status where the answer has none.
    errors: BTreeMap<String, u64>,
    pub(crate) elapsed: Duration,
    pub(crate) handshakes: u64,
}

impl Tally {
    pub(crate) fn given(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        let beyond = (u64::BITS - micros.leading_zeros()).saturating_sub(DIGITS);
        *self.latencies.entry((micros >> beyond) << beyond).or_default() += 1;
    }

    pub(crate) fn failed(&mut self, code: &str) {
        *self.errors.entry(code.to_owned()).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (latency, count) in other.latencies {
            *self.latencies.entry(latency).or_default() += count;
        }
        for (code, count) in other.errors {
            *self.errors.entry(code).or_default() += count;
        }
        self.handshakes += other.handshakes;
    }

    pub(crate) fn has_no_fault(&self) -> bool {
        self.errors.is_empty() && !self.latencies.is_empty()
    }

    fn successes(&self) -> u64 {
        self.latencies.values().sum()
    }

    fn per_second(&self) -> f64 {
        self.successes() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// The time, in microseconds, within which this share of the requests were answered.
    fn percentile(&self, share: f64) -> u64 {
        let wanted = (self.successes() as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (latency, count) in &self.latencies {
            seen += count;
            if seen >= wanted {
                return *latency;
            }
        }
        0
    }

    const SHARES: [(&str, f64); 5] = [
        ("p50", 0.5),
        ("p90", 0.9),
        ("p99", 0.99),
        ("p99.9", 0.999),
        ("max", 1.0),
    ];

    pub(crate) fn to_json(&self) -> Value {
        let latency: BTreeMap<&str, u64> = Self::SHARES
            .map(|(name, share)| (name, self.percentile(share)))
            .into();
        json!({
            "elapsed_s": self.elapsed.as_secs_f64(),
            "successes": self.successes(),
            "per_second": self.per_second(),
            "handshakes": self.handshakes,
            "latency_us": latency,
            "errors": self.errors,
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} answered in {:.1} s: {:.0} a second, over {} handshakes",
            self.successes(),
            self.elapsed.as_secs_f64(),
            self.per_second(),
            self.handshakes
        )?;
        let shares = Self::SHARES.into_iter().filter(|_| !self.latencies.is_empty());
        for (name, share) in shares {
            writeln!(
                f,
                "  {name:<6} {:>9.3} ms",
                self.percentile(share) as f64 / 1_000.0
            )?;
        }
        if self.errors.is_empty() {
            return writeln!(f, "no errors");
        }
        let failed: u64 = self.errors.values().sum();
        writeln!(f, "{failed} refused or failed:")?;
        for (code, count) in &self.errors {
            writeln!(f, "  {count:>9}  {code}")?;
        }
        Ok(())
    }
}
