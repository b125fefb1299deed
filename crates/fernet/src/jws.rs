//! Keystone's JWS tokens: JSON Web Tokens with claims of its own and no key identifier.

mod algorithm;
mod candidates;
mod issuer;
mod key;
mod order;
mod reader;
mod wire;

pub use algorithm::JwsAlgorithm;
pub use issuer::{JwsTokenIssuer, MintedToken};
pub use key::{JwsPrivateKey, JwsPublicKey};
pub use reader::JwsTokenReader;
