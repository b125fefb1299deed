#![doc = include_str!("../README.md")]

mod claims;
mod context;
mod expiry;
mod hint;
mod login;
mod mint;
mod pairwise;
mod people_mint;
mod person;
mod revocation;
mod verify;
mod written;

pub use claims::{AccessTokenClaims, Audience};
pub use context::{DelegationContext, OpenstackContext, openstack_audience};
pub use expiry::expiry;
pub use hint::{HintVerifier, VerifiedHint};
pub use login::{LoginClaims, VerifiedLogin};
pub use mint::{AT_JWT, Mint, MintError};
pub use pairwise::{PairwiseError, PairwiseSubjects};
pub use people_mint::{JWT, LOGOUT_JWT, PeopleMint};
pub use person::{AccessTokenHash, IdTokenClaims, LogoutTokenClaims, PersonClaims, UserinfoClaims};
pub use revocation::{
    EndedClient, NothingRevoked, RevocationStore, RevocationStoreError, Revocations, RevokedToken,
};
pub use verify::{AccessTokenVerifier, Possession, VerifiedToken, VerifyError};
