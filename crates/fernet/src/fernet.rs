//! Fernet: Keystone's symmetric tokens and its receipts.

mod envelope;
mod key;
mod methods;
mod msgpack;
mod payload;
mod receipt;
mod token;
mod uuid;

pub use envelope::{FernetKeys, Iv, Opened};
pub use key::FernetKey;
pub use methods::AuthMethods;
pub use payload::PayloadVersion;
pub use receipt::{FernetReceipts, Receipt};
pub use token::{FernetToken, FernetTokens};
