//! Files that only the server may read.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use sealstone_keyring::KeyEncryptionKey;
use sealstone_registry::Pepper;

use super::{checks, finding::Report, settings::Settings};

/// Rights of the group and of all others.
const OTHERS: u32 = 0o077;
/// The right of those to write.
const WRITE: u32 = 0o022;
/// Only owners take files away from such a folder (`/tmp`).
const STICKY: u32 = 0o1000;

/// Every key that names a file with a secret.
const FILES: [(&str, &str); 9] = [
    ("secrets", "pepper_file"),
    ("secrets", "key_encryption_key_file"),
    ("tls", "key_file"),
    ("proxy", "secret_file"),
    ("storage.postgres", "password_file"),
    ("storage.postgres", "key_file"),
    ("keystone.service", "application_credential_secret_file"),
    ("keystone.mint", "private_key_file"),
    ("people.upstream", "client_secret_file"),
];

pub(super) fn look(settings: &Settings, report: &mut Report) {
    let mut values: Vec<(String, Vec<u8>)> = Vec::new();
    for (section, key) in FILES {
        let Some(path) = settings.path(section, key) else {
            continue;
        };
        let name = format!("{section}.{key}");
        file(&name, &path, report);
        if let Some(text) = settings.secret(section, key) {
            let text = text.trim();
            // Told apart by their digests alone: no secret is kept.
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
            if let Some((other, _)) = values.iter().find(|(_, known)| known == digest.as_ref()) {
                report.found(&checks::SECRETS_ALIKE, format!("{other} and {name}"));
            }
            values.push((name, digest.as_ref().to_vec()));
            malformed(section, key, &path, text, report);
        }
    }
}

fn file(name: &str, path: &Path, report: &mut Report) {
    let told = |what: String| format!("{name}: {} {what}", path.display());
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) => return report.found(&checks::SECRET_MISSING, told(format!("({error})"))),
    };
    if found.file_type().is_symlink() {
        let target = fs::read_link(path).unwrap_or_else(|_| PathBuf::from("?"));
        return report.found(&checks::SECRET_LINK, told(format!("-> {}", target.display())));
    }
    if found.len() == 0 {
        report.found(&checks::SECRET_EMPTY, told("has no content".to_owned()));
    }
    if found.mode() & OTHERS != 0 {
        let mode = found.mode() & 0o7777;
        report.found(&checks::SECRET_OPEN, told(format!("has mode {mode:04o}")));
    }
    let folder = path.parent();
    if let Some((folder, mode)) = folder.and_then(|folder| Some((folder, writable_by_others(folder)?))) {
        let evidence = format!("{} has mode {mode:04o}", folder.display());
        report.found(&checks::SECRETS_FOLDER_OPEN, evidence);
    }
}

fn malformed(section: &str, key: &str, path: &Path, text: &str, report: &mut Report) {
    let error = match (section, key) {
        ("secrets", "pepper_file") => Pepper::from_hex(text).err().map(|error| error.to_string()),
        ("secrets", "key_encryption_key_file") => {
            KeyEncryptionKey::parse(text).err().map(|error| error.to_string())
        }
        _ => None,
    };
    if let Some(error) = error.filter(|_| !text.is_empty()) {
        let evidence = format!("{section}.{key}: {}: {error}", path.display());
        report.found(&checks::SECRET_MALFORMED, evidence);
    }
}

/// The mode, if others may write there and take away what is there.
pub(super) fn writable_by_others(path: &Path) -> Option<u32> {
    let mode = fs::metadata(path).ok()?.mode() & 0o7777;
    (mode & WRITE != 0 && mode & STICKY == 0).then_some(mode)
}
