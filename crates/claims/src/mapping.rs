//! From what somebody vouches for to an identity: rules, and the engine that runs them.

pub(crate) mod assertion;
mod batch;
mod condition;
pub(crate) mod error;
pub(crate) mod explain;
pub(crate) mod fault;
mod filter;
mod fold;
pub(crate) mod identity;
mod import;
mod json_output;
pub mod limits;
mod merge;
mod output;
mod parse;
mod pattern;
pub(crate) mod rule_set;
mod source;
mod strict;
mod text;
mod value;
