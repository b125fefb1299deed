//! Whether the file takes a change.

use std::path::Path;

use sqlx::{ConnectOptions, Connection, Executor};

use super::options;
use crate::sql::error::Failure;

/// Begins a change and takes it back. A file that another process has locked is told after the usual wait.
pub(in crate::sql) async fn look(path: &Path) -> Result<(), Failure> {
    let mut connection = options(path).connect().await?;
    connection.execute("BEGIN IMMEDIATE").await?;
    connection.execute("ROLLBACK").await?;
    connection.close().await?;
    Ok(())
}
