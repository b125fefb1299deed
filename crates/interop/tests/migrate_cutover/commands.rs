//! `sealstone migrate` before the pool.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sealstone_interop::built;
use sealstone_migrate::{Event, Op, parse_journal};
use serde_json::Value;

use crate::nodes::copy;
use crate::pool::{Before, PATIENCE, Pool};

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

/// `cutover` or `rollback` has checked each node, one that came later beside those that were there, in every scope.
#[track_caller]
pub(crate) fn checked_in_every_scope(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    let kinds = "unscoped, project, domain, system, trust, application credential, federated";
    for (count, tokens) in [7, 14, 28].into_iter().enumerate() {
        let found = said.lines().filter(|line| {
            line.contains(": checked node ") && line.contains(&format!(": {tokens} tokens ({kinds}) among "))
        });
        assert_eq!(
            found.count(),
            1,
            "{tokens} tokens, of {} nodes: {said}",
            count + 1
        );
    }
    assert!(!said.contains("for want of a login"), "{said}");
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

    /// What asks every node, as the accounts of this file.
    pub(crate) fn check_arguments(&self, logins: &str) -> Vec<String> {
        let logins = ["--logins".to_owned(), self.path(logins)];
        [self.urls(), self.nodes(), logins.to_vec()].concat()
    }

    /// What drives the pool, for `cutover` and `rollback`; nodes are checked in every scope of this file of accounts.
    pub(crate) fn driving(&self, before: Before, logins: &str) -> Vec<String> {
        let mut arguments = [self.nodes(), self.urls()].concat();
        let more = [
            ("--journal", self.path("cutover.journal")),
            ("--haproxy", self.socket().display().to_string()),
            ("--balancer-url", format!("http://{}/v3", self.front())),
            (
                "--restart-hook",
                format!("{} {{node}}", self.restart_script().display()),
            ),
            ("--logins", self.path(logins)),
            ("--settle", "1s".to_owned()),
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
        self.plan(&[]);
    }

    /// Draws up the steps anew.
    pub(crate) fn plan(&self, more: &[&str]) {
        let name = format!("plan --output json --inventory {}", self.path("inventory.json"));
        let more: Vec<String> = more.iter().map(|&word| word.to_owned()).collect();
        let plan = done(&self.run(&name, &more));
        fs::write(self.path("plan.json"), plan).unwrap();
    }

    pub(crate) fn cutover_arguments(&self, before: Before, logins: &str) -> Vec<String> {
        let mut arguments = self.driving(before, logins);
        for name in ["plan", "inventory"] {
            arguments.extend([format!("--{name}"), self.path(&format!("{name}.json"))]);
        }
        arguments
    }

    /// How many steps were begun, by the journal.
    fn begun(&self) -> usize {
        let text = fs::read_to_string(self.path("cutover.journal")).unwrap_or_default();
        text.matches("{\"begun\":").count()
    }

    /// When each switch of the pool began and was done, in seconds since 1970, in order.
    pub(crate) fn switches(&self) -> Vec<(u64, u64)> {
        let read = parse_journal(&fs::read(self.path("cutover.journal")).unwrap()).unwrap();
        let mut place = None;
        let mut from = 0;
        let mut switches = Vec::new();
        for event in read.events {
            match event {
                Event::Course { ops, .. } => {
                    place = ops.iter().position(|op| matches!(op, Op::Switch { .. }));
                }
                Event::Begun { at, op } if Some(op) == place => from = at,
                Event::Done { at, op } if Some(op) == place => switches.push((from, at)),
                _ => {}
            }
        }
        switches
    }

    pub(crate) fn provider(&self, node: &str) -> String {
        let text = fs::read_to_string(self.configuration(node)).unwrap();
        let line = text.lines().find(|line| line.starts_with("provider ="));
        line.unwrap().trim_start_matches("provider = ").to_owned()
    }

    /// Runs a command, and kills it each time it has written down that it begins a step, until it ends by itself. Says how
    /// often.
    pub(crate) fn run_and_kill(&self, name: &str, arguments: &[String]) -> usize {
        for kills in 0..100 {
            let known = self.begun();
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
                if self.begun() > known {
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
