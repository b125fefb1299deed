use crate::compare::Theirs;
use sealstone_interop::KeystoneLab;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// One process of Python with Keystone's mapping engine.
pub(crate) struct Oracle {
    child: Child,
    asked: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    pub(crate) fn start() -> Self {
        Self::start_with_seed(0)
    }

    /// With this order of Python's sets.
    pub(crate) fn start_with_seed(seed: u32) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python/mapping_oracle.py");
        let mut child = Command::new(KeystoneLab::python())
            .arg(script)
            .env("PYTHONHASHSEED", seed.to_string())
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python of the lab");
        let asked = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Self {
            child,
            asked,
            answers,
        }
    }

    pub(crate) fn ask_raw(&mut self, case: &Value) -> Value {
        let asked = self.asked.as_mut().expect("an open pipe");
        writeln!(asked, "{case}").expect("a running oracle");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?} to {case}"))
    }

    pub(crate) fn ask(&mut self, case: &Value) -> Theirs {
        Theirs::of(&self.ask_raw(case))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.asked.take());
        let _ = self.child.wait();
    }
}
