//! Where logins are kept.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use sealstone_client::{
    CacheSlot, SealingKey, SlotKind, SystemKeyring, TokenCache, known_system_key, system_key,
};

use crate::{
    failure::{Failure, Outcome},
    random,
};

/// Names another folder than the platform's.
const VARIABLE: &str = "SEALSTONE_CACHE_DIR";
/// Which keyring of the system has the key that what is kept is encrypted by: `off`, `kernel`, `desktop`; any that there is
/// without it.
const KEYRING: &str = "SEALSTONE_KEYRING";

/// What that says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyring {
    Off,
    One(SystemKeyring),
    Any,
}

/// The platform's folder for what may be lost: `$XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches`, `%LOCALAPPDATA%`.
pub(crate) fn folder() -> Outcome<PathBuf> {
    folder_by(|name| std::env::var_os(name).map(PathBuf::from)).ok_or_else(|| {
        Failure::failed(format!(
            "no folder for logins is known, for HOME is not set: set {VARIABLE} to a folder of yours, or go without by --no-cache"
        ))
    })
}

fn folder_by(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if let Some(folder) = variable(VARIABLE).filter(|path| !path.as_os_str().is_empty()) {
        return Some(folder);
    }
    caches_by(&variable).map(|caches| caches.join("sealstone").join("logins"))
}

/// The platform's folder itself: programs before this one kept logins in it.
pub(super) fn caches() -> Option<PathBuf> {
    caches_by(&|name| std::env::var_os(name).map(PathBuf::from))
}

fn caches_by(variable: &impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    // A relative path would be another folder in each place that a command is called from.
    let get = |name: &str| variable(name).filter(|path| path.is_absolute());
    if cfg!(windows) {
        get("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        get("HOME").map(|home| home.join("Library/Caches"))
    } else {
        get("XDG_CACHE_HOME").or_else(|| get("HOME").map(|home| home.join(".cache")))
    }
}

/// The cache as it is; `None` when there is none yet.
pub(crate) fn existing() -> Outcome<Option<TokenCache>> {
    let folder = folder()?;
    if !is_there(&folder) {
        return Ok(None);
    }
    let cache = TokenCache::open(&folder)?;
    Ok(Some(match Keyring::wanted()?.known() {
        Some(key) => cache.sealed(key),
        None => cache,
    }))
}

/// The cache, made if there is none yet, with a key in the system's keyring if it has one.
pub(crate) fn made() -> Outcome<TokenCache> {
    let keyring = Keyring::wanted()?;
    let cache = TokenCache::open(&folder()?)?;
    if keyring == Keyring::Off {
        return Ok(cache);
    }
    if let Some(key) = keyring.known() {
        return Ok(cache.sealed(key));
    }
    // One process makes the key, and the others find it.
    let _lock = cache.lock(&CacheSlot::new(SlotKind::Key, "keyring", ""), |_| {})?;
    Ok(match keyring.key(random::octets()?) {
        Some(key) => cache.sealed(key),
        None => cache,
    })
}

/// Something lies there, be it what it may: what is odd about it is told when it is opened.
fn is_there(folder: &Path) -> bool {
    std::fs::symlink_metadata(folder).is_ok()
}

impl Keyring {
    fn wanted() -> Outcome<Self> {
        let said = std::env::var_os(KEYRING);
        Self::of(said.as_deref().map(OsStr::to_string_lossy).as_deref())
    }

    fn of(said: Option<&str>) -> Outcome<Self> {
        match said {
            None | Some("" | "on") => Ok(Self::Any),
            Some("off") => Ok(Self::Off),
            Some("kernel") => Ok(Self::One(SystemKeyring::Kernel)),
            Some("desktop") if cfg!(feature = "desktop-keyring") => Ok(Self::One(SystemKeyring::Desktop)),
            Some("desktop") => Err(Failure::usage(format!(
                "{KEYRING}=desktop needs a build with the feature desktop-keyring: leave it out, or build with \
                 --features desktop-keyring"
            ))),
            Some(_) => Err(Failure::usage(format!("{KEYRING} is off, kernel or desktop"))),
        }
    }

    fn known(self) -> Option<SealingKey> {
        match self {
            Self::Off => None,
            Self::One(keyring) => told_if_slow(|| keyring.known()),
            Self::Any => told_if_slow(known_system_key),
        }
    }

    fn key(self, fresh: [u8; 32]) -> Option<SealingKey> {
        match self {
            Self::Off => None,
            Self::One(keyring) => told_if_slow(|| keyring.key(fresh)),
            Self::Any => told_if_slow(|| system_key(fresh)),
        }
    }
}

/// The desktop's keyring may wait for its user.
#[cfg(feature = "desktop-keyring")]
fn told_if_slow<T>(ask: impl FnOnce() -> T) -> T {
    use std::{sync::mpsc, thread, time::Duration};

    let (done, waiting) = mpsc::channel::<()>();
    thread::spawn(move || {
        if waiting.recv_timeout(Duration::from_secs(2)) == Err(mpsc::RecvTimeoutError::Timeout) {
            crate::output::note(&format!(
                "waiting for the desktop's keyring, which may ask to be unlocked; without it: {KEYRING}=kernel, or =off"
            ));
        }
    });
    let answer = ask();
    drop(done);
    answer
}

/// The kernel answers at once.
#[cfg(not(feature = "desktop-keyring"))]
fn told_if_slow<T>(ask: impl FnOnce() -> T) -> T {
    ask()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keyring_is_the_one_that_is_named() {
        for (said, want) in [
            (None, Some(Keyring::Any)),
            (Some(""), Some(Keyring::Any)),
            (Some("off"), Some(Keyring::Off)),
            (Some("kernel"), Some(Keyring::One(SystemKeyring::Kernel))),
            (
                Some("desktop"),
                cfg!(feature = "desktop-keyring").then_some(Keyring::One(SystemKeyring::Desktop)),
            ),
            (Some("Off"), None),
            (Some("gnome"), None),
        ] {
            assert_eq!(Keyring::of(said).ok(), want, "{said:?}");
        }
    }

    #[test]
    fn the_platforms_folder_is_taken() {
        let found = |variables: &[(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
            folder_by(|name| find(name).map(|(_, value)| PathBuf::from(value)))
        };
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[(VARIABLE, "here"), ("HOME", "/h")]), Some("here".into()));
        if cfg!(target_os = "linux") {
            let below = |path: &str| Some(PathBuf::from(format!("{path}/sealstone/logins")));
            assert_eq!(found(&[("HOME", "/h")]), below("/h/.cache"));
            assert_eq!(found(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), below("/x"));
            assert_eq!(
                found(&[("HOME", "/h"), ("XDG_CACHE_HOME", "x")]),
                below("/h/.cache")
            );
            assert_eq!(found(&[("HOME", "/h"), (VARIABLE, "")]), below("/h/.cache"));
            assert_eq!(found(&[("HOME", "h")]), None);
        }
    }
}
