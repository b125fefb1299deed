//! Runs commands: shows or keeps what they print, and counts the tests that they report.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use crate::summary::Counts;

/// Lines of a failed step that are shown again when the step ran quietly.
const KEPT_LINES: usize = 400;

/// One command of a step.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directory: PathBuf,
}

impl Call {
    /// A command line of words without spaces, run in `directory`.
    pub(crate) fn new(directory: &Path, line: &str) -> Self {
        let mut words = line.split_whitespace().map(str::to_owned);
        Self {
            program: words.next().unwrap_or_default(),
            arguments: words.collect(),
            environment: Vec::new(),
            directory: directory.to_path_buf(),
        }
    }

    /// Another program: one whose path may have spaces.
    pub(crate) fn program(mut self, path: &str) -> Self {
        path.clone_into(&mut self.program);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// As one would type it, run from the workspace's root.
    pub(crate) fn shown(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.environment.iter().filter(|(name, _)| name != "PATH") {
            let _ = write!(text, "{name}={} ", quoted(value));
        }
        text.push_str(&self.program);
        for argument in &self.arguments {
            let _ = write!(text, " {}", quoted(argument));
        }
        text
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.directory)
            .stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // What `cargo run` sets for this program is not meant for the programs it starts.
        for name in [
            "CARGO_MANIFEST_DIR",
            "CARGO_MANIFEST_PATH",
            "CARGO_PKG_NAME",
            "CARGO_PKG_VERSION",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Runs it, prints its lines (all, or only when it fails), and returns the tests that it reported.
    pub(crate) fn run(&self, verbose: bool) -> Result<Counts, String> {
        let spawned = self
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = spawned.map_err(|error| format!("cannot start `{}`: {error}", self.program))?;
        let (sender, lines) = mpsc::channel::<String>();
        let readers = [
            child.stdout.take().map(|pipe| forward(pipe, sender.clone())),
            child.stderr.take().map(|pipe| forward(pipe, sender.clone())),
        ];
        drop(sender);
        let mut counts = Counts::default();
        let mut kept: Vec<String> = Vec::new();
        for line in lines {
            counts.read(&line);
            if verbose {
                println!("{line}");
            } else {
                kept.push(line);
            }
        }
        for reader in readers.into_iter().flatten() {
            let _ = reader.join();
        }
        let status = child.wait().map_err(|error| error.to_string())?;
        if status.success() {
            return Ok(counts);
        }
        for line in kept.iter().skip(kept.len().saturating_sub(KEPT_LINES)) {
            println!("{line}");
        }
        counts.fail_at_least_one();
        Err(format!(
            "`{}` ended with {status}\n{}",
            self.shown(),
            counts.line()
        ))
    }

    /// What it prints on standard output, if it succeeds.
    pub(crate) fn output(&self) -> Option<String> {
        let output = self.command().stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+".contains(c);
    if word.chars().all(plain) && !word.is_empty() {
        word.to_owned()
    } else {
        format!("'{word}'")
    }
}

fn forward(pipe: impl Read + Send + 'static, sender: mpsc::Sender<String>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if sender.send(text).is_err() {
                break;
            }
        }
    })
}
