//! Where a node's files are: here, in an archive, or on the node.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::error::InventoryError;
use crate::node::{AbsolutePath, SshHost};
use crate::owners::Owners;
use crate::program::{Running, ssh};

/// The largest archive, in bytes: a configuration, and 512 files of keys, forty times over.
const MAX_ARCHIVE: u64 = 64 * 1024 * 1024;
/// The most files and folders that an archive may bring: five times what is looked for at most.
const MAX_ENTRIES: usize = 8192;
/// As much of a list of what was unpacked as is read, in bytes: that many entries, with names of 500 characters.
const MAX_LISTING: u64 = 4 * 1024 * 1024;
/// What GNU `tar` says of a folder that is not there, which the record tells anyway, and then of itself.
const NOT_THERE: &str = ": Cannot stat: No such file or directory";
const SUMMARY: &str = ": Exiting with failure status due to previous errors";
/// `ssh` could not do its work; every other status is the remote program's.
const SSH_FAILED: i32 = 255;

/// Where a node's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Below this folder lies the node's file system; `/` is this machine.
    Folder(PathBuf),
    /// A tar archive of it, not compressed.
    Archive(PathBuf),
    /// On the node: `ssh` and its `tar` fetch it.
    Ssh(SshHost),
}

impl Source {
    /// Reads `ssh:[user@]host`, the name of a folder, or of a file that ends in `.tar`.
    ///
    /// # Errors
    /// [`crate::InvalidName`] for a host that is none.
    pub fn parse(text: &str) -> Result<Self, crate::InvalidName> {
        if let Some(host) = text.strip_prefix("ssh:") {
            return SshHost::parse(host).map(Self::Ssh);
        }
        Ok(match text.strip_suffix(".tar") {
            Some(_) => Self::Archive(text.into()),
            None => Self::Folder(text.into()),
        })
    }

    /// Whether its clock is ours.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        *self == Self::Folder("/".into())
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path) | Self::Archive(path) => path.display().fmt(f),
            Self::Ssh(host) => write!(f, "ssh:{}", host.as_str()),
        }
    }
}

/// The programs that fetch files.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `ssh` of OpenSSH.
    pub ssh: PathBuf,
    /// GNU `tar`.
    pub tar: PathBuf,
    /// How long one call of `ssh` may take, from its start to its end; one that takes longer is killed.
    pub ssh_limit: Duration,
}

impl Programs {
    /// How long a call of `ssh` may take where nobody said. A configuration and its keys are below 1 MiB, which the
    /// slowest of links carries in half of it, after the 20 s that a connection may take.
    pub const SSH_LIMIT: Duration = Duration::from_secs(120);
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            ssh: "ssh".into(),
            tar: "tar".into(),
            ssh_limit: Self::SSH_LIMIT,
        }
    }
}

/// A node's files, as far as they were fetched. What was unpacked is in a folder that nobody else can enter, and goes
/// with this value.
#[derive(Debug)]
pub(crate) struct NodeFiles<'a> {
    source: &'a Source,
    programs: &'a Programs,
    unpacked: Option<Unpacked>,
    owners: Owners,
    pub(crate) notes: Vec<String>,
}

#[derive(Debug)]
struct Unpacked(TempDir);

impl Drop for Unpacked {
    /// Folders keep the modes of the archive; with some of them what is inside could not be removed.
    fn drop(&mut self) {
        let mut waiting = vec![self.0.path().to_owned()];
        while let Some(folder) = waiting.pop() {
            let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            waiting.extend(folders.map(|entry| entry.path()));
        }
    }
}

impl<'a> NodeFiles<'a> {
    pub(crate) fn open(source: &'a Source, programs: &'a Programs) -> Result<Self, InventoryError> {
        let unpacked = match source {
            Source::Folder(_) => None,
            Source::Archive(_) | Source::Ssh(_) => Some(Unpacked(
                tempfile::Builder::new()
                    .prefix("sealstone-")
                    .tempdir()
                    .map_err(InventoryError::io("make a folder in", &std::env::temp_dir()))?,
            )),
        };
        let mut files = Self {
            source,
            programs,
            unpacked,
            owners: Owners::default(),
            notes: Vec::new(),
        };
        if let Source::Archive(path) = source {
            let file = File::open(path).map_err(InventoryError::io("open", path))?;
            files.unpack(file)?;
        }
        Ok(files)
    }

    /// Where that path of the node is here.
    pub(crate) fn locate(&self, path: &AbsolutePath) -> PathBuf {
        let root = match (&self.unpacked, self.source) {
            (Some(unpacked), _) => unpacked.0.path(),
            (None, Source::Folder(root) | Source::Archive(root)) => root,
            (None, Source::Ssh(_)) => Path::new("/nonexistent"),
        };
        root.join(path.relative())
    }

    /// The path to name in a message: what was unpacked has no name here that would mean anything.
    pub(crate) fn shown(&self, path: &AbsolutePath) -> PathBuf {
        match self.unpacked {
            Some(_) => path.as_str().into(),
            None => self.locate(path),
        }
    }

    /// A message with the node's paths instead of those that it was unpacked to.
    pub(crate) fn told(&self, message: &str) -> String {
        match &self.unpacked {
            Some(unpacked) => message.replace(&unpacked.0.path().display().to_string(), ""),
            None => message.to_owned(),
        }
    }

    /// Brings those files and folders here, where they are elsewhere. One that is not there is noted.
    pub(crate) fn fetch(&mut self, paths: &[&AbsolutePath]) -> Result<(), InventoryError> {
        let Source::Ssh(host) = self.source else {
            return Ok(());
        };
        let mut command = ssh(self.programs, host);
        // The other side's shell reads these words; a path has no character that means anything to one.
        command.args(["tar", "-c", "-f", "-", "-C", "/", "--"]);
        command.args(paths.iter().map(|path| path.relative()));
        let mut running = Running::start(&mut command, Stdio::null(), Some(self.programs.ssh_limit))?;
        let output = running.output();
        let unpacked = output.map_or(Ok(()), |output| self.unpack(output));
        let (status, complaint) = running.end()?;
        if status.code() == Some(SSH_FAILED) || status.code().is_none() {
            return Err(InventoryError::Program {
                program: "ssh",
                complaint,
            });
        }
        unpacked?;
        let is_news = |line: &&str| !line.ends_with(NOT_THERE) && !line.ends_with(SUMMARY);
        let news: Vec<&str> = complaint.split(';').filter(is_news).collect();
        if !status.success() && !news.is_empty() {
            let news = news.join(";");
            self.notes.push(format!("not all files could be fetched: {news}"));
        }
        Ok(())
    }

    fn unpack(&mut self, archive: impl Read) -> Result<(), InventoryError> {
        let Some(Unpacked(folder)) = &self.unpacked else {
            return Ok(());
        };
        let mut command = Command::new(&self.programs.tar);
        // What is unpacked is ours; whose it was is told in a list.
        let listing = tempfile::NamedTempFile::new()
            .map_err(InventoryError::io("make a file in", &std::env::temp_dir()))?;
        command.args(["-x", "-f", "-", "--no-same-owner", "--preserve-permissions"]);
        command.args(["-vv", "--numeric-owner", "--index-file"]);
        command.arg(listing.path()).arg("-C").arg(folder.path());
        // It ends when what it reads does.
        let mut running = Running::start(&mut command, Stdio::piped(), None)?;
        let mut limited = archive.take(MAX_ARCHIVE.saturating_add(1));
        let copied = match running.input() {
            Some(mut input) => copy(&mut limited, &mut input),
            None => Ok(()),
        };
        let (status, complaint) = running.end()?;
        if limited.limit() == 0 {
            return Err(InventoryError::TooLarge { limit: MAX_ARCHIVE });
        }
        if !status.success() {
            return Err(InventoryError::Program {
                program: "tar",
                complaint,
            });
        }
        copied.map_err(InventoryError::io("unpack into", folder.path()))?;
        only_files(folder.path())?;
        let mut text = Vec::new();
        File::open(listing.path())
            .and_then(|file| file.take(MAX_LISTING).read_to_end(&mut text))
            .map_err(InventoryError::io("read", listing.path()))?;
        self.owners.add(&String::from_utf8_lossy(&text));
        Ok(())
    }

    /// The number of the account that a file belongs to, where it comes from.
    pub(crate) fn owner(&self, folder: &AbsolutePath, name: &str) -> Option<u32> {
        match self.unpacked {
            Some(_) => self.owners.of(&format!("{}/{name}", folder.relative())),
            None => {
                let found = fs::symlink_metadata(self.locate(folder).join(name));
                found.ok().map(|found| found.uid())
            }
        }
    }
}

/// All of it; what comes after the end of the archive, which `tar` does not wait for, is read all the same.
fn copy(from: &mut impl Read, to: &mut impl std::io::Write) -> std::io::Result<()> {
    match std::io::copy(from, to) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            std::io::copy(from, &mut std::io::sink()).map(drop)
        }
        copied => copied.map(drop),
    }
}

/// A link would lead out of the folder, to files of this machine.
fn only_files(folder: &Path) -> Result<(), InventoryError> {
    let mut waiting = vec![folder.to_owned()];
    let mut seen: usize = 0;
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).map_err(InventoryError::io("list", &folder))? {
            let entry = entry.map_err(InventoryError::io("list", &folder))?;
            let kind = entry
                .file_type()
                .map_err(InventoryError::io("look at", &entry.path()))?;
            seen = seen.saturating_add(1);
            if seen > MAX_ENTRIES || !(kind.is_dir() || kind.is_file()) {
                return Err(InventoryError::Entry { limit: MAX_ENTRIES });
            }
            if kind.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(())
}
