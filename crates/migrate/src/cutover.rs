//! The change itself: operations one after the other, each written down before and after.

mod engine;
mod error;
mod history;
mod journal;
mod op;
mod pool;
mod ports;
mod watch;

pub use engine::{Cutover, CutoverOptions, Outcome};
pub use error::CutoverError;
pub use history::{Course, History};
pub use journal::{Journal, JournalError, JournalFile, JournalText, parse_journal};
pub use op::{Event, Op};
pub use pool::{NodeState, Pool, Stage, Unsafe};
pub use ports::{Operator, Ports, Prober, Verdict, Wait, Wanted};
pub use watch::{Limits, Sample};
