//! The nodes themselves: their configuration, their keys, their restart.

mod files;

use crate::balancer::HookError;
use crate::edit::EditError;
use crate::error::InventoryError;
use crate::form::TokenForm;
use crate::inventory::NodeRecord;
use crate::node::Node;

pub use files::NodeHands;

/// Why a node was not read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// It could not be read.
    #[error("node {node}: {source}")]
    Read {
        /// Which.
        node: Node,
        /// Why.
        source: Box<InventoryError>,
    },
    /// Its configuration could not be changed.
    #[error("node {node}: {file}: {source}")]
    Edit {
        /// Which.
        node: Node,
        /// The file.
        file: String,
        /// Why.
        source: EditError,
    },
    /// Its configuration was changed and says something else all the same.
    #[error(
        "node {node}: [token] provider is `{found}` after {file} was changed to `{wanted}`: another file of its \
         configuration sets it, change it there"
    )]
    Overruled {
        /// Which.
        node: Node,
        /// What was written.
        wanted: &'static str,
        /// What counts.
        found: String,
        /// The file that was changed.
        file: String,
    },
    /// A node that nobody described, or whose files are a copy.
    #[error(
        "node {0} cannot be changed: name it with --node {0}=/ or --node {0}=ssh:HOST, not by an archive"
    )]
    OutOfReach(Node),
    /// Its hook failed.
    #[error("node {node}: {source}")]
    Hook {
        /// Which.
        node: Node,
        /// Why.
        source: HookError,
    },
}

/// Reads and changes nodes. Whatever is done twice does no more than what is done once.
pub trait NodeControl {
    /// Every node as it is now, in the order in which they were named.
    ///
    /// # Errors
    /// [`ControlError`].
    fn records(&mut self) -> Result<Vec<NodeRecord>, ControlError>;

    /// Writes `[token] provider`, durably; Keystone sees it when it is restarted.
    ///
    /// # Errors
    /// [`ControlError`].
    fn set_form(&mut self, node: &Node, form: TokenForm) -> Result<(), ControlError>;

    /// Restarts Keystone. It need not serve yet when this is done.
    ///
    /// # Errors
    /// [`ControlError`].
    fn restart(&mut self, node: &Node) -> Result<(), ControlError>;

    /// Removes the Fernet keys of a node, which nothing brings back.
    ///
    /// # Errors
    /// [`ControlError`].
    fn remove_fernet_keys(&mut self, node: &Node) -> Result<(), ControlError>;
}
