#![doc = include_str!("../README.md")]

mod cadf;
mod event;
mod sink;

pub use event::{Action, Actor, Event, EventId, Outcome, Reason, Target, printable};
pub use sink::{AuditError, AuditSink, MemorySink, NullSink};
