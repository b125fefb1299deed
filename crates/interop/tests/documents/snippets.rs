//! Commands that stand in a text, a table or a plain fence, where nothing runs them: the programs must know each of them
//! with every option that it has there.

use sealstone_interop::built;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// What ends a command of a shell.
const ENDS: [char; 8] = ['|', ';', '&', '>', '<', ')', '`', '#'];

/// The text of fences that nothing runs, and of code within sentences and tables; lines that go on are joined.
fn code(document: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if language == "sh" {
                let joined = inside.join("\n").replace("\\\n", " ");
                found.extend(joined.lines().map(str::to_owned));
            }
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// The commands of `program` in a line: their words, up to what ends them.
fn commands(line: &str, program: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices(program) {
        let before = line[..at].chars().next_back();
        let rest = &line[at + program.len()..];
        if before.is_some_and(|c| !matches!(c, ' ' | '(' | '!' | '\'' | '"')) || !rest.starts_with(' ') {
            continue;
        }
        let words: Vec<String> = words(rest)
            .into_iter()
            .take_while(|word| word != "--")
            // What stands for more, and variables that hold several options.
            .filter(|word| !word.contains('…') && !["...", "$NODES", "$DRIVE"].contains(&word.as_str()))
            .map(|word| if word.starts_with('$') { "x".to_owned() } else { word })
            .collect();
        let is_command = |word: &String| word.starts_with(|c: char| c.is_ascii_lowercase());
        // Behind the name of a user, a unit or a database comes no command.
        if words
            .first()
            .is_some_and(|word| is_command(word) && !word.starts_with("sealstone"))
        {
            found.push(words);
        }
    }
    found
}

/// As a shell parts them, as far as the documents go.
fn words(line: &str) -> Vec<String> {
    let (mut found, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '"' && word.is_none() && line.matches('"').count() % 2 == 1 => break,
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if ENDS.contains(&c) => break,
            None if c.is_whitespace() => found.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    found.extend(word);
    found
}

#[test]
fn every_command_of_a_guide_is_one_that_the_programs_know() {
    let mut known = BTreeSet::new();
    let mut wrong = Vec::new();
    let programs = [
        ("SEALSTONED", "sealstone-server", "sealstoned"),
        ("SEALSTONE", "sealstone-cli", "sealstone"),
    ]
    .map(|(variable, package, name)| {
        (
            name,
            built(variable, &["--package", package, "--bin", name], name),
        )
    });
    for folder in ["guides", "runbooks", "reference", "adr"] {
        for entry in fs::read_dir(crate::script::docs().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            for line in code(&text) {
                for (name, program) in &programs {
                    for words in commands(&line, name) {
                        if !known.insert((*name, words.clone())) {
                            continue;
                        }
                        // Behind everything else, so that all of it is read, and nothing done.
                        let output = Command::new(program)
                            .args(&words)
                            .arg("--help")
                            .env_clear()
                            .output()
                            .unwrap();
                        let said = String::from_utf8_lossy(&output.stderr);
                        // A sentence may name an option without a value.
                        if !output.status.success() && !said.contains("a value is required for") {
                            let said = said.lines().next().unwrap_or_default().to_owned();
                            wrong.push(format!("{}: {name} {}: {said}", path.display(), words.join(" ")));
                        }
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(known.len() > 100, "{} commands were found", known.len());
}

#[test]
fn commands_are_found_wherever_they_stand() {
    let text = "Run `sealstone token --cloud prod`.\n\n```sh\neval \"$(sealstone env --cloud prod)\"\nsealstone login \\\n  \
                --cloud x # mine\n```\n| `sealstone exec -- ls` | `!sealstone token … --format git #` |\n";
    let found: Vec<String> = code(text)
        .iter()
        .flat_map(|line| commands(line, "sealstone"))
        .map(|words| words.join(" "))
        .collect();
    assert_eq!(
        found,
        [
            "token --cloud prod",
            "env --cloud prod",
            "login --cloud x",
            "exec",
            "token --format git"
        ]
    );
}
