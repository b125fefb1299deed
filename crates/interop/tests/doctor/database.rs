//! The database, on a file and on a server.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _},
    process::{Command, Stdio},
};

use sealstone_testkit::{PostgresCluster, TestCa};

use crate::world::{Bench, Case, Diagnosis, at, doctor, each_is_found, mode, program};

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.starts_with(b"0\n")
}

/// SQL on the file, by a program that is not ours.
fn sql(bench: &Bench, text: &str) {
    let script =
        "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.executescript(sys.argv[2])\nc.close()";
    let done = Command::new("python3")
        .args(["-c", script])
        .arg(bench.setup.path("sealstone.db"))
        .arg(text)
        .status()
        .unwrap();
    assert!(done.success());
}

#[test]
fn files() {
    each_is_found(
        "database",
        &[
            Case::new("database-missing", "sealstone.db", |_| {}),
            Case::new("database-open", "mode 0644", |bench| bench.register("first", &[])).then(|bench| {
                mode(&bench.setup.path("sealstone.db"), 0o644);
            }),
            Case::new("database-damaged", "sealstone.db", |bench| {
                bench.register("first", &[])
            })
            .then(|bench| {
                sql(bench, "PRAGMA wal_checkpoint(TRUNCATE)");
                let path = bench.setup.path("sealstone.db");
                let length = fs::metadata(&path).unwrap().len();
                let mut file = File::options().write(true).open(&path).unwrap();
                file.seek(SeekFrom::Start(4096)).unwrap();
                let rest = usize::try_from(length - 4096).unwrap();
                file.write_all(&vec![0x5a; rest]).unwrap();
            }),
            Case::new("database-foreign", "sealstone.db", |_| {}).then(|bench| {
                bench
                    .setup
                    .write_private("sealstone.db", &"a diary, of some length\n".repeat(300));
            }),
            Case::new("database-foreign", "another program", |_| {}).then(|bench| {
                sql(bench, "CREATE TABLE t (x)");
            }),
            Case::new("database-newer", "sealstone.db", |bench| {
                bench.register("first", &[])
            })
            .then(|bench| {
                sql(bench, "PRAGMA user_version = 99");
            }),
            Case::new("database-older", "schema 1", |bench| bench.register("first", &[])).then(|bench| {
                sql(bench, "PRAGMA user_version = 1");
            }),
            Case::new("audit-unwritable", "no such folder", |bench| {
                bench.register("first", &[]);
                bench.setup.set("audit", "path", "'no/such/audit.jsonl'");
            }),
        ],
    );
}

#[test]
fn a_file_that_another_program_holds() {
    let bench = Bench::new();
    bench.register("first", &[]);
    let script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute('BEGIN EXCLUSIVE')\nprint('held', \
                  flush=True)\nsys.stdin.read()";
    let mut holder = Command::new("python3")
        .args(["-c", script])
        .arg(bench.setup.path("sealstone.db"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let _read = BufReader::new(holder.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    bench
        .diagnose(&["--only", "database"])
        .has("database-locked", "sealstone.db");
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    bench.diagnose(&["--only", "database"]).has_not("database-locked");
}

#[test]
fn a_file_that_may_not_be_read() {
    let bench = Bench::new();
    bench.register("first", &[]);
    bench.setup.write_config();
    let arguments = ["--output", "json", "--only", "database"];
    let path = bench.setup.path("sealstone.db");
    let output = if is_root() {
        // Root may read everything: somebody else looks.
        mode(&bench.setup.path("."), 0o755);
        let mut other = Command::new("setpriv");
        other.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        other.arg(program().get_program());
        doctor(&bench.setup, "sealstoned.toml", &arguments, &mut other)
    } else {
        mode(&path, 0);
        doctor(&bench.setup, "sealstoned.toml", &arguments, &mut program())
    };
    Diagnosis::of(&output).has("database-permission", "no permission");
}

#[test]
fn a_disk_that_is_all_but_full() {
    let mut bench = Bench::new();
    bench.register("first", &[]);
    let folder = bench.setup.path("small");
    fs::create_dir(&folder).unwrap();
    bench.setup.set("audit", "path", "'small/audit.jsonl'");
    bench.setup.write_config();
    let tried = Command::new("unshare").args(["--mount", "true"]).status();
    if !tried.is_ok_and(|status| status.success()) {
        println!("left out: only root may mount a small disk");
        return;
    }
    let mut unshare = Command::new("unshare");
    let script =
        "mount -t tmpfs -o size=4m none \"$0\" && head -c 3m /dev/zero >\"$0/ballast\" && exec \"$@\"";
    unshare.args(["--mount", "sh", "-c", script]).arg(&folder);
    unshare.arg(program().get_program());
    let arguments = ["--output", "json", "--only", "database"];
    let output = doctor(&bench.setup, "sealstoned.toml", &arguments, &mut unshare);
    Diagnosis::of(&output).has("disk-full", "1 MiB free of 4 MiB");
}

/// A server on this database.
fn on(url: &str) -> Bench {
    let mut bench = Bench::new();
    bench.setup.remove("storage", "path");
    bench.setup.set("storage.postgres", "url", &format!("'{url}'"));
    bench.setup.set("audit", "path", "'audit.jsonl'");
    bench
}

fn migrated(bench: &Bench) {
    let output = bench
        .setup
        .sealstone(&["client", "create", "first", "--domain", "demo", "--new-domain"]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn servers() {
    if !PostgresCluster::is_installed() {
        println!("left out: PostgreSQL is not installed (`cargo xtask setup`)");
        return;
    }
    let only = ["--only", "database"];
    on("postgresql://sealstone@127.0.0.1:1/x")
        .diagnose(&only)
        .has("postgres-unreachable", "127.0.0.1:1");
    let mut cluster = PostgresCluster::start();
    let url = cluster.database();
    let mut bench = on(&url);
    migrated(&bench);
    let done = bench.diagnose(&only);
    // This cluster does not flush, as tests like it.
    done.has("postgres-not-durable", "fsync");
    done.has_not("postgres-connections");
    bench.setup.set("storage.postgres", "connections", "200");
    bench
        .diagnose(&only)
        .has("postgres-connections", "of 120 connections");
    bench.setup.set("storage.postgres", "connections", "10");
    bench.setup.write_config();
    let mut program = program();
    if let Some(later) = at(&mut program, "+90s") {
        let arguments = ["--output", "json", "--only", "database"];
        let output = doctor(&bench.setup, "sealstoned.toml", &arguments, later);
        Diagnosis::of(&output).has("clock-database", "s apart");
    }
    let other = url.replace("sealstone@", "nobody@");
    on(&other)
        .diagnose(&only)
        .has("postgres-refused", "does not let this user in");
    let (server, name) = url.rsplit_once('/').unwrap();
    on(&format!("{server}/no_such"))
        .diagnose(&only)
        .has("postgres-no-database", "no such database");
    let mut bench = on(&url);
    bench.setup.set("storage.postgres", "ca_file", "'ca.pem'");
    bench
        .diagnose(&only)
        .has("postgres-tls", "could not be encrypted");
    let replica = cluster.replica(&[]);
    let address = format!("postgresql://sealstone@127.0.0.1:{}/{name}", replica.port());
    on(&address).diagnose(&only).has("postgres-read-only", "replica");
    // Encrypted, by an authority that is not ours.
    let own = TestCa::new("Elsewhere").server();
    cluster.encrypt(&own.chain_pem(), &own.key_pem());
    bench
        .diagnose(&only)
        .has("postgres-tls", "could not be encrypted");
}
