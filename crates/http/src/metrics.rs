use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

use crate::latency::Latencies;
use crate::route::Endpoint;

/// The statuses that are counted apart; any other counts as the last.
const STATUSES: [u16; 15] = [
    200, 303, 304, 400, 401, 403, 404, 405, 408, 413, 429, 500, 502, 503, 0,
];

/// Requests by endpoint and status: a fixed table, whatever is asked for.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    answers: [[AtomicU64; STATUSES.len()]; Endpoint::ALL.len()],
    pub(crate) latencies: Latencies,
}

impl Metrics {
    pub(crate) fn count(&self, endpoint: Endpoint, status: StatusCode) {
        let row = Endpoint::ALL.iter().position(|other| *other == endpoint);
        let last = STATUSES.len().saturating_sub(1);
        let column = STATUSES
            .iter()
            .position(|other| *other == status.as_u16())
            .unwrap_or(last);
        if let Some(cell) = row
            .and_then(|row| self.answers.get(row))
            .and_then(|row| row.get(column))
        {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The text format that scrapers read; only what has been counted.
    pub(crate) fn to_text(&self, identity_answers: &[(&str, u64)]) -> String {
        let mut text = String::from(
            "# HELP sealstone_http_answers_total Answers by endpoint and status.\n# TYPE sealstone_http_answers_total counter\n",
        );
        for (endpoint, row) in Endpoint::ALL.iter().zip(&self.answers) {
            for (status, cell) in STATUSES.iter().zip(row) {
                let count = cell.load(Ordering::Relaxed);
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
        self.latencies.write(&mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::Metrics;
    use crate::route::Endpoint;

    #[test]
    fn counted_by_endpoint_and_status() {
        let metrics = Metrics::default();
        metrics.count(Endpoint::Token, StatusCode::OK);
        metrics.count(Endpoint::Token, StatusCode::OK);
        metrics.count(Endpoint::Unknown, StatusCode::IM_A_TEAPOT);
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
        assert_eq!(text.lines().count(), 9);
    }
}
