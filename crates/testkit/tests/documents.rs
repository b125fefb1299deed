//! What the documents name exists: links, paths, tests, texts of answers.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file of the repository with this ending, without what was built or installed.
fn files(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && !["target", "node_modules"].contains(&name.as_str())
            {
                folders.push(path);
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The parts of a text between two marks, a line at a time.
fn between<'a>(text: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().flat_map(move |line| {
        let parts = line.split(open).skip(1);
        parts.filter_map(move |rest| rest.split_once(close).map(|(inside, _)| inside))
    })
}

/// The text without what is fenced.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let fence = line.starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn links_lead_somewhere() {
    let mut count = 0;
    for path in files(".md") {
        for link in between(&prose(&text(&path)), "](", ")") {
            let file = link.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            count += 1;
            assert!(
                path.parent().unwrap().join(file).exists(),
                "{}: {link}",
                path.display()
            );
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn paths_of_the_repository_exist() {
    for path in files(".md") {
        let text = prose(&text(&path));
        for (at, name) in text.split('`').enumerate() {
            let ours = ["crates/", "bins/", "docs/", "examples/", "benches/", "fuzz/"];
            let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
            if at % 2 == 1 && ours.iter().any(|start| name.starts_with(start)) && name.chars().all(plain) {
                assert!(root().join(name).exists(), "{}: {name}", path.display());
            }
        }
    }
}

#[test]
fn tests_named_in_the_attack_answers_exist() {
    let document = text(&root().join("docs/reference/attack-answers.md"));
    let sources: Vec<String> = files(".rs").iter().map(|path| text(path)).collect();
    let mut rows = BTreeSet::new();
    for row in document.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, _attack, _answer, tests] = cells.as_slice() else {
            panic!("four cells: {row}");
        };
        assert!(rows.insert(id.to_owned()), "{id} twice");
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            assert!(name.starts_with(&id.to_lowercase()), "{name} in row {id}");
            // A test of every store is generic.
            let functions = [format!("fn {name}("), format!("fn {name}<")];
            let is_there = |source: &String| functions.iter().any(|function| source.contains(function));
            assert!(sources.iter().any(is_there), "{name}");
        }
    }
    assert!(rows.len() > 20);
}

#[test]
fn descriptions_of_answers_are_those_of_the_code() {
    let document = text(&root().join("docs/reference/errors.md"));
    let sources = [
        "crates/http/src/answer.rs",
        "crates/provider/src/error.rs",
        "crates/tls/src/serve/overload.rs",
    ]
    .map(|path| text(&root().join(path)));
    let mut count = 0;
    for section in [
        "## Refused before a client is looked at",
        "## Refused before a request is looked at",
        "## Refused after a client has proved who it is",
        "## Ours",
    ] {
        let section = document
            .split(section)
            .nth(1)
            .unwrap()
            .split("\n## ")
            .next()
            .unwrap();
        for row in section.lines().filter(|line| line.starts_with("| ")).skip(1) {
            let description = row.trim_start_matches("| ").split(" | ").next().unwrap();
            let quoted = format!("\"{description}\"");
            assert!(
                sources.iter().any(|source| source.contains(&quoted)),
                "{description}"
            );
            count += 1;
        }
    }
    assert_eq!(count, 14);
}

/// The reasons in the tables of `errors.md` under this heading.
fn reasons(heading: &str) -> BTreeSet<String> {
    let document = text(&root().join("docs/reference/errors.md"));
    let table = document.split(heading).nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    rows.flat_map(|cell| cell.split("`, `"))
        .map(|name| name.trim_matches('`').to_owned())
        .collect()
}

/// Words in snake case between quotes, in the code before its tests.
fn words(path: &str) -> BTreeSet<String> {
    let source = text(&root().join(path));
    let source = source.split("#[cfg(test)]").next().unwrap();
    let is_word =
        |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    source.split('"').filter(is_word).map(str::to_owned).collect()
}

#[test]
fn reasons_of_refused_identities_are_those_of_the_code() {
    let refusals: BTreeSet<String> = sealstone_identity::Refusal::ALL
        .iter()
        .map(|refusal| refusal.as_str().to_owned())
        .collect();
    assert_eq!(reasons("## Why OpenStack refuses an identity"), refusals);
    let mut mapped = words("crates/grants/src/identity/mapping.rs");
    mapped.insert("narrower_than_keystone".to_owned());
    assert_eq!(reasons("## Why a certificate is mapped to nobody"), mapped);
}

#[test]
fn reasons_of_chains_are_those_of_the_code() {
    let source = text(&root().join("crates/tls/src/trust/error.rs"));
    let code = source
        .split("impl ChainError {")
        .nth(1)
        .unwrap()
        .split("\n}\n")
        .next()
        .unwrap();
    let mut reasons: BTreeSet<&str> = between(code, "=> \"", "\",").collect();
    assert!(reasons.len() > 10, "{reasons:?}");
    // Without any authority nobody judges.
    reasons.insert("not_judged");
    let document = text(&root().join("docs/reference/errors.md"));
    let table = document.split("## Why a chain is not verified").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let listed: BTreeSet<&str> = rows
        .flat_map(|cell| cell.split("`, `"))
        .map(|name| name.trim_matches('`'))
        .collect();
    assert_eq!(listed, reasons);
}

/// Names of ours in a text.
fn metrics(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let words = text.split(|c: char| !is_name(c));
    words
        .filter(|word| word.starts_with("sealstone_") && *word != "sealstone_")
        .map(str::to_owned)
        .collect()
}

#[test]
fn dashboards_and_alerts_ask_for_metrics_that_there_are() {
    let reference = text(&root().join("docs/reference/metrics.md"));
    let listed: BTreeSet<String> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| name.starts_with("sealstone_"))
        .map(str::to_owned)
        .collect();
    for file in ["grafana-dashboard.json", "prometheus-rules.yaml"] {
        let asked = metrics(&text(&root().join("examples/deploy").join(file)));
        assert!(asked.len() > 5, "{file}: {asked:?}");
        // A histogram is asked for by its parts.
        let parts = ["_bucket", "_sum", "_count"];
        let whole = |name: &String| {
            let cut = parts.iter().find_map(|part| name.strip_suffix(part));
            cut.map_or_else(|| name.clone(), str::to_owned)
        };
        let asked: BTreeSet<String> = asked.iter().map(whole).collect();
        let unknown: Vec<_> = asked.difference(&listed).collect();
        assert!(unknown.is_empty(), "{file} asks for {unknown:?}");
    }
}
