//! What a person let a client have, remembered: who is not asked again, and for how much.

mod port;
mod rules;

pub use port::{Consent, ConsentStore};
pub(crate) use rules::{is_of, not_yet_let, remembered, still_lets};
