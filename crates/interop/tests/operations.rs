//! A server looked after for years: stopped, started, reloaded, copied, put back.

#![expect(clippy::unwrap_used, reason = "a test: what it cannot read has failed")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use sealstone_interop::{Https, ServeSetup, built};
use sealstone_testkit::PostgresCluster;
use serde_json::Value;

fn sealstone() -> Command {
    let build = ["--package", "sealstone-cli", "--bin", "sealstone"];
    Command::new(built("SEALSTONE", &build, "sealstone"))
}

fn sealstoned() -> std::path::PathBuf {
    let build = ["--package", "sealstone-server", "--bin", "sealstoned"];
    built("SEALSTONED", &build, "sealstoned")
}

fn registered() -> ServeSetup {
    let setup = ServeSetup::new();
    let _made = setup.register("basic", &["--scope", "builds:read"]);
    setup
}

/// A machine's token, with its secret.
fn token(https: &Https, url: &str, secret: &str) -> Result<u16, String> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "basic"),
        ("client_secret", secret),
    ];
    let answer = https.post(url, &[], &form).map_err(|error| error.to_string())?;
    Ok(answer.status)
}

#[test]
fn balancers_are_told_before_the_door_closes() {
    let mut setup = ServeSetup::new();
    setup.set("server", "shutdown_delay_s", "3");
    let made = setup.register("basic", &["--auth-method", "client_secret_post"]);
    let secret = made["client_secret"].as_str().unwrap().to_owned();
    let mut server = setup.start();
    server.wait_for_issuer();
    for path in ["/health/ready", "/readyz"] {
        assert_eq!(
            server.admin(path),
            (200, r#"{"status":"ready"}"#.to_owned()),
            "{path}"
        );
    }
    for path in ["/health/live", "/healthz"] {
        assert_eq!(server.admin(path).0, 200, "{path}");
    }
    server.signal("TERM");
    let _said = server.wait_until_said("balancers are told");
    let (status, body) = server.admin("/readyz");
    assert_eq!(
        (status, body.as_str()),
        (503, r#"{"status":"not_ready","missing":["serving"]}"#)
    );
    assert_eq!(server.admin("/healthz").0, 200);
    // Whoever was sent here a moment ago is served.
    assert_eq!(
        token(&server.https(), &server.public_url("/token"), &secret),
        Ok(200)
    );
    assert!(server.ended(), "{}", server.said());
}

#[test]
fn what_is_missing_is_told() {
    let mut setup = registered();
    let folder = setup.path("small");
    fs::create_dir(&folder).unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=16m", "none"])
        .arg(&folder)
        .stderr(Stdio::null())
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        println!("left out: only root may mount a small disk");
        return;
    }
    setup.set("audit", "path", "'small/audit.jsonl'");
    let mut server = setup.start();
    assert_eq!(server.admin("/readyz").0, 200);
    let ballast = folder.join("ballast");
    let _full = fs::write(&ballast, vec![1; 14 * 1024 * 1024]);
    let _said = server.wait_until_said("the disk is full");
    let (status, body) = server.admin("/readyz");
    assert_eq!(status, 503);
    assert!(body.contains("\"disk\""), "{body}");
    let metrics = server.admin("/metrics").1;
    assert!(
        metrics.contains("sealstone_ready{part=\"disk\"} 0\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("sealstone_ready{part=\"database\"} 1\n"),
        "{metrics}"
    );
    fs::remove_file(ballast).unwrap();
    let is_ready = |_attempt: &u32| server.admin("/readyz").0 == 200;
    assert!((0..100_000_u32).any(|attempt| is_ready(&attempt)));
    drop(server);
    let _taken_away = Command::new("umount").arg("-l").arg(&folder).status();
}

#[test]
fn metrics_tell_what_ends() {
    let server = registered().start();
    let metrics = server.admin("/metrics").1;
    for name in [
        "sealstone_build_info{version=",
        "sealstone_start_time_seconds ",
        "sealstone_leads 1\n",
        "sealstone_domains 1\n",
        "sealstone_certificate_end_time_seconds ",
        "sealstone_disk_free_bytes{of=\"audit\"} ",
    ] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
}

#[test]
fn sighup_reads_the_configuration_again() {
    let mut server = registered().start();
    server.wait_for_issuer();
    let leaf = |server: &sealstone_interop::ServeServer| {
        let script = format!(
            "openssl s_client -connect 127.0.0.1:{} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint",
            server.ports()[0]
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let before = leaf(&server);
    // Other files, and a word of what needs a restart: the log is JSON until then.
    let renewed = server.setup().ca().server();
    server.setup().write("renewed.pem", &renewed.chain_pem());
    server.setup().write_private("renewed.key", &renewed.key_pem());
    server.configure(|setup| {
        setup.set("tls", "certificate_file", "'renewed.pem'");
        setup.set("tls", "key_file", "'renewed.key'");
        setup.set("log", "format", "'text'");
        setup.set("log", "level", "'warn'");
    });
    server.signal("HUP");
    let said = server.wait_until_said("count after a restart");
    assert!(said.contains("\"keys\":\"log.format\""), "{said}");
    assert_ne!(leaf(&server), before);
    // What can't be read is refused as a whole, and what was in use stays.
    let now = leaf(&server);
    server.configure(|setup| setup.set("server", "base_ulr", "'x'"));
    server.signal("HUP");
    let said = server.wait_until_said("reload refused");
    assert!(said.contains("did you mean `base_url`?"), "{said}");
    assert_eq!(leaf(&server), now);
    assert_eq!(server.admin("/readyz").0, 200);
}

/// Stands in for systemd: opens the sockets, hears what is told, starts the server anew when asked.
const SUPERVISOR: &str = r#"
import os, signal, socket, sys, threading
program, config, folder = sys.argv[1:4]
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
told.bind(folder + "/notify")
def hear():
    while True:
        print(told.recv(4096).decode().split("\n")[0], flush=True)
threading.Thread(target=hear, daemon=True).start()
print("ports", *(s.getsockname()[1] for s in sockets), flush=True)
def start():
    pid = os.fork()
    if pid == 0:
        for place, s in enumerate(sockets):
            os.dup2(s.fileno(), 100 + place)
        for place in range(3):
            os.dup2(100 + place, 3 + place, inheritable=True)
        os.environ.update(LISTEN_FDS="3", LISTEN_FDNAMES="mtls:public:admin", LISTEN_PID=str(os.getpid()),
                          NOTIFY_SOCKET=folder + "/notify", WATCHDOG_USEC="200000")
        os.execv(program, [program, "serve", "--config", config])
    return pid
pid = start()
for line in sys.stdin:
    os.kill(pid, signal.SIGKILL if line.strip() == "kill" else signal.SIGTERM)
    os.waitpid(pid, 0)
    if line.strip() == "end":
        sys.exit()
    pid = start()
os.kill(pid, signal.SIGKILL)
"#;

/// Passes one socket, made so and named so.
const PASSER: &str = r#"
import os, socket, sys
program, config, name = sys.argv[1:4]
s = eval(sys.argv[4])
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_FDNAMES=name, LISTEN_PID=str(os.getpid()))
os.execv(program, [program, "serve", "--config", config])
"#;

#[test]
fn a_socket_that_can_t_serve_is_named_at_the_start() {
    let setup = ServeSetup::new();
    setup.write("passer.py", PASSER);
    setup.write_config();
    for (name, socket, said) in [
        (
            "public",
            "socket.socket()",
            "the socket public of systemd does not listen",
        ),
        (
            "mtls",
            "socket.socket(type=socket.SOCK_DGRAM)",
            "the socket mtls of systemd is no TCP listener",
        ),
        (
            "web",
            "socket.create_server(('127.0.0.1', 0))",
            "a socket named \"web\": set FileDescriptorName=",
        ),
    ] {
        let done = Command::new("python3")
            .arg(setup.path("passer.py"))
            .arg(sealstoned())
            .arg(setup.path("sealstoned.toml"))
            .args([name, socket])
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{complaint}");
        assert!(complaint.contains(said), "{name}: {complaint}");
    }
}

struct Supervisor {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Supervisor {
    fn start(setup: &ServeSetup) -> (Self, Vec<u16>) {
        setup.write("supervisor.py", SUPERVISOR);
        setup.write_config();
        let mut child = Command::new("python3")
            .arg(setup.path("supervisor.py"))
            .arg(sealstoned())
            .arg(setup.path("sealstoned.toml"))
            .arg(setup.path("."))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut this = Self { child, lines };
        let ports = this.wait_for("ports ");
        let ports = ports.split(' ').skip(1).map(|port| port.parse().unwrap());
        (this, ports.collect())
    }

    /// The next line that begins so.
    fn wait_for(&mut self, begin: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(
                self.lines.read_line(&mut line).unwrap() > 0,
                "it ended before {begin}"
            );
            if line.starts_with(begin) {
                return line.trim_end().to_owned();
            }
        }
    }

    fn tell(&mut self, word: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{word}").unwrap();
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // It ends the server, and then itself.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[test]
fn a_restart_refuses_nobody() {
    let setup = ServeSetup::new();
    let made = setup.register("basic", &["--auth-method", "client_secret_post"]);
    let secret = made["client_secret"].as_str().unwrap().to_owned();
    let (mut supervisor, ports) = Supervisor::start(&setup);
    supervisor.wait_for("READY=1");
    let https = Https::trusting(&setup.ca().pem());
    // By their names, not by their order.
    let url = format!("https://localhost:{}/v4/oauth2/demo/token", ports[1]);
    let stop = Arc::new(AtomicBool::new(false));
    let served = Arc::new(AtomicUsize::new(0));
    let (halt, count) = (Arc::clone(&stop), Arc::clone(&served));
    let load = thread::spawn(move || {
        let mut wrong = Vec::new();
        while !halt.load(Ordering::Acquire) {
            // A connection each: those of before the restart end with their last answer.
            match token(&https, &url, &secret) {
                Ok(200) => _ = count.fetch_add(1, Ordering::AcqRel),
                other => wrong.push(format!("{other:?}")),
            }
        }
        wrong
    });
    let more = |by: usize| {
        let from = served.load(Ordering::Acquire);
        while served.load(Ordering::Acquire) < from + by {
            thread::yield_now();
        }
    };
    for _restart in 0..3 {
        more(20);
        supervisor.tell("again");
        supervisor.wait_for("STOPPING=1");
        supervisor.wait_for("READY=1");
        supervisor.wait_for("WATCHDOG=1");
    }
    more(20);
    stop.store(true, Ordering::Release);
    let wrong = load.join().unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
    supervisor.tell("end");
    supervisor.wait_for("STOPPING=1");
}

fn db(setup: &ServeSetup, arguments: &[&str]) -> Output {
    setup.write_config();
    sealstone()
        .arg("db")
        .args(arguments)
        .arg("--config")
        .arg(setup.path("sealstoned.toml"))
        .output()
        .unwrap()
}

fn clients(setup: &ServeSetup) -> Vec<String> {
    let output = setup.sealstone(&["client", "list", "--output", "json"]);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ids = listed.as_array().unwrap().iter();
    ids.map(|client| client["client_id"].as_str().unwrap().to_owned())
        .collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_copy_is_made_while_it_serves_and_put_back_when_it_is_stopped() {
    let setup = ServeSetup::new();
    let made = setup.register("basic", &["--auth-method", "client_secret_post"]);
    let secret = made["client_secret"].as_str().unwrap().to_owned();
    let mut server = setup.start();
    server.wait_for_issuer();
    let copy = server.setup().path("copy.db");
    let output = db(server.setup(), &["backup", "--to", text(&copy)]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), text(&copy));
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o600);
    // What came after is not in it.
    let _later = server.setup().register("later", &[]);
    let running = db(server.setup(), &["restore", "--from", text(&copy)]);
    assert_eq!(running.status.code(), Some(1));
    let said = String::from_utf8_lossy(&running.stderr).into_owned();
    assert!(said.contains("another process has held the database"), "{said}");
    assert!(said.contains("stop the server"), "{said}");
    assert_eq!(clients(server.setup()), ["basic", "later"]);
    server.signal("KILL");
    assert!(!server.ended());
    // What is no whole copy is refused, and nothing is lost.
    let half = server.setup().path("half.db");
    let whole = fs::read(&copy).unwrap();
    fs::write(&half, &whole[..whole.len() / 2]).unwrap();
    for wrong in [
        text(&half),
        text(&server.setup().path("sealstoned.toml")),
        "/no/such.db",
    ] {
        let refused = db(server.setup(), &["restore", "--from", wrong]);
        assert_eq!(refused.status.code(), Some(1), "{wrong}: {refused:?}");
        // It is the copy that is no good, and not the database.
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(
            said.contains(wrong) && said.contains("nothing was changed") && !said.contains("sealstone.db"),
            "{said}"
        );
        assert_eq!(clients(server.setup()), ["basic", "later"], "{wrong}");
    }
    let output = db(server.setup(), &["restore", "--from", text(&copy)]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(clients(server.setup()), ["basic"]);
    assert!(server.setup().path("sealstone.db.before-restore").exists());
    server.restart(|_| {});
    assert_eq!(
        token(&server.https(), &server.public_url("/token"), &secret),
        Ok(200)
    );
}

/// `kill -9` at any moment of either: a whole copy or none, the database of before or the one of the copy.
#[test]
fn a_copy_is_whole_whenever_it_is_killed() {
    let setup = registered();
    for number in 0..40 {
        let _made = setup.register(&format!("client-{number}"), &[]);
    }
    let first = setup.path("first.db");
    assert!(db(&setup, &["backup", "--to", text(&first)]).status.success());
    let _made = setup.register("one-more", &[]);
    let second = setup.path("second.db");
    let mut whole = 0;
    let (mut old, mut new) = (0, 0);
    for round in 0..24_u32 {
        let _gone = fs::remove_file(&second);
        killed(&setup, &["backup", "--to", text(&second)], round);
        if second.exists() {
            whole += 1;
            let output = Command::new("sqlite3")
                .arg(&second)
                .arg("PRAGMA integrity_check")
                .output();
            if let Ok(output) = output {
                assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "ok");
            }
        }
        // And back: 41 clients or 42, never anything else.
        killed(&setup, &["restore", "--from", text(&first)], round);
        match clients(&setup).len() {
            41 => {
                new += 1;
                let _made = setup.register("one-more", &[]);
            }
            42 => old += 1,
            other => unreachable!("{other} clients after round {round}"),
        }
    }
    println!("whole copies {whole} of 24; put back {new}, left {old}");
    let output = db(&setup, &["backup", "--to", text(&second)]);
    assert!(output.status.success(), "{output:?}");
}

/// Starts it, and kills it after so many slices of a millisecond's work of this thread.
fn killed(setup: &ServeSetup, arguments: &[&str], slices: u32) {
    let mut child = sealstone()
        .arg("db")
        .args(arguments)
        .arg("--config")
        .arg(setup.path("sealstoned.toml"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Moments that differ by what is computed, not by a clock.
    for _slice in 0..slices {
        let digest = (0..2_000_u32).fold([0; 32], |sum, _| sealstone_testkit::sha256(&sum));
        assert_ne!(digest, [0; 32]);
    }
    let _killed = child.kill();
    let _ended = child.wait();
}

/// PostgreSQL's own tools make its copies; this program says so.
#[test]
fn a_server_s_database_is_copied_by_its_own_tools() {
    if !PostgresCluster::is_installed() {
        println!("left out: PostgreSQL is not installed (`cargo xtask setup`)");
        return;
    }
    let cluster = PostgresCluster::start();
    let on = |url: &str| {
        let mut setup = ServeSetup::new();
        setup.remove("storage", "path");
        setup.set("storage.postgres", "url", &format!("'{url}'"));
        setup.set("audit", "path", "'audit.jsonl'");
        setup
    };
    let (url, other) = (cluster.database(), cluster.database());
    let setup = on(&url);
    let create = ["client", "create", "basic", "--domain", "demo", "--new-domain"];
    let made = setup.sealstone(&create);
    assert!(made.status.success(), "{made:?}");
    let copy = setup.path("copy.dump");
    let output = db(&setup, &["backup", "--to", text(&copy)]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("pg_dump --format=custom"),
        "{output:?}"
    );
    let dumped = Command::new("pg_dump")
        .args(["--format=custom", "--file", text(&copy), &url])
        .status();
    assert!(dumped.unwrap().success());
    let restored = Command::new("pg_restore")
        .args([
            "--clean",
            "--if-exists",
            "--exit-on-error",
            "--single-transaction",
            "--dbname",
            &other,
        ])
        .arg(&copy)
        .status();
    assert!(restored.unwrap().success());
    assert_eq!(clients(&on(&other)), ["basic"]);
}
