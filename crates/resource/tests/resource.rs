//! The layer as a service embeds it, with an issuer whose documents the test writes.

mod attacks_a;
mod attacks_b;
mod attacks_c;
mod attacks_d;
mod attacks_e;
mod behaviour;
mod freshness;
mod https;
mod properties;
mod support;
