//! The folder and its files: opened without following links, judged by what was opened, replaced as a whole.

use std::path::{Path, PathBuf};

use super::{CacheError, UnsafePath};

/// The most files that a folder is read for: more logins than anybody has.
const MAX_FILES: usize = 4096;

#[cfg(unix)]
pub(crate) use unix::Folder;

#[cfg(not(unix))]
pub(crate) use portable::Folder;

fn names(path: &Path) -> Result<Vec<String>, CacheError> {
    let entries = std::fs::read_dir(path).map_err(|error| CacheError::read(path, error))?;
    let names = entries
        .take(MAX_FILES)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.collect())
}

#[cfg(unix)]
mod unix {
    use std::{
        fs::File,
        io::{Read as _, Write as _},
        os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    };

    use rustix::{
        fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat},
        io::Errno,
    };

    use super::{CacheError, Path, PathBuf, UnsafePath};

    /// An open folder; what is done in it goes by the handle, so that nobody can exchange it meanwhile.
    #[derive(Debug)]
    pub(crate) struct Folder {
        path: PathBuf,
        handle: File,
    }

    impl Folder {
        /// Makes it, for its owner alone, and those above it.
        pub(crate) fn make(path: &Path) -> Result<Self, CacheError> {
            let made = std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path);
            match made {
                // What lies there instead is told below.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => made.map_err(|error| CacheError::write(path, error))?,
            }
            Self::open(path)
        }

        pub(crate) fn open(path: &Path) -> Result<Self, CacheError> {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let handle = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
                Errno::LOOP => CacheError::not_safe(path, UnsafePath::Link),
                Errno::NOTDIR => {
                    let link = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
                    let fault = if link {
                        UnsafePath::Link
                    } else {
                        UnsafePath::OddKind
                    };
                    CacheError::not_safe(path, fault)
                }
                errno => CacheError::read(path, errno.into()),
            })?;
            let handle = File::from(handle);
            let found = handle.metadata().map_err(|error| CacheError::read(path, error))?;
            judge(path, &found)?;
            Ok(Self {
                path: path.to_owned(),
                handle,
            })
        }

        pub(crate) fn path(&self) -> &Path {
            &self.path
        }

        pub(crate) fn names(&self) -> Result<Vec<String>, CacheError> {
            super::names(&self.path)
        }

        /// The content of a file; `None` when there is none.
        pub(crate) fn read(&self, name: &str, most: usize) -> Result<Option<Vec<u8>>, CacheError> {
            let path = self.path.join(name);
            // Without O_NONBLOCK a pipe at its place would never open.
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let Some(file) = self.open_file(&path, name, flags)? else {
                return Ok(None);
            };
            let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
            let mut bytes = Vec::new();
            let read = file.take(limit).read_to_end(&mut bytes);
            read.map_err(|error| CacheError::read(&path, error))?;
            if bytes.len() > most {
                return Err(CacheError::not_safe(&path, UnsafePath::Large));
            }
            Ok(Some(bytes))
        }

        /// A file to lock and to write notes into, made when it is not there.
        pub(crate) fn open_lock(&self, name: &str) -> Result<File, CacheError> {
            let path = self.path.join(name);
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = self.open_file(&path, name, flags)?;
            file.ok_or_else(|| CacheError::write(&path, std::io::ErrorKind::NotFound.into()))
        }

        /// Writes `bytes` under a name of their own, made for the owner alone, and gives them `name` when they are
        /// safely there. What lay at either name is not followed.
        pub(crate) fn replace(&self, unfinished: &str, name: &str, bytes: &[u8]) -> Result<(), CacheError> {
            let path = self.path.join(name);
            self.remove(unfinished)?;
            let written = self.write_new(unfinished, bytes).and_then(|()| {
                renameat(&self.handle, unfinished, &self.handle, name)?;
                self.handle.sync_all()
            });
            written.map_err(|error| {
                // Whoever reads this folder never meets half a file.
                let _nothing_more_to_do = unlinkat(&self.handle, unfinished, AtFlags::empty());
                CacheError::write(&path, error)
            })
        }

        /// Removes a file, or the link that lies there; whether there was one.
        pub(crate) fn remove(&self, name: &str) -> Result<bool, CacheError> {
            match unlinkat(&self.handle, name, AtFlags::empty()) {
                Ok(()) => Ok(true),
                Err(Errno::NOENT) => Ok(false),
                Err(errno) => Err(CacheError::write(&self.path.join(name), errno.into())),
            }
        }

        fn write_new(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file = File::from(openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR)?);
            file.write_all(bytes)?;
            file.sync_all()
        }

        fn open_file(&self, path: &Path, name: &str, flags: OFlags) -> Result<Option<File>, CacheError> {
            let opened = openat(&self.handle, name, flags, Mode::RUSR | Mode::WUSR);
            let file = match opened {
                Ok(handle) => File::from(handle),
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::LOOP) => return Err(CacheError::not_safe(path, UnsafePath::Link)),
                Err(Errno::NXIO | Errno::ISDIR) => {
                    return Err(CacheError::not_safe(path, UnsafePath::OddKind));
                }
                Err(errno) if flags.contains(OFlags::CREATE) => {
                    return Err(CacheError::write(path, errno.into()));
                }
                Err(errno) => return Err(CacheError::read(path, errno.into())),
            };
            let found = file.metadata().map_err(|error| CacheError::read(path, error))?;
            if !found.is_file() {
                return Err(CacheError::not_safe(path, UnsafePath::OddKind));
            }
            judge(path, &found)?;
            if found.nlink() > 1 {
                return Err(CacheError::not_safe(path, UnsafePath::Linked));
            }
            Ok(Some(file))
        }
    }

    /// Whether it is this user's, and nobody else's.
    fn judge(path: &Path, found: &std::fs::Metadata) -> Result<(), CacheError> {
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(CacheError::not_safe(path, UnsafePath::Foreign));
        }
        if found.mode() & 0o077 != 0 {
            return Err(CacheError::not_safe(path, UnsafePath::Open));
        }
        Ok(())
    }
}

#[cfg(not(unix))]
mod portable {
    use std::{
        fs::{File, OpenOptions},
        io::{ErrorKind, Read as _, Write as _},
    };

    use super::{CacheError, Path, PathBuf, UnsafePath};

    /// A folder of the user's profile, which its access list keeps to the user.
    #[derive(Debug)]
    pub(crate) struct Folder {
        path: PathBuf,
    }

    impl Folder {
        pub(crate) fn make(path: &Path) -> Result<Self, CacheError> {
            std::fs::create_dir_all(path).map_err(|error| CacheError::write(path, error))?;
            Self::open(path)
        }

        pub(crate) fn open(path: &Path) -> Result<Self, CacheError> {
            let found = std::fs::symlink_metadata(path).map_err(|error| CacheError::read(path, error))?;
            if found.is_symlink() {
                return Err(CacheError::not_safe(path, UnsafePath::Link));
            }
            if !found.is_dir() {
                return Err(CacheError::not_safe(path, UnsafePath::OddKind));
            }
            Ok(Self {
                path: path.to_owned(),
            })
        }

        pub(crate) fn path(&self) -> &Path {
            &self.path
        }

        pub(crate) fn names(&self) -> Result<Vec<String>, CacheError> {
            super::names(&self.path)
        }

        pub(crate) fn read(&self, name: &str, most: usize) -> Result<Option<Vec<u8>>, CacheError> {
            let path = self.path.join(name);
            match plain(&path) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => return Err(error),
            }
            let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
            let mut bytes = Vec::new();
            let read = File::open(&path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
            read.map_err(|error| CacheError::read(&path, error))?;
            if bytes.len() > most {
                return Err(CacheError::not_safe(&path, UnsafePath::Large));
            }
            Ok(Some(bytes))
        }

        pub(crate) fn open_lock(&self, name: &str) -> Result<File, CacheError> {
            let path = self.path.join(name);
            plain(&path)?;
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            options
                .open(&path)
                .map_err(|error| CacheError::write(&path, error))
        }

        pub(crate) fn replace(&self, unfinished: &str, name: &str, bytes: &[u8]) -> Result<(), CacheError> {
            let (from, to) = (self.path.join(unfinished), self.path.join(name));
            self.remove(unfinished)?;
            let written = OpenOptions::new().write(true).create_new(true).open(&from);
            let written = written.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
            written
                .and_then(|()| std::fs::rename(&from, &to))
                .map_err(|error| {
                    let _nothing_more_to_do = std::fs::remove_file(&from);
                    CacheError::write(&to, error)
                })
        }

        pub(crate) fn remove(&self, name: &str) -> Result<bool, CacheError> {
            let path = self.path.join(name);
            match std::fs::remove_file(&path) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
                Err(error) => Err(CacheError::write(&path, error)),
            }
        }
    }

    /// Whether a plain file lies there; anything but a file or nothing is an error.
    fn plain(path: &Path) -> Result<bool, CacheError> {
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => Err(CacheError::not_safe(path, UnsafePath::Link)),
            Ok(found) if !found.is_file() => Err(CacheError::not_safe(path, UnsafePath::OddKind)),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(CacheError::read(path, error)),
        }
    }
}
