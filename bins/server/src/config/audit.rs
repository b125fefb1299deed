//! `[audit]`: where events go, and to whom else.

use serde::Deserialize;
use std::path::PathBuf;

/// `[audit]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AuditSection {
    /// Default: `audit.jsonl` beside the database.
    pub(crate) path: Option<PathBuf>,
    /// Default: `audit.key` beside the audit file.
    pub(crate) key_file: Option<PathBuf>,
    /// 0: never by size.
    pub(crate) rotate_mib: u64,
    /// 0: never by age.
    pub(crate) rotate_h: u64,
}

impl Default for AuditSection {
    fn default() -> Self {
        Self {
            path: None,
            key_file: None,
            rotate_mib: 256,
            rotate_h: 24,
        }
    }
}
