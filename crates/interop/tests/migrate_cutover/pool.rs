//! Three Keystone nodes over one database behind HAProxy, and `sealstone migrate` before them.

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sealstone_interop::{Front, FrontKind, FrontSetup, KeystoneLab, free_ports};
use serde_json::Value;

use crate::accounts::accounts;
use crate::commands::sealstone;
use crate::nodes::{addresses, make_independent, options, restart_all, write_restart};

pub(crate) const NODES: [&str; 3] = ["node1", "node2", "node3"];
/// How long a command may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) struct Pool {
    /// What HAProxy calls the nodes.
    pub(crate) names: [&'static str; 3],
    pub(crate) lab: KeystoneLab,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) haproxy: Front,
    port: u16,
    bridges: Vec<Bridge>,
}

/// A running `sealstone migrate bridge`.
struct Bridge {
    child: Child,
    address: String,
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether bridges stand before the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    Bridges,
}

/// Says how long each step took: what to look at when a test has become slow.
pub(crate) struct Steps(Instant);

impl Default for Steps {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Steps {
    pub(crate) fn done(&mut self, name: &str) {
        eprintln!("{:>6.1} s  {name}", self.0.elapsed().as_secs_f32());
        self.0 = Instant::now();
    }
}

impl Pool {
    /// Nodes that share Fernet keys and have no JWS keys; tokens live `life_s`, and may be shown `window_s` longer.
    pub(crate) fn start(life_s: u32, window_s: u32) -> Self {
        Self::called(NODES, life_s, window_s)
    }

    /// The same, under other names.
    pub(crate) fn called(names: [&'static str; 3], life_s: u32, window_s: u32) -> Self {
        let lab = KeystoneLab::start(&options());
        for (name, node) in names.into_iter().zip(NODES).filter(|(name, node)| name != node) {
            std::os::unix::fs::symlink(node, lab.folder().join(name)).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let [port] = free_ports();
        make_independent(&lab, life_s, window_s);
        let restart = write_restart(&lab, folder.path());
        restart_all(&lab, &restart);
        let pool = Self {
            haproxy: haproxy(names, port, &addresses(&lab)),
            names,
            lab,
            folder,
            port,
            bridges: Vec::new(),
        };
        pool.write_logins();
        pool.is_up();
        pool
    }

    #[track_caller]
    fn is_up(&self) {
        self.wait_until("every server is up", |pool| {
            pool.show("show servers state keystone").matches(" 2 0 ").count() == 3
        });
    }

    /// A bridge before each node; the balancer learns of them while users work.
    pub(crate) fn put_bridges(&mut self) {
        let nodes = self.names.iter().zip(addresses(&self.lab));
        self.bridges = nodes.map(|(name, address)| self.bridge(name, &address)).collect();
        let addresses: Vec<String> = self.bridges.iter().map(|bridge| bridge.address.clone()).collect();
        self.lead_to(&addresses);
    }

    /// The nodes' own addresses again; the bridges end when their last request has ended.
    pub(crate) fn remove_bridges(&mut self) {
        self.lead_to(&addresses(&self.lab));
        for mut bridge in self.bridges.drain(..) {
            let ended = Command::new("kill").arg(bridge.child.id().to_string()).status();
            assert!(ended.unwrap().success());
            assert!(bridge.child.wait().unwrap().success());
        }
    }

    /// Gives the balancer's servers other addresses.
    fn lead_to(&self, addresses: &[String]) {
        for (name, address) in self.names.iter().zip(addresses) {
            let (host, port) = address.split_once(':').unwrap();
            let said = self.show(&format!("set server keystone/{name} addr {host} port {port}"));
            assert!(said.contains("changed"), "{said}");
        }
        self.is_up();
    }

    fn bridge(&self, name: &str, address: &str) -> Bridge {
        let mut child = Command::new(sealstone())
            .args(["migrate", "bridge", "--listen", "127.0.0.1:0", "--upstream"])
            .arg(format!("http://{address}"))
            .arg("--config-file")
            .arg(self.configuration(name))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(self.folder.path().join(format!("{name}-bridge.log"))).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().trim_start_matches("http://").to_owned();
        assert!(address.starts_with("127.0.0.1:"), "{line}");
        Bridge { child, address }
    }

    pub(crate) fn configuration(&self, name: &str) -> PathBuf {
        self.lab.folder().join(name).join("keystone.conf")
    }

    /// Where users reach it: `127.0.0.1:port`.
    pub(crate) fn front(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.haproxy.setup().path("admin.sock")
    }

    /// HAProxy's own words.
    pub(crate) fn show(&self, command: &str) -> String {
        let mut stream = self.administration();
        stream.write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        answer
    }

    /// A connection to HAProxy's administration socket: it is bound, and only then listens, both after the port answers.
    fn administration(&self) -> UnixStream {
        let end = Instant::now() + PATIENCE;
        loop {
            match UnixStream::connect(self.socket()) {
                Ok(stream) => return stream,
                Err(error) => {
                    let early = matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound);
                    assert!(early && Instant::now() < end, "HAProxy's socket: {error}");
                    thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }

    /// Which nodes HAProxy sends requests to, by its own account.
    pub(crate) fn in_pool(&self) -> Vec<String> {
        let states = self.show("show servers state keystone");
        let rows = states
            .lines()
            .skip(2)
            .map(|line| line.split(' ').collect::<Vec<_>>());
        let serving = rows.filter(|row| row.len() > 6 && row[6] == "0");
        serving.map(|row| row[3].to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < end, "{what}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Accounts of every kind that the seeded cloud has; and one alone, for runs that would check a node over and over.
    fn write_logins(&self) {
        let all = accounts(&self.lab);
        let few = vec![all[1].clone()];
        assert_eq!(few[0]["kind"], "project");
        for (name, accounts) in [("logins.json", all), ("few.json", few)] {
            let path = self.folder.path().join(name);
            fs::write(&path, Value::from(accounts).to_string()).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

/// `keystone` is the backend of which the guide speaks.
fn haproxy(names: [&str; 3], port: u16, servers: &[String]) -> Front {
    let setup = FrontSetup::new();
    let lines: String = names
        .iter()
        .zip(servers)
        .map(|(name, address)| format!("  server {name} {address} check inter 300ms rise 1 fall 3\n"))
        .collect();
    let text = format!(
        "global\n  stats socket {socket} mode 600 level admin\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  timeout check 30s\n\
         frontend users\n  bind 127.0.0.1:{port}\n  default_backend keystone\n\
         backend keystone\n  balance roundrobin\n  option httpchk\n  http-check send meth GET uri /v3\n  \
         http-check expect status 200\n{lines}",
        socket = setup.path("admin.sock").display(),
    );
    setup.start(FrontKind::HaProxy, port, &text, &[])
}
