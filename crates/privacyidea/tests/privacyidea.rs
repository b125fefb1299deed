//! The adapter against a fake privacyIDEA, for what the real one cannot show; the real one is in `crates/interop`.

mod support;

mod attacks_r;
mod login;
