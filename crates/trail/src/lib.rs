#![doc = include_str!("../README.md")]

mod file;
mod follow;
mod key;
mod line;
mod names;
mod turn;
mod verify;

pub use file::{Rotation, Standing, TrailError, TrailFile};
pub use follow::{Follower, Read};
pub use key::{KeyError, NodeKey, NodeName};
pub use line::{Checkpoint, Hash, Line, LineError, Mended};
pub use names::{KEY_FILE, rotated};
pub use verify::{Ending, Fault, Finding, Report, Signed, Verification};
