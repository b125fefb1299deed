#![doc = include_str!("../README.md")]

mod bounds;
mod cache;
mod ended;
mod feed;
mod interactions;
mod memory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;

pub use cache::{CachedClients, CachedDomains};
pub use memory::MemoryStore;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use sql::{
    Database, Inspection, Leadership, Migration, MigrationStatus, Migrations, Rewrapping, Sealed,
    SealedCursor, SealedPage, SqlError, SqlErrorKind, SqlStore,
};
#[cfg(feature = "postgres")]
pub use sql::{PostgresConfig, PostgresConfigError, PostgresPassword, ServerFacts};
