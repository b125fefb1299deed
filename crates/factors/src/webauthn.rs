//! Passkeys: W3C Web Authentication Level 3, the relying party's side.

mod assertion;
mod authenticator_data;
mod cbor;
mod client_data;
mod cose;
mod encoding;
mod error;
mod options;
mod passkey;
mod registration;
mod relying_party;

pub use assertion::{Assertion, AssertionResponse};
pub use cose::KeyAlgorithm;
pub use encoding::{Challenge, CredentialId, UserHandle};
pub use error::WebAuthnError;
pub use options::{CreationOptions, RequestOptions, UserVerification};
pub use passkey::Passkey;
pub use registration::RegistrationResponse;
pub use relying_party::{RelyingParty, RelyingPartyFault};

/// The longest response of a browser that is parsed, in bytes: an attestation with its certificates is a tenth of it,
/// and a form of 64 KiB holds it.
pub const MAX_RESPONSE: usize = 32 * 1024;

#[cfg(test)]
mod tests;
