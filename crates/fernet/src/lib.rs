#![doc = include_str!("../README.md")]

mod claims;
mod error;
mod fernet;
#[cfg(unix)]
mod folder;
mod hex;
mod id;
mod jws;
mod limits;
// A key repository is its files' owners and modes, which are Unix's.
#[cfg(unix)]
mod repository;

pub use claims::{AuditIds, Federation, Methods, ReadAt, Scope, TokenClaims, TokenSubject};
pub use error::{DecodeError, IssueError, KeyError, RepositoryError};
pub use fernet::{
    AuthMethods, FernetKey, FernetKeys, FernetReceipts, FernetToken, FernetTokens, Iv, Opened,
    PayloadVersion, Receipt,
};
#[cfg(unix)]
pub use folder::Custody;
pub use id::{AuditId, InvalidAuditId, InvalidId, KeystoneId};
pub use jws::{JwsAlgorithm, JwsPrivateKey, JwsPublicKey, JwsTokenIssuer, JwsTokenReader, MintedToken};
#[cfg(unix)]
pub use repository::{
    Disagreement, FernetKeyFile, FernetKeyRole, FernetReport, FernetRepository, FernetRotation,
    InvalidNodeName, JwsKeyFile, JwsKeyRole, JwsReport, JwsRepository, NodeKeys, NodeName, Warning,
    compare_nodes,
};
