//! Nodes whose files are here or behind `ssh`, and that a command of the operator's restarts.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::{ControlError, NodeControl};
use crate::balancer::{Hook, HookRunner};
use crate::edit::set_option;
use crate::error::InventoryError;
use crate::form::TokenForm;
use crate::ini::{IniDocument, MAX_CONFIGURATION};
use crate::inventory::NodeRecord;
use crate::node::{AbsolutePath, Node, SshHost};
use crate::program::{Running, ssh};
use crate::read::{Clock, NodeSpec, read_nodes};
use crate::source::{Programs, Source};

/// The most keys that are removed: Keystone's default is three, and nobody has a hundred.
const MAX_KEYS: usize = 1024;

/// Nodes as [`NodeSpec`] describes them.
pub struct NodeHands<'a> {
    specs: Vec<NodeSpec>,
    programs: Programs,
    restart: Hook,
    runner: HookRunner,
    clock: Clock<'a>,
}

impl std::fmt::Debug for NodeHands<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeHands")
            .field("specs", &self.specs)
            .field("restart", &self.restart)
            .finish_non_exhaustive()
    }
}

impl<'a> NodeHands<'a> {
    /// `restart` restarts a node's Keystone, run by `runner`.
    #[must_use]
    pub const fn new(
        specs: Vec<NodeSpec>,
        programs: Programs,
        restart: Hook,
        runner: HookRunner,
        clock: Clock<'a>,
    ) -> Self {
        Self {
            specs,
            programs,
            restart,
            runner,
            clock,
        }
    }

    fn place(&self, node: &Node) -> Result<Place, ControlError> {
        let spec = self.specs.iter().find(|spec| spec.name == *node);
        match spec.map(|spec| &spec.source) {
            Some(Source::Folder(root)) => Ok(Place::Here(root.clone())),
            Some(Source::Ssh(host)) => Ok(Place::There(host.clone())),
            Some(Source::Archive(_)) | None => Err(ControlError::OutOfReach(node.clone())),
        }
    }

    fn record(&self, node: &Node) -> Result<NodeRecord, ControlError> {
        let spec: Vec<NodeSpec> = self
            .specs
            .iter()
            .filter(|spec| spec.name == *node)
            .cloned()
            .collect();
        let read = read_nodes(&spec, &self.programs, self.clock).map_err(unread)?;
        read.into_iter()
            .next()
            .ok_or_else(|| ControlError::OutOfReach(node.clone()))
    }
}

enum Place {
    Here(PathBuf),
    There(SshHost),
}

fn unread((node, source): (Node, InventoryError)) -> ControlError {
    ControlError::Read {
        node,
        source: Box::new(source),
    }
}

impl NodeControl for NodeHands<'_> {
    fn records(&mut self) -> Result<Vec<NodeRecord>, ControlError> {
        read_nodes(&self.specs, &self.programs, self.clock).map_err(unread)
    }

    /// The last file of the configuration that sets the option is changed, or the last of all.
    fn set_form(&mut self, node: &Node, form: TokenForm) -> Result<(), ControlError> {
        let place = self.place(node)?;
        let record = self.record(node)?;
        if record.settings.provider == form.as_str() {
            return Ok(());
        }
        let failed = |source| unread((node.clone(), source));
        let mut chosen: Option<(&AbsolutePath, String)> = None;
        for path in record.configuration.iter().rev() {
            let text = self.fetch(&place, path).map_err(failed)?;
            let sets = IniDocument::parse(&text).is_ok_and(|file| file.last("token", "provider").is_some());
            if sets {
                chosen = Some((path, text));
                break;
            }
            if chosen.is_none() {
                chosen = Some((path, text));
            }
        }
        let Some((path, text)) = chosen else {
            return Err(ControlError::OutOfReach(node.clone()));
        };
        let edited = set_option(&text, "token", "provider", form.as_str());
        let edited = edited.map_err(|source| ControlError::Edit {
            node: node.clone(),
            file: path.to_string(),
            source,
        })?;
        self.store(&place, path, &edited).map_err(failed)?;
        let found = self.record(node)?.settings.provider;
        if found == form.as_str() {
            return Ok(());
        }
        Err(ControlError::Overruled {
            node: node.clone(),
            wanted: form.as_str(),
            found,
            file: path.to_string(),
        })
    }

    fn restart(&mut self, node: &Node) -> Result<(), ControlError> {
        let done = self.runner.run(&self.restart, node);
        done.map(drop).map_err(|source| ControlError::Hook {
            node: node.clone(),
            source,
        })
    }

    fn remove_fernet_keys(&mut self, node: &Node) -> Result<(), ControlError> {
        let place = self.place(node)?;
        let record = self.record(node)?;
        // What Keystone takes for a key: a file whose name is a number. Nothing else is touched.
        let is_key = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        let names = record.fernet.keys.iter().map(|key| key.name.as_str());
        let paths: Vec<String> = names
            .filter(is_key)
            .take(MAX_KEYS)
            .map(|name| format!("{}/{name}", record.settings.fernet_repository))
            .collect();
        self.remove(&place, &paths)
            .map_err(|source| unread((node.clone(), source)))
    }
}

impl NodeHands<'_> {
    fn fetch(&self, place: &Place, path: &AbsolutePath) -> Result<String, InventoryError> {
        let not_text = || InventoryError::NotText {
            path: path.as_str().into(),
        };
        let limit = u64::try_from(MAX_CONFIGURATION)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        let mut bytes = Vec::new();
        match place {
            Place::Here(root) => {
                let here = root.join(path.relative());
                let file = File::open(&here).map_err(InventoryError::io("open", &here))?;
                file.take(limit)
                    .read_to_end(&mut bytes)
                    .map_err(InventoryError::io("read", &here))?;
            }
            Place::There(host) => {
                bytes = self.remote(host, &["cat", "--", path.as_str()], &[])?;
            }
        }
        if bytes.len() > MAX_CONFIGURATION {
            return Err(not_text());
        }
        String::from_utf8(bytes).map_err(|_error| not_text())
    }

    /// Whole and durably, with owner and mode as they were.
    fn store(&self, place: &Place, path: &AbsolutePath, text: &str) -> Result<(), InventoryError> {
        match place {
            Place::Here(root) => replace(&root.join(path.relative()), text.as_bytes()),
            Place::There(host) => {
                // The path has no character that means anything to a shell. `cp -p` brings owner and mode.
                let part = format!("{path}.sealstone");
                let script = format!(
                    "cp -p -- {path} {part} && cat > {part} && sync {part} && mv -- {part} $(readlink -f {path})"
                );
                self.remote(host, &[&script], text.as_bytes()).map(drop)
            }
        }
    }

    fn remove(&self, place: &Place, paths: &[String]) -> Result<(), InventoryError> {
        match place {
            Place::Here(root) => {
                for path in paths {
                    let here = root.join(path.trim_start_matches('/'));
                    match fs::remove_file(&here) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                            return Err(InventoryError::io("remove", &here)(error));
                        }
                        _ => {}
                    }
                }
                Ok(())
            }
            Place::There(_) if paths.is_empty() => Ok(()),
            Place::There(host) => {
                let mut words = vec!["rm", "-f", "--"];
                words.extend(paths.iter().map(String::as_str));
                self.remote(host, &words, &[]).map(drop)
            }
        }
    }

    fn remote(&self, host: &SshHost, words: &[&str], input: &[u8]) -> Result<Vec<u8>, InventoryError> {
        let mut command = ssh(&self.programs, host);
        command.args(words);
        let mut running = Running::start(&mut command, Stdio::piped(), Some(self.programs.ssh_limit))?;
        let written = running.input().map_or(Ok(()), |mut pipe| pipe.write_all(input));
        let mut output = Vec::new();
        let limit = u64::try_from(MAX_CONFIGURATION)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        let read = running
            .output()
            .map_or(Ok(0), |pipe| pipe.take(limit).read_to_end(&mut output));
        let (status, complaint) = running.end()?;
        if status.success() {
            read.map_err(InventoryError::io("read from", &self.programs.ssh))?;
            written.map_err(InventoryError::io("write to", &self.programs.ssh))?;
            return Ok(output);
        }
        Err(InventoryError::Program {
            program: "ssh",
            complaint,
        })
    }
}

/// A link stays one: what it leads to is replaced.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), InventoryError> {
    let path = fs::canonicalize(path).map_err(InventoryError::io("find", path))?;
    let old = fs::metadata(&path).map_err(InventoryError::io("look at", &path))?;
    let mut part = path.clone().into_os_string();
    part.push(".sealstone");
    let part = PathBuf::from(part);
    // Of a run that was killed.
    let _ = fs::remove_file(&part);
    let write = || -> std::io::Result<()> {
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)?;
        file.write_all(bytes)?;
        // Only root may give a file away, and only then is there a need.
        let new = file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            std::os::unix::fs::chown(&part, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
        file.sync_all()?;
        fs::rename(&part, &path)?;
        path.parent()
            .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written.map_err(InventoryError::io("write", &path))
}
