//! How long answers take, by endpoint.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Upper bounds in microseconds, and as seconds in the text: a signature takes a fraction of the first, a person's
/// password some of the middle, the request's deadline ends after the last.
const BOUNDS: [(u64, &str); 12] = [
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (10_000_000, "10"),
    (30_000_000, "30"),
];

/// How long the answers of one endpoint took, as far as one thread gave them.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    /// One more than the bounds: what took longer.
    counts: [AtomicU64; BOUNDS.len().saturating_add(1)],
    micros: AtomicU64,
}

/// What the histogram begins with.
pub(crate) const HEAD: &str = "# HELP sealstone_http_answer_seconds From a request's head to the head of its answer.\n# TYPE sealstone_http_answer_seconds histogram\n";

/// When a request came. What passes in between is measured, and nothing is decided by it.
#[expect(clippy::disallowed_methods, reason = "how long this program works, not when")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

impl Latencies {
    pub(crate) fn count(&self, taken: Duration) {
        let micros = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|(bound, _)| micros <= *bound);
        if let Some(cell) = self.counts.get(bucket.unwrap_or(BOUNDS.len())) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn bucket(&self, place: usize) -> u64 {
        let cell = self.counts.get(place);
        cell.map_or(0, |cell| cell.load(Ordering::Relaxed))
    }
}

/// The histogram of an endpoint in the text format of scrapers, if it was asked. `sum` adds up what the threads counted.
pub(crate) fn write(name: &str, sum: impl Fn(&dyn Fn(&Latencies) -> u64) -> u64, text: &mut String) {
    let mut below = 0_u64;
    let buckets = (0..=BOUNDS.len()).map(|place| {
        below = below.saturating_add(sum(&|latencies: &Latencies| latencies.bucket(place)));
        below
    });
    let buckets: Vec<u64> = buckets.collect();
    let all = buckets.last().copied().unwrap_or_default();
    if all == 0 {
        return;
    }
    for ((_, bound), count) in BOUNDS.iter().zip(buckets) {
        // Writing into a String does not fail.
        let _ = writeln!(
            text,
            "sealstone_http_answer_seconds_bucket{{endpoint=\"{name}\",le=\"{bound}\"}} {count}"
        );
    }
    let micros = sum(&|latencies: &Latencies| latencies.micros.load(Ordering::Relaxed));
    let total = Duration::from_micros(micros).as_secs_f64();
    let _ = writeln!(
        text,
        "sealstone_http_answer_seconds_bucket{{endpoint=\"{name}\",le=\"+Inf\"}} {all}\n\
         sealstone_http_answer_seconds_sum{{endpoint=\"{name}\"}} {total}\n\
         sealstone_http_answer_seconds_count{{endpoint=\"{name}\"}} {all}"
    );
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Latencies, write};

    #[test]
    fn buckets_add_up() {
        let latencies = Latencies::default();
        for micros in [400, 500, 501, 90_000, 90_000_000] {
            latencies.count(Duration::from_micros(micros));
        }
        let mut text = String::new();
        write("token", |read| read(&latencies), &mut text);
        write("jwks", |read| read(&Latencies::default()), &mut text);
        for line in [
            "_bucket{endpoint=\"token\",le=\"0.0005\"} 2\n",
            "_bucket{endpoint=\"token\",le=\"0.001\"} 3\n",
            "_bucket{endpoint=\"token\",le=\"0.1\"} 4\n",
            "_bucket{endpoint=\"token\",le=\"30\"} 4\n",
            "_bucket{endpoint=\"token\",le=\"+Inf\"} 5\n",
            "_sum{endpoint=\"token\"} 90.091401\n",
            "_count{endpoint=\"token\"} 5\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        assert!(!text.contains("jwks"), "{text}");
    }
}
