#![doc = include_str!("../README.md")]

mod algorithm;
mod backend;
pub mod base64url;
mod encoder;
mod error;
pub mod json;
mod jwk;
mod jwk_set;
mod jwt;
mod key_id;
mod mac;
mod private_key;
mod signer;
mod thumbprint;
mod verifier;
mod verifier_set;

pub use algorithm::Algorithm;
pub use encoder::{JwtBuffer, JwtEncoder};
pub use error::JoseError;
pub use jwk::{Jwk, KeyUse};
pub use jwk_set::JwkSet;
pub use jwt::{JwtHeader, UnverifiedJwt, VerifiedJwt};
pub use key_id::KeyId;
pub use mac::{MacAlgorithm, MacKey, UnverifiedMacJwt, VerifiedMacJwt};
pub use private_key::PrivateKey;
pub use signer::{HeldKey, Signer};
pub use thumbprint::Thumbprint;
pub use verifier::Verifier;
pub use verifier_set::VerifierSet;
