//! Which database.

use std::fmt;
#[cfg(feature = "sqlite")]
use std::path::{Path, PathBuf};

#[cfg(feature = "postgres")]
use super::PostgresConfig;

/// Where everything is kept. Its text names it in messages, without a secret.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Database {
    /// An SQLite file.
    #[cfg(feature = "sqlite")]
    File(PathBuf),
    /// A database of a PostgreSQL server.
    #[cfg(feature = "postgres")]
    Postgres(Box<PostgresConfig>),
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "sqlite")]
            Self::File(path) => path.display().fmt(f),
            #[cfg(feature = "postgres")]
            Self::Postgres(config) => config.fmt(f),
        }
    }
}

impl From<&Self> for Database {
    fn from(database: &Self) -> Self {
        database.clone()
    }
}

#[cfg(feature = "sqlite")]
impl From<&Path> for Database {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

#[cfg(feature = "sqlite")]
impl From<&PathBuf> for Database {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

#[cfg(feature = "postgres")]
impl From<PostgresConfig> for Database {
    fn from(config: PostgresConfig) -> Self {
        Self::Postgres(Box::new(config))
    }
}
