//! Authorization codes (RFC 6749 §4.1): what one stands for, and that it is exchanged once.
//!
//! ```text
//! NeedsCode ──with_code──▶ NeedsSession ──with_session──▶ NeedsPerson ──with_person──▶ (NeedsAuthority) ──▶ Exchanged ──redemption──▶ CodeStore::redeem
//! ```

mod checks;
mod flow;
mod port;
mod record;

pub(crate) use checks::session as still_in_session;
pub(crate) use flow::{CodeProof, begin};
pub use flow::{NeedsCode, NeedsSession};
pub use port::{CodeStore, Redeemed, Redemption, Spending};
pub use record::{CODE_LIFETIME, CODE_MEMORY, CodeRecord, CodeState, Produced, StoredCode};
