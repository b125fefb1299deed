#![doc = include_str!("../README.md")]

mod error;
mod map;
mod reserved;
mod template;

pub use error::TemplateError;
pub use map::{ClaimsSubject, MappedClaims};
pub use reserved::ReservedClaim;
pub use template::{ClaimsTemplate, MAX_CLAIMS, MAX_DEPTH, MAX_TEMPLATE_BYTES};
