#![doc = include_str!("../README.md")]

mod administrators;
mod authentication;
mod breaker;
mod catalog;
mod client;
mod config;
mod delegation;
mod directory;
mod error;
mod failure;
#[cfg(fuzzing)]
pub mod fuzzing;
mod identity;
mod ids;
mod memory;
mod mint;
mod moment;
mod people;
mod probe;
mod revocation;
mod secret;
mod session;
mod token;
mod tokens;

pub use administrators::KeystoneAdministrators;
pub use authentication::{Authentication, DomainKey, Factor, LoginScope, ProjectKey, UserKey};
pub use catalog::{Catalog, Endpoint, Service};
pub use client::KeystoneClient;
pub use config::KeystoneConfig;
pub use delegation::{
    AccessRule, ApplicationCredential, CreatedApplicationCredential, Credential, Ec2Credential,
    NewApplicationCredential, NewTrust, RoleKey, Trust,
};
pub use directory::{
    Assignee, Assignment, AssignmentFilter, AssignmentScope, Domain, FederatedOrigin, Group, Named,
    PasswordChange, Project, ProjectFilter, Role, RoleInference, User, UserFilter, UserOptions, UserUpdate,
};
pub use error::{
    ConfigError, Fault, KeystoneError, KeystoneRefusal, Operation, Outage, RequestId, TimeFault,
};
pub use identity::{KeystoneIdentity, KeystoneIdentityBuilder};
pub use ids::{AccessRuleId, AuditId, BadIdentifier, CredentialId, GroupId, Label, RoleId, TrustId};
pub use mint::{EntropyFailed, MintError, TokenMint};
pub use people::{KeystonePeople, PeopleChange};
pub use revocation::RevocationEvent;
pub use secret::{BadToken, Secret, Token};
pub use session::KeystoneSession;
pub use token::{
    CredentialInToken, DomainRef, Federation, IssuedToken, Login, ProjectInToken, Receipt, RoleRef,
    RuleInToken, TokenInfo, TokenScope, TrustInToken, UserInToken,
};
pub use tokens::ApiVersion;
