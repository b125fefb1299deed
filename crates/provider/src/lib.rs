#![doc = include_str!("../README.md")]

mod administration;
mod assertion;
mod audit_trail;
mod authenticate;
mod client_limit;
mod config;
mod error;
mod identity;
mod introspect;
mod issuer;
mod keystone;
mod maintain;
mod metadata;
mod peer;
pub mod people;
mod ports;
mod provider;
mod revoke;
mod sharded;
mod token;

pub use administration::{
    Administration, AdministrationAnswer, AdministrationDenial, AdministrationError, AdministrationRequest,
    AdministratorCertificate, Credentials, KeyAdministration, KeyPlace, KeyWorkshop, KeyWorkshopFull,
    KeysRequest, Preconditions, RegistrationRequest,
};
pub use client_limit::ClientLimit;
pub use config::{BaseUrl, BaseUrlError, ProviderConfig};
pub use error::{BackendError, TokenError};
pub use issuer::IssuerKeysError;
pub use keystone::IssuedKeystoneToken;
pub use maintain::{KeyWork, KeysDue, Loaded, MaintainError, Maintenance, Upkeep};
pub use peer::{Peer, RequestId};
pub use ports::{Clock, Entropy, EntropyError, Ports, SystemClock, SystemEntropy};
pub use provider::Provider;
pub use sealstone_grants::{ChainVerdict, Denial, PresentedCertificate};
pub use sealstone_identity::DomainId;
pub use sharded::{SHARDS, Sharded};
pub use token::{Recorded, TokenFuture, TokenTurn};
