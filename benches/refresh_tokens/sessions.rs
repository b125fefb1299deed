//! What live sessions take of memory: in a process of its own, which keeps them and has looked at each.

use std::{fs, process::Command, sync::Arc};

use sealstone_identity::{AuthMethod, Email, Name, Person, UserRef};
use sealstone_login::{Acr, Amr, Session, SessionStore, Sid};
use sealstone_storage::{MemoryStore, SqlStore};
use tokio::task::JoinSet;

use crate::records;

pub(crate) const FLAG: &str = "--keep-sessions";
/// The target, in MiB.
const TARGET: u64 = 200;

/// Starts a process for each store and prints what it took.
pub(crate) fn measure(is_test: bool) {
    println!(
        "\n{} live sessions, each looked at: resident at most",
        count(is_test)
    );
    for (name, store) in [("SQLite", "sqlite"), ("memory", "memory")] {
        let mut child = Command::new(std::env::current_exe().expect("this program"));
        child
            .args([FLAG, store])
            .arg(if is_test { "--test" } else { "--bench" });
        let output = child.output().expect("a process");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let said = String::from_utf8(output.stdout).expect("text");
        let mut words = said
            .split_whitespace()
            .map(|word| word.parse::<u64>().expect("a number"));
        let (before, after, file) = (
            words.next().unwrap(),
            words.next().unwrap(),
            words.next().unwrap(),
        );
        println!(
            "{name:<10} {:6.1} MiB, {:.1} before the first; file {:.1} MiB",
            mib(after),
            mib(before),
            mib(file)
        );
        assert!(after / 1024 <= TARGET || store == "memory", "{after} KiB");
    }
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

const fn count(is_test: bool) -> u64 {
    if is_test { 256 } else { 100_000 }
}

/// In the process of its own: keeps the sessions, looks at each, prints KiB before, at most, and of the file.
pub(crate) fn keep(is_test: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sessions.db");
        let is_sqlite = std::env::args().any(|argument| argument == "sqlite");
        let store: Arc<dyn SessionStore> = if is_sqlite {
            Arc::new(SqlStore::open(&path).await.expect("a store"))
        } else {
            Arc::new(MemoryStore::new())
        };
        let before = resident("VmRSS:");
        let mut tasks = JoinSet::new();
        for caller in 0..64 {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                for number in (caller..count(is_test)).step_by(64) {
                    store.insert_session(&session(number)).await.expect("kept");
                }
                for number in (caller..count(is_test)).step_by(64) {
                    let found = store.session(&records::hash(number)).await.expect("a store");
                    assert!(found.is_some_and(|session| session.acr() == Acr::TwoFactor));
                }
            });
        }
        tasks.join_all().await;
        let file = fs::metadata(&path).map_or(0, |file| file.len() / 1024);
        println!("{before} {} {file}", resident("VmHWM:"));
    });
}

fn session(number: u64) -> Session {
    let user = format!("{number:032x}");
    let mut person = Person::new(UserRef::new(&user, "ada.lovelace", "demo").expect("a user"));
    person.full_name = Some(Name::parse("Ada Lovelace").expect("a name"));
    person.email = Some(Email::new("ada.lovelace@example.org", true).expect("an address"));
    person.groups = ["staff", "operators", "monitoring"]
        .map(|group| Name::parse(group).expect("a name"))
        .to_vec();
    let mut name = [0; 16];
    name[..8].copy_from_slice(&number.to_be_bytes());
    let record = serde_json::json!({
        "id": records::hash(number), "sid": Sid::from_octets(name), "domain": "demo", "version": 3,
        "person": person, "authenticated_at": 1_800_000_000_u64,
        "amr": Amr::of([AuthMethod::Password, AuthMethod::OneTimeCode]), "acr": Acr::TwoFactor,
        "created_at": 1_800_000_000_u64, "last_used_at": 1_800_000_000_u64,
        "idle_s": 28_800, "ends_at": 1_800_604_800_u64, "clients": ["dashboard", "registry", "wiki"],
        "device": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    });
    serde_json::from_value(record).expect("a session")
}

/// KiB, from the kernel's account of this process.
fn resident(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the kernel's account");
    let line = status
        .lines()
        .find(|text| text.starts_with(line))
        .expect("a line");
    line.split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number")
}
