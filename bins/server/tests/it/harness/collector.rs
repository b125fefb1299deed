//! A collector of traces that takes nothing but what the protocol has: OTLP over HTTP, in JSON.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A span as it arrived.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Span {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    #[serde(default)]
    pub(crate) parent_span_id: Option<String>,
    flags: u32,
    pub(crate) name: String,
    pub(crate) kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute>,
    pub(crate) status: Status,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Status {
    pub(crate) code: Option<u8>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attribute {
    key: String,
    value: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
enum Value {
    #[serde(rename = "stringValue")]
    Text(String),
    #[serde(rename = "intValue")]
    Number(String),
    #[serde(rename = "boolValue")]
    Truth(bool),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Export {
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResourceSpans {
    resource: Resource,
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeSpans {
    #[expect(dead_code, reason = "that it is there is looked at")]
    scope: Scope,
    spans: Vec<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that they are there is looked at")]
struct Scope {
    name: String,
    version: String,
}

impl Span {
    /// The attribute's text.
    pub(crate) fn says(&self, key: &str) -> Option<String> {
        let attribute = self.attributes.iter().find(|attribute| attribute.key == key)?;
        Some(match &attribute.value {
            Value::Text(text) | Value::Number(text) => text.clone(),
            Value::Truth(truth) => truth.to_string(),
        })
    }

    fn is_right(&self) {
        let is_hex = |text: &str, length: usize| {
            text.len() == length
                && text
                    .bytes()
                    .all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
                && text.bytes().any(|octet| octet != b'0')
        };
        assert!(
            is_hex(&self.trace_id, 32) && is_hex(&self.span_id, 16),
            "{self:?}"
        );
        assert!(
            self.parent_span_id
                .as_deref()
                .is_none_or(|parent| is_hex(parent, 16)),
            "{self:?}"
        );
        let nanos = |text: &str| text.parse::<u64>().unwrap();
        assert!(
            nanos(&self.start_time_unix_nano) <= nanos(&self.end_time_unix_nano),
            "{self:?}"
        );
        assert!(
            nanos(&self.start_time_unix_nano) > 1_600_000_000_000_000_000,
            "{self:?}"
        );
        assert!(
            (1..=5).contains(&self.kind) && self.flags == 1 && !self.name.is_empty(),
            "{self:?}"
        );
    }
}

/// A running collector.
pub(crate) struct Collector {
    pub(crate) url: String,
    spans: Arc<Mutex<Vec<Span>>>,
    bodies: Arc<Mutex<String>>,
    count: watch::Receiver<usize>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let spans = Arc::new(Mutex::new(Vec::new()));
        let bodies = Arc::new(Mutex::new(String::new()));
        let (sender, count) = watch::channel(0);
        let (kept, texts) = (Arc::clone(&spans), Arc::clone(&bodies));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut octets = Vec::new();
                let body = loop {
                    let mut some = [0; 16 * 1024];
                    let read = stream.read(&mut some).await.unwrap();
                    assert_ne!(read, 0, "cut off");
                    octets.extend_from_slice(&some[..read]);
                    let text = String::from_utf8_lossy(&octets).into_owned();
                    if let Some((head, body)) = text.split_once("\r\n\r\n") {
                        let lower = head.to_ascii_lowercase();
                        let length = lower.split("content-length: ").nth(1).unwrap();
                        let length: usize = length.lines().next().unwrap().parse().unwrap();
                        if body.len() == length {
                            assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
                            assert!(lower.contains("content-type: application/json\r\n"), "{head}");
                            break body.to_owned();
                        }
                    }
                };
                let export: Export =
                    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
                for resource in export.resource_spans {
                    let of: BTreeMap<_, _> = resource
                        .resource
                        .attributes
                        .into_iter()
                        .map(|one| (one.key, one.value))
                        .collect();
                    assert!(matches!(&of["service.name"], Value::Text(name) if name == "sealstoned"));
                    for scope in resource.scope_spans {
                        scope.spans.iter().for_each(Span::is_right);
                        kept.lock().unwrap().extend(scope.spans);
                    }
                }
                texts.lock().unwrap().push_str(&body);
                let all = kept.lock().unwrap().len();
                let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
                stream.write_all(answer.as_bytes()).await.unwrap();
                sender.send_replace(all);
            }
        });
        Self {
            url,
            spans,
            bodies,
            count,
        }
    }

    /// All that was sent, as it was written.
    pub(crate) fn text(&self) -> String {
        self.bodies.lock().unwrap().clone()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }

    /// The spans of the request with this id, once its own span has arrived; that of the request is the last.
    pub(crate) async fn trace_of(&self, request_id: &str) -> Vec<Span> {
        let mut count = self.count.clone();
        let search = async {
            loop {
                let spans = self.spans();
                let of_request =
                    |span: &&Span| span.says("sealstone.request_id").as_deref() == Some(request_id);
                if let Some(request) = spans.iter().find(of_request) {
                    let of_trace = spans.iter().filter(|span| span.trace_id == request.trace_id);
                    let (mut own, parts): (Vec<Span>, Vec<Span>) = of_trace
                        .cloned()
                        .partition(|span| span.span_id == request.span_id);
                    own.splice(0..0, parts);
                    return own;
                }
                count.changed().await.unwrap();
            }
        };
        tokio::time::timeout(super::DEADLINE, search)
            .await
            .unwrap_or_else(|_late| panic!("no trace of {request_id}: {:?}", self.spans()))
    }
}
