//! The JWS keys of all nodes: made in one place, judged wherever they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustls_pki_types::UnixTime;
use sealstone_fernet::{
    Disagreement, JwsAlgorithm, JwsPublicKey, JwsRepository, NodeName, RepositoryError, compare_nodes,
};
use serde::Serialize;

use crate::inventory::{NodeRecord, keys_of};
use crate::node::Node;
use crate::read::jws_record;

/// Where one node's keys were made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodeFolder {
    /// The node.
    pub node: Node,
    /// The folder to bring to `jws_private_key_repository` of this node, and of no other.
    pub private: PathBuf,
    /// The folder to bring to `jws_public_key_repository`; the same on every node.
    pub public: PathBuf,
    /// The fingerprint of the node's own key.
    pub fingerprint: String,
}

/// Why keys were not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// Nothing to make.
    #[error("no node is named")]
    NoNode,
    /// Two nodes of one name.
    #[error("node `{0}` is named twice")]
    Twice(Node),
    /// The folder for all of it cannot be made.
    #[error("cannot make {}: {source}; name a folder that is not there yet, in one that is", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A repository was refused.
    #[error("{0}")]
    Repository(#[from] RepositoryError),
    /// What was made is not good; nothing of it should be used.
    #[error("what was made is not good, remove it: {0}")]
    Judged(KeyFault),
}

/// Why the nodes' JWS keys would not serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// A node without keys.
    #[error("node `{0}` has no JWS keys")]
    Missing(Node),
    /// A repository that Keystone fails on, or that others can read.
    #[error("node `{node}`: {fault}")]
    Repository {
        /// The node.
        node: Node,
        /// What is wrong.
        fault: String,
    },
    /// A node whose own key signs, and another's lies beside it; or one that is not its own.
    #[error("node `{node}`: {warning}")]
    Stray {
        /// The node.
        node: Node,
        /// What is there.
        warning: String,
    },
    /// Nodes that differ.
    #[error("{0}")]
    Differ(Disagreement),
}

/// What is told of keys that are as they must be.
#[must_use]
pub fn keys_in_place(nodes: usize, keys: usize) -> String {
    format!("{nodes} nodes hold the same {keys} public keys, and each a private key of its own")
}

/// Makes a key pair for every node, in folders `<out>/<node>/private` and `<out>/<node>/public`: the node's own private
/// key, and all public keys.
///
/// Keys of one run are all new; `out` must not be there yet, and is for this account alone.
///
/// # Errors
/// [`KeysError`]. What was made until then is removed.
pub fn make_keys(
    out: &Path,
    nodes: &[Node],
    algorithm: JwsAlgorithm,
    now: UnixTime,
) -> Result<Vec<NodeFolder>, KeysError> {
    let names: BTreeSet<&Node> = nodes.iter().collect();
    if nodes.is_empty() {
        return Err(KeysError::NoNode);
    }
    if names.len() != nodes.len() {
        let twice = nodes
            .iter()
            .enumerate()
            .find(|(place, node)| nodes.iter().take(*place).any(|other| other == *node));
        return Err(twice.map_or(KeysError::NoNode, |(_place, node)| KeysError::Twice(node.clone())));
    }
    folder(out)?;
    let made = make_in(out, nodes, algorithm, now);
    if made.is_err() {
        let _ = fs::remove_dir_all(out);
    }
    made
}

fn folder(path: &Path) -> Result<(), KeysError> {
    let made = fs::DirBuilder::new().mode(0o700).create(path);
    made.map_err(|source| KeysError::Folder {
        path: path.to_owned(),
        source,
    })
}

fn make_in(
    out: &Path,
    nodes: &[Node],
    algorithm: JwsAlgorithm,
    now: UnixTime,
) -> Result<Vec<NodeFolder>, KeysError> {
    let mut keys: Vec<(JwsRepository, JwsPublicKey)> = Vec::new();
    for node in nodes {
        let below = out.join(node.as_str());
        folder(&below)?;
        let repository = JwsRepository::new(below.join("private"), below.join("public"));
        let name = NodeName::parse(node.as_str()).map_err(|_invalid| KeysError::NoNode)?;
        let key = repository.create(algorithm, &name, now)?;
        keys.push((repository, key));
    }
    for (repository, _own) in &keys {
        for (_repository, key) in &keys {
            repository.publish(key)?;
        }
    }
    let made: Vec<NodeFolder> = nodes
        .iter()
        .zip(&keys)
        .map(|(node, (repository, key))| NodeFolder {
            node: node.clone(),
            private: repository.private_path().to_owned(),
            public: repository.public_path().to_owned(),
            fingerprint: key.fingerprint(),
        })
        .collect();
    match judge_folders(&made, algorithm).into_iter().next() {
        Some(fault) => Err(KeysError::Judged(fault)),
        None => Ok(made),
    }
}

fn judge_folders(folders: &[NodeFolder], algorithm: JwsAlgorithm) -> Vec<KeyFault> {
    let records = folders.iter().map(|folder| {
        let record = jws_record(&folder.private, &folder.public, algorithm.as_str(), &folder.node);
        (folder.node.clone(), record)
    });
    let records: BTreeMap<_, _> = records.collect();
    let mut faults = Vec::new();
    let mut all = Vec::new();
    for (node, jws) in &records {
        faults.extend(of_repository(node, jws));
        if let Ok(name) = NodeName::parse(node.as_str()) {
            let mut keys = sealstone_fernet::NodeKeys::new(name, None, None);
            keys.jws_signing.clone_from(&jws.signing);
            keys.jws_public = jws.keys.iter().map(|key| key.fingerprint.clone()).collect();
            all.push(keys);
        }
    }
    faults.extend(compare_nodes(&all).into_iter().map(KeyFault::Differ));
    faults
}

fn of_repository(node: &Node, jws: &crate::RepositoryRecord) -> Vec<KeyFault> {
    if !jws.present {
        return vec![KeyFault::Missing(node.clone())];
    }
    let faults = jws.faults.iter().map(|fault| KeyFault::Repository {
        node: node.clone(),
        fault: fault.clone(),
    });
    let warnings = jws.warnings.iter().map(|warning| KeyFault::Stray {
        node: node.clone(),
        warning: warning.clone(),
    });
    faults.chain(warnings).collect()
}

/// Judges the JWS keys of nodes that were read: all hold the same public keys, by digest; each signs with a key that no
/// other node has; nothing else lies in the private folders. Nothing comes back when every node will take the tokens
/// of every other.
#[must_use]
pub fn judge_keys(nodes: &[NodeRecord]) -> Vec<KeyFault> {
    let mut faults: Vec<KeyFault> = nodes
        .iter()
        .flat_map(|node| of_repository(&node.name, &node.jws))
        .collect();
    let keys: Vec<_> = nodes
        .iter()
        .filter_map(keys_of)
        .map(|mut keys| {
            keys.fernet_primary = None;
            keys.fernet.clear();
            keys
        })
        .collect();
    faults.extend(compare_nodes(&keys).into_iter().map(KeyFault::Differ));
    faults
}
