#![doc = include_str!("../README.md")]

mod access_rule;
mod administrator;
mod authority;
mod error;
mod ids;
mod login_source;
mod method;
mod passcode;
mod person;
mod source;
pub mod unix_seconds;

pub use access_rule::AccessRule;
pub use administrator::{AdministratorSource, TieFacts, TokenHolder};
pub use authority::{Authority, MAX_ACCESS_RULES, MAX_ROLES, ProjectScope, Scope, UserRef};
pub use error::IdentityError;
pub use ids::{ApplicationCredentialId, DomainId, Name, ProjectId, RoleName, UserId};
pub use login_source::{
    LoggedIn, LoginError, LoginRefusal, LoginSource, LoginStep, OpenLogin, PasswordAttempt,
};
pub use method::AuthMethod;
pub use passcode::Passcode;
pub use person::{Email, MAX_GROUPS, Person, PersonProject};
pub use source::{
    Delegated, DelegationMethod, IdentitySource, IdentitySourceError, KeystoneBinding, KeystoneToken,
    MachineLogin, Refusal, UsedApplicationCredential,
};
