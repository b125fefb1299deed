//! From Fernet to JWS with the three real Keystones of a `KeystoneLab` behind a real HAProxy, while users work: there,
//! back, there again, and the Fernet keys removed; with bridges and without, by the runbook, and with what can be wrong.
//!
//! Each test has a lab of its own. Keystone's tokens live for less than a minute where somebody waits for their end.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test: what it cannot read has failed"
)]

mod accounts;
mod away;
mod bridged;
mod commands;
mod load;
mod nodes;
mod pool;
mod runbook;
#[path = "../documents/script.rs"]
mod script;
mod unbridged;
mod unfit;
