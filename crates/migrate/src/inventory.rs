//! What was found, as it is written down.

use sealstone_fernet::{Disagreement, NodeKeys, NodeName, compare_nodes};
use serde::{Deserialize, Serialize};

use crate::impact::{self, Impact};
use crate::node::{AbsolutePath, Node};
use crate::settings::Settings;

/// The form of the document; another number is another form.
const VERSION: u32 = 1;

/// The nodes behind one balancer, who lives by long-lived delegation, and what the change to JWS means to them.
///
/// Keys are in it by fingerprint only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Inventory {
    version: u32,
    /// When it was taken, in seconds since 1970.
    pub taken_at: u64,
    /// The nodes, in the order in which they were named.
    pub nodes: Vec<NodeRecord>,
    /// What the nodes do not have in common, and must.
    pub disagreements: Vec<String>,
    /// From Keystone's own records; `null` where nobody asked it.
    pub long_lived: Option<LongLived>,
    /// What changes, what breaks, for how long, for whom.
    pub impact: Vec<Impact>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NodeRecord {
    /// Its name.
    pub name: Node,
    /// Where its files were read.
    pub source: String,
    /// The files of configuration, in the order in which they count.
    pub configuration: Vec<AbsolutePath>,
    /// What they say.
    pub settings: Settings,
    /// How its clock differs from that of the machine that took the inventory; `null` where nobody knows.
    pub clock: Option<ClockOffset>,
    /// Its Fernet keys.
    pub fernet: RepositoryRecord,
    /// Its JWS keys.
    pub jws: RepositoryRecord,
    /// What could not be read.
    pub notes: Vec<String>,
}

/// How two clocks differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "callers tell what they measured")]
pub struct ClockOffset {
    /// In milliseconds; positive where the node is ahead.
    pub offset_ms: i64,
    /// How wrong that may be, in milliseconds: half of what asking took.
    pub within_ms: u64,
}

/// One repository of keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RepositoryRecord {
    /// Whether its folders are there.
    pub present: bool,
    /// The key that signs.
    pub signing: Option<String>,
    /// The keys that tokens are taken by.
    pub keys: Vec<KeyRecord>,
    /// Why tokens fail.
    pub faults: Vec<String>,
    /// What to look at.
    pub warnings: Vec<String>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeyRecord {
    /// Its file.
    pub name: String,
    /// `staged`, `secondary`, `primary`; `signing`, `next`, `verifying`.
    pub role: String,
    /// Of the key; the same wherever it is.
    pub fingerprint: String,
}

/// Delegation that outlives tokens, as Keystone keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers fill it from what Keystone tells them"
)]
pub struct LongLived {
    /// Trusts, by who uses them: Heat's and others'.
    pub trusts: Vec<LongLivedUse>,
    /// Application credentials, by whose they are.
    pub application_credentials: Vec<LongLivedUse>,
    /// What Keystone did not show.
    pub not_seen: Vec<String>,
}

/// How much of it one account has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers fill it from what Keystone tells them"
)]
pub struct LongLivedUse {
    /// The account's id.
    pub user_id: String,
    /// Its name, where it is known.
    pub user_name: Option<String>,
    /// How many.
    pub count: u64,
    /// How many of them never end.
    pub endless: u64,
}

/// Why a document is no inventory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidInventory {
    /// Not its JSON.
    #[error("not an inventory of `sealstone migrate inventory --output json`: {0}")]
    Json(#[from] serde_json::Error),
    /// Another form.
    #[error("an inventory of form {0}; this program reads form {VERSION}: take it anew")]
    Version(u32),
}

impl Inventory {
    /// Puts together what was found, and draws the conclusions.
    #[must_use]
    pub fn new(taken_at: u64, nodes: Vec<NodeRecord>, long_lived: Option<LongLived>) -> Self {
        Self {
            version: VERSION,
            taken_at,
            disagreements: disagreements(&nodes),
            impact: impact::table(&nodes, long_lived.as_ref()),
            nodes,
            long_lived,
        }
    }

    /// Reads what [`Self`] was written as. The conclusions are drawn anew.
    ///
    /// # Errors
    /// [`InvalidInventory`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, InvalidInventory> {
        let read: Self = serde_json::from_slice(bytes)?;
        if read.version != VERSION {
            return Err(InvalidInventory::Version(read.version));
        }
        Ok(Self::new(read.taken_at, read.nodes, read.long_lived))
    }

    /// As text for people.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        crate::markdown::inventory(self)
    }
}

pub(crate) fn keys_of(record: &NodeRecord) -> Option<NodeKeys> {
    let mut keys = NodeKeys::new(NodeName::parse(record.name.as_str()).ok()?, None, None);
    let held = |repository: &RepositoryRecord| {
        let held = repository.keys.iter().map(|key| key.fingerprint.clone());
        held.collect()
    };
    keys.fernet_primary.clone_from(&record.fernet.signing);
    keys.fernet = held(&record.fernet);
    keys.jws_signing.clone_from(&record.jws.signing);
    keys.jws_public = held(&record.jws);
    Some(keys)
}

/// Differences in options count while tokens are Fernet's, too: each node packs and reads them by its own options.
fn disagreements(nodes: &[NodeRecord]) -> Vec<String> {
    let keys: Vec<NodeKeys> = nodes.iter().filter_map(keys_of).collect();
    let mut found: Vec<String> = compare_nodes(&keys).iter().map(Disagreement::to_string).collect();
    let Some((first, others)) = nodes.split_first() else {
        return found;
    };
    for node in others {
        let (ours, theirs) = (&first.settings, &node.settings);
        let options = [
            ("[token] provider", ours.provider != theirs.provider),
            ("[token] expiration", ours.expiration_s != theirs.expiration_s),
            (
                "[token] allow_expired_window",
                ours.allow_expired_window_s != theirs.allow_expired_window_s,
            ),
            ("[auth] methods (or their order)", ours.methods != theirs.methods),
            (
                "[identity] default_domain_id",
                ours.default_domain_id != theirs.default_domain_id,
            ),
            (
                "[fernet_tokens] max_active_keys",
                ours.max_active_keys != theirs.max_active_keys,
            ),
            (
                "[jwt_tokens] jws_accepted_algorithms",
                ours.jws_accepted_algorithms != theirs.jws_accepted_algorithms,
            ),
            (
                "[jwt_tokens] jws_algorithm",
                ours.jws_algorithm != theirs.jws_algorithm,
            ),
        ];
        let differ = options.into_iter().filter(|(_option, differs)| *differs);
        found.extend(
            differ.map(|(option, _)| {
                format!("nodes `{}` and `{}` have another {option}", first.name, node.name)
            }),
        );
    }
    found
}
