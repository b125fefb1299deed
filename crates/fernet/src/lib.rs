#![doc = include_str!("../README.md")]

mod claims;
mod error;
mod fernet;
mod files;
mod id;
mod jws;
mod limits;

pub use claims::{AuditIds, Federation, ReadAt, Scope, TokenClaims, TokenSubject};
pub use error::{DecodeError, IssueError, KeyError, RepositoryError};
pub use fernet::{
    AuthMethods, FernetKey, FernetKeys, FernetReceipts, FernetToken, FernetTokens, Iv, Opened,
    PayloadVersion, Receipt,
};
pub use id::{AuditId, InvalidAuditId, InvalidId, KeystoneId};
pub use jws::{JwsAlgorithm, JwsPrivateKey, JwsPublicKey, JwsTokenIssuer, JwsTokenReader, MintedToken};
