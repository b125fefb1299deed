//! A server to attack, and everything that is needed to attack it.

mod ask;
mod collector;
mod https;
mod process;
mod world;

pub(crate) use ask::{Answer, Ask, claims};
pub(crate) use collector::{Collector, Span};
pub(crate) use https::{Connection, Https};
pub(crate) use process::{DEADLINE, Process, eventually, signal};
pub(crate) use world::{
    GRANT, INTROSPECT, ISSUER, REVOKE, Refusal, Setup, TOKEN, World, in_seconds, is_rule, now, secret,
};
