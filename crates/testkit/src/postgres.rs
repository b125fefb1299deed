//! A PostgreSQL server of the system's packages, with a cluster of its own, for as long as a test runs.

use std::{
    fs,
    io::{self, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

/// Where Debian keeps the programs of each version, besides the path.
const DEBIAN: &str = "/usr/lib/postgresql";
/// How long the server may take to start: initdb and recovery on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at a server that starts.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// The owner of every database.
const USER: &str = "sealstone";

/// A running server, stopped when this is dropped. It listens on a loopback port and on a Unix socket, and believes
/// everybody who comes that way.
///
/// As root the server runs as the user `postgres`, or `nobody`: it refuses to run as root.
#[derive(Debug)]
pub struct PostgresCluster {
    folder: PathBuf,
    port: u16,
    owner: Option<String>,
    settings: Vec<String>,
    child: Option<Child>,
    databases: AtomicU32,
}

impl PostgresCluster {
    /// Whether the system has PostgreSQL.
    #[must_use]
    pub fn is_installed() -> bool {
        let version = Command::new(installed("postgres")).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    }

    /// Makes a cluster and starts it. Nothing is flushed to the disk: a killed server loses nothing by that, a machine
    /// without power would.
    ///
    /// # Panics
    /// When PostgreSQL is not installed (`cargo xtask setup`), or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&["fsync=off"])
    }

    /// As [`PostgresCluster::start`], with these settings, each `name=value`.
    ///
    /// # Panics
    /// As there.
    #[must_use]
    pub fn with(settings: &[&str]) -> Self {
        Self::with_in(&std::env::temp_dir(), settings)
    }

    /// As [`PostgresCluster::with`], with its files below this folder.
    ///
    /// # Panics
    /// As there.
    #[must_use]
    pub fn with_in(folder: &Path, settings: &[&str]) -> Self {
        let mut cluster = Self::prepared(folder, settings);
        let mut initdb = cluster.program("initdb");
        initdb.arg("--pgdata").arg(cluster.data()).args([
            "--username",
            USER,
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
        ]);
        run(initdb);
        cluster.resume();
        cluster
    }

    /// A server that follows this one: a copy that takes over when it is [promoted](Self::promote).
    ///
    /// # Panics
    /// When it cannot be copied or started.
    #[must_use]
    pub fn replica(&self, settings: &[&str]) -> Self {
        let mut replica = Self::prepared(&std::env::temp_dir(), settings);
        let mut copy = replica.program("pg_basebackup");
        copy.arg("--pgdata")
            .arg(replica.data())
            .args([
                "--write-recovery-conf",
                "--wal-method=stream",
                "--checkpoint=fast",
                "--no-sync",
            ])
            .args(["--host", "127.0.0.1", "--username", USER, "--port"])
            .arg(self.port.to_string());
        run(copy);
        replica.resume();
        replica
    }

    fn prepared(parent: &Path, settings: &[&str]) -> Self {
        static CLUSTERS: AtomicU32 = AtomicU32::new(0);
        let number = CLUSTERS.fetch_add(1, Ordering::Relaxed);
        // Short: a socket's path has 107 octets.
        let folder = parent.join(format!("sspg-{}-{number}", std::process::id()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        fs::create_dir(&folder).expect("a folder for the cluster");
        let owner = owner();
        if let Some(owner) = &owner {
            let mut chown = Command::new("chown");
            chown.arg(owner).arg(&folder);
            run(chown);
        }
        Self {
            folder,
            port,
            owner,
            settings: settings.iter().map(|setting| (*setting).to_owned()).collect(),
            child: None,
            databases: AtomicU32::new(0),
        }
    }

    /// Starts it again after [`stop`](Self::stop) or [`kill`](Self::kill), and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub fn resume(&mut self) {
        let mut server = self.program("postgres");
        server.arg("-D").arg(self.data()).arg("-k").arg(&self.folder);
        let port = self.port.to_string();
        let ours = [
            "listen_addresses=127.0.0.1",
            "max_connections=120",
            "shared_buffers=16MB",
            "max_wal_senders=4",
            "log_destination=stderr",
        ];
        server.args(["-p", &port]);
        for setting in ours.into_iter().chain(self.settings.iter().map(String::as_str)) {
            server.args(["-c", setting]);
        }
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .expect("a log");
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(server.spawn().expect("postgres starts"));
        let mut waited = Duration::ZERO;
        while !self.answers() {
            let ended = self
                .child
                .as_mut()
                .is_none_or(|child| child.try_wait().is_ok_and(|end| end.is_some()));
            assert!(
                !ended && waited < START_LIMIT,
                "postgres does not start:\n{}",
                self.log()
            );
            pause(LOOK_AGAIN);
            waited = waited.saturating_add(LOOK_AGAIN);
        }
    }

    fn answers(&self) -> bool {
        let mut ask = self.program("pg_isready");
        ask.args(["--quiet", "--host"])
            .arg(&self.folder)
            .args(["--port", &self.port.to_string()]);
        ask.status().is_ok_and(|status| status.success())
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_some_and(|child| child.try_wait().is_ok_and(|end| end.is_none()))
    }

    /// Ends it in order: connections are cut, everything is written.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) {
        self.end("INT");
    }

    /// Ends it at once, as a loss of power does: what was written to its log is found again at the next start.
    ///
    /// # Panics
    /// When it does not end.
    pub fn kill(&mut self) {
        self.end("QUIT");
    }

    fn end(&mut self, signal: &str) {
        if let Some(mut child) = self.child.take() {
            if child.try_wait().is_ok_and(|end| end.is_none()) {
                self.signal(signal, child.id());
            }
            child.wait().expect("its end");
        }
    }

    fn signal(&self, signal: &str, process: u32) {
        let mut kill = Command::new("kill");
        kill.arg(format!("-{signal}")).arg(process.to_string());
        assert!(
            kill.status().is_ok_and(|status| status.success()),
            "{}",
            self.log()
        );
    }

    /// Gives it a certificate with its key (PEM), by which connections are encrypted that ask for it.
    ///
    /// # Panics
    /// When it does not take them.
    pub fn encrypt(&mut self, certificate: &str, key: &str) {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.data().join(name);
            fs::write(&path, text).expect("a file of the cluster");
            let mut chmod = Command::new("chmod");
            chmod.arg("600").arg(&path);
            run(chmod);
            if let Some(owner) = &self.owner {
                let mut chown = Command::new("chown");
                chown.arg(owner).arg(&path);
                run(chown);
            }
        }
        self.sql("postgres", "ALTER SYSTEM SET ssl = on");
        self.stop();
        self.resume();
    }

    /// Makes a replica the primary, as the guide has it: nobody follows it yet, so it must not wait for a replica, though
    /// its configuration may say so.
    ///
    /// # Panics
    /// When it does not become one.
    pub fn promote(&self) {
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = ''");
        self.sql("postgres", "SELECT pg_reload_conf()");
        self.sql("postgres", "SELECT pg_promote(true, 30)");
    }

    /// Makes an empty database of this server and gives its address, by loopback.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The address of a database of this server, by loopback.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// The address of a database of this server, by its Unix socket.
    #[must_use]
    pub fn socket_url(&self, database: &str) -> String {
        let folder = self.folder.display();
        format!("postgresql://{USER}@/{database}?host={folder}&port={}", self.port)
    }

    /// Makes statements by hand, and gives what they answered: a line a row, columns parted by `|`.
    ///
    /// # Panics
    /// When they fail.
    #[must_use]
    pub fn ask(&self, database: &str, statements: &str) -> String {
        let mut psql = self.program("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--host"])
            .arg(&self.folder)
            .args(["--port", &self.port.to_string(), "--username", USER])
            .args([
                "--set",
                "ON_ERROR_STOP=1",
                "--dbname",
                database,
                "--command",
                statements,
            ]);
        let output = psql.output().expect("psql runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statements}: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// As [`ask`](Self::ask), for what answers nothing.
    ///
    /// # Panics
    /// When they fail.
    pub fn sql(&self, database: &str, statements: &str) {
        drop(self.ask(database, statements));
    }

    /// The port on the loopback interface.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where the cluster and its socket are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the server wrote into its log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        // Beside the cluster's own folder, which may be on a disk that a test fills.
        let name = self.folder.file_name().unwrap_or_default();
        std::env::temp_dir().join(name).with_extension("log")
    }

    /// Where the server keeps its files.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// One of PostgreSQL's programs, to be run as the cluster's owner.
    fn program(&self, name: &str) -> Command {
        let path = installed(name);
        let mut command = match &self.owner {
            Some(owner) => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid", owner, "--regid", owner, "--clear-groups"])
                    .arg(path);
                command
            }
            None => Command::new(path),
        };
        command.current_dir("/").env("LC_ALL", "C").env_remove("PGDATA");
        command
    }
}

impl Drop for PostgresCluster {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; then there is nothing to signal.
            let quit = Command::new("kill")
                .arg("-QUIT")
                .arg(child.id().to_string())
                .status();
            drop(quit);
            drop(child.wait());
        }
        if thread::panicking() {
            let _seen_or_not = writeln!(io::stderr(), "postgres said:\n{}", self.log());
        }
        drop(fs::remove_file(self.log_file()));
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Whom the server runs as, if this is root: Debian's own user, or nobody.
fn owner() -> Option<String> {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    if id.stdout.trim_ascii() != b"0" {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let has = |name: &str| users.lines().any(|line| line.starts_with(&format!("{name}:")));
    Some(if has("postgres") { "postgres" } else { "nobody" }.to_owned())
}

/// The newest version that the system has of a program.
fn installed(name: &str) -> PathBuf {
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}

fn run(mut command: Command) {
    let output = command
        .output()
        .expect("PostgreSQL is installed: `cargo xtask setup`");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "another program starts in its own time, and tells nobody when it is done"
)]
fn pause(span: Duration) {
    thread::sleep(span);
}
