//! `[jwt_tokens] jws_private_key_repository` and `jws_public_key_repository`.

use std::path::{Path, PathBuf};

use rustls_pki_types::UnixTime;

use super::{NodeName, Warning, marker};
use crate::folder::{Custody, Folder, Secrecy, temporary_name};
use crate::jws::{JwsAlgorithm, JwsPrivateKey, JwsPublicKey, JwsTokenIssuer, JwsTokenReader};
use crate::limits::{MAX_PEM, MAX_PUBLIC_KEYS};
use crate::{KeyError, RepositoryError};

/// The one name that Keystone signs with.
const SIGNING: &str = "private.pem";
/// The next key, until every node has its public half.
const NEXT: &str = "next.pem";

/// A node's two folders of JWS keys: a private one with the key that signs (`private.pem`), which no other node has,
/// and a public one with the public keys of all nodes.
///
/// Keystone reads the public folder for every validation, and **fails on tokens while one file there is empty, half
/// written or no key**: on those of every key that the file system happens to list after it. So files are made
/// elsewhere and renamed into it.
#[derive(Debug, Clone)]
pub struct JwsRepository {
    private: PathBuf,
    public: PathBuf,
    custody: Custody,
}

/// What a public key is for on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "what a key can be for")]
pub enum JwsKeyRole {
    /// The public half of the key that this node signs with.
    Signing,
    /// The public half of the key that this node will sign with next.
    Next,
    /// Another node's, or one that this node signed with before.
    Verifying,
}

/// One public key of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JwsKeyFile {
    /// The file's name.
    pub name: String,
    /// What it is for.
    pub role: JwsKeyRole,
    /// Its algorithm.
    pub algorithm: JwsAlgorithm,
    /// [`JwsPublicKey::fingerprint`].
    pub fingerprint: String,
}

/// Everything that is there, and everything that is wrong with it.
#[derive(Debug)]
#[non_exhaustive]
pub struct JwsReport {
    /// The fingerprint of the key that signs.
    pub signing: Option<String>,
    /// The good public keys, by name.
    pub keys: Vec<JwsKeyFile>,
    /// Why the repository is refused.
    pub faults: Vec<RepositoryError>,
    /// What works, and may not for long.
    pub warnings: Vec<Warning>,
}

impl JwsRepository {
    /// The folders of one node. Nothing is read yet.
    #[must_use]
    pub fn new(private: impl Into<PathBuf>, public: impl Into<PathBuf>) -> Self {
        Self {
            private: private.into(),
            public: public.into(),
            custody: Custody::Owner,
        }
    }

    /// Who keeps the files.
    #[must_use]
    pub const fn with_custody(mut self, custody: Custody) -> Self {
        self.custody = custody;
        self
    }

    /// The private folder.
    #[must_use]
    pub fn private_path(&self) -> &Path {
        &self.private
    }

    /// The public folder.
    #[must_use]
    pub fn public_path(&self) -> &Path {
        &self.public
    }

    /// Makes the folders (0700 and 0755) and this node's first key pair: `private.pem` (0600) and a public file (0644)
    /// named by its fingerprint.
    ///
    /// Killed in the middle, it is finished by being called again.
    ///
    /// # Errors
    /// [`RepositoryError::AlreadyThere`] if there is a private key.
    pub fn create(
        &self,
        algorithm: JwsAlgorithm,
        node: &NodeName,
        now: UnixTime,
    ) -> Result<JwsPublicKey, RepositoryError> {
        let private = Folder::create(&self.private, Secrecy::Private)?;
        let public = Folder::create(&self.public, Secrecy::Public)?;
        let _lock = private.lock()?;
        if private
            .read_if_there(SIGNING, Secrecy::Private, MAX_PEM)?
            .is_some()
        {
            return Err(RepositoryError::AlreadyThere {
                path: self.private.join(SIGNING),
            });
        }
        let key = self.stage_in(&private, &public, algorithm)?;
        marker::write(&private, node, now)?;
        private.rename(NEXT, SIGNING)?;
        Ok(key)
    }

    /// Makes the next key pair: the private half waits as `next.pem`, the public half is published here. Copy that to
    /// every other node before [`JwsRepository::promote`].
    ///
    /// Called again, it gives the key that waits.
    ///
    /// # Errors
    /// [`RepositoryError::Busy`]; what is wrong with the folders or their files.
    pub fn stage(&self, algorithm: JwsAlgorithm) -> Result<JwsPublicKey, RepositoryError> {
        let (private, public) = self.open()?;
        let _lock = private.lock()?;
        self.stage_in(&private, &public, algorithm)
    }

    fn stage_in(
        &self,
        private: &Folder,
        public: &Folder,
        algorithm: JwsAlgorithm,
    ) -> Result<JwsPublicKey, RepositoryError> {
        let failed = |error| RepositoryError::key(&self.private.join(NEXT), error);
        let key = if let Some(text) = private.read_if_there(NEXT, Secrecy::Private, MAX_PEM)? {
            let text = std::str::from_utf8(&text).map_err(|_error| failed(KeyError::NotPem))?;
            JwsPrivateKey::from_pem(algorithm, text).map_err(failed)?
        } else {
            let key = JwsPrivateKey::generate(algorithm).map_err(failed)?;
            private.write(NEXT, key.to_pem().map_err(failed)?.as_bytes(), Secrecy::Private)?;
            key
        };
        self.publish_in(public, key.public_key())?;
        Ok(key.public_key().clone())
    }

    /// Signs with the next key from now on, once every node has its public half. The public half of the old one stays
    /// until its last token has ended.
    ///
    /// # Errors
    /// [`RepositoryError::Empty`] if no key waits; [`RepositoryError::Busy`]; what is wrong with the files.
    pub fn promote(
        &self,
        algorithm: JwsAlgorithm,
        node: &NodeName,
        now: UnixTime,
    ) -> Result<JwsPublicKey, RepositoryError> {
        let (private, public) = self.open()?;
        let _lock = private.lock()?;
        let next = read_private(&private, NEXT, algorithm)?;
        let next = next.ok_or_else(|| RepositoryError::Empty {
            path: self.private.join(NEXT),
        })?;
        self.publish_in(&public, next.public_key())?;
        marker::write(&private, node, now)?;
        private.rename(NEXT, SIGNING)?;
        Ok(next.public_key().clone())
    }

    /// Puts another node's public key into the public folder; gives the name of its file.
    ///
    /// # Errors
    /// What is wrong with the folder; [`RepositoryError::Io`] if the folder above it is on another file system.
    pub fn publish(&self, key: &JwsPublicKey) -> Result<String, RepositoryError> {
        let public = Folder::open(&self.public, Secrecy::Public, self.custody)?;
        let _lock = public.lock()?;
        self.publish_in(&public, key)
    }

    fn publish_in(&self, public: &Folder, key: &JwsPublicKey) -> Result<String, RepositoryError> {
        let known = public_keys(public)
            .find_map(|(name, found)| found.ok().filter(|other| other == key).map(|_| name));
        if let Some(name) = known {
            return Ok(name);
        }
        let fingerprint = key.fingerprint();
        let name = format!("{}.pem", fingerprint.get(..16).unwrap_or(&fingerprint));
        let text = key
            .to_pem()
            .map_err(|error| RepositoryError::key(&self.public.join(&name), error))?;
        // Half a file in the public folder stops Keystone; so it is written in the folder above.
        let above = self.public.parent().filter(|above| !above.as_os_str().is_empty());
        let above = Folder::open(
            above.unwrap_or_else(|| Path::new(".")),
            Secrecy::Public,
            self.custody,
        )?;
        let temporary = temporary_name(&name);
        above.write_new(&temporary, text.as_bytes(), Secrecy::Public)?;
        let placed = above.rename_into(&temporary, public, &name);
        if placed.is_err() {
            above.remove_if_there(&temporary)?;
        }
        placed.map(|()| name)
    }

    /// Takes a public key away: tokens under it are refused from now on.
    ///
    /// # Errors
    /// [`RepositoryError::InUse`] for the key that this node signs with, or will next; [`RepositoryError::Empty`] if
    /// no file holds that key.
    pub fn retire(&self, algorithm: JwsAlgorithm, fingerprint: &str) -> Result<(), RepositoryError> {
        let (private, public) = self.open()?;
        let _lock = private.lock()?;
        for name in [SIGNING, NEXT] {
            let key = read_private(&private, name, algorithm)?;
            if key.is_some_and(|key| key.public_key().fingerprint() == fingerprint) {
                return Err(RepositoryError::InUse {
                    path: self.private.join(name),
                });
            }
        }
        let held = |(name, key): (String, Result<JwsPublicKey, RepositoryError>)| {
            key.is_ok_and(|key| key.fingerprint() == fingerprint)
                .then_some(name)
        };
        let names: Vec<String> = public_keys(&public).filter_map(held).collect();
        if names.is_empty() {
            return Err(RepositoryError::Empty {
                path: self.public.clone(),
            });
        }
        names.iter().try_for_each(|name| public.remove(name))
    }

    /// What this node signs with.
    ///
    /// # Errors
    /// What is wrong with the folder or the key.
    pub fn issuer(&self, algorithm: JwsAlgorithm) -> Result<JwsTokenIssuer, RepositoryError> {
        let private = Folder::open(&self.private, Secrecy::Private, self.custody)?;
        let key = read_private(&private, SIGNING, algorithm)?;
        let key = key.ok_or_else(|| RepositoryError::Empty {
            path: self.private.join(SIGNING),
        })?;
        Ok(JwsTokenIssuer::new(key))
    }

    /// What this node takes tokens by.
    ///
    /// # Errors
    /// The first fault of the public folder: Keystone fails on a folder that is not wholly good.
    pub fn reader(&self, accepted: &[JwsAlgorithm]) -> Result<JwsTokenReader, RepositoryError> {
        let public = Folder::open(&self.public, Secrecy::Public, self.custody)?;
        let keys: Vec<JwsPublicKey> = public_keys(&public)
            .map(|(_name, key)| key)
            .collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(RepositoryError::Empty {
                path: self.public.clone(),
            });
        }
        JwsTokenReader::new(keys, accepted).map_err(|error| RepositoryError::key(&self.public, error))
    }

    /// Lists the keys and tells what is wrong: permissions, owners, links, files that stop Keystone, keys that do not
    /// fit; and what to look at: a private key on a shared file system or of another node, one that is not published,
    /// one key twice.
    ///
    /// # Errors
    /// [`RepositoryError`] if a folder itself is refused, so that nothing in it can be told.
    pub fn check(&self, algorithm: JwsAlgorithm, node: &NodeName) -> Result<JwsReport, RepositoryError> {
        let (private, public) = self.open()?;
        let mut report = JwsReport {
            signing: None,
            keys: Vec::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
        };
        let mut half = |name| match read_private(&private, name, algorithm) {
            Ok(key) => key.map(|key| key.public_key().fingerprint()),
            Err(fault) => {
                report.faults.push(fault);
                None
            }
        };
        let (signing, next) = (half(SIGNING), half(NEXT));
        if signing.is_none() && report.faults.is_empty() {
            report.faults.push(RepositoryError::Empty {
                path: self.private.join(SIGNING),
            });
        }
        for (name, key) in public_keys(&public) {
            match key {
                Ok(key) => report
                    .keys
                    .push(key_file(name, &key, signing.as_deref(), next.as_deref())),
                Err(fault) => report.faults.push(fault),
            }
        }
        if report.keys.len() > MAX_PUBLIC_KEYS {
            let error = KeyError::TooMany {
                limit: MAX_PUBLIC_KEYS,
            };
            report.faults.push(RepositoryError::key(&self.public, error));
        }
        report.signing = signing;
        self.warn(&private, node, &mut report)?;
        Ok(report)
    }

    fn warn(&self, private: &Folder, node: &NodeName, report: &mut JwsReport) -> Result<(), RepositoryError> {
        let published = report.keys.iter().any(|key| key.role == JwsKeyRole::Signing);
        if report.signing.is_some() && !published {
            let path = self.private.join(SIGNING);
            report.warnings.push(Warning::NotPublished { path });
        }
        if let Some(file_system) = private.shared_file_system() {
            let path = self.private.clone();
            report
                .warnings
                .push(Warning::SharedFileSystem { path, file_system });
        }
        if let Some(other) = marker::read(private)?.filter(|other| other != node) {
            let (path, node) = (self.private.clone(), other.to_string());
            report.warnings.push(Warning::OtherNode { path, node });
        }
        for (place, key) in report.keys.iter().enumerate() {
            let same = report
                .keys
                .iter()
                .take(place)
                .find(|other| other.fingerprint == key.fingerprint);
            if let Some(same) = same {
                let (first, second) = (self.public.join(&same.name), self.public.join(&key.name));
                report.warnings.push(Warning::SameKey { first, second });
            }
        }
        let known = |name: &String| name == SIGNING || name == NEXT;
        for name in private.names()?.iter().filter(|name| !known(name)) {
            report.warnings.push(Warning::Stray {
                path: self.private.join(name),
            });
        }
        Ok(())
    }

    fn open(&self) -> Result<(Folder, Folder), RepositoryError> {
        Ok((
            Folder::open(&self.private, Secrecy::Private, self.custody)?,
            Folder::open(&self.public, Secrecy::Public, self.custody)?,
        ))
    }
}

fn key_file(name: String, key: &JwsPublicKey, signing: Option<&str>, next: Option<&str>) -> JwsKeyFile {
    let fingerprint = key.fingerprint();
    let role = if signing == Some(fingerprint.as_str()) {
        JwsKeyRole::Signing
    } else if next == Some(fingerprint.as_str()) {
        JwsKeyRole::Next
    } else {
        JwsKeyRole::Verifying
    };
    JwsKeyFile {
        name,
        role,
        algorithm: key.algorithm(),
        fingerprint,
    }
}

fn read_private(
    folder: &Folder,
    name: &str,
    algorithm: JwsAlgorithm,
) -> Result<Option<JwsPrivateKey>, RepositoryError> {
    let Some(bytes) = folder.read_if_there(name, Secrecy::Private, MAX_PEM)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes).map_err(|_error| KeyError::NotPem);
    let key = text.and_then(|text| JwsPrivateKey::from_pem(algorithm, text));
    key.map(Some)
        .map_err(|error| RepositoryError::key(&folder.path().join(name), error))
}

/// Every file of the public folder, as Keystone reads them: with names that begin with a dot.
fn public_keys(folder: &Folder) -> impl Iterator<Item = (String, Result<JwsPublicKey, RepositoryError>)> {
    let (names, fault) = match folder.all_names() {
        Ok(names) => (names, None),
        Err(fault) => (Vec::new(), Some((String::new(), Err(fault)))),
    };
    let read = |name: String| {
        let read = folder.read_if_there(&name, Secrecy::Public, MAX_PEM);
        let key = match read {
            // Taken away since the folder was listed.
            Ok(None) => return None,
            Ok(Some(bytes)) => {
                public_key(&bytes).map_err(|error| RepositoryError::key(&folder.path().join(&name), error))
            }
            Err(fault) => Err(fault),
        };
        Some((name, key))
    };
    names.into_iter().filter_map(read).chain(fault)
}

fn public_key(bytes: &[u8]) -> Result<JwsPublicKey, KeyError> {
    let text = std::str::from_utf8(bytes).map_err(|_error| KeyError::NotPem)?;
    JwsPublicKey::from_pem(text)
}
