//! Which node changed a repository last: a note beside the keys, which travels with a copy of them.

use rustls_pki_types::UnixTime;
use serde::{Deserialize, Serialize};

use crate::RepositoryError;
use crate::folder::{Folder, Secrecy};

/// Keystone skips it: it is no number, and beside a private key it reads `private.pem` alone.
const NAME: &str = ".sealstone-node";
const MAX: usize = 1024;

/// The name of a node among those that serve one cloud: 1 to 255 characters of visible ASCII.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct NodeName(String);

impl NodeName {
    /// The greatest length: that of a host name.
    pub const MAX: usize = 255;

    /// Takes `text` as it is.
    ///
    /// # Errors
    /// [`InvalidNodeName`].
    pub fn parse(text: &str) -> Result<Self, InvalidNodeName> {
        if text.is_empty() || text.len() > Self::MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidNodeName);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for NodeName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is no [`NodeName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a node name: 1 to 255 characters of visible ASCII")]
#[non_exhaustive]
pub struct InvalidNodeName;

#[derive(Serialize, Deserialize)]
struct Note {
    node: String,
    changed_at: u64,
}

/// The node of the note; `None` where there is none, or none that can be read.
pub(super) fn read(folder: &Folder) -> Result<Option<NodeName>, RepositoryError> {
    let Some(bytes) = folder.read_if_there(NAME, Secrecy::Public, MAX)? else {
        return Ok(None);
    };
    let note: Option<Note> = serde_json::from_slice(&bytes).ok();
    Ok(note.and_then(|note| NodeName::parse(&note.node).ok()))
}

pub(super) fn write(folder: &Folder, node: &NodeName, now: UnixTime) -> Result<(), RepositoryError> {
    let note = Note {
        node: node.as_str().to_owned(),
        changed_at: now.as_secs(),
    };
    let mut bytes = serde_json::to_vec(&note).unwrap_or_default();
    bytes.push(b'\n');
    folder.write(NAME, &bytes, Secrecy::Private)
}
