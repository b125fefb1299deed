//! Where logins are kept.

use std::path::{Path, PathBuf};

use sealstone_client::{CacheSlot, SlotKind, TokenCache, known_system_key, system_key};

use crate::{
    failure::{Failure, Outcome},
    random,
};

/// Names another folder than the platform's.
const VARIABLE: &str = "SEALSTONE_CACHE_DIR";
/// `off`: what is kept is not encrypted, though the system has a keyring.
const KEYRING: &str = "SEALSTONE_KEYRING";

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
    Ok(Some(match keyring().then(known_system_key).flatten() {
        Some(key) => cache.sealed(key),
        None => cache,
    }))
}

/// The cache, made if there is none yet, with a key in the system's keyring if it has one.
pub(crate) fn made() -> Outcome<TokenCache> {
    let cache = TokenCache::open(&folder()?)?;
    if !keyring() {
        return Ok(cache);
    }
    if let Some(key) = known_system_key() {
        return Ok(cache.sealed(key));
    }
    // One process makes the key, and the others find it.
    let _lock = cache.lock(&CacheSlot::new(SlotKind::Key, "keyring", ""), |_| {})?;
    Ok(match system_key(random::octets()?) {
        Some(key) => cache.sealed(key),
        None => cache,
    })
}

/// Something lies there, be it what it may: what is odd about it is told when it is opened.
fn is_there(folder: &Path) -> bool {
    std::fs::symlink_metadata(folder).is_ok()
}

fn keyring() -> bool {
    std::env::var_os(KEYRING).is_none_or(|value| value != "off")
}

#[cfg(test)]
mod tests {
    use super::*;

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
