#![doc = include_str!("../README.md")]

mod authority;
mod client;
mod config;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod wire;
mod wrong_codes;

pub use client::PrivacyIdea;
pub use config::{Demand, PrivacyIdeaConfig};
pub use error::{ConfigError, Fault, Operation, Outage, PrivacyIdeaError, PrivacyIdeaRefusal};
