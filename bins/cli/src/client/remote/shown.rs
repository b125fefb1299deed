//! What the server says of a client, in the words that this program has for one of its own database.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_registry::{MAX_BEARER_LIFETIME, MAX_BOUND_LIFETIME};
use serde_json::{Map, Value};

use crate::clock;

/// What the server adds to a registration, with the name that it has here; dates are seconds there and text here.
const ADDED: [(&str, &str, Kind); 7] = [
    ("client_id", "client_id", Kind::Same),
    ("domain_id", "domain", Kind::Same),
    ("version", "version", Kind::Same),
    ("client_id_issued_at", "created_at", Kind::Date),
    ("updated_at", "updated_at", Kind::Date),
    ("client_secret_expires_at", "secret_expires_at", Kind::Date),
    (
        "previous_client_secret_expires_at",
        "previous_secret_expires_at",
        Kind::Date,
    ),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Same,
    Date,
}

/// As `sealstone client show` on the server's machine prints it.
pub(super) fn as_here(mut told: Map<String, Value>) -> Map<String, Value> {
    let mut added = Vec::new();
    for (there, here, kind) in ADDED {
        let Some(value) = told.remove(there) else { continue };
        let value = match (kind, value.as_u64()) {
            (Kind::Same, _) | (Kind::Date, None) => value,
            // RFC 7591 §3.2.1: it never ends.
            (Kind::Date, Some(0)) => continue,
            (Kind::Date, Some(seconds)) => Value::from(clock::date(UnixTime::since_unix_epoch(
                Duration::from_secs(seconds),
            ))),
        };
        added.push((here.to_owned(), value));
    }
    let lifetime = told.get("access_token_lifetime_s").and_then(Value::as_u64);
    let longest = if is_bound(&told) {
        MAX_BOUND_LIFETIME
    } else {
        MAX_BEARER_LIFETIME
    };
    added.push((
        "effective_token_lifetime_s".to_owned(),
        lifetime.unwrap_or(longest.as_secs()).into(),
    ));
    told.extend(added);
    told
}

/// The registration alone, to be sent again.
pub(super) fn registration(mut told: Map<String, Value>) -> Map<String, Value> {
    for (there, _, _) in ADDED {
        told.remove(there);
    }
    told
}

/// A line of the list.
pub(super) fn row(client: &Map<String, Value>) -> Vec<String> {
    let text = |name: &str| {
        client
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let is_enabled = client.get("enabled").and_then(Value::as_bool).unwrap_or(true);
    vec![
        text("client_id"),
        text("domain"),
        text("token_endpoint_auth_method"),
        if is_bound(client) { "bound" } else { "bearer" }.to_owned(),
        if is_enabled { "enabled" } else { "disabled" }.to_owned(),
        text("scope"),
        text("client_name"),
    ]
}

fn is_bound(client: &Map<String, Value>) -> bool {
    let member = client.get("tls_client_certificate_bound_access_tokens");
    member.and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_the_server_says_is_said_as_here() {
        let told = object(json!({
            "client_id": "ci", "domain_id": "demo", "version": 3, "client_id_issued_at": 1_000, "updated_at": 2_000,
            "client_secret_expires_at": 0, "previous_client_secret_expires_at": 3_000, "scope": "read",
            "client_name": "CI", "token_endpoint_auth_method": "client_secret_basic", "enabled": false,
        }));
        let here = as_here(told.clone());
        assert_eq!(here["domain"], "demo");
        assert_eq!(here["created_at"], "1970-01-01T00:16:40Z");
        assert_eq!(here["previous_secret_expires_at"], "1970-01-01T00:50:00Z");
        assert_eq!(here["effective_token_lifetime_s"], 900);
        for gone in [
            "domain_id",
            "client_id_issued_at",
            "client_secret_expires_at",
            "secret_expires_at",
        ] {
            assert!(!here.contains_key(gone), "{gone}");
        }
        assert_eq!(
            row(&here),
            [
                "ci",
                "demo",
                "client_secret_basic",
                "bearer",
                "disabled",
                "read",
                "CI"
            ]
        );
        let again = registration(told);
        let names: Vec<&str> = again.keys().map(String::as_str).collect();
        for name in names {
            assert!(
                ["scope", "client_name", "token_endpoint_auth_method", "enabled"].contains(&name),
                "{name}"
            );
        }
    }
}
