//! Runs the built program.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use rustls_pki_types::UnixTime;
use serde_json::Value;

#[expect(
    clippy::disallowed_methods,
    reason = "the program under test reads the machine's clock"
)]
pub(crate) fn now() -> UnixTime {
    UnixTime::now()
}

pub(crate) struct Done {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// What it was asked to print may be secret; what it said besides holds none of that, then or later.
    fn of(output: Output) -> Self {
        let done = Self {
            status: output.status.code().expect("not killed"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        };
        if let Ok(document) = serde_json::from_str(&done.out) {
            sealstone_testkit::keep_secrets_of_json(&document);
        }
        sealstone_testkit::written_down("sealstone", &done.err);
        done
    }

    /// It worked: what it printed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.status, 0, "{}\n{}", self.out, self.err);
        self.out
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).expect("one JSON document")
    }

    /// It failed with this status, said this, and printed no data.
    #[track_caller]
    pub(crate) fn refused(self, status: i32, said: &str) -> String {
        assert_eq!(self.status, status, "{}\n{}", self.out, self.err);
        assert!(self.err.contains(said), "{}", self.err);
        assert_eq!(self.out, "");
        self.err
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealstone"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

pub(crate) fn sealstone(arguments: &[&str]) -> Done {
    Done::of(command(arguments).output().expect("starts"))
}

pub(crate) fn with_input(arguments: &[&str], input: &[u8]) -> Done {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    // A program that does not want its input closes it.
    let _ = child.stdin.take().expect("piped").write_all(input);
    Done::of(child.wait_with_output().expect("ends"))
}

pub(crate) fn with_env(arguments: &[&str], name: &str, value: &str) -> Done {
    if ["PASSWORD", "SECRET", "TOKEN"]
        .iter()
        .any(|word| name.contains(word))
    {
        sealstone_testkit::keep_secret(value);
    }
    Done::of(command(arguments).env(name, value).output().expect("starts"))
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}
