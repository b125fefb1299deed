//! The adapter against a fake provider, for what a real one cannot show; node oidc-provider is in `crates/interop`.

mod support;

mod answers;
mod attacks_r;
mod id_token;
