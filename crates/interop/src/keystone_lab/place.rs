//! Where a lab lives: its programs, its folder, its ports, and who takes it down.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Ports that belong to one lab: nodes, their uWSGI protocol, the balancer and the TLS fronts.
const BLOCK: u16 = 60;
/// Where blocks begin: below the ports that the system gives out by itself.
const FIRST_BLOCK: u16 = 18_000;
/// How many blocks there are.
const BLOCKS: u16 = 200;

/// The root of the checkout.
pub(super) fn checkout() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_path_buf()
}

/// The folder of the lab's programs: `keystone-lab` in the folder that `SEALSTONE_SHARED` names, else in a folder
/// `shared` beside the checkout or further up.
pub(super) fn programs() -> PathBuf {
    let is_lab = |folder: &PathBuf| folder.join("up").exists();
    let named = std::env::var_os("SEALSTONE_SHARED").map(|shared| Path::new(&shared).join("keystone-lab"));
    let above = checkout();
    let mut beside = above
        .ancestors()
        .skip(1)
        .map(|parent| parent.join("shared/keystone-lab"));
    match named {
        Some(folder) => Some(folder).filter(is_lab),
        None => beside.find(is_lab),
    }
    .expect(
        "the Keystone lab is missing: `shared/keystone-lab` beside the checkout, or in the folder that \
         SEALSTONE_SHARED names; without it: cargo xtask test --skip keystone",
    )
}

/// Where labs keep their virtual environment and their state.
pub(super) fn root() -> PathBuf {
    let given = std::env::var_os("KEYSTONE_LAB_DIR").map(PathBuf::from);
    given.unwrap_or_else(|| checkout().join("target/keystone-lab"))
}

/// The lab's program `name`, over [`root`].
pub(super) fn program(name: &str) -> Command {
    let mut command = Command::new(programs().join(name));
    command.env("KEYSTONE_LAB_DIR", root()).stdin(Stdio::null());
    command
}

/// Runs one of the lab's programs to its end, and returns what it wrote on standard output.
pub(super) fn run(name: &str, arguments: &[&str]) -> Result<String, String> {
    let output = program(name).args(arguments).output();
    let output = output.map_err(|error| format!("the lab's `{name}` can't be run: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let (said, wrote) = (&output.stderr, &output.stdout);
        let text = [String::from_utf8_lossy(said), String::from_utf8_lossy(wrote)].concat();
        Err(format!("{name} {}: {text}", arguments.join(" ")))
    }
}

/// Makes the virtual environment where it is missing; one process at a time.
pub(super) fn install() {
    let root = root();
    fs::create_dir_all(&root).expect("a folder for the labs");
    let lock = File::create(root.join("install.lock")).expect("a lock file");
    lock.lock().expect("a lock");
    run("up", &["--venv-only"]).expect("the lab's virtual environment");
}

/// Gives a new lab, in `folder`, its administrator's password. One of the lab's own making may begin with a hyphen, and
/// `keystone-manage bootstrap` takes that for an option.
pub(super) fn name_password(folder: &Path) {
    let password = format!("lab-{:016x}", RandomState::new().hash_one(folder));
    fs::create_dir_all(folder).expect("a folder for the lab");
    fs::write(folder.join("admin-password"), password).expect("the password's file");
}

/// The Python of the lab's virtual environment; the newest, should there be several.
pub(super) fn python() -> PathBuf {
    install();
    let entries = fs::read_dir(root()).expect("the folder for the labs");
    let ready = entries.flatten().map(|entry| entry.path().join(".ready"));
    let newest = ready.max_by_key(|ready| fs::metadata(ready).and_then(|found| found.modified()).ok());
    let ready = newest.expect("a virtual environment");
    ready.with_file_name("bin").join("python")
}

/// Removes what belongs to an application credential with it. SQLite heeds no foreign key unless told to, Keystone
/// relies on them, and a new credential that gets the number of a removed one then finds its roles taken.
pub(super) fn mend(database: &Path) {
    let tables = [
        "application_credential_role",
        "application_credential_access_rule",
    ];
    let removals: String = tables
        .iter()
        .map(|table| format!("DELETE FROM {table} WHERE application_credential_id = OLD.internal_id; "))
        .collect();
    let trigger = format!(
        "CREATE TRIGGER IF NOT EXISTS removed AFTER DELETE ON application_credential BEGIN {removals}END;"
    );
    sqlite(database, &trigger);
}

/// Runs a statement.
pub(super) fn sqlite(database: &Path, statement: &str) {
    let mut command = Command::new("sqlite3");
    command
        .args(["-cmd", ".timeout 10000"])
        .arg(database)
        .arg(statement);
    let done = command.output().expect("sqlite3 comes by: cargo xtask setup");
    assert!(done.status.success(), "{done:?}");
}

/// A block of ports that no other lab of this checkout has as long as this lives.
#[derive(Debug)]
pub(super) struct PortBlock {
    first: u16,
    _lock: File,
}

impl PortBlock {
    /// The first free one from the `skipped`th on.
    pub(super) fn take(skipped: u16) -> Self {
        let folder = root().join("ports");
        fs::create_dir_all(&folder).expect("a folder for locks");
        (skipped..BLOCKS)
            .find_map(|index| Self::claim(&folder, FIRST_BLOCK.saturating_add(index.saturating_mul(BLOCK))))
            .expect("a free block of ports")
    }

    fn claim(folder: &Path, first: u16) -> Option<Self> {
        let lock = File::create(folder.join(first.to_string())).ok()?;
        lock.try_lock().ok()?;
        let last = first.saturating_add(BLOCK);
        let is_free = (first..last).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
        is_free.then_some(Self { first, _lock: lock })
    }

    pub(super) const fn first(&self) -> u16 {
        self.first
    }
}

/// Takes a lab down and forgets it when this is dropped, and also when this process is killed: it waits for the end
/// of a pipe, in a process group of its own.
#[derive(Debug)]
pub(super) struct Keeper(Child);

impl Keeper {
    pub(super) fn of(name: &str) -> Self {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new("sh");
        command.args(["-c", "cat > /dev/null; exec \"$0\" --name \"$1\" --purge"]);
        command.arg(programs().join("down")).arg(name);
        command.env("KEYSTONE_LAB_DIR", root()).process_group(0);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().expect("a shell"))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
