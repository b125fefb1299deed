//! What a bridge reads of its node.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use clap::Args;
use sealstone_bridge::{Rules, Target, TokenForm, Translator};
use sealstone_fernet::{
    AuthMethods, Custody, FernetRepository, FernetTokens, JwsAlgorithm, JwsRepository, JwsTokenIssuer,
    KeystoneId,
};
use sealstone_migrate::{IniDocument, Settings};

use crate::{
    failure::{Failure, Outcome},
    input,
};

const CONFIG_FILE: &str = "/etc/keystone/keystone.conf";
const CONFIG_DIR: &str = "/etc/keystone/keystone.conf.d";

#[derive(Debug, Args)]
pub(super) struct NodeFiles {
    /// `--config-file` of the node's Keystone; may be given several times [default: /etc/keystone/keystone.conf]
    #[arg(long, value_name = "PATH")]
    config_file: Vec<PathBuf>,
    /// `--config-dir` of the node's Keystone; may be given several times [default: /etc/keystone/keystone.conf.d]
    #[arg(long, value_name = "PATH")]
    config_dir: Vec<PathBuf>,
    /// A private key that all JWS nodes trust, in place of the node's own private.pem
    #[arg(long, value_name = "FILE")]
    signing_key: Option<PathBuf>,
    /// The key folders are mounted by an orchestrator: links in them are followed, and their group may read
    #[arg(long)]
    mounted_keys: bool,
}

/// What was read, and when it was what.
pub(super) struct Reading {
    pub(super) rules: Rules,
    pub(super) issues: TokenForm,
    pub(super) public_endpoint: Option<String>,
    pub(super) stamps: Vec<Stamp>,
    fernet_keys: usize,
    signer: String,
}

/// A file or folder as it was: path, inode, length, time of the last change.
pub(super) type Stamp = (PathBuf, Option<(u64, u64, SystemTime)>);

impl Reading {
    pub(super) fn tell(&self, target: Target) {
        let form = match target {
            Target::Fixed(form) | Target::Learned(form) => form,
        };
        tracing::info!(
            "the node takes {form} tokens; {} Fernet keys; signs with the key {}",
            self.fernet_keys,
            self.signer
        );
    }
}

impl NodeFiles {
    /// Reads configuration and keys.
    pub(super) fn read(&self) -> Outcome<Reading> {
        let files = self.configuration()?;
        // What is read is not newer than what is remembered of it.
        let mut stamps: Vec<Stamp> = files
            .iter()
            .chain(&self.signing_key)
            .cloned()
            .map(stamp)
            .collect();
        let documents = documents(&files)?;
        let settings = Settings::read(&documents)?;
        for folder in [
            &settings.fernet_repository,
            &settings.jws_private_repository,
            &settings.jws_public_repository,
        ] {
            stamps.extend(listed(Path::new(folder.as_str())).into_iter().map(stamp));
        }
        let last = |section, key| {
            documents
                .iter()
                .rev()
                .find_map(|document| document.last(section, key))
        };
        let issues: TokenForm = settings.provider.parse().map_err(|_error| {
            Failure::failed(format!(
                "[token] provider is `{}`: neither fernet nor jws",
                settings.provider
            ))
        })?;
        let domain =
            KeystoneId::parse(&settings.default_domain_id).context("[identity] default_domain_id")?;
        let methods = AuthMethods::parse(&settings.methods.join(",")).context("[auth] methods")?;
        let custody = if self.mounted_keys {
            Custody::Mounted
        } else {
            Custody::default()
        };
        let most = usize::try_from(settings.max_active_keys)
            .unwrap_or(usize::MAX)
            .clamp(2, 256);
        let fernet = FernetRepository::new(settings.fernet_repository.as_str(), most)?.with_custody(custody);
        let keys = fernet.load().context("Fernet keys")?;
        let fernet_keys = keys.count();
        let jws = JwsRepository::new(
            settings.jws_private_repository.as_str(),
            settings.jws_public_repository.as_str(),
        )
        .with_custody(custody);
        let accepted = settings.jws_accepted_algorithms.iter();
        let accepted: Vec<JwsAlgorithm> = accepted
            .map(|name| {
                JwsAlgorithm::parse(name)
                    .with_context(|| format!("[jwt_tokens] jws_accepted_algorithms: {name}"))
            })
            .collect::<Result<_, _>>()?;
        let algorithm = JwsAlgorithm::parse(&settings.jws_algorithm).context("[jwt_tokens] jws_algorithm")?;
        let reader = jws.reader(&accepted).context("public JWS keys")?;
        let issuer = match &self.signing_key {
            Some(path) => JwsTokenIssuer::from_file(algorithm, path),
            None => jws.issuer(algorithm),
        }
        .context("the private JWS key")?;
        let signer = issuer.public_key().fingerprint();
        let window = Duration::from_secs(settings.allow_expired_window_s);
        let tokens = FernetTokens::new(keys, methods, domain);
        let translator = Translator::new(tokens, reader, issuer, window)?;
        Ok(Reading {
            rules: Rules::new(translator),
            issues,
            public_endpoint: last("DEFAULT", "public_endpoint").map(str::to_owned),
            stamps,
            fernet_keys,
            signer,
        })
    }

    /// The files of configuration in the order in which Keystone reads them: files, then those of each folder by name.
    fn configuration(&self) -> Outcome<Vec<PathBuf>> {
        let is_silent = self.config_file.is_empty() && self.config_dir.is_empty();
        let mut files = self.config_file.clone();
        let mut folders = self.config_dir.clone();
        if is_silent {
            files.push(PathBuf::from(CONFIG_FILE));
            folders.extend(Some(PathBuf::from(CONFIG_DIR)).filter(|folder| folder.is_dir()));
        }
        for folder in folders {
            let entries =
                fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
            let mut found = Vec::new();
            for entry in entries {
                let path = entry.with_context(|| folder.display().to_string())?.path();
                found.extend(Some(path).filter(|path| path.extension().is_some_and(|end| end == "conf")));
            }
            found.sort();
            files.extend(found);
        }
        Ok(files)
    }

    /// What is there now of what was read. A folder tells of the files that come and go in it.
    pub(super) fn stamps_now(before: &[Stamp]) -> Vec<Stamp> {
        before.iter().map(|(path, _seen)| stamp(path.clone())).collect()
    }
}

fn documents(files: &[PathBuf]) -> Outcome<Vec<IniDocument>> {
    let mut documents = Vec::new();
    for path in files {
        let text = input::text(path);
        let text =
            text.map_err(|failure| failure.with_hint("--config-file names Keystone's configuration"))?;
        let document = IniDocument::parse(&text).with_context(|| path.display().to_string())?;
        documents.push(document);
    }
    Ok(documents)
}

/// The folder and the files in it.
fn listed(folder: &Path) -> Vec<PathBuf> {
    let mut paths = vec![folder.to_owned()];
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    paths.extend(entries.map(|entry| entry.path()));
    paths.sort();
    paths
}

fn stamp(path: PathBuf) -> Stamp {
    let seen = fs::metadata(&path)
        .ok()
        .and_then(|found| Some((found.ino(), found.len(), found.modified().ok()?)));
    (path, seen)
}
