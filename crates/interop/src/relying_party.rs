//! Relying parties that others wrote, with the test as their browser: a program says where to send the person, and is
//! told where the person came back to.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A library that logs people in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Library {
    /// openid-client 6 on Node.js.
    OpenidClient,
    /// Authlib on Python.
    Authlib,
}

impl Library {
    fn command(self) -> Command {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        match self {
            Self::OpenidClient => {
                let mut command = Command::new("node");
                command.arg(folder.join("node/openid-client-login.mjs"));
                command
            }
            Self::Authlib => {
                let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
                let mut command = Command::new(root.join("target/interop-python/bin/python"));
                command.arg(folder.join("python/authlib_login.py"));
                command
            }
        }
    }
}

/// A program that speaks one line of JSON at a time.
#[derive(Debug)]
pub struct RelyingParty {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl RelyingParty {
    /// Starts one with these parameters: `issuer`, `ca`, `client_id`, `client_secret`, `auth`, `redirect_uri`, `scope`,
    /// and `authorize`, an object of further parameters of the authorization request.
    #[must_use]
    pub fn start(library: Library, parameters: &Value) -> Self {
        let mut child = library
            .command()
            .arg(parameters.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        Self {
            child,
            stdin: stdin.expect("a pipe"),
            stdout: BufReader::new(stdout.expect("a pipe")),
        }
    }

    /// Asks for one step: `{"do": "authorize"}` answers `url`; `{"do": "callback", "url": …}` answers `tokens` and
    /// `claims`; then `userinfo`, `refresh`, `logout`, and `device`. A failure is `{"error": …}`.
    #[must_use]
    pub fn step(&mut self, name: &str, more: Value) -> Value {
        let mut step = json!({ "do": name });
        if let (Value::Object(step), Value::Object(more)) = (&mut step, more) {
            step.extend(more);
        }
        writeln!(self.stdin, "{step}").expect("the program listens");
        self.stdin.flush().expect("the program listens");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("the program answers");
        serde_json::from_str(&line).expect("a line of JSON")
    }
}

impl Drop for RelyingParty {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
