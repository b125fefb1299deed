#![doc = include_str!("../README.md")]

mod error;
mod map;
mod mapping;
mod reserved;
mod template;

pub use error::{ClaimFault, TemplateError};
pub use map::{ClaimsSubject, MappedClaims};
pub use mapping::assertion::{Assertion, AssertionBuilder};
pub use mapping::error::{AssertionError, MappingError};
pub use mapping::explain::{ConditionExplanation, ConditionOutcome, Explanation, RuleExplanation};
pub use mapping::fault::{MappingFault, MappingFaults};
pub use mapping::identity::{
    EntityRef, MappedDomain, MappedGroup, MappedIdentity, MappedProject, MappedUser, UserType,
};
pub use mapping::limits;
pub use mapping::rule_set::{RuleSet, import_mapping};
pub use reserved::ReservedClaim;
pub use template::{ClaimSource, ClaimsTemplate, MAX_CLAIMS, MAX_DEPTH, MAX_TEMPLATE_BYTES};
