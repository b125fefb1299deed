#![doc = include_str!("../README.md")]

mod error;
mod figures;
mod home;
mod inspect;
mod sessions;
mod token;
mod wrap;

pub use error::Pkcs11Error;
pub use inspect::{PinState, SessionLimit, TokenFacts, survey};
pub use token::{Pin, Token, TokenConfig, TokenStatus};
