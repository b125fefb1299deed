use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use sealstone_provider::Sharded;

use crate::latency::{self, Latencies};
use crate::limit::Refusals;
use crate::route::Endpoint;

/// The statuses that are counted apart; any other counts as the last.
const STATUSES: [u16; 15] = [
    200, 303, 304, 400, 401, 403, 404, 405, 408, 413, 429, 500, 502, 503, 0,
];

/// Requests by endpoint and status, and how long they took: fixed tables, whatever is asked for.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    rows: Sharded<[Row; Endpoint::ALL.len()]>,
    refusals: Arc<Refusals>,
}

#[derive(Debug, Default)]
struct Row {
    answers: [AtomicU64; STATUSES.len()],
    latencies: Latencies,
}

impl Metrics {
    /// What limits count.
    pub(crate) const fn refusals(&self) -> &Arc<Refusals> {
        &self.refusals
    }

    pub(crate) fn count(&self, endpoint: Endpoint, status: StatusCode, taken: Duration) {
        let (table, _) = self.rows.own();
        let place = Endpoint::ALL.iter().position(|other| *other == endpoint);
        let Some(row) = place.and_then(|place| table.get(place)) else {
            return;
        };
        row.latencies.count(taken);
        let last = STATUSES.len().saturating_sub(1);
        let column = STATUSES
            .iter()
            .position(|other| *other == status.as_u16())
            .unwrap_or(last);
        if let Some(cell) = row.answers.get(column) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The text format that scrapers read; only what has been counted.
    pub(crate) fn to_text(&self, identity_answers: &[(&str, u64)]) -> String {
        let mut text = String::from(
            "# HELP sealstone_http_answers_total Answers by endpoint and status.\n# TYPE sealstone_http_answers_total counter\n",
        );
        for (row, endpoint) in Endpoint::ALL.iter().enumerate() {
            for (column, status) in STATUSES.iter().enumerate() {
                let count = self.rows.sum(|table| {
                    let cell = table.get(row).and_then(|row| row.answers.get(column));
                    cell.map_or(0, |cell| cell.load(Ordering::Relaxed))
                });
                let status = if *status == 0 {
                    "other".to_owned()
                } else {
                    status.to_string()
                };
                if count > 0 {
                    let name = endpoint.as_str();
                    // Writing into a String does not fail.
                    let _ = writeln!(
                        text,
                        "sealstone_http_answers_total{{endpoint=\"{name}\",status=\"{status}\"}} {count}"
                    );
                }
            }
        }
        text.push_str(
            "# HELP sealstone_identity_answers_total What the Keystone identity source answered about tied clients.\n# TYPE sealstone_identity_answers_total counter\n",
        );
        for (outcome, count) in identity_answers.iter().filter(|(_, count)| *count > 0) {
            let _ = writeln!(
                text,
                "sealstone_identity_answers_total{{outcome=\"{outcome}\"}} {count}"
            );
        }
        text.push_str(
            "# HELP sealstone_http_limited_total Requests that a limit refused.\n# TYPE sealstone_http_limited_total counter\n",
        );
        for (limit, count) in self.refusals.counts() {
            let _ = writeln!(text, "sealstone_http_limited_total{{limit=\"{limit}\"}} {count}");
        }
        text.push_str(latency::HEAD);
        for (row, endpoint) in Endpoint::ALL.iter().enumerate() {
            let read = |read: &dyn Fn(&Latencies) -> u64| {
                self.rows
                    .sum(|table| table.get(row).map_or(0, |row| read(&row.latencies)))
            };
            latency::write(endpoint.as_str(), read, &mut text);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use std::time::Duration;

    use super::Metrics;
    use crate::route::Endpoint;

    #[test]
    fn counted_by_endpoint_and_status() {
        let metrics = Metrics::default();
        metrics.count(Endpoint::Token, StatusCode::OK, Duration::from_micros(1));
        metrics.count(Endpoint::Token, StatusCode::OK, Duration::from_micros(1));
        metrics.count(
            Endpoint::Unknown,
            StatusCode::IM_A_TEAPOT,
            Duration::from_micros(1),
        );
        let text = metrics.to_text(&[("given", 2), ("failed", 0)]);
        assert!(text.contains("{endpoint=\"token\",status=\"200\"} 2\n"), "{text}");
        assert!(
            text.contains("{endpoint=\"unknown\",status=\"other\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("{outcome=\"given\"} 2\n") && !text.contains("failed"),
            "{text}"
        );
        let answers = text
            .lines()
            .filter(|line| line.starts_with("sealstone_http_answers_total{"));
        assert_eq!(answers.count(), 2);
    }
}
