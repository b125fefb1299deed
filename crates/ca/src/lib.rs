#![doc = include_str!("../README.md")]

mod authority;
mod certificate;
mod error;
mod folder;
mod name;
mod request;
mod signing_request;
mod splice;
mod state;

pub mod files;

pub use authority::{Authority, RenewKey, Revocation, self_signed_client};
pub use certificate::{CertificateInfo, Serial};
pub use error::CaError;
pub use folder::CaFolder;
pub use name::Subject;
pub use request::{AltName, CaRequest, CertificateRequest, Issued, KeyKind, Usage};
pub use signing_request::SigningRequest;
pub use state::{IssuedRecord, RevocationReason, RevokedRecord};
