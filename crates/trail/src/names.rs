//! How the files of a trail are called.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The audit key's file, in the trail's folder. Its name does not begin as the trail's files do: `audit.jsonl*` is the
/// trail.
pub const KEY_FILE: &str = "audit.key";

/// Digits of the sequence number in a rotated file's name: names sort as numbers do, up to 2^53.
const DIGITS: usize = 16;

/// What the file is called after its rotation: `audit.jsonl.0000000000001001`, by the sequence number of its first event.
pub(crate) fn rotated_name(path: &Path, first: u64) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{first:0DIGITS$}"));
    PathBuf::from(name)
}

/// The rotated files of this trail, the oldest first, each with the sequence number of its first event.
///
/// # Errors
/// What the operating system says of the folder.
pub fn rotated(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder(path))? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|other| {
            let digits = other.strip_prefix(name)?.strip_prefix('.')?;
            (digits.len() == DIGITS).then(|| digits.parse().ok())?
        });
        if let Some(number) = number {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The folder of a path: a bare name is in the current one.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

/// A file beside the trail that no pattern for the trail takes in: `.audit.jsonl.turn`.
pub(crate) fn hidden(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(ending);
    folder(path).join(name)
}
