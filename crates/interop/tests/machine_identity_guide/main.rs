//! `docs/guides/machine-identity.md`: its files are those of `examples/machine-identity`, an operator can follow it with
//! a real Keystone, and what it says of failures happens.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test: what it cannot read or count has failed"
)]

mod failures;
mod follow;
mod keystone;
mod observed;
mod place;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/machine-identity")
}

/// A file of the guide, with what is the reader's to change.
pub(crate) fn example(name: &str, changes: &[(&str, &str)]) -> String {
    filled(&folder().join(name), changes)
}

pub(crate) fn filled(path: &Path, changes: &[(&str, &str)]) -> String {
    let mut text = fs::read_to_string(path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{} does not say `{from}`", path.display());
        text = text.replace(from, to);
    }
    text
}

pub(crate) fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/machine-identity.md");
    fs::read_to_string(path).unwrap()
}

/// Looks until it is so, for half a minute at most.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a real process is waited for")]
pub(crate) fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{what}: it has not come"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_the_guide_shows_are_the_files_that_are_run() {
    let guide = guide();
    let mut shown = Vec::new();
    for part in guide.split("\n```").skip(1).step_by(2) {
        let (language, text) = part.split_once('\n').unwrap();
        if language != "text" {
            shown.push(format!("{text}\n"));
        }
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            guide.contains(&format!("(../../examples/machine-identity/{name})")),
            "{name} is not linked"
        );
        files.push((name, fs::read_to_string(path).unwrap()));
    }
    for text in &shown {
        let is_file = files.iter().any(|(_, file)| file == text);
        assert!(is_file, "no file of examples/machine-identity:\n{text}");
    }
    assert_eq!(shown.len(), files.len(), "each file once");
}
