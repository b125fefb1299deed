#![doc = include_str!("../README.md")]

mod audit_file;
mod bounds;
mod cache;
mod ended;
mod feed;
mod interactions;
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use audit_file::AuditFile;
pub use cache::{CachedClients, CachedDomains};
pub use memory::MemoryStore;
#[cfg(feature = "sqlite")]
pub use sqlite::{Migration, MigrationStatus, Migrations, SqlError, SqlErrorKind, SqlStore};
