//! Which database, and how it is reached.

use crate::config::{Config, PostgresSection};
use anyhow::{Context as _, bail};
use sealstone_ca::files;
use sealstone_keyring::KeyEncryptionKey;
use sealstone_provider::{Clock as _, SystemClock};
use sealstone_storage::{Database, PostgresConfig, PostgresPassword};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The database of the configuration.
pub(crate) fn database(config: &Config) -> anyhow::Result<Database> {
    match (&config.storage.path, &config.storage.postgres) {
        (Some(path), None) => Ok(Database::from(path)),
        (None, Some(section)) => Ok(Database::from(postgres(section)?)),
        (None, None) => bail!(
            "[storage] names no database: set storage.path to a file for SQLite, or storage.postgres.url for PostgreSQL"
        ),
        (Some(_), Some(_)) => bail!(
            "storage.path and [storage.postgres] are two databases: keep the one that is meant, remove the other"
        ),
    }
}

/// As [`database`], for who serves: with what logins under way are sealed by.
pub(crate) fn serving(config: &Config, key: &KeyEncryptionKey) -> anyhow::Result<Database> {
    Ok(match database(config)? {
        Database::Postgres(database) => Database::from(database.with_login_key(Arc::new(key.clone()))),
        file @ (Database::File(_) | _) => file,
    })
}

fn postgres(section: &PostgresSection) -> anyhow::Result<PostgresConfig> {
    let mut config: PostgresConfig = section.url.parse().context("storage.postgres.url")?;
    if let Some(path) = &section.password_file {
        let text = files::read_private(path).context("storage.postgres.password_file")?;
        let password = Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned());
        anyhow::ensure!(
            !password.is_empty(),
            "storage.postgres.password_file: {} is empty: write the password of the database's user into it",
            path.display()
        );
        config = config.with_password(PostgresPassword::new(password));
    }
    if let Some(path) = &section.ca_file {
        anyhow::ensure!(
            path.is_file(),
            "storage.postgres.ca_file: {} is no file: name the authorities of the database server's certificate",
            path.display()
        );
        config = config.with_ca_file(path);
    }
    match (&section.certificate_file, &section.key_file) {
        (Some(certificate), Some(key)) => config = config.with_client_certificate(certificate, key),
        (None, None) => {}
        _ => bail!("storage.postgres.certificate_file and key_file belong together: set both, or neither"),
    }
    if section.insecure_plaintext {
        config = config.insecure_plaintext();
    }
    let config = config.with_connections(section.connections);
    let config = config.context("storage.postgres.connections")?;
    Ok(config.with_clock(|| SystemClock.now()))
}
