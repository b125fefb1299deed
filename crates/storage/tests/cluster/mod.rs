//! Stores on a PostgreSQL server of the test's own.

use std::sync::Arc;

use sealstone_keyring::KeyEncryptionKey;
use sealstone_storage::{PostgresConfig, SqlStore};
use sealstone_testkit::PostgresCluster;

/// A server, or none: where PostgreSQL is not installed these tests have nothing to ask. The full suite installs it, and
/// says that it must be there.
pub(crate) fn cluster() -> Option<PostgresCluster> {
    if PostgresCluster::is_installed() {
        return Some(PostgresCluster::start());
    }
    let demanded = std::env::var_os("SEALSTONE_NEEDS_POSTGRES").is_some();
    assert!(!demanded, "PostgreSQL is not installed: `cargo xtask setup`");
    eprintln!("skipped: PostgreSQL is not installed");
    None
}

pub(crate) fn config(url: &str) -> PostgresConfig {
    let config: PostgresConfig = url.parse().unwrap();
    config.with_login_key(Arc::new(KeyEncryptionKey::from_bytes([5; 32])))
}

/// A store on a new, empty database.
pub(crate) async fn store(cluster: &PostgresCluster) -> SqlStore {
    SqlStore::open(config(&cluster.database())).await.unwrap()
}
