//! What the database does, in a trace: statements as they are written here, never what they are given.

use std::any;

use tracing::{Span, field::Empty};

/// A change; named as its type is, which is one word of a few.
pub(super) fn change<T>(system: &'static str) -> Span {
    tracing::debug_span!(
        "database",
        otel.kind = "client",
        db.system.name = system,
        db.operation.name = any::type_name::<T>().rsplit("::").next(),
        "error.type" = Empty,
    )
}

/// A statement that reads.
pub(super) fn read(system: &'static str, statement: &'static str) -> Span {
    tracing::debug_span!(
        "database",
        otel.kind = "client",
        db.system.name = system,
        db.operation.name = statement.split_ascii_whitespace().next(),
        db.query.text = statement,
        "error.type" = Empty,
    )
}

/// Says how it ended.
pub(super) fn ended(span: &Span, is_done: bool) {
    if !is_done {
        span.record("error.type", "database");
    }
}
