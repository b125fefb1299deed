//! Audit events before `pycadf`.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// How many of these lines `pycadf` takes; it stops at the first that it does not.
#[must_use]
pub fn cadf_judged<Line: AsRef<str>>(lines: impl IntoIterator<Item = Line>) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut judge = Command::new(folder.join("../../target/interop-python/bin/python"))
        .arg(folder.join("clients/python/cadf_events.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Python of the interop tests");
    let lines = lines.into_iter().map(|line| format!("{}\n", line.as_ref()));
    let text: String = lines.collect();
    let mut given = judge.stdin.take().expect("a pipe");
    // It hangs up at what it does not take.
    let _hung_up = given.write_all(text.as_bytes());
    drop(given);
    let said = judge.wait_with_output().expect("it ends").stdout;
    String::from_utf8_lossy(&said).trim().parse().unwrap_or_default()
}
