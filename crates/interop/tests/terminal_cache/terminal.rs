//! A person at a terminal: a home of their own, a browser that notes what it is told to open, and a browser of the
//! test that goes there.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use sealstone_interop::{Browser, DevServer, Step, built};

/// What `sealstone` of this build is.
pub(crate) fn program() -> PathBuf {
    built(
        "SEALSTONE",
        &["--package", "sealstone-cli", "--bin", "sealstone"],
        "sealstone",
    )
}

pub(crate) struct Terminal {
    home: tempfile::TempDir,
}

/// A program that ended.
pub(crate) struct Done {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    fn of(output: Output) -> Self {
        Self {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.status, Some(0), "{}\n{}", self.out, self.err);
        self.out
    }

    /// It ended with this status, said this, and printed no data.
    #[track_caller]
    pub(crate) fn refused(self, status: i32, said: &str) -> String {
        assert_eq!(self.status, Some(status), "{}\n{}", self.out, self.err);
        assert!(self.err.contains(said), "{}", self.err);
        assert_eq!(self.out, "");
        self.err
    }
}

/// A program that runs, and what it says.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let browser = home.path().join("browser");
        fs::write(&browser, "#!/bin/sh\nprintf '%s\\n' \"$1\" >>\"$HOME/opened\"\n").unwrap();
        fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).unwrap();
        Self { home }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// `sealstone` with nothing around it but a home. What is kept is not encrypted, so that tests can look at it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare(&program());
        command.args(arguments);
        command
    }

    pub(crate) fn bare(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", "/usr/bin:/bin")
            .env("BROWSER", self.home().join("browser"))
            .env("SEALSTONE_KEYRING", "off")
            .current_dir(self.home())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        Done::of(self.command(arguments).output().unwrap())
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::of(self.command(arguments))
    }

    /// What the browser was told to open.
    pub(crate) fn opened(&self) -> Vec<String> {
        let text = fs::read_to_string(self.home().join("opened")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn logins(&self) -> PathBuf {
        self.home().join(".cache/sealstone/logins")
    }

    /// The files of the cache but its locks.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.logins()) else {
            return Vec::new();
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().is_none_or(|end| end != "lock"))
            .collect()
    }

    /// Lets an hour pass for what is kept: it has ended.
    pub(crate) fn age(&self) {
        for path in self.files() {
            let text = fs::read_to_string(&path).unwrap();
            if text.contains("\"kind\":\"key\"") {
                continue;
            }
            let mut parts = text.split("\"expires_at\":");
            let mut aged = parts.next().unwrap().to_owned();
            for part in parts {
                aged.push_str("\"expires_at\":1");
                aged.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
            }
            fs::write(&path, aged).unwrap();
        }
    }

    /// Logs somebody in, by a browser.
    pub(crate) fn log_in(&self, server: &DevServer, arguments: &[&str]) -> Done {
        let mut running = self.start(&[&["login"], arguments, &["--browser"]].concat());
        let url = running.url();
        come_back(&sign_in(server, &url));
        running.end()
    }
}

impl Running {
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stderr = child.stderr.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self {
            child,
            lines,
            said: Vec::new(),
        }
    }

    /// The next line on standard error that is so.
    #[track_caller]
    pub(crate) fn line(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60));
            let line = line.unwrap_or_else(|_| panic!("it said only {:?}", self.said));
            self.said.push(line.clone());
            if is_it(&line) {
                return line;
            }
        }
    }

    /// The address that a person is to open.
    #[track_caller]
    pub(crate) fn url(&mut self) -> String {
        self.line(|line| line.trim_start().starts_with("http"))
            .trim()
            .to_owned()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// As the power going out for it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn end(mut self) -> Done {
        let mut out = String::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut out)
            .unwrap();
        let status = self.child.wait().unwrap();
        self.said.extend(self.lines.iter());
        Done {
            status: status.code(),
            out,
            err: self.said.join("\n"),
        }
    }
}

/// Signs the demo's person in where the page asks for it, allows what is asked, and returns where the browser ends.
pub(crate) fn sign_in(server: &DevServer, url: &str) -> String {
    let mut browser = server.browser();
    let mut step = browser.open(url);
    for _ in 0..4 {
        step = match step {
            Step::Left(url) => return url,
            Step::Page(page) => answered(server, &mut browser, &page),
        };
    }
    step.left()
}

/// The same for a code: nobody is sent anywhere at the end.
pub(crate) fn enter(server: &DevServer, url: &str) {
    let mut browser = server.browser();
    let mut step = browser.open(url);
    for _ in 0..5 {
        let Step::Page(page) = step else {
            panic!("left the server")
        };
        if page
            .forms()
            .iter()
            .all(|form| form.buttons.is_empty() && form.fields.is_empty())
        {
            return;
        }
        step = answered(server, &mut browser, &page);
    }
}

fn answered(server: &DevServer, browser: &mut Browser, page: &sealstone_interop::Page) -> Step {
    let user = server.user("demo");
    let forms = page.forms();
    let has = |field: &str| {
        forms
            .iter()
            .any(|form| form.fields.iter().any(|(known, _)| known == field))
    };
    if has("password") {
        let typed = [("user_name", user.name.as_str()), ("password", &user.password)];
        return browser.submit(page, &typed);
    }
    assert_eq!(page.answer.status, 200, "{}", page.answer.text());
    let mut buttons = forms.iter().flat_map(|form| form.buttons.iter());
    if buttons.any(|(name, value)| name == "allow" || value == "allow") {
        let project = [("project", "demo-project")];
        let asked = page.answer.text().contains("name=\"project\"");
        return browser.press(page, "allow", if asked { &project } else { &[] });
    }
    browser.submit(page, &[])
}

/// The browser goes to the port that waits for it.
pub(crate) fn come_back(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}
