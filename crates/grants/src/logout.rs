//! Signing out: what a client may ask for (OpenID Connect RP-Initiated Logout), and who must be told (Back-Channel
//! Logout).

mod notice;

pub use notice::{LogoutNotice, LogoutStore, MAX_NOTICES, NOTICE_LEASE};
