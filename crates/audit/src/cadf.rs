//! The JSON of DSP0262, with the members that Keystone's own events carry.

use crate::canonical::push_text;
use crate::{Event, Target};
use rustls_pki_types::UnixTime;
use std::io::Write as _;
use std::net::IpAddr;
use time::OffsetDateTime;

/// The observer of every event: we observe what we are asked.
const OBSERVER: &[u8] = br#","observer":{"id":"sealstone","typeURI":"service/security"},"outcome":""#;
const TYPE_URI: &[u8] = br#""},"typeURI":"http://schemas.dmtf.org/cloud/audit/1.0/event"}"#;
const ATTACHMENTS: &[u8] = br#","attachments":["#;

impl Event<'_> {
    /// The event in CADF's form: one JSON object on one line, without the line's end, canonical (RFC 8785).
    #[must_use]
    pub fn to_cadf(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(1024);
        self.push_action(&mut json);
        self.push_rest(&mut json);
        json
    }

    /// Appends the event in CADF's form to `json`, with what `attachments` appends: CADF's attachments, canonical JSON
    /// objects with commas between them, at least one. Whoever chains events remembers where its link came to lie.
    pub fn write_with<T>(&self, json: &mut Vec<u8>, attachments: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.push_action(json);
        json.extend_from_slice(ATTACHMENTS);
        let made = attachments(json);
        json.push(b']');
        self.push_rest(json);
        made
    }

    fn push_action(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(br#"{"action":""#);
        json.extend_from_slice(self.action.as_str().as_bytes());
        json.push(b'"');
    }

    /// What comes after the attachments, member by member in canonical order, since one event is written for every
    /// request. Texts are escaped as JSON demands; the fixed ones hold nothing to escape.
    fn push_rest(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(br#","eventTime":""#);
        push_timestamp(json, self.time);
        json.extend_from_slice(br#"","eventType":"activity","id":""#);
        json.extend_from_slice(&self.id.text());
        json.push(b'"');
        self.push_initiator(json);
        json.extend_from_slice(OBSERVER);
        json.extend_from_slice(self.outcome.as_str().as_bytes());
        json.push(b'"');
        self.push_reason(json);
        let (id, type_uri) = match &self.target {
            Target::Issuer(id) => (id, "service/security"),
            Target::Token(id) => (id, "data/security/token"),
            Target::Key(id) => (id, "data/security/key"),
            Target::Client(id) => (id, "data/security/account"),
            Target::User(id) => (id, "data/security/account/user"),
            Target::Session(id) => (id, "data/security/session"),
            Target::Grant(id) => (id, "data/security/grant"),
            Target::Node(id) => (id, "service/security/node"),
            Target::Setting(id) => (id, "data/config"),
            Target::Store(id) => (id, "data/database"),
        };
        json.extend_from_slice(br#","target":{"id":"#);
        push_text(json, id);
        json.extend_from_slice(br#","typeURI":""#);
        json.extend_from_slice(type_uri.as_bytes());
        json.extend_from_slice(TYPE_URI);
    }

    fn push_reason(&self, json: &mut Vec<u8>) {
        let Some(reason) = self.reason else { return };
        json.extend_from_slice(br#","reason":{"policyId":"#);
        match reason.detail {
            Some(detail) => push_text(json, &format!("{}/{detail}", reason.rule)),
            None => push_text(json, reason.rule),
        }
        json.extend_from_slice(br#","policyType":"sealstone/rule","reasonCode":""#);
        json.extend_from_slice(reason.status.to_string().as_bytes());
        json.extend_from_slice(br#"","reasonType":"HTTP"}"#);
    }

    fn push_initiator(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(br#","initiator":{"#);
        if let Some(address) = self.initiator.address {
            json.extend_from_slice(br#""host":{"address":""#);
            push_address(json, address);
            json.extend_from_slice(br#""},"#);
        }
        json.extend_from_slice(br#""id":"#);
        push_text(json, self.initiator.client_id.as_deref().unwrap_or("unknown"));
        json.extend_from_slice(br#","request_id":"#);
        push_text(json, &self.request_id);
        json.extend_from_slice(br#","typeURI":"service/security/account/user""#);
        if let Some(user_id) = self.initiator.user_id.as_deref() {
            json.extend_from_slice(br#","user_id":"#);
            push_text(json, user_id);
        }
        json.push(b'}');
    }
}

/// An address in the form of RFC 5952. Most are of IPv4, and written without the formatter.
fn push_address(json: &mut Vec<u8>, address: IpAddr) {
    let IpAddr::V4(address) = address else {
        // Writing into memory does not fail.
        let _written = write!(json, "{address}");
        return;
    };
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            json.push(b'.');
        }
        // A number is always JSON, and writing into memory does not fail.
        let _written = serde_json::to_writer(&mut *json, &octet);
    }
}

/// `2026-01-02T03:04:05.000000+0000`: the only form that every reader of CADF takes.
fn push_timestamp(json: &mut Vec<u8>, time: UnixTime) {
    let date = i64::try_from(time.as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = date.to_hms();
    let century = digits(u8::try_from(date.year() / 100).unwrap_or(0));
    let year = digits(u8::try_from(date.year() % 100).unwrap_or(0));
    let [month, day] = [u8::from(date.month()), date.day()].map(digits);
    let [hour, minute, second] = [hour, minute, second].map(digits);
    // Made whole, and copied at once: one timestamp is made for every request.
    let text = [
        century[0], century[1], year[0], year[1], b'-', month[0], month[1], b'-', day[0], day[1], b'T',
        hour[0], hour[1], b':', minute[0], minute[1], b':', second[0], second[1],
    ];
    json.extend_from_slice(&text);
    json.extend_from_slice(b".000000+0000");
}

/// Of a number below a hundred.
const fn digits(number: u8) -> [u8; 2] {
    [
        (number / 10 % 10).saturating_add(b'0'),
        (number % 10).saturating_add(b'0'),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventId;
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
            let event: serde_json::Value = serde_json::from_slice(&event.to_cadf()).unwrap();
            event["reason"]["policyId"].as_str().unwrap().to_owned()
        };
        assert_eq!(policy(&event), "untrusted_certificate");
        event.reason = event.reason.map(|reason| reason.with_detail(Some("not_judged")));
        assert_eq!(policy(&event), "untrusted_certificate/not_judged");
    }

    #[test]
    fn hostile_texts_stay_inside_their_members() {
        let hostile = "a\"b\\c\nd\r\u{1}\u{2028}\u{1F600}";
        let event = Event {
            id: EventId::from_random([7; 16]),
            time: UnixTime::since_unix_epoch(Duration::ZERO),
            action: crate::Action::IssueToken,
            outcome: crate::Outcome::Failure,
            reason: None,
            initiator: crate::Actor {
                user_id: None,
                client_id: Some(hostile.into()),
                address: Some([192, 0, 2, 7].into()),
            },
            target: Target::Token(hostile.into()),
            request_id: hostile.into(),
        };
        let json = event.to_cadf();
        let read: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(crate::canonical(&read).unwrap(), json);
        assert!(!json.contains(&b'\n') && !json.contains(&b'\r'));
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        for text in [
            &json["initiator"]["id"],
            &json["target"]["id"],
            &json["initiator"]["request_id"],
        ] {
            assert_eq!(text, hostile);
        }
        assert_eq!(json["initiator"]["host"]["address"], "192.0.2.7");
        assert_eq!(json.as_object().unwrap().len(), 9);
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
            let mut text = Vec::new();
            push_timestamp(
                &mut text,
                UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            );
            assert_eq!(String::from_utf8(text).unwrap(), want);
        }
    }
}
