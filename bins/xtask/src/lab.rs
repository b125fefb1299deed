//! The Keystone labs that all tests of a run share, one for each kind of token.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use crate::runner::Call;

/// Name and arguments of each, as `KeystoneLab::shared` and `KeystoneLab::shared_jws` know them.
const LABS: &[(&str, &str)] = &[
    ("suite-fernet", "--tls nginx --tls apache"),
    ("suite-jws", "--tls nginx --tls apache --provider jws"),
];
/// Below the ports that the tests' own labs take, and those that the system gives out by itself.
const FIRST_PORT: u16 = 17_000;
/// What one lab takes.
const PORTS: u16 = 60;
/// Where the tests' sources are.
const TESTS: &str = "crates/interop/tests";

/// Where labs keep their virtual environment and their state; the tests look there too.
fn folder(root: &Path) -> PathBuf {
    let given = std::env::var_os("KEYSTONE_LAB_DIR").map(PathBuf::from);
    given.unwrap_or_else(|| root.join("target/keystone-lab"))
}

/// The folder of a lab's programs: in the folder that `SEALSTONE_SHARED` names, else in a folder `shared` beside the
/// checkout or further up.
pub(crate) fn shared(root: &Path, name: &str) -> Option<PathBuf> {
    let is_lab = |folder: &PathBuf| folder.join("up").exists();
    let named = std::env::var_os("SEALSTONE_SHARED").map(|shared| Path::new(&shared).join(name));
    let mut beside = root
        .ancestors()
        .skip(1)
        .map(|above| above.join("shared").join(name));
    match named {
        Some(folder) => Some(folder).filter(is_lab),
        None => beside.find(is_lab),
    }
}

fn programs(root: &Path) -> Result<PathBuf, String> {
    shared(root, "keystone-lab").ok_or_else(|| {
        "the Keystone lab is missing: the suite takes it from `shared/keystone-lab` beside the checkout, or from the \
         folder that SEALSTONE_SHARED names; without it: cargo xtask test --skip keystone"
            .to_owned()
    })
}

fn call(root: &Path, program: &str) -> Result<Call, String> {
    let path = programs(root)?.join(program);
    let call = Call::new(root, &path.to_string_lossy());
    Ok(call.env("KEYSTONE_LAB_DIR", &folder(root).to_string_lossy()))
}

/// Makes the virtual environment with Keystone and its clients, where it is missing.
pub(crate) fn install(root: &Path) -> Result<(), String> {
    let above = folder(root);
    let has_one = fs::read_dir(&above).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| entry.path().join(".ready").exists()))
    });
    if !has_one {
        println!("installing Keystone and its clients; a minute or two");
    }
    // One process at a time, as the tests do it.
    fs::create_dir_all(&above).map_err(|error| format!("{}: {error}", above.display()))?;
    let lock = fs::File::create(above.join("install.lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    call(root, "up")?.arg("--venv-only").run(false).map(drop)
}

/// Starts the labs anew and seeds them.
pub(crate) fn start(root: &Path) -> Result<(), String> {
    install(root)?;
    stop(root)?;
    let mut port = FIRST_PORT;
    for (name, arguments) in LABS {
        port = free_block(port).ok_or("no free block of ports for the Keystone lab")?;
        name_password(root, name)?;
        let mut up = call(root, "up")?.arg("--name").arg(name);
        up = up
            .arg("--port")
            .arg(&port.to_string())
            .arg("--hash-rounds")
            .arg("4");
        for argument in arguments.split(' ') {
            up = up.arg(argument);
        }
        up.run(false)?;
        call(root, "seed")?.arg("--name").arg(name).run(false)?;
        port = port.saturating_add(PORTS);
    }
    Ok(())
}

/// Gives a new lab its administrator's password. One of the lab's own making may begin with a hyphen, and
/// `keystone-manage bootstrap` takes that for an option.
fn name_password(root: &Path, name: &str) -> Result<(), String> {
    let run = folder(root).join("run").join(name);
    let file = run.join("admin-password");
    let password = format!("lab-{:016x}", RandomState::new().hash_one(name));
    let written = fs::create_dir_all(&run).and_then(|()| fs::write(&file, password));
    written.map_err(|error| format!("{}: {error}", file.display()))
}

/// Stops them and forgets their state.
pub(crate) fn stop(root: &Path) -> Result<(), String> {
    for (name, _) in LABS {
        call(root, "down")?
            .arg("--name")
            .arg(name)
            .arg("--purge")
            .run(false)?;
    }
    Ok(())
}

fn free_block(from: u16) -> Option<u16> {
    let is_free = |first: &u16| {
        let mut ports = *first..first.saturating_add(PORTS);
        ports.all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
    };
    (from..18_000)
        .step_by(usize::from(PORTS))
        .find(|first| first.saturating_add(PORTS) <= 18_000 && is_free(first))
}

/// The test programs that use a lab: those whose source names its fixture.
pub(crate) fn test_programs(root: &Path, fixture: &str) -> Vec<String> {
    let entries = fs::read_dir(root.join(TESTS)).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.path())
        .filter(|path| mentions(path, fixture))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn mentions(path: &Path, fixture: &str) -> bool {
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        return entries
            .map(|entry| entry.path())
            .any(|path| mentions(&path, fixture));
    }
    fs::read_to_string(path).is_ok_and(|text| text.contains(fixture))
}

#[cfg(test)]
mod tests {
    use super::test_programs;

    #[test]
    fn the_programs_that_use_a_lab_are_found() {
        for (fixture, program) in [("KeystoneLab", "keystone_lab"), ("PrivacyIdeaLab", "privacyidea")] {
            let found = test_programs(&crate::workspace_root(), fixture);
            assert!(found.contains(&program.to_owned()), "{found:?}");
            assert!(!found.contains(&"curl".to_owned()), "{found:?}");
        }
    }
}
