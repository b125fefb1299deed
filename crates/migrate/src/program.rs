//! Programs of others, none of which is waited for without an end.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::error::InventoryError;
use crate::node::SshHost;
use crate::source::Programs;

/// As much of what a program complains about as fits a message.
const MAX_COMPLAINT: u64 = 2048;
/// A node that does not answer within 20 s is down, or the name is wrong.
const CONNECT: &str = "ConnectTimeout=20";
/// A connection on which nothing comes back for three quarters of a minute is dead; `ssh` finds it out by itself, also
/// when nobody is left to kill it.
const ALIVE: [&str; 2] = ["ServerAliveInterval=15", "ServerAliveCountMax=3"];

/// `ssh` to a host, which asks nobody for anything; words for the shell there follow.
pub(crate) fn ssh(programs: &Programs, host: &SshHost) -> Command {
    let mut command = Command::new(&programs.ssh);
    command.arg("-T");
    for option in ["BatchMode=yes", CONNECT, "ClearAllForwardings=yes"]
        .into_iter()
        .chain(ALIVE)
    {
        command.args(["-o", option]);
    }
    command.args(["--", host.as_str()]);
    command
}

/// A program at work. With a limit it is killed when that has passed, and with it what it started: so that whoever reads
/// what it prints comes to an end, too.
pub(crate) struct Running {
    program: PathBuf,
    child: Child,
    complaint: File,
    pid: Option<Pid>,
    limit: Duration,
    state: Arc<Mutex<State>>,
    /// Nothing is sent: when it goes, nobody watches any more.
    _watched: Option<Sender<()>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Runs,
    /// Its number may be another program's by now.
    Ended,
    Killed,
}

impl Running {
    /// Starts it, in a group of processes of its own where there is a limit.
    pub(crate) fn start(
        command: &mut Command,
        input: Stdio,
        limit: Option<Duration>,
    ) -> Result<Self, InventoryError> {
        let program = PathBuf::from(command.get_program());
        let no_file = || InventoryError::io("make a file in", &std::env::temp_dir());
        let complaint = tempfile::tempfile().map_err(no_file())?;
        let copy = complaint.try_clone().map_err(no_file())?;
        if limit.is_some() {
            command.process_group(0);
        }
        let child = command
            .env("LC_ALL", "C")
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(copy)
            .spawn()
            .map_err(InventoryError::io("start", &program))?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let mut running = Self {
            program,
            child,
            complaint,
            pid,
            limit: limit.unwrap_or_default(),
            state: Arc::new(Mutex::new(State::Runs)),
            _watched: None,
        };
        if let (Some(limit), Some(pid)) = (limit, pid) {
            let (watched, watching) = channel();
            let state = Arc::clone(&running.state);
            running._watched = Some(watched);
            thread::Builder::new()
                .spawn(move || kill_late(&watching, limit, pid, &state))
                .map_err(InventoryError::io("watch", &running.program))?;
        }
        Ok(running)
    }

    /// Where it reads, once, if it was started with a pipe.
    pub(crate) const fn input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// What it prints, once.
    pub(crate) const fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for its end; how it ended, and what it complained about.
    pub(crate) fn end(mut self) -> Result<(ExitStatus, String), InventoryError> {
        let failed = || InventoryError::io("wait for", &self.program);
        drop(self.child.stdin.take());
        if let Some(pid) = self.pid {
            // It stays a zombie, so that its number stays its own until nobody kills by that any more.
            let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), ended))
                .map_err(|error| failed()(error.into()))?;
        }
        let ended = {
            let mut state = lock(&self.state);
            std::mem::replace(&mut *state, State::Ended)
        };
        let status = self.child.wait().map_err(failed())?;
        if ended == State::Killed {
            return Err(InventoryError::Late {
                program: self.program.display().to_string(),
                after_s: self.limit.as_secs(),
            });
        }
        Ok((status, told(self.complaint)))
    }
}

fn kill_late(watching: &Receiver<()>, limit: Duration, pid: Pid, state: &Mutex<State>) {
    if watching.recv_timeout(limit) != Err(RecvTimeoutError::Timeout) {
        return;
    }
    let mut state = lock(state);
    if *state == State::Runs {
        *state = State::Killed;
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a program wrote on standard error, on one line and without what would steer a terminal.
fn told(mut complaint: File) -> String {
    let mut bytes = Vec::new();
    let read = complaint
        .seek(SeekFrom::Start(0))
        .and_then(|_start| complaint.take(MAX_COMPLAINT).read_to_end(&mut bytes));
    match read {
        Ok(1..) => {
            let text = String::from_utf8_lossy(&bytes);
            let text: String = text
                .trim()
                .chars()
                .map(|c| match c {
                    '\n' => ';',
                    c if c.is_control() => '\u{fffd}',
                    c => c,
                })
                .collect();
            text
        }
        _ => "it did not say why".to_owned(),
    }
}
