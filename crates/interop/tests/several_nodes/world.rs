//! Three nodes behind HAProxy on one PostgreSQL server.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sealstone_interop::{
    Answer, Browser, Front, FrontKind, FrontSetup, Https, ServeSetup, built, free_ports,
};
use sealstone_testkit::PostgresCluster;
use serde_json::Value;

use crate::wire::Wire;

/// What anything may take on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// Tries until it is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        thread::sleep(LOOK);
    }
    begun.elapsed()
}

/// One `sealstoned serve`.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    public: u16,
    pub(crate) mutual: u16,
    admin: u16,
    pub(crate) wire: Wire,
    url: String,
    config: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Node {
    /// Starts it, `clock` seconds ahead of the machine's clock.
    pub(crate) fn start(&mut self, clock: i64) {
        let build = ["--package", "sealstone-server", "--bin", "sealstoned"];
        let log = || {
            let file = File::options().create(true).append(true).open(&self.log);
            file.unwrap()
        };
        let mut command = Command::new(built("SEALSTONED", &build, "sealstoned"));
        command.args(["serve", "--config"]).arg(&self.config);
        let address = |port: u16| format!("127.0.0.1:{port}");
        command
            .env("SEALSTONE__SERVER__LISTEN", address(self.public))
            .env("SEALSTONE__SERVER__MTLS_LISTEN", address(self.mutual))
            .env("SEALSTONE__SERVER__ADMIN_LISTEN", address(self.admin))
            .env("SEALSTONE__STORAGE__POSTGRES__URL", &self.url)
            .env("SEALSTONE__AUDIT__PATH", self.log.with_extension("audit.jsonl"));
        if clock != 0 {
            command
                .env("LD_PRELOAD", FAKETIME)
                .env("FAKETIME", format!("{clock:+}s"))
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        command.stdin(Stdio::null()).stdout(log()).stderr(log());
        self.child = Some(command.spawn().unwrap());
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(id).status();
        assert!(sent.unwrap().success());
    }

    /// Ends it without warning.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Ends it in order, as `systemctl stop` does.
    pub(crate) fn end(&mut self) {
        self.signal("TERM");
        let mut child = self.child.take().unwrap();
        let ended = child.wait().unwrap();
        assert!(ended.success(), "{ended}: {}", self.said());
    }

    /// Whether it says that it can serve.
    pub(crate) fn is_ready(&self) -> bool {
        let request = b"GET /health/ready HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n";
        let ask = || -> std::io::Result<String> {
            use std::io::{Read as _, Write as _};
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.admin))?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(request)?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// A path of the issuer at this very node.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}/v4/oauth2/demo{path}", self.public)
    }

    /// What it wrote so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// A small disk of memory, taken away when this is dropped.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where only root may mount, and this is not root.
    pub(crate) fn new(megabytes: u32) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("ssdisk-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args([
            "-t",
            "tmpfs",
            "-o",
            &format!("size={megabytes}m,mode=755"),
            "none",
        ]);
        let mounted = mount.arg(&folder).stderr(Stdio::null()).status();
        let is_mounted = mounted.is_ok_and(|status| status.success());
        is_mounted.then_some(Self(folder))
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.0.clone()
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Leaves no room on it.
    pub(crate) fn fill(&self) {
        use std::io::Write as _;
        let mut file = File::create(self.ballast()).unwrap();
        while file.write_all(&[7; 65_536]).is_ok() {}
        while file.write_all(&[7; 512]).is_ok() {}
    }

    pub(crate) fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}

pub(crate) struct World {
    pub(crate) nodes: [Node; 3],
    /// Stopped with the rest.
    _haproxy: Front,
    pub(crate) setup: ServeSetup,
    pub(crate) replica: PostgresCluster,
    pub(crate) primary: PostgresCluster,
    pub(crate) disk: Option<SmallDisk>,
    base: String,
}

impl World {
    pub(crate) fn start() -> Self {
        Self::start_with(|_setup| ())
    }

    /// With more in the configuration of all nodes.
    pub(crate) fn start_with(configure: impl FnOnce(&mut ServeSetup)) -> Self {
        let disk = SmallDisk::new(700);
        let parent = disk.as_ref().map_or_else(std::env::temp_dir, SmallDisk::folder);
        let settings = ["wal_keep_size=64MB", "max_wal_size=64MB", "min_wal_size=32MB"];
        let primary = PostgresCluster::with_in(&parent, &settings);
        let url = primary.database();
        let replica = primary.replica(&[]);
        // In the replica's configuration too, as where one file serves both.
        for server in [&primary, &replica] {
            server.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
            server.sql("postgres", "SELECT pg_reload_conf()");
        }
        eventually("a synchronous replica", || {
            primary.ask(
                "postgres",
                "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'",
            ) == "1"
        });
        let ports: [u16; 11] = free_ports();
        let base = format!("https://localhost:{}", ports[9]);
        let mut setup = ServeSetup::new();
        setup.remove("storage", "path");
        for (section, key, value) in [
            ("server", "base_url", format!("'{base}'")),
            ("server", "mtls_base_url", format!("'{base}'")),
            ("storage.postgres", "url", format!("'{url}'")),
            ("audit", "path", "'audit.jsonl'".to_owned()),
            ("people", "source", "'directory'".to_owned()),
            ("log", "level", "'info'".to_owned()),
            (
                "administration",
                "cloud_certificates",
                "['tls_client_auth_subject_dn=CN=admin']".to_owned(),
            ),
        ] {
            setup.set(section, key, &value);
        }
        configure(&mut setup);
        // The command line migrates, and makes domain, clients and a person, before the first node starts.
        let _id = setup.register(
            "machine",
            &["--scope", "metrics:read", "--resource", "https://metrics.example"],
        );
        let config = setup.path("sealstoned.toml");
        let nodes = std::array::from_fn(|place| {
            let wire = Wire::to(primary.port());
            let direct = format!("127.0.0.1:{}", primary.port());
            let hosts = format!("127.0.0.1:{},127.0.0.1:{}", wire.port(), replica.port());
            let name = ["one", "two", "three"][place];
            let mut node = Node {
                name,
                public: ports[place * 3],
                mutual: ports[place * 3 + 1],
                admin: ports[place * 3 + 2],
                url: url.replace(&direct, &hosts),
                wire,
                config: config.clone(),
                log: setup.path(name).with_extension("log"),
                child: None,
            };
            node.start(0);
            node
        });
        let haproxy = haproxy(ports[9], ports[10], &nodes);
        let world = Self {
            nodes,
            _haproxy: haproxy,
            setup,
            replica,
            primary,
            disk,
            base,
        };
        world.wait_until_all_serve();
        world
    }

    pub(crate) fn wait_until_all_serve(&self) {
        for node in &self.nodes {
            let https = self.https();
            eventually(&format!("node {} serves:\n{}", node.name, node.said()), || {
                node.is_ready()
                    && https
                        .get(&node.url("/jwks"), &[])
                        .is_ok_and(|answer| answer.status == 200)
            });
        }
    }

    pub(crate) fn https(&self) -> Https {
        Https::trusting(&self.setup.ca().pem())
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.https())
    }

    /// The issuer, as everybody knows it: at the balancer.
    pub(crate) fn issuer(&self) -> String {
        format!("{}/v4/oauth2/demo", self.base)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer())
    }

    /// `sealstone` at the database, with its answer as JSON.
    #[track_caller]
    pub(crate) fn administer(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.extend(["--output", "json"]);
        let output = self.setup.sealstone(&all);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// The term of the leader, and the address that it reaches the database from.
    pub(crate) fn term(&self) -> u64 {
        let term = self.primary.ask("test0", "SELECT term FROM leases");
        term.parse().unwrap()
    }
}

/// What a client may be told by nodes in trouble: an RFC 6749 error with when to come again.
#[track_caller]
pub(crate) fn is_unavailable(answer: &Answer) -> bool {
    if answer.status != 503 {
        return false;
    }
    let told = answer.json();
    assert_eq!(told["error"], "temporarily_unavailable", "{told}");
    let wait = answer
        .header("retry-after")
        .and_then(|text| text.parse::<u32>().ok());
    assert!(wait.is_some(), "no Retry-After: {:?}", answer.headers);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    true
}

/// A block of the guide, by the file that it is of.
pub(crate) fn of_the_guide(file: &str) -> String {
    let guide = include_str!("../../../../docs/guides/several-nodes.md");
    let begin = guide
        .find(&format!(" {file}\n"))
        .unwrap_or_else(|| panic!("the guide has no {file}"));
    let (_, rest) = guide[begin..].split_once('\n').unwrap();
    rest.split("```").next().unwrap().to_owned()
}

/// The guide's own, with the addresses of this test.
fn haproxy(port: u16, mutual: u16, nodes: &[Node; 3]) -> Front {
    let mut text = of_the_guide("/etc/haproxy/haproxy.cfg");
    let mut put = |guides: String, ours: String| {
        assert!(text.contains(&guides), "{guides}: {text}");
        text = text.replace(&guides, &ours);
    };
    put("bind :443".to_owned(), format!("bind 127.0.0.1:{port}"));
    put("bind :8444".to_owned(), format!("bind 127.0.0.1:{mutual}"));
    for (place, node) in nodes.iter().enumerate() {
        let address = format!("192.0.2.{}", place + 1);
        put(
            format!("{address}:443 check port 8445"),
            format!("127.0.0.1:{} check port {}", node.public, node.admin),
        );
        put(
            format!("{address}:8444 track"),
            format!("127.0.0.1:{} track", node.mutual),
        );
    }
    FrontSetup::new().start(FrontKind::HaProxy, port, &text, &[])
}
