//! What is wrong and what to do, for an operator.

use std::borrow::Cow;

use super::SqlErrorKind;
#[cfg(feature = "postgres")]
use crate::sql::postgres;
#[cfg(feature = "sqlite")]
use crate::sql::sqlite;

/// Of an SQLite file.
#[cfg(feature = "sqlite")]
pub(super) fn of_file(kind: SqlErrorKind) -> Cow<'static, str> {
    let latest = sqlite::migrations::LATEST;
    Cow::Borrowed(match kind {
        SqlErrorKind::Permission => {
            "no permission: the file and its folder must be readable and writable by the user that runs this program"
        }
        SqlErrorKind::NoFolder => "its folder does not exist: make it, or correct the path",
        SqlErrorKind::NoFile => "there is no such file: correct the path, or migrate to make it",
        SqlErrorKind::Full => "the disk is full: free space; nothing that was acknowledged is lost",
        SqlErrorKind::Busy => {
            "another process has held the database locked for 5 s: end what works on it, then try again"
        }
        SqlErrorKind::Corrupt => {
            "the database is damaged: stop the server and restore the file from a backup"
        }
        SqlErrorKind::NotADatabase => {
            "the file is not an SQLite database: correct the path, or move the file away"
        }
        SqlErrorKind::NotOurs => {
            "the database belongs to another program: give a path of its own to this one"
        }
        SqlErrorKind::SchemaNewer { found } => return newer(found, latest),
        SqlErrorKind::SchemaOlder { found } => return older(found, latest),
        SqlErrorKind::Device => {
            "reading or writing failed: look at the system's log for the device or file system"
        }
        SqlErrorKind::Closed => CLOSED,
        SqlErrorKind::Unreachable
        | SqlErrorKind::NotReady
        | SqlErrorKind::Refused
        | SqlErrorKind::Tls
        | SqlErrorKind::NoDatabase
        | SqlErrorKind::ReadOnly
        | SqlErrorKind::Slow
        | SqlErrorKind::Contended
        | SqlErrorKind::NotLeading
        | SqlErrorKind::Clock { .. }
        | SqlErrorKind::Other => "the database failed",
    })
}

/// Of a PostgreSQL server.
#[cfg(feature = "postgres")]
pub(in crate::sql) fn of_server(kind: SqlErrorKind) -> Cow<'static, str> {
    let latest = postgres::migrations::LATEST;
    Cow::Borrowed(match kind {
        SqlErrorKind::Unreachable | SqlErrorKind::NoFolder | SqlErrorKind::NoFile => {
            "the database server does not answer: see whether it runs, and whether name, port and network are right"
        }
        SqlErrorKind::NotReady => {
            "the database server is starting, recovering or stopping: wait, or look at its log"
        }
        SqlErrorKind::Refused => {
            "the database server does not let this user in: correct user and password_file, or its pg_hba.conf"
        }
        SqlErrorKind::Tls => {
            "the connection to the database could not be encrypted: the server needs `ssl = on` and a certificate for \
             this very host name from an authority in storage.ca_file"
        }
        SqlErrorKind::NoDatabase => {
            "there is no such database: make it by `createdb --owner USER NAME`, or correct the name"
        }
        SqlErrorKind::Permission => {
            "no permission: make the user the database's owner: `ALTER DATABASE NAME OWNER TO USER`"
        }
        SqlErrorKind::ReadOnly => {
            "the database server is a replica or only lets read: name the primary, or promote this one"
        }
        SqlErrorKind::Full => {
            "the database server's disk is full: free space there; nothing that was acknowledged is lost"
        }
        SqlErrorKind::Busy => {
            "the database server has no connection, memory or lock to give: see max_connections, and what runs there"
        }
        SqlErrorKind::Slow => {
            "the database server took too long for a statement: see its load, its disk and its locks"
        }
        SqlErrorKind::Contended => "others kept changing the same rows: try again",
        SqlErrorKind::NotLeading => {
            "another node leads by now: what only the leader may write was not written"
        }
        SqlErrorKind::Clock { ahead_s } => {
            let side = if ahead_s > 0 { "ahead of" } else { "behind" };
            let by = ahead_s.unsigned_abs();
            return Cow::Owned(format!(
                "this machine's clock is {by} s {side} the database's: set the wrong one right (`timedatectl`); until \
                 then this node gives no token"
            ));
        }
        SqlErrorKind::Corrupt => {
            "the database is damaged, or is not what its schema version says: restore it from a backup"
        }
        SqlErrorKind::NotOurs => {
            "the database belongs to another program: give an empty one of its own to this one"
        }
        SqlErrorKind::SchemaNewer { found } => return newer(found, latest),
        SqlErrorKind::SchemaOlder { found } => return older(found, latest),
        SqlErrorKind::Device => "the database server's disk failed: look at the system's log there",
        SqlErrorKind::Closed => CLOSED,
        SqlErrorKind::NotADatabase | SqlErrorKind::Other => "the database failed",
    })
}

const CLOSED: &str = "the store is closed: the program is ending";

fn newer(found: u32, latest: u32) -> Cow<'static, str> {
    Cow::Owned(format!(
        "the database has schema version {found}, this program knows up to {latest}: run the newer program, or restore \
         the backup from before its migration"
    ))
}

fn older(found: u32, latest: u32) -> Cow<'static, str> {
    Cow::Owned(format!(
        "the database has schema version {found}, this program needs {latest}: make a backup, then run `sealstoned db \
         migrate`"
    ))
}
