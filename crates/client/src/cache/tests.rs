//! What lies in the folder, and what is done about what others put there.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
};

use super::*;

fn slot() -> CacheSlot {
    CacheSlot::new(SlotKind::OAuth, "https://id.example.org", "cli")
}

fn entry(text: &str) -> CacheEntry {
    CacheEntry::new(text.to_owned().into(), None)
}

struct Place {
    folder: tempfile::TempDir,
    cache: TokenCache,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let cache = TokenCache::open(&folder.path().join("a/b")).unwrap();
    Place { folder, cache }
}

impl Place {
    fn put(&self, text: &str) {
        let lock = self.cache.try_lock(&slot()).unwrap().unwrap();
        lock.replace(&entry(text)).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.cache.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(LOCK))
            .collect();
        names.sort();
        names
    }

    fn found(&self) -> Option<String> {
        self.cache
            .read(&slot())
            .unwrap()
            .map(|entry| entry.payload.to_string())
    }

    fn unsafe_read(&self) -> UnsafePath {
        match self.cache.read(&slot()).unwrap_err() {
            CacheError::Unsafe { fault, .. } => fault,
            error => panic!("{error}"),
        }
    }
}

#[test]
fn r10_folder_and_file_are_their_owners_alone() {
    let place = place();
    place.put("{}");
    for (path, want) in [
        (place.cache.path().to_owned(), 0o700),
        (place.cache.file(&slot()), 0o600),
    ] {
        assert_eq!(
            fs::metadata(&path).unwrap().mode() & 0o7777,
            want,
            "{}",
            path.display()
        );
    }
    assert_eq!(
        fs::metadata(place.folder.path().join("a")).unwrap().mode() & 0o077,
        0
    );
    assert_eq!(place.names().len(), 1);
}

#[test]
fn r10_what_others_can_read_or_put_there_is_refused() {
    let place = place();
    place.put("{}");
    let file = place.cache.file(&slot());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(place.unsafe_read(), UnsafePath::Open);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(place.found().is_some());

    let second = place.folder.path().join("second");
    fs::hard_link(&file, &second).unwrap();
    assert_eq!(place.unsafe_read(), UnsafePath::Linked);
    fs::remove_file(second).unwrap();

    fs::write(&file, "x".repeat(MAX_FILE + 1)).unwrap();
    assert_eq!(place.unsafe_read(), UnsafePath::Large);

    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(place.unsafe_read(), UnsafePath::OddKind);

    fs::set_permissions(place.cache.path(), fs::Permissions::from_mode(0o750)).unwrap();
    let error = place.cache.read(&slot()).unwrap_err().to_string();
    assert!(error.contains("chmod go="), "{error}");
}

#[test]
fn r10_a_link_in_place_of_a_file_is_neither_read_nor_written_through() {
    let place = place();
    let target = place.folder.path().join("victim");
    fs::write(&target, "precious").unwrap();
    let file = place.cache.file(&slot());
    symlink(&target, &file).unwrap();
    assert_eq!(place.unsafe_read(), UnsafePath::Link);
    // A link where the unfinished file will be, too.
    let unfinished = place.cache.path().join(place.cache.unfinished_name(&slot()));
    symlink(&target, &unfinished).unwrap();
    place.put("{\"new\":1}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    assert_eq!(place.found().unwrap(), "{\"new\":1}");
    assert!(!fs::symlink_metadata(&file).unwrap().is_symlink());
    assert_eq!(place.names().len(), 1);

    let lock = place.cache.path().join(place.cache.lock_name(&slot()));
    fs::remove_file(&lock).unwrap();
    symlink(&target, &lock).unwrap();
    assert!(matches!(
        place.cache.try_lock(&slot()).unwrap_err(),
        CacheError::Unsafe {
            fault: UnsafePath::Link,
            ..
        }
    ));
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
}

#[test]
fn r10_a_link_in_place_of_the_folder_is_refused() {
    let place = place();
    let link = place.folder.path().join("link");
    symlink(place.cache.path(), &link).unwrap();
    assert!(matches!(
        TokenCache::open(&link).unwrap_err(),
        CacheError::Unsafe {
            fault: UnsafePath::Link,
            ..
        }
    ));
    let file = place.folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(TokenCache::open(&file).is_err());
    assert!(TokenCache::open(&file.join("below")).is_err());
}

#[test]
fn an_unfinished_file_of_one_who_was_killed_is_nobodys_login() {
    let place = place();
    place.put("{\"old\":1}");
    let unfinished = place.cache.path().join(place.cache.unfinished_name(&slot()));
    fs::write(&unfinished, "{\"version\":1,").unwrap();
    assert_eq!(place.found().unwrap(), "{\"old\":1}");
    assert_eq!(place.cache.list().unwrap().len(), 1);
    place.put("{\"new\":1}");
    assert_eq!(place.found().unwrap(), "{\"new\":1}");
    assert!(!unfinished.exists());
}

#[test]
fn what_is_removed_is_gone_and_other_slots_stay() {
    let place = place();
    place.put("{}");
    let other = slot().with_scope("other");
    let lock = place.cache.try_lock(&other).unwrap().unwrap();
    assert!(lock.read().unwrap().is_none());
    lock.replace(&entry("{\"o\":1}")).unwrap();
    assert_eq!(place.cache.list().unwrap().len(), 2);
    assert!(lock.remove().unwrap());
    assert!(!lock.remove().unwrap());
    assert_eq!(place.cache.list().unwrap()[0].0, slot());
}

#[test]
fn keys_do_not_share_files() {
    let place = place();
    place.put("{\"plain\":1}");
    let sealed = place.cache.clone().sealed(SealingKey::new([1; 32]));
    assert!(sealed.is_sealed() && sealed.read(&slot()).unwrap().is_none());
    sealed
        .try_lock(&slot())
        .unwrap()
        .unwrap()
        .replace(&entry("{\"s\":1}"))
        .unwrap();
    let other = place.cache.clone().sealed(SealingKey::new([2; 32]));
    assert!(other.read(&slot()).unwrap().is_none());
    assert_eq!(place.found().unwrap(), "{\"plain\":1}");
    let text = fs::read_to_string(sealed.file(&slot())).unwrap();
    assert!(!text.contains("\"s\""));
}

#[test]
fn one_holds_the_lock_and_the_next_gets_it_when_it_ends() {
    let Place {
        folder: _folder,
        cache,
    } = place();
    let first = cache.try_lock(&slot()).unwrap().unwrap();
    assert!(!first.was_waited_for());
    assert!(cache.try_lock(&slot()).unwrap().is_none());
    let cache = Arc::new(cache);
    let (told, heard) = mpsc::channel();
    let waiting = Arc::clone(&cache);
    let second = thread::spawn(move || {
        waiting
            .lock(&slot(), |who| told.send(who.to_owned()).unwrap())
            .unwrap()
            .was_waited_for()
    });
    assert_eq!(heard.recv().unwrap(), std::process::id().to_string());
    drop(first);
    assert!(second.join().unwrap());
    assert!(cache.try_lock(&slot()).unwrap().is_some());
}

#[test]
fn those_who_waited_share_a_failure_and_those_who_come_later_do_not() {
    let Place {
        folder: _folder,
        cache,
    } = place();
    let holder = cache.try_lock(&slot()).unwrap().unwrap();
    let (told, heard) = mpsc::channel();
    let waiters: Vec<_> = (0..5)
        .map(|_| {
            let (cache, told) = (cache.clone(), told.clone());
            thread::spawn(move || cache.lock(&slot(), |_| told.send(()).unwrap()).map(|_| ()))
        })
        .collect();
    for _ in 0..5 {
        heard.recv().unwrap();
    }
    holder.fail("the browser was closed");
    for waiter in waiters {
        let error = waiter.join().unwrap().unwrap_err().to_string();
        assert!(error.contains("the browser was closed"), "{error}");
    }
    let later = cache.lock(&slot(), |_| panic!("nobody is there")).unwrap();
    assert!(!later.was_waited_for());
}

#[test]
fn a_folder_that_cannot_be_written_says_what_to_do() {
    let nowhere = PathBuf::from("/proc/nowhere/sealstone");
    let error = TokenCache::open(&nowhere).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("SEALSTONE_CACHE_DIR") && text.contains("--no-cache"),
        "{text}"
    );
}
