//! Reads nodes.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use sealstone_fernet::{
    FernetKeyRole, FernetRepository, JwsAlgorithm, JwsKeyRole, JwsRepository, NodeName, RepositoryError,
};

use crate::error::InventoryError;
use crate::ini::{IniDocument, MAX_CONFIGURATION};
use crate::inventory::{ClockOffset, KeyRecord, NodeRecord, RepositoryRecord};
use crate::node::{AbsolutePath, Node};
use crate::offset;
use crate::settings::Settings;
use crate::source::{NodeFiles, Programs, Source};

/// The most files of one `--config-dir`: ten times what a packager's has.
const MAX_CONFIG_FILES: usize = 256;

/// The file of `jws_private_key_repository` that Keystone signs with.
const SIGNING_KEY: &str = "private.pem";

/// The clock of the machine that reads: milliseconds since 1970.
pub type Clock<'a> = &'a dyn Fn() -> i64;

/// One node, and where to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers say where things are")]
pub struct NodeSpec {
    /// Its name.
    pub name: Node,
    /// Where its files are.
    pub source: Source,
    /// `--config-file` of its Keystone, in order.
    pub config_files: Vec<AbsolutePath>,
    /// `--config-dir` of its Keystone, in order: their `*.conf` count after the files, each folder's by name. One that
    /// is not there counts as empty, as with Keystone's default.
    pub config_dirs: Vec<AbsolutePath>,
    /// What somebody measured; without it a node that is reached over `ssh` is asked, and this machine needs no asking.
    pub clock: Option<ClockOffset>,
}

/// Reads every node: its configuration, then the key repositories that it names.
///
/// Private keys are read where they are; of archives and over `ssh` they are unpacked into a folder that only this
/// account can enter, and that is removed with everything in it. Nothing on a node is changed.
///
/// # Errors
/// [`InventoryError`], with the node's name. Faults of key repositories are no error: the record has them.
pub fn read_nodes(
    specs: &[NodeSpec],
    programs: &Programs,
    clock: Clock<'_>,
) -> Result<Vec<NodeRecord>, (Node, InventoryError)> {
    let mut records: Vec<NodeRecord> = Vec::new();
    for spec in specs {
        let named = |error| (spec.name.clone(), error);
        if records.iter().any(|record| record.name == spec.name) {
            return Err(named(InventoryError::Twice(spec.name.clone())));
        }
        records.push(read_node(spec, programs, clock).map_err(named)?);
    }
    Ok(records)
}

fn read_node(spec: &NodeSpec, programs: &Programs, clock: Clock<'_>) -> Result<NodeRecord, InventoryError> {
    let mut files = NodeFiles::open(&spec.source, programs)?;
    let offset = clock_of(spec, programs, clock)?;
    files.fetch(
        &spec
            .config_files
            .iter()
            .chain(&spec.config_dirs)
            .collect::<Vec<_>>(),
    )?;
    // A default folder of configuration is seldom there.
    files.notes.clear();
    let (configuration, documents) = configuration(spec, &files)?;
    let settings = Settings::read(&documents)?;
    files.fetch(&[
        &settings.fernet_repository,
        &settings.jws_private_repository,
        &settings.jws_public_repository,
    ])?;
    let fernet = told(fernet(&settings, spec, &files), &files);
    let mut jws = told(jws(&settings, spec, &files), &files);
    jws.faults.extend(out_of_reach(&settings, &fernet, &files));
    Ok(NodeRecord {
        name: spec.name.clone(),
        source: spec.source.to_string(),
        configuration,
        settings,
        clock: offset,
        fernet,
        jws,
        notes: files.notes.clone(),
    })
}

fn told(mut record: RepositoryRecord, files: &NodeFiles<'_>) -> RepositoryRecord {
    for message in record.faults.iter_mut().chain(&mut record.warnings) {
        *message = files.told(message);
    }
    record
}

/// Where nobody measured it, a node that is asked over `ssh` tells it itself.
fn clock_of(
    spec: &NodeSpec,
    programs: &Programs,
    clock: Clock<'_>,
) -> Result<Option<ClockOffset>, InventoryError> {
    let same = ClockOffset {
        offset_ms: 0,
        within_ms: 0,
    };
    match (&spec.source, spec.clock) {
        (_, Some(measured)) => Ok(Some(measured)),
        (source, None) if source.is_this_machine() => Ok(Some(same)),
        (Source::Ssh(host), None) => offset::over_ssh(programs, host, clock),
        (Source::Folder(_) | Source::Archive(_), None) => Ok(None),
    }
}

fn configuration(
    spec: &NodeSpec,
    files: &NodeFiles<'_>,
) -> Result<(Vec<AbsolutePath>, Vec<IniDocument>), InventoryError> {
    let mut paths = spec.config_files.clone();
    for folder in &spec.config_dirs {
        paths.extend(config_dir(folder, &files.locate(folder), &files.shown(folder))?);
    }
    let documents = paths
        .iter()
        .map(|path| document(&files.locate(path), &files.shown(path)));
    let documents = documents.collect::<Result<_, _>>()?;
    Ok((paths, documents))
}

fn config_dir(folder: &AbsolutePath, here: &Path, shown: &Path) -> Result<Vec<AbsolutePath>, InventoryError> {
    let entries = match fs::read_dir(here) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(InventoryError::io("list", shown)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(InventoryError::io("list", shown))?.file_name();
        let name = name.to_string_lossy();
        // As a shell's `*.conf`.
        if !name.ends_with(".conf") || name.starts_with('.') {
            continue;
        }
        if names.len() >= MAX_CONFIG_FILES {
            return Err(InventoryError::Crowded {
                path: shown.to_owned(),
                limit: MAX_CONFIG_FILES,
            });
        }
        let path = AbsolutePath::parse(&format!("{folder}/{name}"));
        names.push(path.ok_or_else(|| InventoryError::NotText {
            path: shown.join(name.as_ref()),
        })?);
    }
    names.sort();
    Ok(names)
}

fn document(path: &Path, shown: &Path) -> Result<IniDocument, InventoryError> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(InventoryError::NoConfiguration {
                path: shown.to_owned(),
            });
        }
        Err(error) => return Err(InventoryError::io("open", shown)(error)),
    };
    let limit = u64::try_from(MAX_CONFIGURATION)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut text = String::new();
    let read = file.take(limit).read_to_string(&mut text);
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Err(InventoryError::NotText {
                path: shown.to_owned(),
            });
        }
        read => read.map_err(InventoryError::io("read", shown))?,
    };
    IniDocument::parse(&text).map_err(|source| InventoryError::Ini {
        path: shown.to_owned(),
        source,
    })
}

fn fernet(settings: &Settings, spec: &NodeSpec, files: &NodeFiles<'_>) -> RepositoryRecord {
    let path = files.locate(&settings.fernet_repository);
    match is_there(&path) {
        Ok(true) => {}
        Ok(false) => return RepositoryRecord::default(),
        Err(error) => return unread(error.to_string()),
    }
    let checked = NodeName::parse(spec.name.as_str())
        .map_err(|error| error.to_string())
        .and_then(|node| {
            let active = usize::try_from(settings.max_active_keys).unwrap_or(usize::MAX);
            let checked = FernetRepository::new(&path, active).and_then(|repository| repository.check(&node));
            checked.map_err(|error| error.to_string())
        });
    let report = match checked {
        Ok(report) => report,
        Err(fault) => return unread(fault),
    };
    let signing = report.keys.iter().find(|key| key.role == FernetKeyRole::Primary);
    RepositoryRecord {
        present: true,
        signing: signing.map(|key| key.fingerprint.clone()),
        keys: report
            .keys
            .iter()
            .map(|key| KeyRecord {
                name: key.number.to_string(),
                role: match key.role {
                    FernetKeyRole::Staged => "staged",
                    FernetKeyRole::Secondary => "secondary",
                    FernetKeyRole::Primary => "primary",
                }
                .to_owned(),
                fingerprint: key.fingerprint.clone(),
            })
            .collect(),
        faults: report.faults.iter().map(RepositoryError::to_string).collect(),
        warnings: report.warnings.iter().map(ToString::to_string).collect(),
    }
}

fn jws(settings: &Settings, spec: &NodeSpec, files: &NodeFiles<'_>) -> RepositoryRecord {
    let private = files.locate(&settings.jws_private_repository);
    let public = files.locate(&settings.jws_public_repository);
    jws_record(&private, &public, &settings.jws_algorithm, &spec.name)
}

/// A private key that Keystone's account could not read. Whose that is, the Fernet keys tell, which it reads and nobody
/// else can: where all of them belong to one account, and that is not root, who reads everything.
fn out_of_reach(settings: &Settings, fernet: &RepositoryRecord, files: &NodeFiles<'_>) -> Option<String> {
    if !fernet.faults.is_empty() {
        return None;
    }
    let owners: BTreeSet<Option<u32>> = fernet
        .keys
        .iter()
        .map(|key| files.owner(&settings.fernet_repository, &key.name))
        .collect();
    let account = owners.first().copied().flatten()?;
    let owner = files.owner(&settings.jws_private_repository, SIGNING_KEY)?;
    if owners.len() > 1 || account == 0 || owner == account {
        return None;
    }
    let folder = &settings.jws_private_repository;
    Some(format!(
        "{folder}/{SIGNING_KEY}: it belongs to the account with the number {owner}, and the Fernet keys, which Keystone \
         reads, to {account}: Keystone could not read it, and would not start; chown -R {account} {folder}"
    ))
}

pub(crate) fn jws_record(private: &Path, public: &Path, algorithm: &str, node: &Node) -> RepositoryRecord {
    match is_there(private).and_then(|found| Ok(found || is_there(public)?)) {
        Ok(true) => {}
        Ok(false) => return RepositoryRecord::default(),
        Err(error) => return unread(error.to_string()),
    }
    let Ok(algorithm) = JwsAlgorithm::parse(algorithm) else {
        return unread("[jwt_tokens] jws_algorithm: not ES256, ES384, ES512 or EdDSA".to_owned());
    };
    let checked = NodeName::parse(node.as_str())
        .map_err(|error| error.to_string())
        .and_then(|node| {
            let checked = JwsRepository::new(private, public).check(algorithm, &node);
            checked.map_err(|error| error.to_string())
        });
    let report = match checked {
        Ok(report) => report,
        Err(fault) => return unread(fault),
    };
    RepositoryRecord {
        present: true,
        signing: report.signing.clone(),
        keys: report
            .keys
            .iter()
            .map(|key| KeyRecord {
                name: key.name.clone(),
                role: match key.role {
                    JwsKeyRole::Signing => "signing",
                    JwsKeyRole::Next => "next",
                    JwsKeyRole::Verifying => "verifying",
                }
                .to_owned(),
                fingerprint: key.fingerprint.clone(),
            })
            .collect(),
        faults: report.faults.iter().map(RepositoryError::to_string).collect(),
        warnings: report.warnings.iter().map(ToString::to_string).collect(),
    }
}

/// A folder that cannot be looked at is not one that is not there.
fn is_there(path: &Path) -> Result<bool, InventoryError> {
    path.try_exists().map_err(InventoryError::io("look at", path))
}

fn unread(fault: String) -> RepositoryRecord {
    RepositoryRecord {
        present: true,
        faults: vec![fault],
        ..RepositoryRecord::default()
    }
}
