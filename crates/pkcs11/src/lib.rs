#![doc = include_str!("../README.md")]

mod error;
mod home;
mod sessions;
mod token;
mod wrap;

pub use error::Pkcs11Error;
pub use token::{Pin, Token, TokenConfig, TokenStatus};
