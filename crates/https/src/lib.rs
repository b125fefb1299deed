#![doc = include_str!("../README.md")]

mod client;
mod error;
mod resolver;
mod settings;

pub use client::{HttpsClient, Limits};
pub use error::{HttpsError, Redirected, SetupError};
pub use settings::{PlainHttp, Settings, authorities};
