#![doc = include_str!("../README.md")]

mod claims;
mod context;
mod expiry;
mod mint;
mod revocation;
mod verify;

pub use claims::{AccessTokenClaims, Audience};
pub use context::{DelegationContext, OpenstackContext, openstack_audience};
pub use expiry::expiry;
pub use mint::{AT_JWT, Mint, MintError};
pub use revocation::{NothingRevoked, RevocationStore, RevocationStoreError, Revocations, RevokedToken};
pub use verify::{AccessTokenVerifier, Possession, VerifiedToken, VerifyError};
