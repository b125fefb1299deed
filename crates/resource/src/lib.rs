#![doc = include_str!("../README.md")]

mod bearer;
mod cached;
mod challenge;
mod config;
mod confirmed;
mod error;
mod https;
mod issuer;
mod layer;
mod proxy;
mod source;

pub use challenge::Challenge;
pub use config::{Freshness, ResourceConfig};
pub use confirmed::Confirmed;
pub use error::ConfigError;
pub use https::HttpsSource;
pub use layer::{ResourceLayer, ResourceService};
pub use proxy::{Network, TrustedProxy};
pub use sealstone_jose::Algorithm;
pub use sealstone_mtls::{CertificateThumbprint, ClientCertificate, ForwardedCertificate, ForwardedHeader};
pub use sealstone_oauth_types::{Issuer, ScopeSet, Secret};
pub use sealstone_tokens::VerifiedToken;
pub use source::{Fetched, JwksSource, SourceError};
