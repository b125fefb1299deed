//! What is put on the wire.

use sealstone_sinks::{event_type, frame, notification};
use serde_json::Value;

const EVENT: &str = r#"{"action":"authenticate/token","attachments":[{"content":{"node":"nNvtl8wd2jG5JDSX","previous":"00","sequence":7},"name":"chain","typeURI":"urn:sealstone:audit:chain"}],"eventTime":"2026-01-02T03:03:04.000000+0000","eventType":"activity","id":"07070707-0707-4707-8707-070707070707","initiator":{"id":"ci","request_id":"r","typeURI":"service/security/account/user"},"observer":{"id":"sealstone","typeURI":"service/security"},"outcome":"failure","target":{"id":"demo","typeURI":"service/security"},"typeURI":"http://schemas.dmtf.org/cloud/audit/1.0/event"}"#;

#[test]
fn syslog_messages_are_framed_by_their_length() {
    let cases = [
        (
            "node-1",
            "<108>1 2026-01-02T03:03:04Z node-1 sealstoned - authenticate/token - ",
        ),
        (
            "",
            "<108>1 2026-01-02T03:03:04Z - sealstoned - authenticate/token - ",
        ),
        (
            "a b\n\u{e9}",
            "<108>1 2026-01-02T03:03:04Z ab sealstoned - authenticate/token - ",
        ),
    ];
    for (host, header) in cases {
        let framed = frame(EVENT.as_bytes(), host);
        let message = format!("{header}{EVENT}");
        assert_eq!(
            String::from_utf8(framed).unwrap(),
            format!("{} {message}", message.len())
        );
    }
    let success = EVENT.replace("failure", "success");
    assert!(
        String::from_utf8(frame(success.as_bytes(), "h"))
            .unwrap()
            .contains("<109>1 ")
    );
}

#[test]
fn what_is_no_event_is_framed_all_the_same() {
    for text in ["", "{", "null", "\u{0}\u{1}", r#"{"action":5,"eventTime":"\n"}"#] {
        let framed = frame(text.as_bytes(), "h");
        let (length, message) = framed.split_at(framed.iter().position(|octet| *octet == b' ').unwrap());
        let length: usize = std::str::from_utf8(length).unwrap().parse().unwrap();
        assert_eq!(length, message.len() - 1, "{text:?}");
        assert!(message.ends_with(text.as_bytes()) && message.starts_with(b" <109>1 "));
    }
}

#[test]
fn notifications_have_the_envelope_of_oslo_messaging() {
    let envelope: Value = serde_json::from_slice(&notification(EVENT.as_bytes()).unwrap()).unwrap();
    assert_eq!(envelope["oslo.version"], "2.0");
    let message: Value = serde_json::from_str(envelope["oslo.message"].as_str().unwrap()).unwrap();
    let event: Value = serde_json::from_str(EVENT).unwrap();
    assert_eq!(message["payload"], event);
    for (name, want) in [
        ("message_id", "07070707-0707-4707-8707-070707070707"),
        ("_unique_id", "07070707070747078707070707070707"),
        ("event_type", "identity.authenticate"),
        ("publisher_id", "identity.sealstone-nNvtl8wd2jG5JDSX"),
        ("priority", "INFO"),
        ("timestamp", "2026-01-02 03:03:04.000000"),
    ] {
        assert_eq!(message[name], want, "{name}");
    }
    for text in ["", "{", "[]", r#"{"id":"x"}"#] {
        assert!(notification(text.as_bytes()).is_none(), "{text}");
    }
}

#[test]
fn types_are_in_keystones_words() {
    for (action, want) in [
        ("authenticate/login", "identity.authenticate"),
        ("delete/oauth2_client", "identity.oauth2_client.deleted"),
        ("create/checkpoint", "identity.checkpoint.created"),
        ("unknown", "identity..unknown"),
    ] {
        assert_eq!(event_type(action), want);
    }
}

/// Whatever is built in or left out: the address of a broker over TLS is never spoken to in the clear.
#[tokio::test]
async fn amqps_begins_with_a_tls_handshake() {
    use rustls_pki_types::UnixTime;
    use sealstone_audit::{Action, Actor, AuditSink as _, Event, EventId, Outcome, Target};
    use sealstone_sinks::{Amqp, AmqpSettings, Receiver as _};
    use sealstone_trail::{Follower, Rotation, TrailFile};
    use tokio::io::AsyncReadExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let trail = TrailFile::open(&path, &folder.path().join("audit.key"), Rotation::default()).unwrap();
    let event = Event {
        id: EventId::from_random([7; 16]),
        time: UnixTime::since_unix_epoch(std::time::Duration::from_secs(1)),
        action: Action::UpdateClient,
        outcome: Outcome::Success,
        reason: None,
        initiator: Actor::default(),
        target: Target::Client("a".into()),
        request_id: "r".into(),
    };
    trail.record(&event).unwrap();
    let events = [Follower::new(&path, 1).read().unwrap().unwrap()];

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url_file = folder.path().join("url");
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, sealstone_testkit::TestCa::new("Brokers").pem()).unwrap();
    for (scheme, insecure_plaintext, first) in [
        ("amqps", false, Some(0x16)),
        ("amqps", true, Some(0x16)),
        ("amqp", false, None),
        ("amqp", true, Some(b'A')),
    ] {
        std::fs::write(&url_file, format!("{scheme}://user:hidden@localhost:{port}/%2f")).unwrap();
        let mut amqp = Amqp::new(AmqpSettings {
            url_file: url_file.clone(),
            ca_file: Some(ca_file.clone()),
            insecure_plaintext,
            exchange: "keystone".into(),
            topic: "notifications.info".into(),
            durable: false,
        });
        let heard = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            connection.read_u8().await.ok()
        };
        let delivery = amqp.deliver(&events);
        match first {
            Some(first) => {
                let (error, heard) = tokio::join!(delivery, heard);
                let error = format!("{:?}", error.unwrap_err());
                assert_eq!(heard, Some(first), "{scheme} {insecure_plaintext}: {error}");
                assert!(!error.contains("hidden"));
            }
            None => {
                let error = delivery.await.unwrap_err();
                let cause = std::error::Error::source(&error).unwrap().to_string();
                assert!(cause.contains("must begin with amqps://"), "{cause}");
            }
        }
    }
}
