#![doc = include_str!("../README.md")]

mod config;
mod files;
mod peer;
mod profile;
mod serve;
mod tickets;
mod trust;
mod verifier;

pub use config::{ClientCertificates, DEFAULT_TICKET_LIFETIME, ServerTlsConfig, TlsConfigError, TlsHandle};
pub use files::{FileError, load_certificates, load_private_key, parse_certificates, parse_private_key};
pub use peer::{PeerAddr, PeerCertificate};
pub use profile::{TlsProfile, TlsVersion};
pub use serve::{
    KeptOut, LimitsHandle, LocalPeer, LocalSocket, ServeLimits, serve, serve_local, serve_plain,
};
pub use trust::{ChainError, ClientTrust, CrlPolicy, RevocationDepth, TrustError, TrustHandle};
