//! A seeded cloud kept as files, so that the second lab need not be seeded anew.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sealstone_testkit::sha256;

use super::{folder, place};

/// What makes a cloud: all but what `up` writes at each start.
const PARTS: [&str; 7] = [
    "keystone.db",
    "keys",
    "credential-keys",
    "pki",
    "seed.json",
    "admin-password",
    ".bootstrapped",
];
/// The seeded certificates end after seven days, one of them is to be in date all day.
const FRESH: Duration = Duration::from_secs(86_400);

/// Puts the seeded cloud into the folder of the lab called `name`, which is not started yet and will have its first
/// port at `port`. `false` where there is none to copy: the lab is to be seeded.
pub(super) fn copy(name: &str, port: &str) -> bool {
    let (template, target) = (kept(), folder(name));
    let age = fs::metadata(template.join("seed.json")).and_then(|file| file.modified());
    let is_fresh = age.is_ok_and(|made| made.elapsed().is_ok_and(|age| age < FRESH));
    if !is_fresh {
        return false;
    }
    let lock = lock();
    lock.lock_shared().expect("a lock");
    files(&template, &target);
    drop(lock);
    let seed = target.join("seed.json");
    let text = fs::read_to_string(&seed).expect("the seed");
    let (old_folder, old_port) = origin(&text);
    let text = text
        .replace(&old_folder, &target.display().to_string())
        .replace(&address(&old_port), &address(port));
    fs::write(&seed, text).expect("the seed");
    let change = format!(
        "UPDATE endpoint SET url = replace(url, '{}', '{}');",
        address(&old_port),
        address(port)
    );
    place::sqlite(&target.join("keystone.db"), &change);
    true
}

/// Keeps the cloud of a lab that was seeded just now and that nobody has used.
pub(super) fn keep(name: &str) {
    let template = kept();
    let part = template.with_file_name(name);
    files(&folder(name), &part);
    let lock = lock();
    lock.lock().expect("a lock");
    let _ = fs::remove_dir_all(&template);
    fs::rename(&part, &template).expect("a folder renamed");
}

/// Held while the cloud is copied, alone while it is replaced.
fn lock() -> File {
    let above = place::root().join("templates");
    fs::create_dir_all(&above).expect("a folder for it");
    File::create(above.join("lock")).expect("a lock file")
}

/// Where it is: under the digest of what seeds it.
fn kept() -> PathBuf {
    let programs = place::programs();
    let sources = ["seed", "up", "_lab.py", "requirements.txt"];
    let texts = sources.map(|name| fs::read(programs.join(name)).unwrap_or_default());
    let digest = sha256(&texts.concat());
    let name: String = digest
        .iter()
        .take(6)
        .map(|octet| format!("{octet:02x}"))
        .collect();
    place::root().join("templates").join(name)
}

fn files(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    let mut command = Command::new("cp");
    command.arg("-a").args(PARTS.map(|part| from.join(part))).arg(to);
    let done = command.output().expect("cp runs");
    assert!(done.status.success(), "{done:?}");
}

/// The folder and the first port of the lab that was seeded.
fn origin(seed: &str) -> (String, String) {
    let seed: serde_json::Value = serde_json::from_str(seed).expect("the seed's JSON");
    let text = |name: &str| {
        let member = seed.get(name).and_then(serde_json::Value::as_str);
        member.expect("a member of the seed").to_owned()
    };
    let ca = PathBuf::from(text("ca"));
    let folder = ca.ancestors().nth(2).expect("a folder").display().to_string();
    let url = text("auth_url");
    let port = url.trim_end_matches("/v3").rsplit(':').next();
    (folder, port.expect("a port").to_owned())
}

fn address(port: &str) -> String {
    format!("//127.0.0.1:{port}/")
}
