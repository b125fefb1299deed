//! What the nodes of one cloud must have in common, and what they must not.

use std::collections::{BTreeMap, BTreeSet};

use super::{FernetKeyRole, FernetReport, JwsReport, NodeName};

/// The keys of one node, by fingerprint: no secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeKeys {
    /// The node.
    pub node: NodeName,
    /// The Fernet key that it signs with.
    pub fernet_primary: Option<String>,
    /// All Fernet keys that it takes tokens by.
    pub fernet: BTreeSet<String>,
    /// The JWS key that it signs with.
    pub jws_signing: Option<String>,
    /// The public keys that it takes tokens by.
    pub jws_public: BTreeSet<String>,
}

impl NodeKeys {
    /// From what a node's repositories hold; a repository that the node does not have is `None`.
    #[must_use]
    pub fn new(node: NodeName, fernet: Option<&FernetReport>, jws: Option<&JwsReport>) -> Self {
        let fernet = fernet.map(|report| report.keys.as_slice()).unwrap_or_default();
        let primary = fernet.iter().find(|key| key.role == FernetKeyRole::Primary);
        let public = jws.map(|report| report.keys.as_slice()).unwrap_or_default();
        Self {
            node,
            fernet_primary: primary.map(|key| key.fingerprint.clone()),
            fernet: fernet.iter().map(|key| key.fingerprint.clone()).collect(),
            jws_signing: jws.and_then(|report| report.signing.clone()),
            jws_public: public.iter().map(|key| key.fingerprint.clone()).collect(),
        }
    }
}

/// Why nodes behind one balancer do not serve as one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Disagreement {
    /// One private key on several nodes: whoever takes one node signs for all, and no key can be withdrawn alone.
    #[error("nodes {} sign with one private key; every node needs its own", list(nodes))]
    SharedPrivateKey {
        /// Those nodes.
        nodes: Vec<NodeName>,
    },
    /// Tokens of one node are refused by another.
    #[error("node `{node}` refuses JWS tokens of node `{issuer}`: it lacks the public key {fingerprint}")]
    MissingPublicKey {
        /// The node that lacks the key.
        node: NodeName,
        /// The node that signs with it.
        issuer: NodeName,
        /// The key.
        fingerprint: String,
    },
    /// A public key that one node has and another has not: an old one that is half gone, or a new one half there.
    #[error(
        "public key {fingerprint} is on nodes {}, and not on {}",
        list(on),
        list(not_on)
    )]
    PublicKeyOnSome {
        /// The key.
        fingerprint: String,
        /// Who has it.
        on: Vec<NodeName>,
        /// Who has it not.
        not_on: Vec<NodeName>,
    },
    /// Fernet tokens of one node are refused by another.
    #[error("node `{node}` refuses Fernet tokens of node `{issuer}`: it lacks the key {fingerprint}")]
    MissingFernetKey {
        /// The node that lacks the key.
        node: NodeName,
        /// The node that signs with it.
        issuer: NodeName,
        /// The key.
        fingerprint: String,
    },
}

fn list(nodes: &[NodeName]) -> String {
    let names: Vec<String> = nodes.iter().map(|node| format!("`{node}`")).collect();
    names.join(", ")
}

/// Compares the keys of the nodes behind one balancer. Nothing comes back when each takes the tokens of all, by the
/// same public keys, and no private key is there twice.
#[must_use]
pub fn compare_nodes(nodes: &[NodeKeys]) -> Vec<Disagreement> {
    let mut found = Vec::new();
    let mut signers: BTreeMap<&str, Vec<NodeName>> = BTreeMap::new();
    for keys in nodes {
        if let Some(fingerprint) = &keys.jws_signing {
            signers.entry(fingerprint).or_default().push(keys.node.clone());
        }
    }
    let shared = signers.values().filter(|nodes| nodes.len() > 1);
    found.extend(shared.map(|nodes| Disagreement::SharedPrivateKey { nodes: nodes.clone() }));
    for issuer in nodes {
        for keys in nodes {
            if let Some(fingerprint) = issuer
                .jws_signing
                .clone()
                .filter(|key| !keys.jws_public.contains(key))
            {
                found.push(Disagreement::MissingPublicKey {
                    node: keys.node.clone(),
                    issuer: issuer.node.clone(),
                    fingerprint,
                });
            }
            if let Some(fingerprint) = issuer
                .fernet_primary
                .clone()
                .filter(|key| !keys.fernet.contains(key))
            {
                found.push(Disagreement::MissingFernetKey {
                    node: keys.node.clone(),
                    issuer: issuer.node.clone(),
                    fingerprint,
                });
            }
        }
    }
    found.extend(on_some(nodes, &signers));
    found
}

/// Public keys that some lack, but for those that sign, which are told of already.
fn on_some(nodes: &[NodeKeys], signers: &BTreeMap<&str, Vec<NodeName>>) -> Vec<Disagreement> {
    let all: BTreeSet<&String> = nodes.iter().flat_map(|keys| &keys.jws_public).collect();
    let split = |fingerprint: &&String| {
        let (on, not_on): (Vec<&NodeKeys>, Vec<&NodeKeys>) = nodes
            .iter()
            .partition(|keys| keys.jws_public.contains(*fingerprint));
        let names = |keys: Vec<&NodeKeys>| keys.into_iter().map(|keys| keys.node.clone()).collect::<Vec<_>>();
        (names(on), names(not_on))
    };
    all.into_iter()
        .filter(|fingerprint| !signers.contains_key(fingerprint.as_str()))
        .map(|fingerprint| (fingerprint, split(&fingerprint)))
        .filter(|(_fingerprint, (_on, not_on))| !not_on.is_empty())
        .map(|(fingerprint, (on, not_on))| Disagreement::PublicKeyOnSome {
            fingerprint: fingerprint.clone(),
            on,
            not_on,
        })
        .collect()
}
