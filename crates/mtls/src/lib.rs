#![doc = include_str!("../README.md")]

mod alt_names;
mod certificate;
mod confirmation;
mod error;
mod forwarded;
mod matcher;
mod name;
mod pem;
mod self_signed;
mod thumbprint;

pub use alt_names::SubjectAltNames;
pub use certificate::{ClientCertificate, MAX_CERTIFICATE_OCTETS};
pub use confirmation::Confirmation;
pub use error::{BindingError, MatcherError, NameError};
pub use forwarded::{ForwardedCertificate, ForwardedHeader, MAX_FORWARDED_OCTETS};
pub use matcher::SubjectMatcher;
pub use name::{DistinguishedName, MAX_NAME_OCTETS};
pub use self_signed::{MAX_SELF_SIGNED_KEYS, SelfSignedKey, SelfSignedKeys};
pub use thumbprint::{CertificateThumbprint, KeystoneThumbprint};
