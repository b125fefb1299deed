use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
    process::Command,
};

use sealstone_agent::{Credential, FileError, MachinePair, StateFolder, TokenFile, TokenFileForm, files};

use crate::machine::{Ca, DAY, at};

fn credential(token: &str) -> Credential {
    let ca = Ca::new("CN=Machines");
    let token = sealstone_agent::AgentToken::new(token, None, at(0), at(900));
    Credential::new(ca.machine(90 * DAY), token)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_state_has_certificate_key_and_token_together_and_for_the_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let state = StateFolder::open(&path).unwrap();
    assert!(state.pair().unwrap().is_none());
    assert_eq!(mode(&path), 0o700);
    let (first, second, third) = (credential("one"), credential("two"), credential("three"));
    state.save(&first).unwrap();
    let current = path.join("current");
    let resolved = fs::canonicalize(&current).unwrap();
    for (name, want) in [
        ("token", "one".to_owned()),
        ("header", "Authorization: Bearer one\n".to_owned()),
        ("certificate.pem", first.pair().chain_pem().to_owned()),
        ("private-key.pem", first.pair().expose_key_pem().to_owned()),
        (
            "combined.pem",
            format!("{}{}", first.pair().expose_key_pem(), first.pair().chain_pem()),
        ),
    ] {
        assert_eq!(fs::read_to_string(current.join(name)).unwrap(), want);
        assert_eq!(mode(&resolved.join(name)), 0o600, "{name}");
    }
    state.save(&second).unwrap();
    // Who had looked up the first still finds it, whole.
    let still = MachinePair::read(
        &resolved.join("certificate.pem"),
        &resolved.join("private-key.pem"),
    );
    assert_eq!(still.unwrap(), *first.pair());
    state.save(&third).unwrap();
    assert!(!resolved.exists());
    drop(state);
    let state = StateFolder::open(&path).unwrap();
    assert_eq!(state.pair().unwrap().unwrap(), *third.pair());
}

#[test]
fn two_agents_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    assert!(!StateFolder::is_taken(&path));
    let state = StateFolder::open(&path).unwrap();
    assert!(StateFolder::is_taken(&path));
    let error = StateFolder::open(&path).unwrap_err();
    assert!(matches!(error, FileError::Taken(_)), "{error}");
    assert!(error.to_string().contains("another agent runs with"), "{error}");
    drop(state);
    assert!(!StateFolder::is_taken(&path));
    StateFolder::open(&path).unwrap();
}

/// What a process left that was killed at any point of `save` is of no consequence to the next.
#[test]
fn what_a_killed_agent_left_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let first = credential("one");
    StateFolder::open(&path).unwrap().save(&first).unwrap();
    // Half a generation, a link that was not moved yet, a temporary status.
    let half = path.join("generation-2");
    fs::create_dir(&half).unwrap();
    chmod(&half, 0o700);
    fs::write(half.join("certificate.pem"), "-----BEGIN CERT").unwrap();
    symlink("generation-2", path.join(".current")).unwrap();
    fs::write(path.join(".status.json.agent"), "{").unwrap();
    let state = StateFolder::open(&path).unwrap();
    assert_eq!(state.pair().unwrap().unwrap(), *first.pair());
    assert!(!half.exists());
    let second = credential("two");
    state.save(&second).unwrap();
    state.save_status(b"{}").unwrap();
    assert_eq!(state.pair().unwrap().unwrap(), *second.pair());
    let mut left: Vec<String> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["current", "generation-1", "generation-2", "lock", "status.json"]
    );
}

#[test]
fn unsafe_folders_and_files_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("open")).unwrap();
    chmod(&at("open"), 0o755);
    let error = StateFolder::open(&at("open")).unwrap_err().to_string();
    assert!(error.contains("run chmod 700"), "{error}");
    fs::write(at("plain"), "x").unwrap();
    symlink(at("plain"), at("link")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    fs::create_dir(at("wide")).unwrap();
    chmod(&at("wide"), 0o777);
    for (path, says) in [
        (at("link"), "is a symbolic link, which is not followed"),
        (at("folder"), "is not a plain file"),
        (at("wide/token"), "may be written to by others"),
        (at("missing/token"), "there is no such file or folder"),
    ] {
        let error = files::replace(&path, b"secret").unwrap_err().to_string();
        assert!(error.contains(says), "{}: {error}", path.display());
        assert!(!error.contains("secret"));
    }
    assert_eq!(
        fs::read_to_string(at("plain")).unwrap(),
        "x",
        "nothing was written through the link"
    );
    for (name, mode, text, says) in [
        ("group", 0o640, "key", "run chmod 600"),
        ("all", 0o604, "key", "run chmod 600"),
        ("empty", 0o600, "", "is empty"),
    ] {
        fs::write(at(name), text).unwrap();
        chmod(&at(name), mode);
        let error = files::read_private(&at(name)).unwrap_err().to_string();
        assert!(error.contains(says), "{name}: {error}");
    }
    fs::write(at("large"), vec![b'x'; 1024 * 1024 + 1]).unwrap();
    chmod(&at("large"), 0o600);
    assert!(files::read_private(&at("large")).is_err());
    assert!(files::read_public(&at("large")).is_err());
    assert!(
        files::read_private(&at("link"))
            .unwrap_err()
            .to_string()
            .contains("symbolic link")
    );
}

#[test]
fn another_users_file_is_neither_read_nor_replaced() {
    if !rustix_is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("theirs");
    fs::write(&theirs, "x").unwrap();
    chmod(&theirs, 0o600);
    std::os::unix::fs::chown(&theirs, Some(12345), None).unwrap();
    let error = files::replace(&theirs, b"y").unwrap_err().to_string();
    assert!(error.contains("belongs to another user"), "{error}");
    let error = files::read_private(&theirs).unwrap_err().to_string();
    assert!(error.contains("belongs to another user"), "{error}");
    let place = folder.path().join("place");
    fs::create_dir(&place).unwrap();
    std::os::unix::fs::chown(&place, Some(12345), None).unwrap();
    let error = files::replace(&place.join("token"), b"y")
        .unwrap_err()
        .to_string();
    assert!(error.contains("who could replace what is in it"), "{error}");
    assert!(
        StateFolder::open(&place)
            .unwrap_err()
            .to_string()
            .contains("belongs to another user")
    );
}

fn rustix_is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

#[test]
fn a_token_file_has_its_form_its_mode_and_never_half_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let file = TokenFile::new(path.clone(), TokenFileForm::Token);
    file.write(&credential("one")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one");
    assert_eq!(mode(&path), 0o600);
    let header = TokenFile::new(path.clone(), TokenFileForm::Header);
    header.write(&credential("two")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "Authorization: Bearer two\n");
    // A reader beside a writer sees one or the other, whole.
    let long = ["a".repeat(20_000), "b".repeat(20_000)];
    file.write(&credential(&long[0])).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for text in long.iter().cycle().take(200) {
                files::replace(&path, text.as_bytes()).unwrap();
            }
        });
        while !writer.is_finished() {
            assert!(long.contains(&fs::read_to_string(&path).unwrap()));
        }
    });
    assert!(!folder.path().join(".token.agent").exists());
}

/// A file system of one page: what was there stays, and nothing half written is left.
#[test]
fn a_full_disk_leaves_the_old_token() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("small");
    fs::create_dir(&place).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=8k,mode=0700", "tmpfs"])
        .arg(&place)
        .stderr(std::process::Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        // Without the right to mount there is /dev/full, which nothing can be renamed onto: the message is seen below.
        return;
    }
    let path = place.join("token");
    let outcome = std::panic::catch_unwind(|| {
        files::replace(&path, b"old").unwrap();
        let error = files::replace(&path, &[b'x'; 64 * 1024]).unwrap_err().to_string();
        assert!(error.contains("the disk is full: make room"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1, "nothing is left behind");
        let read_only = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(&place)
            .status()
            .unwrap();
        if read_only.success() {
            let error = files::replace(&path, b"new").unwrap_err().to_string();
            assert!(error.contains("the file system is read-only"), "{error}");
        }
    });
    Command::new("umount").arg(&place).status().unwrap();
    outcome.unwrap();
}
