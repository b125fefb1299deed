//! Files and standard input, with limits.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::Context as _;
use zeroize::Zeroizing;

use crate::{
    failure::{Failure, Outcome},
    output,
};

/// No input of ours is larger: a key set of 64 large keys fits four times.
const LARGEST: u64 = 1024 * 1024;

/// The content of a file, or of standard input for `-`.
pub(crate) fn bytes(path: &Path) -> Outcome<Vec<u8>> {
    let from_stdin = path == Path::new("-");
    let name = if from_stdin {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let mut bytes = Vec::new();
    let read = if from_stdin {
        io::stdin()
            .lock()
            .take(LARGEST.saturating_add(1))
            .read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(LARGEST.saturating_add(1)).read_to_end(&mut bytes))
    };
    let read = read.with_context(|| format!("{name} cannot be read: name a file that you may read"))?;
    if u64::try_from(read).unwrap_or(u64::MAX) > LARGEST {
        return Err(Failure::failed(format!(
            "{name} is larger than 1 MiB: name the right file"
        )));
    }
    Ok(bytes)
}

pub(crate) fn text(path: &Path) -> Outcome<String> {
    String::from_utf8(bytes(path)?)
        .map_err(|_| Failure::failed(format!("{} is not text: name a text file", path.display())))
}

/// A secret or a key: as above, and a word when others may read it.
pub(crate) fn secret(path: &Path) -> Outcome<Zeroizing<String>> {
    let text = Zeroizing::new(text(path)?);
    #[cfg(unix)]
    if path != Path::new("-") {
        let mode = std::fs::metadata(path).map(|found| std::os::unix::fs::MetadataExt::mode(&found));
        if mode.is_ok_and(|mode| mode & 0o007 != 0) {
            output::note(&format!(
                "note: everybody may read {0}; `chmod 600 {0}` keeps it to you",
                path.display()
            ));
        }
    }
    Ok(text)
}
