//! The pool's nodes: each its own keys, restarted as a service manager does.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use sealstone_interop::{KeystoneLab, LabOptions};
use sealstone_migrate::set_option;

use crate::pool::{NODES, PATIENCE, Pool};

/// Where Debian's libfaketime is.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// Keystone keeps what nobody changes here, users and roles and the catalogue, in place of reading it by a hundred queries
/// for each request; whether a token was revoked it looks at each time (`[token] caching` is off), so that nothing is taken of
/// a process's memory. The list of revocation events is kept (`[revoke] caching`, by default), which validations do not use.
pub(crate) fn options() -> LabOptions {
    let options = LabOptions::new().nodes(3).with(&["--processes", "1"]);
    options
        .set("cache.enabled", "true")
        .set("cache.backend", "dogpile.cache.memory")
}

/// Gives each node key repositories of its own, as a machine of its own would have.
pub(crate) fn make_independent(lab: &KeystoneLab, life_s: u32, window_s: u32) {
    for node in NODES {
        let folder = lab.folder().join(node);
        let keys = folder.join("keys");
        fs::create_dir_all(&keys).unwrap();
        copy(&lab.folder().join("keys/fernet"), &keys.join("fernet"));
        let (life, window) = (life_s.to_string(), window_s.to_string());
        let at = |name: &str| keys.join(name).display().to_string();
        let file = folder.join("keystone.conf");
        let mut text = fs::read_to_string(&file).unwrap();
        for (section, key, value) in [
            ("token", "expiration", life.as_str()),
            ("token", "allow_expired_window", window.as_str()),
            ("fernet_tokens", "key_repository", at("fernet").as_str()),
            (
                "jwt_tokens",
                "jws_public_key_repository",
                at("jws/public").as_str(),
            ),
            (
                "jwt_tokens",
                "jws_private_key_repository",
                at("jws/private").as_str(),
            ),
        ] {
            text = set_option(&text, section, key, value).unwrap();
        }
        fs::write(file, text).unwrap();
    }
}

/// Writes what restarts a node, as a service manager does. Two at once would end in a node without Keystone or with two
/// of them: that no two run is for `sealstone` to see to, also when it was killed meanwhile. A uWSGI that is just starting
/// does not hear that it shall end: it is killed, with its workers; who is restarted was drained. With a file `later` in
/// the node's folder it runs that many seconds ahead; with one called `broken` it does not come up.
pub(crate) fn write_restart(lab: &KeystoneLab, folder: &Path) -> PathBuf {
    let uwsgi = lab.program("uwsgi");
    let script = format!(
        "#!/bin/bash\nset -e\nnode=$(readlink -f {run}/$1)\npid=$(cat $node/uwsgi.pid)\n\
         kill -KILL -- -$pid 2>/dev/null || true\n\
         while kill -0 $pid 2>/dev/null; do sleep 0.02; done\n[ -e $node/broken ] && exit 0\n\
         if [ -e $node/later ]; then export LD_PRELOAD={FAKETIME} FAKETIME=+$(cat $node/later)s; fi\n\
         cd $node\nOS_KEYSTONE_CONFIG_FILES=$node/keystone.conf PYTHONWARNINGS=ignore \
         setsid {uwsgi} --ini $node/uwsgi.ini >> $node/keystone.log 2>&1 < /dev/null &\n\
         until grep -qvx \"$pid\" $node/uwsgi.pid; do sleep 0.02; done\n",
        run = lab.folder().display(),
        uwsgi = uwsgi.display(),
    );
    let path = folder.join("restart");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Every node, at the same time.
pub(crate) fn restart_all(lab: &KeystoneLab, restart: &Path) {
    let restarts = NODES.map(|node| Command::new(restart).arg(node).spawn().unwrap());
    for mut restart in restarts {
        assert!(restart.wait().unwrap().success());
    }
    let end = Instant::now() + PATIENCE;
    for address in addresses(lab) {
        while !answers(&address) {
            assert!(Instant::now() < end, "{address} does not answer");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Pool {
    pub(crate) fn restart_script(&self) -> PathBuf {
        self.folder.path().join("restart")
    }

    #[track_caller]
    pub(crate) fn restart(&self, node: &str) {
        let ran = Command::new(self.restart_script()).arg(node).status().unwrap();
        assert!(ran.success());
        let place = NODES.iter().position(|name| *name == node).unwrap();
        let address = addresses(&self.lab)[place].clone();
        self.wait_until("the node answers", |_| answers(&address));
    }
}

fn answers(address: &str) -> bool {
    crate::load::ask(address, "GET", "/v3", &[], "").is_ok_and(|answer| answer.status == 200)
}

pub(crate) fn addresses(lab: &KeystoneLab) -> Vec<String> {
    let bare = |url: &&str| {
        url.trim_start_matches("http://")
            .trim_end_matches("/v3")
            .to_owned()
    };
    lab.nodes().iter().map(bare).collect()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}
