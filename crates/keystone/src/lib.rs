#![doc = include_str!("../README.md")]

mod authentication;
mod breaker;
mod catalog;
mod client;
mod config;
mod error;
mod ids;
mod moment;
mod secret;
mod token;
mod tokens;

pub use authentication::{Authentication, DomainKey, Factor, LoginScope, ProjectKey, UserKey};
pub use catalog::{Catalog, Endpoint, Service};
pub use client::KeystoneClient;
pub use config::KeystoneConfig;
pub use error::{
    ConfigError, Fault, KeystoneError, KeystoneRefusal, Operation, Outage, RequestId, TimeFault,
};
pub use ids::{AccessRuleId, AuditId, BadIdentifier, CredentialId, GroupId, Label, RoleId, TrustId};
pub use secret::{BadToken, Secret, Token};
pub use token::{
    CredentialInToken, DomainRef, Federation, IssuedToken, Login, ProjectInToken, Receipt, RoleRef,
    RuleInToken, TokenInfo, TokenScope, TrustInToken, UserInToken,
};
pub use tokens::ApiVersion;
