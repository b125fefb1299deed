//! What users hand on: application credentials, trusts, EC2 keys.

mod application_credential;
mod credential;
mod trust;

pub use application_credential::{
    AccessRule, ApplicationCredential, CreatedApplicationCredential, NewApplicationCredential, RoleKey,
};
pub use credential::{Credential, Ec2Credential};
pub use trust::{NewTrust, Trust};
