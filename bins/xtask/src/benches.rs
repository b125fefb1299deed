//! The benches, by the names that `benches/Cargo.toml` gives them.

use std::fs;
use std::path::Path;

/// All of them; none where the file cannot be read, which Cargo will say better.
pub(crate) fn names(root: &Path) -> Vec<String> {
    let manifest = fs::read_to_string(root.join("benches/Cargo.toml")).unwrap_or_default();
    let tables = manifest.split("\n[[bench]]\n").skip(1);
    let names = tables.filter_map(|table| table.lines().find_map(|line| line.strip_prefix("name = ")));
    names.map(|name| name.trim_matches('"').to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::names;

    #[test]
    fn every_program_with_a_main_is_named() {
        let root = crate::workspace_root();
        let mut named = names(&root);
        let entries = fs::read_dir(root.join("benches")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let programs = paths.filter(|path| {
            path.extension().is_some_and(|ending| ending == "rs")
                && fs::read_to_string(path).unwrap().contains("\nfn main()")
        });
        let mut programs: Vec<String> = programs
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        named.sort();
        programs.sort();
        assert!(named.len() > 10, "{named:?}");
        assert_eq!(named, programs);
    }
}
