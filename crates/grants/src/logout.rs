//! Signing out: what a client may ask for (OpenID Connect RP-Initiated Logout), and who must be told (Back-Channel
//! Logout).
//!
//! ```text
//! NeedsHint ──with_hint──▶ NeedsClient ──with_client──▶ LogoutAsked ──decide──▶ LogoutNext
//! ```

mod flow;
mod notice;
mod redirect;

pub use flow::{AfterLogout, LogoutAsked, LogoutHint, LogoutNext, NeedsClient, NeedsHint};
pub use notice::{LogoutNotice, LogoutStore, MAX_NOTICES, NOTICE_LEASE};
