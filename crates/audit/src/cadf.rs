//! The JSON of DSP0262, with the members that Keystone's own events carry.

use crate::{Event, EventId, Target};
use rustls_pki_types::UnixTime;
use serde::Serialize;
use std::borrow::Cow;
use std::net::IpAddr;
use time::OffsetDateTime;

const OBSERVER_ID: &str = "sealstone";

/// The event as CADF JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CadfEvent<'a> {
    #[serde(rename = "typeURI")]
    type_uri: &'static str,
    event_type: &'static str,
    id: EventId,
    event_time: String,
    action: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<CadfReason>,
    initiator: Initiator<'a>,
    target: Resource<'a>,
    observer: Resource<'static>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CadfReason {
    reason_type: &'static str,
    reason_code: String,
    policy_type: &'static str,
    policy_id: Cow<'static, str>,
}

#[derive(Debug, Serialize)]
struct Resource<'a> {
    id: &'a str,
    #[serde(rename = "typeURI")]
    type_uri: &'static str,
}

#[derive(Debug, Serialize)]
struct Initiator<'a> {
    id: &'a str,
    #[serde(rename = "typeURI")]
    type_uri: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Host>,
    request_id: &'a str,
}

#[derive(Debug, Serialize)]
struct Host {
    address: IpAddr,
}

impl Event<'_> {
    /// The event in CADF's form, ready to be written as JSON.
    #[must_use]
    pub fn to_cadf(&self) -> CadfEvent<'_> {
        let (id, type_uri) = match &self.target {
            Target::Issuer(id) => (id, "service/security"),
            Target::Token(id) => (id, "data/security/token"),
            Target::Key(id) => (id, "data/security/key"),
            Target::Client(id) => (id, "data/security/account"),
        };
        CadfEvent {
            type_uri: "http://schemas.dmtf.org/cloud/audit/1.0/event",
            event_type: "activity",
            id: self.id,
            event_time: timestamp(self.time),
            action: self.action.as_str(),
            outcome: self.outcome.as_str(),
            reason: self.reason.map(|reason| CadfReason {
                reason_type: "HTTP",
                reason_code: reason.status.to_string(),
                policy_type: "sealstone/rule",
                policy_id: match reason.detail {
                    Some(detail) => format!("{}/{detail}", reason.rule).into(),
                    None => reason.rule.into(),
                },
            }),
            initiator: Initiator {
                id: self.initiator.client_id.as_deref().unwrap_or("unknown"),
                type_uri: "service/security/account/user",
                host: self.initiator.address.map(|address| Host { address }),
                request_id: &self.request_id,
            },
            target: Resource { id, type_uri },
            observer: Resource {
                id: OBSERVER_ID,
                type_uri: "service/security",
            },
        }
    }
}

/// `2026-01-02T03:04:05.000000+0000`: the only form that every reader of CADF takes.
fn timestamp(time: UnixTime) -> String {
    let date = i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = date.to_hms();
    let mut text = String::with_capacity(31);
    two_digits(&mut text, u8::try_from(date.year() / 100).unwrap_or(0));
    two_digits(&mut text, u8::try_from(date.year() % 100).unwrap_or(0));
    for (before, number) in [
        ('-', u8::from(date.month())),
        ('-', date.day()),
        ('T', hour),
        (':', minute),
        (':', second),
    ] {
        text.push(before);
        two_digits(&mut text, number);
    }
    text.push_str(".000000+0000");
    text
}

/// Written digit by digit: one timestamp is made for every request.
fn two_digits(text: &mut String, number: u8) {
    for digit in [number / 10 % 10, number % 10] {
        text.push(char::from_digit(u32::from(digit), 10).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_detail_follows_its_rule() {
        let mut event = Event {
            id: EventId::from_random([7; 16]),
            time: UnixTime::since_unix_epoch(Duration::ZERO),
            action: crate::Action::IssueToken,
            outcome: crate::Outcome::Failure,
            reason: Some(crate::Reason::new(401, "untrusted_certificate")),
            initiator: crate::Actor::default(),
            target: Target::Issuer("demo".into()),
            request_id: "r".into(),
        };
        let policy = |event: &Event<'_>| {
            let event = serde_json::to_value(event.to_cadf()).unwrap();
            event["reason"]["policyId"].as_str().unwrap().to_owned()
        };
        assert_eq!(policy(&event), "untrusted_certificate");
        event.reason = event.reason.map(|reason| reason.with_detail(Some("not_judged")));
        assert_eq!(policy(&event), "untrusted_certificate/not_judged");
    }

    #[test]
    fn timestamps_know_the_calendar() {
        let cases = [
            (0, "1970-01-01T00:00:00.000000+0000"),
            (951_782_400, "2000-02-29T00:00:00.000000+0000"),
            (951_868_799, "2000-02-29T23:59:59.000000+0000"),
            (1_709_251_200, "2024-03-01T00:00:00.000000+0000"),
            (4_107_542_400, "2100-03-01T00:00:00.000000+0000"),
            (1_767_322_984, "2026-01-02T03:03:04.000000+0000"),
        ];
        for (seconds, want) in cases {
            assert_eq!(
                timestamp(UnixTime::since_unix_epoch(Duration::from_secs(seconds))),
                want
            );
        }
    }
}
