//! From what somebody vouches for to an identity: rules, and the engine that runs them.

pub(crate) mod assertion;
pub(crate) mod error;
pub(crate) mod fault;
pub(crate) mod identity;
pub mod limits;
pub(crate) mod rule_set;
mod strict;
