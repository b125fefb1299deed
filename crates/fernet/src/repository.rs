//! Key repositories on disk.

mod fernet;
mod jws;
mod marker;
mod nodes;

pub use fernet::{FernetKeyFile, FernetKeyRole, FernetReport, FernetRepository, FernetRotation};
pub use jws::{JwsKeyFile, JwsKeyRole, JwsReport, JwsRepository};
pub use marker::{InvalidNodeName, NodeName};
pub use nodes::{Disagreement, NodeKeys, compare_nodes};

use std::path::PathBuf;

/// What is no reason to stop, but to look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// The folder is on a file system that machines share.
    #[error(
        "{}: on {file_system}, which machines share: rotate on one node only, and keep private keys off it",
        path.display()
    )]
    SharedFileSystem {
        /// The folder.
        path: PathBuf,
        /// Its file system.
        file_system: &'static str,
    },
    /// Another node rotated the keys, or made the private key.
    #[error("{}: last changed by node `{node}`", path.display())]
    OtherNode {
        /// The folder.
        path: PathBuf,
        /// That node.
        node: String,
    },
    /// No staged key: the next rotation signs by a key that no other node has.
    #[error("{}: no staged key; the next rotation must reach every node before the one after it", path.display())]
    NoStagedKey {
        /// The folder.
        path: PathBuf,
    },
    /// One key under two names; after a rotation that was cut, the staged and the primary one.
    #[error("{} and {} hold the same key", first.display(), second.display())]
    SameKey {
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// More keys than `max_active_keys`: the next rotation drops the oldest.
    #[error("{}: {found} keys, {limit} configured; the next rotation drops the oldest", path.display())]
    TooManyKeys {
        /// The folder.
        path: PathBuf,
        /// How many there are.
        found: usize,
        /// `max_active_keys`.
        limit: usize,
    },
    /// A file that is none of the repository's keys by its name.
    #[error("{}: not a key of this folder, by its name; remove it", path.display())]
    Stray {
        /// The file.
        path: PathBuf,
    },
    /// The public half of the private key is not published: every token of this node is refused.
    #[error("{}: its public key is not in the public repository, so that no node takes its tokens", path.display())]
    NotPublished {
        /// The private key's file.
        path: PathBuf,
    },
}
