#![doc = include_str!("../README.md")]

mod access_rule;
mod authority;
mod error;
mod ids;
mod source;

pub use access_rule::AccessRule;
pub use authority::{Authority, MAX_ACCESS_RULES, MAX_ROLES, ProjectScope, Scope, UserRef};
pub use error::IdentityError;
pub use ids::{ApplicationCredentialId, DomainId, Name, ProjectId, RoleName, UserId};
pub use source::{
    Delegated, DelegationMethod, IdentitySource, IdentitySourceError, KeystoneBinding, KeystoneToken,
    MachineLogin, Refusal, UsedApplicationCredential,
};
