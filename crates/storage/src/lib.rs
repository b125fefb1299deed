#![doc = include_str!("../README.md")]

mod audit_file;
mod cache;
mod feed;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use audit_file::AuditFile;
pub use cache::{CachedClients, CachedDomains};
pub use memory::MemoryStore;
#[cfg(feature = "sqlite")]
pub use sqlite::{Migration, MigrationStatus, Migrations, SqlError, SqlErrorKind, SqlStore};
