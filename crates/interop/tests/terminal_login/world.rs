//! A server, a Keystone behind Apache that trusts it, and somebody's machine.

use std::{
    cell::RefCell,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use sealstone_interop::{
    DevServer, Front, FrontKind, FrontSetup, KeystoneLab, LabOptions, built, free_ports,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const ISSUER: &str = "https://id.example/v4/oauth2/demo";
const KEYSTONE: &str = "https://keystone.example";
/// Longer than any login of these takes, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) struct World {
    pub(crate) server: DevServer,
    pub(crate) lab: KeystoneLab,
    pub(crate) apache: Front,
    /// The one that the cloud trusts (`trusted_dashboard`).
    pub(crate) websso_port: u16,
    home: TempDir,
    /// Tokens that were seen, and everything that programs said.
    secrets: RefCell<Vec<String>>,
    said: RefCell<String>,
}

/// A program that is still running, and what it says on standard error.
pub(crate) struct Started {
    child: Child,
    lines: Receiver<String>,
    said: String,
}

impl World {
    pub(crate) fn start() -> Self {
        let [websso_port, front_port] = free_ports();
        let lab = KeystoneLab::start(
            &LabOptions::new()
                .set("openid.remote_id_attribute", "OIDC_iss")
                .set(
                    "federation.trusted_dashboard",
                    &format!("http://localhost:{websso_port}/auth/websso/"),
                ),
        );
        let server = DevServer::start();
        federate(&lab, &server);
        let apache = apache(&lab, &server, front_port);
        Self {
            server,
            lab,
            apache,
            websso_port,
            home: tempfile::tempdir().unwrap(),
            secrets: RefCell::default(),
            said: RefCell::default(),
        }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn auth_url(&self) -> String {
        format!("{}/v3", self.apache.url())
    }

    /// The options that name the login at the issuer, and Keystone after it.
    pub(crate) fn by_issuer(&self) -> Vec<String> {
        [
            ("--issuer", self.server.issuer()),
            ("--client-id", "cli"),
            ("--scope", "openid profile offline_access openstack:api"),
            ("--ca", &self.server.ca_path().to_string_lossy()),
            ("--auth-url", &self.auth_url()),
            ("--identity-provider", "sealstone"),
            ("--protocol", "openid"),
            ("--project", "lab"),
        ]
        .iter()
        .flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()])
        .collect()
    }

    /// Those that name the login at Keystone alone.
    pub(crate) fn by_websso(&self, user: &str) -> Vec<String> {
        let ca = self.server.ca_path().to_string_lossy().into_owned();
        let url = self.auth_url();
        let options = ["--websso", "--ca", &ca, "--auth-url", &url, "--project", "lab"];
        let names = [
            "--identity-provider",
            "sealstone",
            "--protocol",
            "openid",
            "--username",
            user,
        ];
        options.into_iter().chain(names).map(str::to_owned).collect()
    }

    /// `sealstone` on this person's machine, with nothing of the environment that tells how to log in.
    pub(crate) fn sealstone(&self, arguments: &[&str], options: &[String]) -> Command {
        let program = built(
            "SEALSTONE",
            &["--package", "sealstone-cli", "--bin", "sealstone"],
            "sealstone",
        );
        let mut command = Command::new(program);
        command.args(arguments).args(options);
        self.at_home(&mut command);
        command
    }

    fn at_home(&self, command: &mut Command) {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let tools = self.lab.program("openstack");
        let tools = tools.parent().unwrap().to_path_buf();
        let paths = std::iter::once(tools).chain(std::env::split_paths(&path));
        command
            .env_clear()
            .env("PATH", std::env::join_paths(paths).unwrap())
            .env("HOME", self.home.path())
            .env("LANG", "C.UTF-8")
            .env("PYTHONWARNINGS", "ignore");
    }

    /// A program to open an address with: Chromium, and somebody in front of it.
    pub(crate) fn browser(&self, user: &str, more: &Value) -> (PathBuf, PathBuf) {
        let person = self.server.user(user);
        let mut parameters = json!({
            "user": {"name": person.name, "password": person.password, "totp_secret": person.totp_secret},
            "project": "demo-project", "comes_back": true,
        });
        for (name, value) in more.as_object().unwrap() {
            parameters[name] = value.clone();
        }
        let folder = tempfile::tempdir_in(self.home.path()).unwrap().keep();
        std::fs::write(folder.join("parameters.json"), parameters.to_string()).unwrap();
        let walk = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/browser/terminal.mjs");
        let (seen, program) = (folder.join("seen.json"), folder.join("browser"));
        let script = format!(
            "#!/bin/sh\nWALK_URL=\"$1\" exec node {} \"$(cat {})\" > {} 2> {}\n",
            walk.display(),
            folder.join("parameters.json").display(),
            seen.display(),
            folder.join("errors").display(),
        );
        std::fs::write(&program, script).unwrap();
        let mut run = Command::new("chmod");
        assert!(run.arg("700").arg(&program).status().unwrap().success());
        (program, seen)
    }

    /// Logs in by a browser, to the end of both: what the person saw, and whether the program succeeded, with all that it
    /// said.
    #[track_caller]
    pub(crate) fn log_in(
        &self,
        command: &mut Command,
        (browser, seen): &(PathBuf, PathBuf),
    ) -> (Value, bool, String) {
        let started = Self::started(command.env("BROWSER", browser));
        let found = Self::seen(seen);
        if found.is_null() {
            let errors = std::fs::read_to_string(seen.with_file_name("errors")).unwrap_or_default();
            started.kill();
            panic!("the browser is stuck: {errors}\n{}", self.apache.said());
        }
        let (done, out, said) = started.end();
        self.said.borrow_mut().push_str(&said);
        (found, done, format!("{out}{said}"))
    }

    /// What the person saw, once the browser is closed.
    fn seen(seen: &Path) -> Value {
        // The program is done when the last page has its answer; the browser closes a moment later.
        for _look in 0..1800 {
            let text = std::fs::read_to_string(seen).unwrap_or_default();
            if let Ok(found) = serde_json::from_str(text.trim()) {
                return found;
            }
            thread::park_timeout(Duration::from_millis(50));
        }
        Value::Null
    }

    /// Runs a program to its end; what it wrote on standard output.
    #[track_caller]
    pub(crate) fn done(&self, command: &mut Command) -> String {
        let output = command.stdin(Stdio::null()).output().unwrap();
        self.heard(&output);
        let (out, err) = texts(&output);
        assert!(
            output.status.success(),
            "{command:?}: {out}\n{err}\n{}",
            self.apache.said()
        );
        out
    }

    pub(crate) fn heard(&self, output: &Output) {
        self.said
            .borrow_mut()
            .push_str(&String::from_utf8_lossy(&output.stderr));
    }

    /// Starts a program, to be heard while it runs.
    pub(crate) fn started(command: &mut Command) -> Started {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let _nobody = sender.send(line);
            }
        });
        Started {
            child,
            lines,
            said: String::new(),
        }
    }

    /// Runs a program to its end at a terminal where this is typed; whether it succeeded, and all that stood there.
    pub(crate) fn at_a_terminal(command: &Command, typed: &str) -> (bool, String) {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let quoted: Vec<String> = words
            .map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''")))
            .collect();
        let mut script = Command::new("script");
        script
            .args(["-qefc", &quoted.join(" "), "/dev/null"])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, value) in command.get_envs() {
            script.env(name, value.unwrap_or_default());
        }
        let mut child = script.spawn().unwrap();
        // What is typed ahead waits in the terminal; the end of the input would be Ctrl-D.
        let mut keyboard = child.stdin.take().unwrap();
        keyboard.write_all(typed.as_bytes()).unwrap();
        let mut shown = String::new();
        child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
        drop(keyboard);
        (child.wait().unwrap().success(), shown)
    }

    pub(crate) fn secret(&self, text: &str) {
        self.secrets.borrow_mut().push(text.to_owned());
    }

    pub(crate) fn also_said(&self, text: &str) {
        self.said.borrow_mut().push_str(text);
    }

    /// No token in what programs told, in Apache's log, in Keystone's or the server's.
    pub(crate) fn nothing_secret_was_said(&self) {
        let all = [
            ("a program", self.said.borrow().clone()),
            ("Apache", self.apache.said()),
            ("Keystone", self.lab.log(1)),
            ("the server", self.server.said()),
        ];
        assert!(!self.secrets.borrow().is_empty());
        for secret in self.secrets.borrow().iter() {
            for (who, said) in &all {
                assert!(!said.contains(secret.as_str()), "{who} told a token");
            }
        }
    }
}

impl Started {
    /// Waits for a line that says this, and returns it.
    #[track_caller]
    pub(crate) fn says(&mut self, what: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let Ok(line) = line else {
                panic!("it does not say {what:?}:\n{}", self.said);
            };
            self.said.push_str(&line);
            self.said.push('\n');
            if line.contains(what) {
                return line;
            }
        }
    }

    /// Waits for its end: whether it succeeded, its standard output, all of its standard error.
    pub(crate) fn end(mut self) -> (bool, String, String) {
        let mut out = String::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        let status = self.child.wait().unwrap();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        (status.success(), out, self.said)
    }

    /// Walks through the pages that an address leads to, without a way back to a program.
    #[track_caller]
    pub(crate) fn walked(world: &World, user: &str, url: &str, more: &Value) -> Value {
        let mut all = json!({"comes_back": false});
        for (name, value) in more.as_object().unwrap() {
            all[name] = value.clone();
        }
        let (browser, seen) = world.browser(user, &all);
        world.done(Command::new(&browser).arg(url));
        World::seen(&seen)
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

pub(crate) fn texts(output: &Output) -> (String, String) {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn filled(name: &str, changes: &[(&str, &str)]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/mod-auth-openidc");
    let mut text = std::fs::read_to_string(folder.join(name)).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{name} does not say `{from}`");
        text = text.replace(from, to);
    }
    text
}

/// What an administrator of Keystone does once.
fn federate(lab: &KeystoneLab, server: &DevServer) {
    let group = lab.seed().groups["fed-users"].clone();
    let changes = [(ISSUER, server.issuer()), ("GROUP_ID", group.as_str())];
    let rules: Value = serde_json::from_str(&filled("mapping-terminal.json", &changes)).unwrap();
    let own = "/OS-FEDERATION/identity_providers/sealstone";
    for (path, body) in [
        (
            own.to_owned(),
            json!({"identity_provider": {"enabled": true, "remote_ids": [server.issuer()]}}),
        ),
        (
            "/OS-FEDERATION/mappings/terminal".to_owned(),
            json!({"mapping": {"rules": rules}}),
        ),
        (
            format!("{own}/protocols/openid"),
            json!({"protocol": {"mapping_id": "terminal"}}),
        ),
    ] {
        lab.change("PUT", &path, Some(&body));
    }
}

/// The example's site before the lab's Keystone.
fn apache(lab: &KeystoneLab, server: &DevServer, port: u16) -> Front {
    let own = format!("https://localhost:{port}");
    let made = server.administer(&[
        "client",
        "create",
        "keystone",
        "--auth-method",
        "client_secret_basic",
        "--grant",
        "authorization_code",
        "--redirect-uri",
        &format!("{own}/v3/auth/OS-FEDERATION/redirect_uri"),
        "--scope",
        "openid profile",
    ]);
    let secret = made["client_secret"].as_str().unwrap();
    let gateway = server
        .client("gateway")
        .registered()
        .client_secret
        .clone()
        .unwrap();
    let setup = FrontSetup::new();
    setup.write_certificate("server", &server.authority().server());
    setup.write(
        "sealstone-ca.pem",
        &std::fs::read_to_string(server.ca_path()).unwrap(),
    );
    setup.write("holder.lua", &filled("holder.lua", &[]));
    setup.write(
        "client.conf",
        &format!(
            "OIDCClientID keystone\nOIDCClientSecret {secret}\nOIDCOAuthClientID gateway\nOIDCOAuthClientSecret {gateway}\n\
             OIDCCryptoPassphrase {secret}\n"
        ),
    );
    let [node] = lab.nodes()[..] else {
        unreachable!("one node")
    };
    let node: u16 = node
        .trim_end_matches("/v3")
        .rsplit_once(':')
        .unwrap()
        .1
        .parse()
        .unwrap();
    // The lab's node speaks the uWSGI protocol twenty ports on.
    let uwsgi = format!("127.0.0.1:{}", node.checked_add(20).unwrap());
    let folder = setup.folder().to_string_lossy().into_owned();
    let config = filled(
        "keystone-terminal.conf",
        &[
            (ISSUER, server.issuer()),
            ("/etc/keystone-front", &folder),
            ("*:443", &format!("127.0.0.1:{port}")),
            (KEYSTONE, &own),
            ("127.0.0.1:5001", &uwsgi),
        ],
    );
    let modules = ["ssl", "lua", "auth_openidc", "proxy", "proxy_uwsgi", "authz_user"];
    setup.start(FrontKind::Apache, port, &config, &modules)
}
