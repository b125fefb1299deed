//! The server's configuration as it is written, and what the environment puts over it.

use std::path::{Path, PathBuf};

use sealstone_ca::files;
use toml::{Table, Value};

use super::{checks, finding::Report};

/// What a server understands: the page that a test of the server's holds to its code.
const REFERENCE: &str = include_str!("../../../../docs/reference/configuration.md");
/// What the environment may put over the file.
const PREFIX: &str = "SEALSTONE__";

/// A key that the server understands.
pub(super) struct Known {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    pub(super) is_required: bool,
}

/// Every key that the server understands.
pub(super) fn known() -> Vec<Known> {
    let mut section = "";
    let mut all = Vec::new();
    for line in REFERENCE.lines() {
        if let Some(name) = line.strip_prefix("## [").and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some(row) = line.strip_prefix("| `") {
            let mut cells = row.split(" | ");
            let key = cells.next().unwrap_or_default().trim_end_matches('`');
            let is_required = cells.nth(1) == Some("required");
            all.push(Known {
                section,
                key,
                is_required,
            });
        }
    }
    all
}

/// The configuration, as far as it can be read.
pub(super) struct Settings {
    pub(super) file: PathBuf,
    folder: PathBuf,
    table: Table,
}

impl Settings {
    /// Reads the file, then this program's own environment over it, as the server does.
    pub(super) fn read(file: &Path, report: &mut Report) -> Option<Self> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                report.found(&checks::CONFIG_UNREADABLE, format!("{}: {error}", file.display()));
                return None;
            }
        };
        let mut table: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let place = format!("{}: {error}", file.display());
                report.found(&checks::CONFIG_UNREADABLE, place.replace('\n', " "));
                return None;
            }
        };
        for (name, value) in std::env::vars_os() {
            let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
                continue;
            };
            if let Some(path) = name.strip_prefix(PREFIX) {
                put(&mut table, &path.to_lowercase(), value);
            }
        }
        let absolute = std::path::absolute(file).unwrap_or_default();
        Some(Self {
            file: file.to_owned(),
            folder: absolute.parent().map(Path::to_owned).unwrap_or_default(),
            table,
        })
    }

    /// `storage.postgres` and its like.
    pub(super) fn section(&self, name: &str) -> Option<&Table> {
        let mut table = &self.table;
        for part in name.split('.') {
            table = table.get(part)?.as_table()?;
        }
        Some(table)
    }

    pub(super) const fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn value(&self, section: &str, key: &str) -> Option<&Value> {
        self.section(section)?.get(key)
    }

    pub(super) fn text(&self, section: &str, key: &str) -> Option<&str> {
        self.value(section, key)?.as_str()
    }

    pub(super) fn texts(&self, section: &str, key: &str) -> Vec<&str> {
        let list = self.value(section, key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// A file, as named from the configuration's folder.
    pub(super) fn path(&self, section: &str, key: &str) -> Option<PathBuf> {
        self.text(section, key).map(|path| self.folder.join(path))
    }

    pub(super) fn paths(&self, section: &str, key: &str) -> Vec<PathBuf> {
        let all = self.texts(section, key);
        all.into_iter().map(|path| self.folder.join(path)).collect()
    }

    /// Whether a proxy ends TLS before the server.
    pub(super) fn has_proxy(&self) -> bool {
        self.section("proxy").is_some()
    }

    /// The text of a file with a secret, if it is there as it must be.
    pub(super) fn secret(&self, section: &str, key: &str) -> Option<zeroize::Zeroizing<String>> {
        files::read_private(&self.path(section, key)?).ok()
    }
}

/// `server__base_url`: a value as TOML has it, or a text.
fn put(table: &mut Table, path: &str, value: &str) {
    let (first, rest) = path
        .split_once("__")
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    let Some(rest) = rest else {
        let parsed = format!("x = {value}")
            .parse::<Table>()
            .ok()
            .and_then(|mut parsed| parsed.remove("x"));
        let value = parsed.unwrap_or_else(|| Value::String(value.to_owned()));
        table.insert(first.to_owned(), value);
        return;
    };
    let entry = table.entry(first).or_insert_with(|| Value::Table(Table::new()));
    if let Some(inner) = entry.as_table_mut() {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_goes_before_the_file() {
        let mut table: Table = "[server]\nlisten = 'a'\n".parse().unwrap();
        put(&mut table, "server__listen", "127.0.0.1:1");
        put(&mut table, "keys__algorithms", "[\"ES256\"]");
        put(&mut table, "storage__postgres__connections", "7");
        let want = "[server]\nlisten = '127.0.0.1:1'\n[keys]\nalgorithms = ['ES256']\n[storage.postgres]\nconnections = 7\n";
        assert_eq!(table, want.parse().unwrap());
    }

    #[test]
    fn the_reference_is_read() {
        let all = known();
        let find = |section: &str, key: &str| {
            all.iter()
                .find(|known| known.section == section && known.key == key)
                .map(|known| known.is_required)
        };
        assert_eq!(find("server", "base_url"), Some(true));
        assert_eq!(find("server", "admin_listen"), Some(false));
        assert_eq!(find("storage.postgres", "url"), Some(true));
        assert_eq!(find("storage", "banana"), None);
    }
}
