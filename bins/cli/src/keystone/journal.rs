//! The journal of a migration: what was done to which account, and what it takes to undo it.
//!
//! A file that is written before and after each step, whole and durably, so that a run that was stopped goes on where
//! it stopped, and another one is told to wait. It holds no secret.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use sealstone_ca::files::{self, Access};
use sealstone_keystone::UserOptions;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};

/// The form of the file. Another number is another form, which is not guessed at.
const VERSION: u32 = 1;
/// More than an account has in projects; a file that was meant is smaller.
const LARGEST: u64 = 64 * 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    /// The address of the Keystone that it is about.
    keystone: String,
    /// By user id.
    accounts: BTreeMap<String, AccountRecord>,
}

/// One account of Keystone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountRecord {
    pub(super) name: String,
    pub(super) domain_id: String,
    /// The clients that take its place.
    pub(super) clients: Vec<ClientRecord>,
    pub(super) password: PasswordState,
}

/// One client that stands for an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientRecord {
    pub(super) client_id: String,
    pub(super) project_id: String,
    /// The application credential that was made for it here, or named.
    pub(super) application_credential_id: Option<String>,
    /// Whether this program made it.
    pub(super) made_here: bool,
    /// `None` while it is not known to be registered: the step was begun and not ended.
    pub(super) registered_at: Option<String>,
}

/// Where an account's password stands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum PasswordState {
    /// As it always was.
    #[default]
    On,
    /// It was going to be turned off: nobody knows whether it is.
    TurningOff { before: Rules, at: String },
    /// It is refused.
    Off { before: Rules, at: String },
    /// It was turned off, and is on again.
    Restored { at: String },
    /// It was going to be taken away: nobody knows whether it is.
    Removing { before: Rules, at: String },
    /// It is taken away. There is no way back to it.
    Removed { before: Rules, at: String },
}

impl PasswordState {
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::On => "password on",
            Self::TurningOff { .. } => "being turned off",
            Self::Off { .. } => "password off",
            Self::Restored { .. } => "password on again",
            Self::Removing { .. } => "being removed",
            Self::Removed { .. } => "password removed",
        }
    }

    /// The account's own rules before it was touched, if it is.
    pub(super) const fn before(&self) -> Option<&Rules> {
        match self {
            Self::On | Self::Restored { .. } => None,
            Self::TurningOff { before, .. }
            | Self::Off { before, .. }
            | Self::Removing { before, .. }
            | Self::Removed { before, .. } => Some(before),
        }
    }
}

/// An account's own rules of login, as Keystone had them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    pub(super) multi_factor_auth_enabled: Option<bool>,
    pub(super) multi_factor_auth_rules: Option<Vec<Vec<String>>>,
}

impl Rules {
    pub(super) fn of(options: &UserOptions) -> Self {
        let rules = options.multi_factor_auth_rules.as_ref().map(|rules| {
            let texts = |rule: &Vec<sealstone_keystone::Label>| {
                rule.iter().map(|method| method.as_str().to_owned()).collect()
            };
            rules.iter().map(texts).collect()
        });
        Self {
            multi_factor_auth_enabled: options.multi_factor_auth_enabled,
            multi_factor_auth_rules: rules,
        }
    }
}

/// The open journal; nobody else has it.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    document: Document,
    _lock: File,
}

impl Journal {
    /// The journal at `path`, about the Keystone at `url`.
    pub(super) fn open(path: &Path, url: &str, absent: Absent) -> Outcome<Self> {
        if !path.exists() && absent == Absent::IsAFault {
            return Err(Failure::failed(format!(
                "{} does not exist: name the journal that `sealstone keystone migrate register` wrote",
                path.display()
            )));
        }
        let lock = lock(path)?;
        let document = match read(path)? {
            Some(document) => document,
            None => Document {
                version: VERSION,
                keystone: url.to_owned(),
                accounts: BTreeMap::new(),
            },
        };
        if document.version != VERSION {
            return Err(Failure::failed(format!(
                "{} has the form {}, and this program knows {VERSION}: use the program that wrote it",
                path.display(),
                document.version
            )));
        }
        if document.keystone != url {
            return Err(Failure::failed(format!(
                "{} is about the Keystone at {}, and this is {url}: name the right journal, or the same address",
                path.display(),
                document.keystone
            )));
        }
        Ok(Self {
            path: path.to_owned(),
            document,
            _lock: lock,
        })
    }

    pub(super) const fn accounts(&self) -> &BTreeMap<String, AccountRecord> {
        &self.document.accounts
    }

    /// Writes down what an account is now, before this returns.
    pub(super) fn put(&mut self, user_id: &str, record: AccountRecord) -> Outcome {
        self.document.accounts.insert(user_id.to_owned(), record);
        let mut text = serde_json::to_string_pretty(&self.document)?;
        text.push('\n');
        files::replace(&self.path, text.as_bytes(), Access::Private).with_context(|| {
            format!(
                "{} cannot be written: nothing further was done",
                self.path.display()
            )
        })?;
        Ok(())
    }
}

/// What it means when there is no journal yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    IsEmpty,
    IsAFault,
}

fn read(path: &Path) -> Outcome<Option<Document>> {
    let size = match fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| path.display().to_string())?,
    };
    let wrong = || {
        format!(
            "{} is no journal of this program: name another file",
            path.display()
        )
    };
    if size > LARGEST {
        return Err(Failure::failed(wrong()));
    }
    let text = fs::read_to_string(path).with_context(wrong)?;
    Ok(Some(serde_json::from_str(&text).with_context(wrong)?))
}

/// Beside the journal, for the journal itself is replaced.
fn lock(path: &Path) -> Outcome<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let file = File::create(&path).with_context(|| {
        format!(
            "{} cannot be made: name a journal in a folder of yours",
            path.display()
        )
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::failed(format!(
            "another run works with this journal ({} is locked): wait for it to end",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| path.display().to_string())?,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const URL: &str = "https://keystone.example/v3";

    fn record(password: PasswordState) -> AccountRecord {
        AccountRecord {
            name: "ci".to_owned(),
            domain_id: "default".to_owned(),
            clients: Vec::new(),
            password,
        }
    }

    #[test]
    fn what_was_put_is_there_after_a_stop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.json");
        let before = Rules {
            multi_factor_auth_enabled: Some(true),
            multi_factor_auth_rules: Some(vec![vec!["password".to_owned(), "totp".to_owned()]]),
        };
        let off = PasswordState::TurningOff {
            before: before.clone(),
            at: "2026-01-01T00:00:00Z".to_owned(),
        };
        let mut journal = Journal::open(&path, URL, Absent::IsEmpty).unwrap();
        journal.put("u1", record(off)).unwrap();
        drop(journal);
        let journal = Journal::open(&path, URL, Absent::IsAFault).unwrap();
        let found = journal.accounts().get("u1").unwrap();
        assert_eq!(found.password.before(), Some(&before));
        assert_eq!(found.password.as_str(), "being turned off");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_journal_that_was_not_meant_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.json");
        let refused = |text: &str, url: &str| {
            let _gone = fs::remove_file(&path);
            files::write_new(&path, text.as_bytes(), Access::Private).unwrap();
            Journal::open(&path, url, Absent::IsEmpty)
                .unwrap_err()
                .to_string()
        };
        let right = format!(r#"{{"version":1,"keystone":"{URL}","accounts":{{}}}}"#);
        for (text, url, want) in [
            ("", URL, "no journal of this program"),
            ("{}", URL, "no journal of this program"),
            (&right.replace(":1,", ":2,"), URL, "use the program that wrote it"),
            (
                &right.replace("}}", "},\"more\":1}"),
                URL,
                "no journal of this program",
            ),
            (&right, "https://other.example/v3", "about the Keystone at"),
        ] {
            let found = refused(text, url);
            assert!(found.contains(want), "{text}: {found}");
        }
        fs::remove_file(&path).unwrap();
        assert!(Journal::open(&path, URL, Absent::IsAFault).is_err());
    }

    #[test]
    fn two_runs_do_not_share_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.json");
        let held = Journal::open(&path, URL, Absent::IsEmpty).unwrap();
        let refused = Journal::open(&path, URL, Absent::IsEmpty)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("another run"), "{refused}");
        drop(held);
        assert!(Journal::open(&path, URL, Absent::IsEmpty).is_ok());
    }
}
