#![doc = include_str!("../README.md")]

pub mod assertion;
pub mod authenticate;
pub mod authorize;
pub mod code;
pub mod consent;
mod denial;
pub mod device;
mod evidence;
pub mod identity;
pub mod inspect;
pub mod interaction;
mod issued;
pub mod keystone;
pub mod logout;
pub mod person;
mod person_grant;
pub mod refresh;
pub mod scopes;
pub mod token;
pub mod userinfo;

pub use denial::{Denial, GrantDenial};
pub use evidence::{ChainVerdict, PresentedCertificate};
pub use issued::{GrantStoreError, IssuedToken};
pub use person_grant::PersonGrant;
