//! Files of keys: read only where nobody else can read or change them.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::{KeyError, RepositoryError};

/// Whether others may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// The owner alone.
    Private,
    /// Anybody; but nobody else may change it.
    Public,
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(
    path: &Path,
    secrecy: Secrecy,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, RepositoryError> {
    let file = File::open(path).map_err(RepositoryError::io("open", path))?;
    let metadata = file.metadata().map_err(RepositoryError::io("look at", path))?;
    let unsafe_file = |fault, advice| RepositoryError::Unsafe {
        path: path.to_owned(),
        fault,
        advice,
    };
    if !metadata.is_file() {
        return Err(unsafe_file("not a file", "put the key's file there"));
    }
    if secrecy == Secrecy::Private && metadata.mode() & 0o077 != 0 {
        return Err(unsafe_file("others can read or change it", "chmod 600"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(unsafe_file("others can change it", "chmod go-w"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let mut bounded = file.take(u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1));
    bounded
        .read_to_end(&mut bytes)
        .map_err(RepositoryError::io("read", path))?;
    if bytes.len() > limit {
        return Err(RepositoryError::key(path, KeyError::TooLong { limit }));
    }
    Ok(bytes)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(String::new(), |mut text, octet| {
        let _infallible = write!(text, "{octet:02x}");
        text
    })
}
