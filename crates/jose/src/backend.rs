//! The cryptographic library: AWS-LC by default, portable Rust where the feature `aws-lc-rs` is off.
//!
//! Both offer the same: `SigningKey` and `VerifyingKey`, each parsed once, `generate`, and HMAC. What
//! reaches them was validated: public keys by [`crate::jwk::material`], lengths of signatures by
//! [`crate::Verifier`].

#[cfg(feature = "aws-lc-rs")]
mod aws;
#[cfg(feature = "aws-lc-rs")]
pub(crate) use aws::{SigningKey, VerifyingKey, generate, mac, mac_holds};

#[cfg(all(not(feature = "aws-lc-rs"), feature = "portable"))]
mod portable;
#[cfg(all(not(feature = "aws-lc-rs"), feature = "portable"))]
pub(crate) use portable::{SigningKey, VerifyingKey, generate, mac, mac_holds};

#[cfg(not(any(feature = "aws-lc-rs", feature = "portable")))]
compile_error!(
    "sealstone-jose needs a backend: keep the default feature `aws-lc-rs`, or build with \
     `--no-default-features --features portable`"
);
