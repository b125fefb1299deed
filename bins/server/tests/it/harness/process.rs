//! `sealstoned` as a child process, and what it has said.

use std::ffi::OsStr;
use std::future::Future;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Longer than anything here takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Lines of one stream so far.
#[derive(Clone)]
struct Output {
    lines: Arc<Mutex<Vec<String>>>,
    /// How many lines; `usize::MAX` after the last.
    seen: watch::Receiver<usize>,
}

impl Output {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sender, seen) = watch::channel(0);
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { break };
                let count = {
                    let mut lines = kept.lock().unwrap();
                    lines.push(line);
                    lines.len()
                };
                sender.send_replace(count);
            }
            sender.send_replace(usize::MAX);
        });
        Self { lines, seen }
    }

    fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

/// A running `sealstoned`; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    out: Output,
    err: Output,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    pub(crate) fn command(arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealstoned"));
        command.args(arguments).stdin(Stdio::null()).env("NO_COLOR", "1");
        command
    }

    pub(crate) fn start(arguments: &[impl AsRef<OsStr>]) -> Self {
        let mut child = Self::command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = Output::of(child.stdout.take().unwrap());
        let err = Output::of(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard error.
    pub(crate) fn log(&self) -> String {
        self.err.text()
    }

    /// What it wrote to standard output.
    pub(crate) fn output(&self) -> String {
        self.out.text()
    }

    /// How many lines the log has.
    pub(crate) fn log_length(&self) -> usize {
        self.err.lines.lock().unwrap().len()
    }

    /// The first line of the log, from number `from` on, that `wanted` takes something from.
    pub(crate) async fn logged_from<T>(&self, from: usize, wanted: impl Fn(&str) -> Option<T>) -> T {
        self.line(&self.err, from, wanted).await
    }

    /// The first line of the log that `wanted` takes something from.
    pub(crate) async fn logged<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> T {
        self.line(&self.err, 0, wanted).await
    }

    /// The first line of standard output that `wanted` takes something from.
    pub(crate) async fn said<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> T {
        self.line(&self.out, 0, wanted).await
    }

    async fn line<T>(&self, output: &Output, from: usize, wanted: impl Fn(&str) -> Option<T>) -> T {
        let mut seen = output.seen.clone();
        let mut read = from;
        let search = async {
            loop {
                let count = *seen.borrow_and_update();
                {
                    let lines = output.lines.lock().unwrap();
                    if let Some(found) = lines.iter().skip(read).find_map(|line| wanted(line)) {
                        return Some(found);
                    }
                    read = lines.len().max(from);
                }
                if count == usize::MAX {
                    return None;
                }
                let _ = seen.changed().await;
            }
        };
        match tokio::time::timeout(DEADLINE, search).await {
            Ok(Some(found)) => found,
            Ok(None) => panic!("the program ended:\n{}\n{}", self.out.text(), self.err.text()),
            Err(_) => panic!("not said in time:\n{}\n{}", self.out.text(), self.err.text()),
        }
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its own end, and for the last of its words.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        for output in [&self.out, &self.err] {
            let mut seen = output.seen.clone();
            let closed = tokio::time::timeout(DEADLINE, seen.wait_for(|seen| *seen == usize::MAX)).await;
            assert!(closed.is_ok(), "it did not end:\n{}", self.err.text());
        }
        self.child.wait().unwrap()
    }

    /// SIGTERM, and an end in order.
    pub(crate) async fn stop(&mut self) {
        signal(self.id(), "TERM");
        let status = self.ended().await;
        assert!(status.success(), "{status}: {}", self.err.text());
    }
}

/// Sends a signal by its short name.
pub(crate) fn signal(process: u32, name: &str) {
    let sent = Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", name, &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Tries until it holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let tries = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(DEADLINE, tries).await;
    assert!(in_time.is_ok(), "not in time: {what}");
}
