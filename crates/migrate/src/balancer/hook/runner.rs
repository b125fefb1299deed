//! Hooks that run to their end, none for ever and no two at once.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::{Hook, HookError};
use crate::node::Node;

/// As much of what a program says as fits a message.
const MAX_SAID: u64 = 2048;
/// How often a program is looked at in the end: what takes seconds is not kept waiting for longer.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How soon it is looked at first: most that drain or tell a state are done by then.
const LOOK_FIRST: Duration = Duration::from_millis(2);

/// How hooks are run.
///
/// A run that is killed leaves its hook behind, and the next run would start the same one beside it: two restarts of one
/// node at the same time. So hooks take turns by a file that each holds, locked, as its standard input as long as it, or
/// anything that it started and that keeps this input, is at work. The file is empty, and reads as `/dev/null` does.
#[derive(Debug, Clone)]
pub struct HookRunner {
    limit: Duration,
    pause: fn(Duration),
    turn: Option<PathBuf>,
}

impl HookRunner {
    /// How long a hook may take where nobody said: twice what systemd gives a service to stop and to start (90 s each),
    /// and no more than a person waits for.
    pub const LIMIT: Duration = Duration::from_secs(300);

    /// A hook that is not done after `limit` is killed; `pause` lets time pass.
    #[must_use]
    pub const fn new(limit: Duration, pause: fn(Duration)) -> Self {
        Self {
            limit,
            pause,
            turn: None,
        }
    }

    /// The same, and no hook begins before all have ended that were run with this file, by this process or another: one
    /// is waited for as long as it may take.
    #[must_use]
    pub fn in_turn(mut self, path: &Path) -> Self {
        self.turn = Some(path.to_owned());
        self
    }

    /// Runs a hook to its end, and gives what it printed.
    ///
    /// # Errors
    /// [`HookError`]; of a hook that failed, what it printed on either stream is in it.
    pub fn run(&self, hook: &Hook, node: &Node) -> Result<String, HookError> {
        let words = hook.words(node);
        let Some((program, arguments)) = words.split_first() else {
            return Err(HookError::Invalid);
        };
        let start = |source| HookError::Start {
            program: program.clone(),
            source,
        };
        let input = self.turn()?.map_or_else(Stdio::null, Stdio::from);
        // Into files, not pipes: what it leaves behind in the background may hold a stream open for ever.
        let mut printed = tempfile::tempfile().map_err(start)?;
        let mut complained = tempfile::tempfile().map_err(start)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(input)
            .stdout(printed.try_clone().map_err(start)?)
            .stderr(complained.try_clone().map_err(start)?)
            .spawn()
            .map_err(start)?;
        let Some(status) = self.end_of(&mut child).map_err(start)? else {
            return Err(HookError::Late {
                command: words.join(" "),
                after_s: self.limit.as_secs(),
            });
        };
        let output = read(&mut printed).map_err(start)?;
        if status.success() {
            return Ok(output);
        }
        Err(failed(
            &words,
            status,
            &read(&mut complained).map_err(start)?,
            &output,
        ))
    }

    /// The file, locked, when it is this hook's turn.
    fn turn(&self) -> Result<Option<File>, HookError> {
        let Some(path) = &self.turn else {
            return Ok(None);
        };
        let failed = |verb| {
            move |source| HookError::Turn {
                verb,
                path: path.clone(),
                source,
            }
        };
        let mut options = File::options();
        let options = options.read(true).append(true).create(true).mode(0o600);
        let file = options.open(path).map_err(failed("open"))?;
        let mut waits = Waits::default();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
                Err(TryLockError::WouldBlock) if waits.total >= self.limit => {
                    return Err(HookError::Busy {
                        path: path.clone(),
                        after_s: self.limit.as_secs(),
                    });
                }
                Err(TryLockError::WouldBlock) => (self.pause)(waits.next()),
            }
        }
    }

    /// How it ended; `None` if it was killed for not ending.
    fn end_of(&self, child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
        let mut waits = Waits::default();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if waits.total >= self.limit {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            (self.pause)(waits.next());
        }
    }
}

/// Short pauses that become longer.
#[derive(Default)]
struct Waits {
    last: Duration,
    total: Duration,
}

impl Waits {
    fn next(&mut self) -> Duration {
        self.last = self.last.saturating_mul(2).clamp(LOOK_FIRST, LOOK_AGAIN);
        self.total = self.total.saturating_add(self.last);
        self.last
    }
}

fn read(file: &mut File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(MAX_SAID).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn failed(words: &[String], status: ExitStatus, complained: &str, printed: &str) -> HookError {
    let said = format!("{} {}", complained.trim(), printed.trim());
    let said: String = said
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    HookError::Failed {
        command: words.join(" "),
        status: status.to_string(),
        said: if said.is_empty() {
            "it did not say why".to_owned()
        } else {
            said
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::disallowed_methods,
        reason = "a hook is a process: its time is the machine's"
    )]
    fn pause(span: Duration) {
        std::thread::sleep(span);
    }

    fn runner(seconds: u64) -> HookRunner {
        HookRunner::new(Duration::from_secs(seconds), pause)
    }

    fn node() -> Node {
        Node::parse("a").unwrap()
    }

    fn hook(text: &str) -> Hook {
        Hook::parse(text).unwrap()
    }

    #[test]
    fn what_it_prints_is_given_and_its_failure_told() {
        let run = |text: &str| runner(60).run(&hook(text), &node());
        assert_eq!(
            run("echo  state-of {node} ; $HOME").unwrap(),
            "state-of a ; $HOME\n"
        );
        let refused = run("ls /nonexistent/{node}").unwrap_err().to_string();
        assert!(
            refused.contains("ls /nonexistent/a") && refused.contains("No such file"),
            "{refused}"
        );
        assert!(matches!(
            run("/nonexistent/program"),
            Err(HookError::Start { .. })
        ));
        assert_eq!(run("cat").unwrap(), "", "nothing is there to be read");
    }

    #[test]
    fn one_that_does_not_end_is_killed() {
        let refused = runner(1).run(&hook("sleep 3600"), &node()).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains("`sleep 3600` did not end within 1 s and was killed"),
            "{refused}"
        );
    }

    #[test]
    fn the_next_waits_for_one_that_a_killed_run_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let turn = folder.path().join("journal.hooks");
        let order = folder.path().join("order");
        // As such a run leaves one: at work, with the file as its input, and nobody who waits for it.
        let left = runner(60).in_turn(&turn).turn().unwrap().unwrap();
        let go = folder.path().join("go");
        let script = format!(
            "until [ -e {} ]; do sleep 0.01; done; echo first >> {}",
            go.display(),
            order.display()
        );
        let mut first = Command::new("sh")
            .args(["-c", &script])
            .stdin(left)
            .spawn()
            .unwrap();
        let second = hook(&format!("sh {}", folder.path().join("second").display()));
        std::fs::write(
            folder.path().join("second"),
            format!("cat; echo second >> {}", order.display()),
        )
        .unwrap();
        // It is waited for as long as it may take, and then refused, not run beside it.
        let refused = runner(1).in_turn(&turn).run(&second, &node()).unwrap_err();
        assert!(
            refused.to_string().contains("a hook of before is still at work"),
            "{refused}"
        );
        assert!(!order.exists());
        std::fs::write(&go, "").unwrap();
        runner(60).in_turn(&turn).run(&second, &node()).unwrap();
        assert_eq!(std::fs::read_to_string(&order).unwrap(), "first\nsecond\n");
        first.wait().unwrap();
        runner(60).in_turn(&turn).run(&second, &node()).unwrap();
    }
}
