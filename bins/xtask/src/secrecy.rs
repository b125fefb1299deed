//! The last step: every secret that any test made is looked for in everything that any program wrote down.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// By this variable tests know where to keep both; `sealstone_testkit::TEST_LOGS`.
pub(crate) const VARIABLE: &str = "SEALSTONE_TEST_LOGS";

/// Secrets are looked up by so many of their first octets; the testkit keeps none that is shorter.
const LOOKED_UP: usize = 8;
/// One bit for each of the first octets' hashes: 128 KiB, so that hardly any place of a log is looked at twice.
const BITS: usize = 1 << 20;

/// Where they are kept.
pub(crate) fn folder(root: &Path) -> PathBuf {
    root.join("target/test-logs")
}

/// Empties it: a suite begins.
pub(crate) fn begin(root: &Path) -> Result<(), String> {
    let folder = folder(root);
    match fs::remove_dir_all(&folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("{}: {error}", folder.display())),
    }
}

/// Fails with who wrote down what, and leaves the logs then; else they go.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let folder = folder(root);
    let secrets = secrets(&folder)?;
    let logs = files(&folder, "log")?;
    if secrets.is_empty() || logs.is_empty() {
        return Err(format!(
            "{} has no secrets or no logs: run the tests first",
            folder.display()
        ));
    }
    let index = Index::of(&secrets);
    let mut faults = Vec::new();
    let mut octets = 0_usize;
    for path in &logs {
        let log = read(path)?;
        octets = octets.saturating_add(log.len());
        faults.extend(index.find(&log).map(|(by, secret)| {
            let begin = String::from_utf8_lossy(secret.get(..4).unwrap_or_default()).into_owned();
            format!(
                "{}: {by} wrote down a secret of {} characters that begins {begin:?}",
                path.display(),
                secret.len()
            )
        }));
    }
    if !faults.is_empty() {
        return Err(faults.join("\n"));
    }
    println!(
        "        {} secrets are in none of {} logs, {} MB",
        secrets.len(),
        logs.len(),
        octets / 1_000_000
    );
    begin(root)
}

fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, String> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", folder.display())),
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn secrets(folder: &Path) -> Result<BTreeSet<Vec<u8>>, String> {
    let mut all = BTreeSet::new();
    for path in files(folder, "secrets")? {
        let text = read(&path)?;
        let lines = text.split(|octet| *octet == b'\n');
        all.extend(lines.filter(|line| line.len() >= LOOKED_UP).map(<[u8]>::to_vec));
    }
    Ok(all)
}

/// Secrets by their first octets.
struct Index<'a> {
    bits: Vec<u64>,
    by_begin: BTreeMap<&'a [u8], Vec<&'a [u8]>>,
}

impl<'a> Index<'a> {
    fn of(secrets: &'a BTreeSet<Vec<u8>>) -> Self {
        let mut index = Self {
            bits: vec![0; BITS / 64],
            by_begin: BTreeMap::new(),
        };
        for secret in secrets {
            let Some(begin) = secret.get(..LOOKED_UP) else {
                continue;
            };
            let (word, bit) = place(begin);
            if let Some(word) = index.bits.get_mut(word) {
                *word |= bit;
            }
            index.by_begin.entry(begin).or_default().push(secret);
        }
        index
    }

    /// Which program wrote down which secret, each once.
    fn find(&self, log: &[u8]) -> impl Iterator<Item = (String, &'a [u8])> {
        let mut found = BTreeSet::new();
        for (at, begin) in log.windows(LOOKED_UP).enumerate() {
            let (word, bit) = place(begin);
            if self.bits.get(word).is_none_or(|word| word & bit == 0) {
                continue;
            }
            let rest = log.get(at..).unwrap_or_default();
            for secret in self.by_begin.get(begin).into_iter().flatten() {
                if rest.starts_with(secret) {
                    found.insert((writer(log.get(..at).unwrap_or_default()), *secret));
                }
            }
        }
        found.into_iter()
    }
}

/// Who wrote last before this place: each part of a log begins `== NAME`.
fn writer(before: &[u8]) -> String {
    let text = String::from_utf8_lossy(before);
    let mut begins = text.lines().filter_map(|line| line.strip_prefix("== "));
    begins.next_back().unwrap_or("somebody").to_owned()
}

/// The place of a bit: the top of a product spreads octets well.
fn place(begin: &[u8]) -> (usize, u64) {
    let number = begin
        .iter()
        .fold(0_u64, |number, octet| (number << 8) | u64::from(*octet));
    let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
    let bit = usize::try_from(hash).unwrap_or_default() % BITS;
    let within = u32::try_from(bit % 64).unwrap_or_default();
    (bit / 64, 1_u64.wrapping_shl(within))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace whose tests have kept this.
    fn kept(secrets: &[&str], logs: &[&str]) -> PathBuf {
        let root = std::env::temp_dir().join(format!(
            "sealstone-secrecy-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let folder = folder(&root);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("1.secrets"), secrets.join("\n")).unwrap();
        for (number, log) in logs.iter().enumerate() {
            fs::write(folder.join(format!("{number}.log")), log).unwrap();
        }
        root
    }

    #[test]
    fn a_secret_of_one_test_is_found_in_the_log_of_another() {
        let secrets = ["token-0123456789", "token-0123456780", "password-of-somebody"];
        let root = kept(
            &secrets,
            &["== sealstoned\nall is well\n== sealstone\nerror: token-0123456789 is wrong\n"],
        );
        let said = check(&root).unwrap_err();
        assert!(
            said.contains("sealstone wrote down a secret of 16 characters"),
            "{said}"
        );
        assert!(!said.contains("token-0123456789"), "the message does not have it");
        assert!(folder(&root).exists(), "to be looked at");
        fs::write(folder(&root).join("0.log"), "== sealstoned\ntoken-012345678\n").unwrap();
        check(&root).unwrap();
        assert!(!folder(&root).exists());
        let said = check(&root).unwrap_err();
        assert!(
            said.contains("run the tests first"),
            "nothing was looked through: {said}"
        );
        fs::remove_dir_all(root).unwrap();
    }
}
