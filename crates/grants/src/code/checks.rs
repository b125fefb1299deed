//! What must be right about a fresh code of the client's own.

mod age;
mod redirect_uri;
mod session;
mod verifier;

pub(super) use age::check as age;
pub(super) use redirect_uri::check as redirect_uri;
pub(crate) use session::check as session;
pub(super) use verifier::check as verifier;
