//! The protocol's JSON: what `opentelemetry/proto/collector/trace/v1/trace_service.proto` is in its own JSON mapping,
//! which writes ids as hexadecimal digits, enumerations as numbers, and 64-bit numbers as texts.

use std::time::Duration;

use serde::Serialize;

use crate::ids::{SpanId, TraceId};

/// Whose spans they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    name: String,
    version: &'static str,
    instance: String,
}

impl Service {
    /// `instance` is 16 random octets that tell this process from others of the same name.
    #[must_use]
    pub fn new(name: &str, version: &'static str, instance: [u8; 16]) -> Self {
        // A UUID of version 4, as the conventions recommend.
        let id = u128::from_be_bytes(instance);
        let id = (id & !(0xf << 76) & !(0x3 << 62)) | (4 << 76) | (2 << 62);
        let digits = format!("{id:032x}");
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| digits.get(part).unwrap_or_default());
        Self {
            name: name.to_owned(),
            version,
            instance: parts.join("-"),
        }
    }
}

/// A span that has ended.
#[derive(Debug, Clone)]
pub(crate) struct FinishedSpan {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) parent: Option<SpanId>,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) begin: Duration,
    pub(crate) end: Duration,
    pub(crate) attributes: Vec<(&'static str, Value)>,
    pub(crate) is_error: bool,
}

/// The span's place in a conversation, by its number in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    #[default]
    Internal,
    Server,
    Client,
}

impl Kind {
    const fn number(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Server => 2,
            Self::Client => 3,
        }
    }
}

/// What an attribute says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Truth(bool),
}

/// The body of one delivery.
pub(crate) fn encode(service: &Service, spans: &[FinishedSpan]) -> Result<Vec<u8>, serde_json::Error> {
    let of_service = [
        ("service.name", service.name.as_str()),
        ("service.version", service.version),
        ("service.instance.id", service.instance.as_str()),
    ];
    let export = Export {
        resource_spans: [ResourceSpans {
            resource: Resource {
                attributes: of_service.map(|(key, value)| Attribute {
                    key,
                    value: Any::StringValue(value),
                }),
            },
            scope_spans: [ScopeSpans {
                scope: Scope {
                    name: "sealstone",
                    version: service.version,
                },
                spans: spans.iter().map(Span::of).collect(),
            }],
        }],
    };
    serde_json::to_vec(&export)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Export<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: [Attribute<'a>; 3],
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: Vec<Span<'a>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    /// 1: sampled (W3C).
    flags: u32,
    name: &'a str,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute<'a>>,
    status: Status,
}

impl<'a> Span<'a> {
    fn of(span: &'a FinishedSpan) -> Self {
        let attributes = span.attributes.iter().map(|(key, value)| Attribute {
            key,
            value: match value {
                Value::Text(text) => Any::StringValue(text),
                Value::Number(number) => Any::IntValue(number.to_string()),
                Value::Truth(truth) => Any::BoolValue(*truth),
            },
        });
        Self {
            trace_id: span.trace.to_string(),
            span_id: span.span.to_string(),
            parent_span_id: span.parent.map(|parent| parent.to_string()),
            flags: 1,
            name: &span.name,
            kind: span.kind.number(),
            start_time_unix_nano: span.begin.as_nanos().to_string(),
            end_time_unix_nano: span.end.as_nanos().to_string(),
            attributes: attributes.collect(),
            status: Status {
                code: span.is_error.then_some(2),
            },
        }
    }
}

/// Empty where nothing is said of it.
#[derive(Serialize)]
struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
}

#[derive(Serialize)]
struct Attribute<'a> {
    key: &'a str,
    value: Any<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::enum_variant_names, reason = "the protocol's own names")]
enum Any<'a> {
    StringValue(&'a str),
    IntValue(String),
    BoolValue(bool),
}
