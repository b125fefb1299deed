//! Holds `docs/reference/endpoints.md`, `docs/reference/metrics.md` and a part of `docs/reference/errors.md` to the code.

use std::collections::BTreeSet;

use http::StatusCode;

use crate::metrics::Metrics;
use crate::os_oauth2;
use crate::route::{Endpoint, Method};

const ENDPOINTS: &str = include_str!("../../../docs/reference/endpoints.md");
const ERRORS: &str = include_str!("../../../docs/reference/errors.md");
const METRICS: &str = include_str!("../../../docs/reference/metrics.md");

#[test]
fn every_route_is_documented_with_its_methods() {
    let table = ENDPOINTS.split("| Path | Methods | For |\n").nth(1).unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|')).skip(1);
    let listed: BTreeSet<(String, String)> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            (cells[0].trim_matches('`').to_owned(), cells[1].to_owned())
        })
        .collect();
    let routes = Endpoint::ALL.into_iter().filter_map(|endpoint| {
        let path = endpoint.path("")?;
        let path = path
            .strip_prefix("/v4/oauth2/{domain_id}")
            .unwrap_or(&path)
            .to_owned();
        let methods = match endpoint.method()? {
            Method::Form(_) | Method::Keystone => "POST",
            Method::Document(_) | Method::Health => "GET, HEAD",
            Method::Absent(_) => "any",
            Method::Userinfo => "GET, POST",
            Method::Browser(endpoint) => endpoint.methods(),
            Method::Administration(endpoint) => endpoint.methods(),
        };
        Some((path, methods.to_owned()))
    });
    assert_eq!(listed, routes.collect());
}

#[test]
fn every_metric_and_label_is_documented() {
    let metrics = Metrics::default();
    for endpoint in Endpoint::ALL {
        for status in 100..600 {
            let status = StatusCode::from_u16(status).unwrap();
            metrics.count(endpoint, status, std::time::Duration::ZERO);
        }
    }
    let text = metrics.to_text(&[("given", 1), ("refused", 1), ("failed", 1)]);
    let quoted = |label: &str| -> BTreeSet<&str> {
        let before = format!("{label}=\"");
        let parts = text.split(before.as_str()).skip(1);
        parts.map(|rest| rest.split('"').next().unwrap()).collect()
    };
    let names: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .collect();
    let all = [
        "sealstone_http_answers_total counter",
        "sealstone_identity_answers_total counter",
        "sealstone_http_answer_seconds histogram",
        "sealstone_http_limited_total counter",
    ];
    assert!(METRICS.contains("| `sealstone_http_answer_seconds` | histogram | `endpoint` |"));
    assert_eq!(names, BTreeSet::from(all));
    assert!(METRICS.contains("| `sealstone_identity_answers_total` | counter | `outcome` |"));
    let line = METRICS
        .lines()
        .find(|line| line.starts_with("`outcome` is "))
        .unwrap();
    let outcomes: BTreeSet<&str> = line.split('`').skip(1).step_by(2).skip(1).collect();
    assert_eq!(outcomes, quoted("outcome"));
    assert!(METRICS.contains("| `sealstone_http_answers_total` | counter | `endpoint`, `status` |"));

    let table = METRICS.split("| `endpoint` | Requests for |\n").nth(1).unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|')).skip(1);
    let endpoints: BTreeSet<&str> = rows.map(|row| row.split('`').nth(1).unwrap()).collect();
    assert_eq!(endpoints, quoted("endpoint"));

    assert!(METRICS.contains("| `sealstone_http_limited_total` | counter | `limit` |"));
    let line = METRICS
        .lines()
        .find(|line| line.starts_with("`limit` is "))
        .unwrap();
    let limits: BTreeSet<&str> = line.split('`').skip(1).step_by(2).skip(1).collect();
    assert_eq!(limits, quoted("limit"));

    let line = METRICS
        .lines()
        .find(|line| line.starts_with("`status` is "))
        .unwrap();
    let statuses: BTreeSet<&str> = line.split('`').skip(1).step_by(2).skip(1).collect();
    assert_eq!(statuses, quoted("status"));
}

#[test]
fn every_description_of_keystones_endpoint_is_documented() {
    let table = ERRORS.split("## At /v3/OS-OAUTH2/token\n").nth(1).unwrap();
    let rows = table.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let listed: BTreeSet<&str> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|row| row.trim_matches('|').split(" | ").next().unwrap().trim())
        .collect();
    assert_eq!(listed, BTreeSet::from(os_oauth2::DESCRIPTIONS));
}
