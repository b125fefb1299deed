//! Nodes that are changed: here, and behind an `ssh` that is a script.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use sealstone_migrate::{
    AbsolutePath, ControlError, Hook, HookRunner, Node, NodeControl as _, NodeHands, NodeSpec, Programs,
    Source, TokenForm,
};
use tempfile::TempDir;

const FIRST: &str =
    "[token]\nprovider = fernet\n# as it was\nexpiration = 7200\n[database]\nconnection = a:b@c\n";

struct Place {
    folder: TempDir,
    programs: Programs,
}

fn node() -> Node {
    Node::parse("a").unwrap()
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let etc = folder.path().join("a/etc/keystone");
        fs::create_dir_all(etc.join("keystone.conf.d")).unwrap();
        fs::create_dir_all(etc.join("fernet-keys")).unwrap();
        fs::write(etc.join("keystone.conf"), FIRST).unwrap();
        fs::set_permissions(etc.join("keystone.conf"), fs::Permissions::from_mode(0o640)).unwrap();
        for name in ["0", "1", "notes"] {
            fs::write(etc.join("fernet-keys").join(name), "k".repeat(43) + "=").unwrap();
        }
        // Like `ssh`: options, `--`, the host, and words for a shell in the node's file system.
        let script = format!(
            "#!/bin/bash\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\ncd {root}/a\n\
             exec sh -c \"$(echo \"$*\" | sed 's,/etc,{root}/a/etc,g; s, -C / , -C {root}/a ,')\"\n",
            root = folder.path().display()
        );
        let ssh = folder.path().join("ssh");
        fs::write(&ssh, script).unwrap();
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
        let programs = Programs {
            ssh,
            ..Programs::default()
        };
        Self { folder, programs }
    }

    fn etc(&self, name: &str) -> PathBuf {
        self.folder.path().join("a/etc/keystone").join(name)
    }

    fn hands(&self, source: Source) -> NodeHands<'static> {
        let path = |text: &str| AbsolutePath::parse(text).unwrap();
        let spec = NodeSpec {
            name: node(),
            source,
            config_files: vec![path("/etc/keystone/keystone.conf")],
            config_dirs: vec![path("/etc/keystone/keystone.conf.d")],
            clock: None,
        };
        let restart = Hook::parse(&format!(
            "touch {}/restarted-{{node}}",
            self.folder.path().display()
        ))
        .unwrap();
        let runner = HookRunner::new(HookRunner::LIMIT, std::thread::sleep);
        NodeHands::new(vec![spec], self.programs.clone(), restart, runner, &|| 0)
    }

    fn sources(&self) -> [Source; 2] {
        [
            Source::Folder(self.folder.path().join("a")),
            Source::parse("ssh:root@a").unwrap(),
        ]
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_provider_is_set_where_it_counts_and_nothing_else_changes() {
    for at in 0..2 {
        let place = Place::new();
        let mut hands = place.hands(place.sources()[at].clone());
        hands.set_form(&node(), TokenForm::Jws).unwrap();
        let file = place.etc("keystone.conf");
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            FIRST.replace("fernet", "jws"),
            "{at}"
        );
        assert_eq!(mode(&file), 0o640, "{at}");
        assert!(!place.etc("keystone.conf.sealstone").exists());
        // Twice is once.
        hands.set_form(&node(), TokenForm::Jws).unwrap();
        // A drop-in counts after the file.
        fs::write(place.etc("keystone.conf.d/90.conf"), "[token]\nprovider = jws\n").unwrap();
        hands.set_form(&node(), TokenForm::Fernet).unwrap();
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            FIRST.replace("fernet", "jws"),
            "{at}"
        );
        let drop_in = fs::read_to_string(place.etc("keystone.conf.d/90.conf")).unwrap();
        assert_eq!(drop_in, "[token]\nprovider = fernet\n", "{at}");
    }
}

/// Configuration is often a link into a repository of configuration.
#[test]
fn a_link_stays_a_link() {
    for at in 0..2 {
        let place = Place::new();
        let file = place.etc("keystone.conf");
        fs::rename(&file, place.etc("real.conf")).unwrap();
        symlink(place.etc("real.conf"), &file).unwrap();
        let mut hands = place.hands(place.sources()[at].clone());
        match hands.set_form(&node(), TokenForm::Jws) {
            Ok(()) => {
                assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
                assert_eq!(
                    fs::read_to_string(place.etc("real.conf")).unwrap(),
                    FIRST.replace("fernet", "jws")
                );
            }
            // Links are not fetched from elsewhere: nothing was changed.
            Err(refused) => {
                assert_eq!(at, 1, "{refused}");
                assert_eq!(fs::read_to_string(place.etc("real.conf")).unwrap(), FIRST);
            }
        }
    }
}

#[test]
fn only_what_keystone_takes_for_keys_is_removed() {
    for at in 0..2 {
        let place = Place::new();
        let folder = place.etc("fernet-keys");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        for name in ["0", "1"] {
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let mut hands = place.hands(place.sources()[at].clone());
        hands.remove_fernet_keys(&node()).unwrap();
        let left: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["notes"], "{at}");
        hands.remove_fernet_keys(&node()).unwrap();
    }
}

#[test]
fn what_cannot_be_reached_is_not_changed() {
    let place = Place::new();
    let mut hands = place.hands(Source::Folder(place.folder.path().join("a")));
    let stranger = Node::parse("b").unwrap();
    assert!(matches!(
        hands.set_form(&stranger, TokenForm::Jws),
        Err(ControlError::OutOfReach(_))
    ));
    hands.restart(&node()).unwrap();
    assert!(place.folder.path().join("restarted-a").exists());
    let mut archive = place.hands(Source::Archive(place.folder.path().join("a.tar")));
    assert!(matches!(
        archive.set_form(&node(), TokenForm::Jws),
        Err(ControlError::OutOfReach(_))
    ));
    // A file that Keystone itself would refuse is left alone, and its text is not told.
    fs::write(place.etc("keystone.conf"), "[token]\nhunter2\n").unwrap();
    let refused = hands.set_form(&node(), TokenForm::Jws).unwrap_err().to_string();
    assert!(
        refused.contains("line 2") && !refused.contains("hunter2"),
        "{refused}"
    );
}

/// Nothing is changed by half: what `ssh` did not bring in time is not written.
#[test]
fn an_ssh_that_does_not_end_ends_the_change() {
    let mut place = Place::new();
    let folder = place.etc("fernet-keys");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    for name in ["0", "1"] {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    // What ends in time on no machine is what is asked about; were another call late, nothing would be changed either.
    place.programs.ssh_limit = std::time::Duration::from_secs(2);
    let whole = fs::read_to_string(&place.programs.ssh).unwrap();
    for word in ["cat --", "cp -p", "rm -f"] {
        let hangs = format!("#!/bin/bash\ncase \"$*\" in *'{word}'*) sleep 3600;; esac\n");
        fs::write(&place.programs.ssh, whole.replacen("#!/bin/bash\n", &hangs, 1)).unwrap();
        let mut hands = place.hands(Source::parse("ssh:root@a").unwrap());
        let changed = match word {
            "rm -f" => hands.remove_fernet_keys(&node()),
            _ => hands.set_form(&node(), TokenForm::Jws),
        };
        let refused = changed.unwrap_err().to_string();
        assert!(refused.contains("did not end within 2 s"), "{word}: {refused}");
        assert_eq!(
            fs::read_to_string(place.etc("keystone.conf")).unwrap(),
            FIRST,
            "{word}"
        );
        assert!(folder.join("0").exists(), "{word}");
    }
}
