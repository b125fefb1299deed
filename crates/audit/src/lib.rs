#![doc = include_str!("../README.md")]

mod cadf;
mod canonical;
mod event;
mod sink;

pub use canonical::{DEEPEST, canonical};
pub use event::{Action, Actor, Event, EventId, LONGEST_PRINTABLE, Outcome, Reason, Target, printable};
pub use sink::{AuditError, AuditSink, Batch, BatchEnd, MemorySink, NullSink, Receipt};
