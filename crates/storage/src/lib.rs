#![doc = include_str!("../README.md")]

mod cache;
mod feed;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use cache::{CachedClients, CachedDomains};
pub use memory::MemoryStore;
#[cfg(feature = "sqlite")]
pub use sqlite::{Migration, MigrationStatus, Migrations, SqlError, SqlErrorKind, SqlStore};
