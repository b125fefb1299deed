#![doc = include_str!("../README.md")]

mod agent;
mod body;
mod check;
mod client_credentials;
mod credential;
mod keeper;
mod pair;
mod proxy;
mod publish;
mod schedule;
mod serve;
mod socket;
mod source;
mod state;
mod status;
mod surroundings;
mod token;
mod watched;

pub mod files;

pub use agent::{Agent, NotLoopback};
pub use check::{Unfit, check_successor};
pub use client_credentials::ClientCredentials;
pub use credential::Credential;
pub use files::FileError;
pub use keeper::{Handle, Keeper};
pub use pair::{MachinePair, PairError};
pub use proxy::{Access, ForeignToken, LocalSecret, NoOrigin, ProxySettings, TokenHeader};
pub use publish::{TokenFile, TokenFileForm};
pub use schedule::{Backoff, certificate_due, token_due};
pub use serve::UnixSocket;
pub use socket::PrivateKeys;
pub use source::{
    BuiltInCa, CertificateSource, CommandFault, EstClient, EstFault, EstOperation, NextKey, RenewCommand,
    RenewFault, certificates_of_est_answer,
};
pub use state::StateFolder;
pub use status::{CertificateStatus, FaultStatus, Health, Status, TokenStatus};
pub use surroundings::Surroundings;
pub use token::{AgentToken, TokenFault, TokenSource};
pub use watched::WatchedPair;
