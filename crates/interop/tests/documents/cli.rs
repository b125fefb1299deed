//! Holds the tables of `docs/reference/cli.md` to what the programs say of themselves.

use sealstone_interop::built;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Every command below `path` with its line of the help, in order.
fn commands(program: &Path, path: &str, found: &mut Vec<String>) {
    let words = path.split(' ').skip(1);
    let output = Command::new(program).args(words).arg("-h").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let Some(list) = help.split("\nCommands:\n").nth(1) else {
        return;
    };
    let list = list.split("\n\n").next().unwrap();
    let mut rows: Vec<(String, String)> = Vec::new();
    for line in list.lines() {
        let line = line.strip_prefix("  ").unwrap();
        match (line.split_once(' '), rows.last_mut()) {
            (Some(("", rest)), Some((_, about))) => *about = format!("{about} {}", rest.trim()),
            (Some((name, about)), _) => rows.push((name.to_owned(), about.trim().to_owned())),
            (None, _) => panic!("{path}: {line}"),
        }
    }
    for (name, about) in rows.into_iter().filter(|(name, _)| name != "help") {
        let path = format!("{path} {name}");
        found.push(format!("| `{path}` | {about} |"));
        commands(program, &path, found);
    }
}

#[test]
fn every_command_is_listed() {
    let document = fs::read_to_string(crate::script::docs().join("reference/cli.md")).unwrap();
    for (variable, package, name) in [
        ("SEALSTONED", "sealstone-server", "sealstoned"),
        ("SEALSTONE", "sealstone-cli", "sealstone"),
    ] {
        let program = built(variable, &["--package", package, "--bin", name], name);
        let mut found = Vec::new();
        commands(&program, name, &mut found);
        assert!(found.len() > 4, "{found:?}");
        let listed: Vec<&str> = document
            .lines()
            .filter(|line| line.starts_with(&format!("| `{name} ")))
            .collect();
        assert_eq!(listed, found);
    }
}
