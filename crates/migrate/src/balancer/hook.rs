//! Commands of the operator's own, started with arguments and without a shell.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::process::{Command, Stdio};

use super::{Balancer, BalancerError, Member, Traffic};
use crate::node::Node;

/// As much of what a program says as fits a message.
const MAX_SAID: u64 = 2048;
/// How long a command may be, in characters: what fits a line of a shell's history.
const MAX_COMMAND: usize = 1024;

/// A program and its arguments, in words; `{node}` in a word is the node's name. No shell reads it: quotes, `|` and `$`
/// mean nothing. What needs a shell is a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook(Vec<String>);

/// Why a hook is none, or did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// Not a command.
    #[error("not a command: a program and its arguments, on one line of at most 1024 characters")]
    Invalid,
    /// It could not be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// Which.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// It failed.
    #[error("`{command}` failed ({status}): {said}")]
    Failed {
        /// All of it.
        command: String,
        /// How it ended.
        status: String,
        /// What it said.
        said: String,
    },
    /// It answered something else.
    #[error("`{0}` must print `serving N` or `drained N`, N being the open requests, and nothing else")]
    Answer(String),
}

impl Hook {
    /// Splits at blanks.
    ///
    /// # Errors
    /// [`HookError::Invalid`].
    pub fn parse(text: &str) -> Result<Self, HookError> {
        let words: Vec<String> = text
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        let is_good =
            !words.is_empty() && text.chars().count() <= MAX_COMMAND && !text.chars().any(char::is_control);
        is_good.then_some(Self(words)).ok_or(HookError::Invalid)
    }

    /// The words for a node.
    #[must_use]
    pub fn words(&self, node: &Node) -> Vec<String> {
        let words = self.0.iter();
        words.map(|word| word.replace("{node}", node.as_str())).collect()
    }

    /// Runs it to its end, and gives what it printed.
    ///
    /// # Errors
    /// [`HookError`]; what it printed on either stream is in it.
    pub fn run(&self, node: &Node) -> Result<String, HookError> {
        let words = self.words(node);
        let Some((program, arguments)) = words.split_first() else {
            return Err(HookError::Invalid);
        };
        let start = |source| HookError::Start {
            program: program.clone(),
            source,
        };
        // Into files, not pipes: what it leaves behind in the background may hold a stream open for ever.
        let mut printed = tempfile::tempfile().map_err(start)?;
        let mut complained = tempfile::tempfile().map_err(start)?;
        let status = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(printed.try_clone().map_err(start)?)
            .stderr(complained.try_clone().map_err(start)?)
            .status()
            .map_err(start)?;
        let read = |file: &mut std::fs::File| {
            let mut bytes = Vec::new();
            let read = file
                .seek(SeekFrom::Start(0))
                .and_then(|_start| file.take(MAX_SAID).read_to_end(&mut bytes));
            read.map(|_count| String::from_utf8_lossy(&bytes).into_owned())
                .map_err(start)
        };
        let output = read(&mut printed)?;
        if status.success() {
            return Ok(output);
        }
        let said = format!("{} {}", read(&mut complained)?.trim(), output.trim());
        let said: String = said
            .trim()
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        Err(HookError::Failed {
            command: words.join(" "),
            status: status.to_string(),
            said: if said.is_empty() {
                "it did not say why".to_owned()
            } else {
                said
            },
        })
    }
}

impl std::fmt::Display for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

/// A balancer that is driven by commands.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers say how their balancer is driven"
)]
pub struct BalancerHooks {
    /// Takes a node out of the pool; its open requests finish.
    pub drain: Hook,
    /// Lets a node take requests.
    pub add: Hook,
    /// Prints `serving N` or `drained N`: whether the node gets new requests, and how many are open.
    pub state: Hook,
}

impl Balancer for BalancerHooks {
    fn look(&mut self, nodes: &[Node]) -> Result<BTreeMap<Node, Member>, BalancerError> {
        let mut all = BTreeMap::new();
        for node in nodes {
            let answer = self.state.run(node)?;
            let member = parse_state(&answer);
            let told = || HookError::Answer(self.state.words(node).join(" "));
            all.insert(node.clone(), member.ok_or_else(told)?);
        }
        Ok(all)
    }

    fn change(&mut self, add: &[Node], drain: &[Node]) -> Result<(), BalancerError> {
        for node in add {
            self.add.run(node)?;
        }
        for node in drain {
            self.drain.run(node)?;
        }
        Ok(())
    }

    fn traffic(&mut self) -> Result<Option<Traffic>, BalancerError> {
        Ok(None)
    }
}

fn parse_state(answer: &str) -> Option<Member> {
    let (state, open) = answer.trim_end().split_once(' ')?;
    let takes = match state {
        "serving" => true,
        "drained" => false,
        _ => return None,
    };
    Some(Member {
        takes,
        healthy: true,
        open: open.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_words_and_their_failure_is_told() {
        let node = Node::parse("a").unwrap();
        let run = |text: &str| Hook::parse(text).unwrap().run(&node);
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
        for bad in ["", "  ", "a\nb", &"a".repeat(1025)] {
            assert!(Hook::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_state_is_one_of_two_with_a_number() {
        let member = |takes, open| {
            Some(Member {
                takes,
                healthy: true,
                open,
            })
        };
        for (answer, want) in [
            ("serving 3\n", member(true, 3)),
            ("drained 0", member(false, 0)),
            ("drained", None),
            ("drained 0 or so", None),
            ("drained -1", None),
            ("ready 0", None),
            ("", None),
        ] {
            assert_eq!(parse_state(answer), want, "{answer:?}");
        }
    }
}
