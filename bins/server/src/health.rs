//! Parts without which requests fail, as readiness tells of them.

use crate::config::Config;
use sealstone_http::Readiness;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Below this, the next commit or audit event may be the one that does not fit.
const LEAST_FREE: u64 = 4 * 1024 * 1024;
/// How often disks are looked at: as often as balancers ask.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Not ready while a disk that is written on is full: another node answers meanwhile.
pub(crate) async fn watch_disks(config: &Config, readiness: &Readiness, stop: impl Future<Output = ()>) {
    let folders = folders(config);
    let mut was_full = false;
    tokio::pin!(stop);
    loop {
        let full = folders
            .iter()
            .find(|(_, folder)| free(folder).is_some_and(|free| free < LEAST_FREE));
        readiness.set_part("disk", full.is_none());
        if let Some((_, folder)) = full.filter(|_| !was_full) {
            tracing::error!(folder = %folder.display(), "the disk is full: this node is not ready until there is room");
        }
        was_full = full.is_some();
        tokio::select! {
            () = &mut stop => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// What is written on: by what it is for.
pub(crate) fn folders(config: &Config) -> Vec<(&'static str, PathBuf)> {
    let audit = config.audit_path();
    let database = config.storage.path.as_deref();
    [("audit", Some(audit.as_path())), ("database", database)]
        .into_iter()
        .filter_map(|(name, path)| Some((name, path?.parent()?.to_owned())))
        .collect()
}

/// Octets that this user may still write there.
pub(crate) fn free(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize.max(1)))
}
