#![doc = include_str!("../README.md")]

mod account;
mod answer;
mod cache;
mod call;
mod certificate;
mod clouds;
mod context;
mod device;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod id_token;
mod identity;
mod keyring;
mod keystone;
mod legacy;
mod listener;
mod lock;
mod loopback;
mod party;
mod provider;
mod refused;
mod skew;
mod token;
mod websso;

pub use account::{Account, AccountError, Current, Kept, Origin, Waiting};
pub use cache::{CacheEntry, CacheError, CacheSlot, SlotKind, TokenCache, UnsafePath};
pub use certificate::{CertificateError, CertificatePair, MadePair};
pub use clouds::{Cloud, CloudEdit, CloudFiles, CloudsError, EditError, YamlError};
pub use context::{ClientContext, Clock, Entropy, NoEntropy};
pub use device::{DeviceLogin, DeviceStep};
pub use error::{CallError, CallFault, DiscoveryError, LoginError, Refusal, Step, TokenError};
pub use id_token::IdTokenFault;
pub use identity::{ClientIdentity, SecretMethod};
pub use keyring::{SealingKey, SystemKeyring, known_system_key, system_key};
pub use keystone::{Keystone, KeystoneError, KeystoneScope, KeystoneToken, KeystoneUser, ScopeChoice};
pub use legacy::LegacyLogin;
pub use lock::CacheLock;
pub use loopback::{LOGIN_DEADLINE, LoopbackHost, LoopbackLogin, LoopbackOptions, LoopbackPath};
pub use party::{ClientCredentialsRequest, RelyingParty};
pub use provider::Provider;
pub use refused::RefusedRequest;
pub use skew::ClockSkew;
pub use token::{Person, RecordError, TokenSet};
pub use websso::{WebSso, WebSsoOptions};
