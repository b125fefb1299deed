#![doc = include_str!("../README.md")]

mod back_channel;
mod bases;
mod claims;
mod config;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod login;
mod metadata;
mod provider;

pub use config::{ClientAuthentication, UpstreamConfig};
pub use error::{ConfigError, Fault, FaultKind, Outage, Step};
pub use provider::UpstreamProvider;
