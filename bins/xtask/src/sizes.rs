//! The gate on file sizes: at most 500 lines of code in a file, tests not counted.

use std::path::{Path, PathBuf};
use std::{fs, io};

const LIMIT: usize = 500;
const SKIPPED: &[&str] = &["target", "node_modules", "tests", "corpus", "artifacts"];

/// Fails with the files above the limit.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let mut files = Vec::new();
    for folder in ["crates", "bins", "examples", "benches", "fuzz"] {
        collect(&root.join(folder), &mut files).map_err(|error| format!("{folder}: {error}"))?;
    }
    files.sort();
    let mut faults = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let lines = code_lines(&text);
        if lines > LIMIT {
            let shown = file.strip_prefix(root).unwrap_or(&file).display();
            faults.push(format!("{shown}: {lines} lines of code, at most {LIMIT}"));
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults.join("\n"))
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default()
            .to_owned();
        if path.is_dir() {
            if !SKIPPED.contains(&name.as_str()) && !name.starts_with('.') {
                collect(&path, files)?;
            }
        } else if name.ends_with(".rs") && name != "tests.rs" && !name.ends_with("_tests.rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Lines up to the test module that are neither empty nor comment.
fn code_lines(text: &str) -> usize {
    let mut count = 0_usize;
    let mut test_attribute = false;
    for line in text.lines().map(str::trim) {
        if test_attribute && line.starts_with("mod ") && line.ends_with('{') {
            break;
        }
        test_attribute = line == "#[cfg(test)]";
        if !line.is_empty() && !line.starts_with("//") {
            count = count.saturating_add(1);
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::code_lines;

    #[test]
    fn comments_and_tests_are_not_counted() {
        let text = "//! Docs.\n\nuse x;\n/// More.\nfn f() {}\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
        assert_eq!(code_lines(text), 3);
        assert_eq!(code_lines("#[cfg(test)]\nmod tests;\nfn f() {}\n"), 3);
    }
}
