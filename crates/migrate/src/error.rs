//! What can go wrong while nodes are read.

use std::path::{Path, PathBuf};

use crate::ini::IniError;
use crate::node::Node;
use crate::settings::SettingError;

/// Why a node could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InventoryError {
    /// The operating system refused.
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        verb: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// `ssh` or `tar` failed.
    #[error("{program} failed: {complaint}")]
    Program {
        /// Which.
        program: &'static str,
        /// What it said.
        complaint: String,
    },
    /// A program that did not end.
    #[error(
        "{program} did not end within {after_s} s and was killed: see whether `ssh HOST true` ends by itself; a longer \
         --ssh-limit waits longer"
    )]
    Late {
        /// Which.
        program: String,
        /// In seconds.
        after_s: u64,
    },
    /// The archive is larger than any of these files.
    #[error("the archive is larger than {limit} bytes: put only the configuration and the keys into it")]
    TooLarge {
        /// In bytes.
        limit: u64,
    },
    /// The archive holds something that is no file.
    #[error(
        "the archive holds links, devices or more than {limit} files: put only the configuration and the keys into \
         it, by `tar --dereference`"
    )]
    Entry {
        /// The most files.
        limit: usize,
    },
    /// There is no configuration.
    #[error("{}: no such file; say where it is by --config-file", path.display())]
    NoConfiguration {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Not text, or too long.
    #[error("{}: not UTF-8 text of at most 1 MiB", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// Not configuration.
    #[error("{}: {source}", path.display())]
    Ini {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: IniError,
    },
    /// An option cannot be told.
    #[error("{0}")]
    Setting(#[from] SettingError),
    /// Two nodes of one name.
    #[error("node `{0}` is named twice")]
    Twice(Node),
    /// More files in a folder of configuration than anybody has.
    #[error("{}: more than {limit} files", path.display())]
    Crowded {
        /// The folder.
        path: PathBuf,
        /// The most files.
        limit: usize,
    },
}

impl InventoryError {
    pub(crate) fn io(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { verb, path, source }
    }
}
