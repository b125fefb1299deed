//! Three Keystone nodes over one database behind HAProxy, and `sealstone migrate` before them.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sealstone_interop::{Front, FrontKind, FrontSetup, KeystoneLab, LabOptions, built, free_ports};
use sealstone_migrate::{Event, Op, parse_journal, set_option};
use serde_json::{Value, json};

pub(crate) const NODES: [&str; 3] = ["node1", "node2", "node3"];
/// Where Debian's libfaketime is.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/// How long a command may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) struct Pool {
    /// What HAProxy calls the nodes.
    names: [&'static str; 3],
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

pub(crate) fn sealstone() -> PathBuf {
    built(
        "SEALSTONE",
        &["--package", "sealstone-cli", "--bin", "sealstone"],
        "sealstone",
    )
}

#[track_caller]
pub(crate) fn done(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
pub(crate) fn refused(output: &Output, want: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(1) && said.contains(want),
        "{want}: {said}"
    );
}

impl Pool {
    /// Nodes that share Fernet keys and have no JWS keys; tokens live `life_s`, and may be shown `window_s` longer.
    pub(crate) fn start(life_s: u32, window_s: u32) -> Self {
        Self::called(NODES, life_s, window_s)
    }

    /// The same, under other names.
    pub(crate) fn called(names: [&'static str; 3], life_s: u32, window_s: u32) -> Self {
        let lab = KeystoneLab::start(&LabOptions::new().nodes(3));
        for (name, node) in names.into_iter().zip(NODES).filter(|(name, node)| name != node) {
            std::os::unix::fs::symlink(node, lab.folder().join(name)).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let [port] = free_ports();
        let mut pool = Self {
            haproxy: haproxy(names, port, &addresses(&lab)),
            names,
            lab,
            folder,
            port,
            bridges: Vec::new(),
        };
        pool.write_restart();
        pool.write_logins();
        for node in names {
            pool.make_independent(node, life_s, window_s);
        }
        pool.restart_all();
        pool.put_before(Before::Nothing);
        pool
    }

    /// Key repositories of its own, as a machine of its own would have.
    fn make_independent(&self, node: &str, life_s: u32, window_s: u32) {
        let keys = self.lab.folder().join(node).join("keys");
        fs::create_dir_all(&keys).unwrap();
        copy(&self.lab.folder().join("keys/fernet"), &keys.join("fernet"));
        let (life, window) = (life_s.to_string(), window_s.to_string());
        let at = |name: &str| keys.join(name).display().to_string();
        let mut text = fs::read_to_string(self.configuration(node)).unwrap();
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
        fs::write(self.configuration(node), text).unwrap();
    }

    /// Every node, at the same time.
    pub(crate) fn restart_all(&self) {
        let restarts = self
            .names
            .map(|node| Command::new(self.restart_script()).arg(node).spawn().unwrap());
        for mut restart in restarts {
            assert!(restart.wait().unwrap().success());
        }
        for address in addresses(&self.lab) {
            self.wait_until("a node answers", |_| answers(&address));
        }
    }

    /// Bridges before the nodes, or none; HAProxy is started anew, with every node in its pool.
    pub(crate) fn put_before(&mut self, before: Before) {
        self.bridges.clear();
        let nodes = addresses(&self.lab);
        let servers = match before {
            Before::Nothing => nodes,
            Before::Bridges => {
                self.bridges = self
                    .names
                    .iter()
                    .zip(&nodes)
                    .map(|(name, address)| self.bridge(name, address))
                    .collect();
                self.bridges.iter().map(|bridge| bridge.address.clone()).collect()
            }
        };
        let [port] = free_ports();
        self.port = port;
        self.haproxy = haproxy(self.names, port, &servers);
        self.wait_until("every server is up", |pool| {
            pool.show("show servers state keystone").matches(" 2 0 ").count() == 3
        });
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
        let mut stream = std::os::unix::net::UnixStream::connect(self.socket()).unwrap();
        stream.write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        answer
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

    /// What a service manager does: stop, start, leave it running; one after the other, also when whoever asked first was
    /// killed meanwhile. With a file `later` in the node's folder it runs
    /// that many seconds ahead; with one called `broken` it does not come up.
    fn write_restart(&self) {
        let uwsgi = self.lab.program("uwsgi");
        let script = format!(
            "#!/bin/bash\nset -e\nnode={run}/$1\nexec 9> $node/restart.lock\nflock 9\npid=$(cat $node/uwsgi.pid)\n\
             kill -TERM $pid 2>/dev/null || true\n\
             while kill -0 $pid 2>/dev/null; do sleep 0.05; done\n[ -e $node/broken ] && exit 0\n\
             if [ -e $node/later ]; then export LD_PRELOAD={FAKETIME} FAKETIME=+$(cat $node/later)s; fi\n\
             cd $node\nOS_KEYSTONE_CONFIG_FILES=$node/keystone.conf PYTHONWARNINGS=ignore \
             setsid {uwsgi} --ini $node/uwsgi.ini >> $node/keystone.log 2>&1 < /dev/null 9>&- &\n\
             while [ \"$(cat $node/uwsgi.pid)\" = $pid ]; do sleep 0.05; done\n",
            run = self.lab.folder().display(),
            uwsgi = uwsgi.display(),
        );
        let path = self.restart_script();
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn restart_script(&self) -> PathBuf {
        self.folder.path().join("restart")
    }

    #[track_caller]
    pub(crate) fn restart(&self, node: &str) {
        let ran = Command::new(self.restart_script()).arg(node).status().unwrap();
        assert!(ran.success());
        let place = self.names.iter().position(|name| *name == node).unwrap();
        let address = addresses(&self.lab)[place].clone();
        self.wait_until("the node answers", |_| answers(&address));
    }

    /// Accounts of every kind that the seeded cloud has, for `check`; and those by which `cutover` and `rollback` log in,
    /// who check a node each time that it was changed.
    fn write_logins(&self) {
        let all = accounts(&self.lab);
        let is_few = |account: &&Value| {
            matches!(
                account["kind"].as_str(),
                Some("project" | "application_credential")
            )
        };
        let few: Vec<Value> = all.iter().filter(is_few).cloned().collect();
        for (name, accounts) in [("logins.json", all), ("few.json", few)] {
            let path = self.folder.path().join(name);
            fs::write(&path, Value::from(accounts).to_string()).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// `--node`, `--config-file` for every node.
    pub(crate) fn nodes(&self) -> Vec<String> {
        let of_node = |name: &&str| {
            let file = format!("{name}={}", self.configuration(name).display());
            [
                "--node".to_owned(),
                format!("{name}=/"),
                "--config-file".to_owned(),
                file,
            ]
        };
        self.names.iter().flat_map(of_node).collect()
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        let urls = self.names.iter().zip(self.lab.nodes());
        urls.flat_map(|(name, url)| ["--url".to_owned(), format!("{name}={url}")])
            .collect()
    }

    /// What drives the pool, for `cutover` and `rollback`.
    pub(crate) fn driving(&self, before: Before) -> Vec<String> {
        let mut arguments = [self.nodes(), self.urls()].concat();
        let more = [
            ("--journal", self.path("cutover.journal")),
            ("--haproxy", self.socket().display().to_string()),
            ("--balancer-url", format!("http://{}/v3", self.front())),
            (
                "--restart-hook",
                format!("{} {{node}}", self.restart_script().display()),
            ),
            ("--logins", self.path("few.json")),
            ("--settle", "2s".to_owned()),
            // Some users show revoked tokens all the time.
            ("--max-refused", "25".to_owned()),
        ];
        for (name, value) in more {
            arguments.extend([name.to_owned(), value]);
        }
        arguments.push("--yes".to_owned());
        if before == Before::Bridges {
            arguments.push("--bridged".to_owned());
        }
        arguments
    }

    pub(crate) fn command(&self, name: &str, arguments: &[String]) -> Command {
        let mut command = Command::new(sealstone());
        command.arg("migrate").args(name.split(' ')).args(arguments);
        for (name, _value) in std::env::vars().filter(|(name, _value)| name.starts_with("OS_")) {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, name: &str, arguments: &[String]) -> Output {
        self.command(name, arguments).output().unwrap()
    }

    pub(crate) fn inventory(&self, name: &str) -> Value {
        let output = self.run("inventory --output json", &self.nodes());
        let found: Value = serde_json::from_str(&done(&output)).unwrap();
        fs::write(self.path(name), found.to_string()).unwrap();
        found
    }

    /// Makes the nodes' keys, and puts them where Keystone looks.
    pub(crate) fn bring_keys(&self) {
        let made = self.path("jws-keys");
        let named: Vec<String> = self
            .names
            .iter()
            .flat_map(|node| ["--node".to_owned(), (*node).to_owned()])
            .collect();
        done(&self.run(&format!("keys make --out {made}"), &named));
        for node in self.names {
            let place = self.jws(node);
            copy(&Path::new(&made).join(node), &place);
        }
        let said = done(&self.run("keys verify", &self.nodes()));
        assert!(said.contains("3 nodes hold the same 3 public keys"), "{said}");
    }

    pub(crate) fn jws(&self, node: &str) -> PathBuf {
        self.lab.folder().join(node).join("keys/jws")
    }

    /// Inventory, keys, inventory, plan: what comes before a cutover.
    pub(crate) fn prepare(&self) {
        self.inventory("before.json");
        self.bring_keys();
        self.inventory("inventory.json");
        let plan = done(&self.run(
            &format!("plan --output json --inventory {}", self.path("inventory.json")),
            &[],
        ));
        fs::write(self.path("plan.json"), plan).unwrap();
    }

    pub(crate) fn cutover_arguments(&self, before: Before) -> Vec<String> {
        let mut arguments = self.driving(before);
        for name in ["plan", "inventory"] {
            arguments.extend([format!("--{name}"), self.path(&format!("{name}.json"))]);
        }
        arguments
    }

    pub(crate) fn journal(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("cutover.journal")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// When the switch of the last course began and was done, in seconds since 1970.
    pub(crate) fn switch(&self) -> (u64, u64) {
        let read = parse_journal(&fs::read(self.path("cutover.journal")).unwrap()).unwrap();
        let mut switch = None;
        let (mut from, mut to) = (0, 0);
        for event in read.events {
            match event {
                Event::Course { ops, .. } => {
                    switch = ops.iter().position(|op| matches!(op, Op::Switch { .. }))
                }
                Event::Begun { at, op } if Some(op) == switch => from = at,
                Event::Done { at, op } if Some(op) == switch => to = at,
                _ => {}
            }
        }
        (from, to)
    }

    pub(crate) fn provider(&self, node: &str) -> String {
        let text = fs::read_to_string(self.configuration(node)).unwrap();
        let line = text.lines().find(|line| line.starts_with("provider ="));
        line.unwrap().trim_start_matches("provider = ").to_owned()
    }

    /// Runs a command, and kills it each time it has written a line more to its journal, until it ends by itself. Says
    /// how often.
    pub(crate) fn run_and_kill(&self, name: &str, arguments: &[String]) -> usize {
        for kills in 0..100 {
            let known = self.journal().len();
            let mut child = self
                .command(name, arguments)
                .stdout(Stdio::null())
                .stderr(fs::File::create(self.path("killed.log")).unwrap())
                .process_group(0)
                .spawn()
                .unwrap();
            let end = Instant::now() + PATIENCE;
            let status = loop {
                if let Some(status) = child.try_wait().unwrap() {
                    break Some(status);
                }
                if self.journal().len() > known {
                    child.kill().unwrap();
                    break child.wait().unwrap().code().and(None);
                }
                assert!(
                    Instant::now() < end,
                    "{}",
                    fs::read_to_string(self.path("killed.log")).unwrap()
                );
                thread::sleep(Duration::from_millis(5));
            };
            if let Some(status) = status {
                let said = fs::read_to_string(self.path("killed.log")).unwrap();
                let over = status.success() || said.contains("already, by this journal");
                assert!(over, "{status}: {said}");
                return kills;
            }
        }
        unreachable!("it does not get on")
    }
}

fn answers(address: &str) -> bool {
    crate::load::ask(address, "GET", "/v3", &[], "").is_ok_and(|answer| answer.status == 200)
}

fn addresses(lab: &KeystoneLab) -> Vec<String> {
    let bare = |url: &&str| {
        url.trim_start_matches("http://")
            .trim_end_matches("/v3")
            .to_owned()
    };
    lab.nodes().iter().map(bare).collect()
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

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}

/// One login of each kind.
pub(crate) fn accounts(lab: &KeystoneLab) -> Vec<Value> {
    let seed = lab.seed();
    let password = |name: &str| {
        let user = seed.user(name);
        json!({"methods": ["password"], "password": {"user": {"id": user.id, "password": user.password}}})
    };
    let credential = seed.application_credential("restricted");
    let credential = json!({"methods": ["application_credential"],
        "application_credential": {"id": credential.id, "secret": credential.secret}});
    let login = |name: &str, kind: &str, identity: Value, scope: Value| {
        let auth = if scope.is_null() {
            json!({"identity": identity})
        } else {
            json!({"identity": identity, "scope": scope})
        };
        json!({"name": name, "kind": kind, "auth": auth})
    };
    vec![
        login("alice", "unscoped", password("alice"), json!("unscoped")),
        login(
            "alice",
            "project",
            password("alice"),
            json!({"project": {"id": seed.project("web")}}),
        ),
        login(
            "alice",
            "domain",
            password("alice"),
            json!({"domain": {"id": seed.domain("acme")}}),
        ),
        login(
            "sysadmin",
            "system",
            password("sysadmin"),
            json!({"system": {"all": true}}),
        ),
        login(
            "carol",
            "trust",
            password("carol"),
            json!({"OS-TRUST:trust": {"id": seed.trusts["impersonating"]}}),
        ),
        login("alice's", "application_credential", credential, Value::Null),
        json!({"name": "fred", "kind": "federated",
            "path": "/OS-FEDERATION/identity_providers/labidp/protocols/openid/auth",
            "headers": {"OIDC-ISS": "https://idp.lab.test", "OIDC-PREFERRED-USERNAME": "fred",
                        "OIDC-EMAIL": "fred@idp.lab.test"}}),
    ]
}
