//! Commands of the operator's own, started with arguments and without a shell.

mod runner;

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Balancer, BalancerError, Member, Traffic};
use crate::node::Node;

pub use runner::HookRunner;

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
    /// It took too long.
    #[error(
        "`{command}` did not end within {after_s} s and was killed; what it has started may go on: see to it before \
         the next run, and give a longer --hook-limit to one that needs it"
    )]
    Late {
        /// All of it.
        command: String,
        /// How long it was given, in seconds.
        after_s: u64,
    },
    /// Another one has not ended, which an earlier run may have left behind.
    #[error(
        "a hook of before is still at work after {after_s} s: `fuser -v {path}` names it; wait for its end, or end it"
    )]
    Busy {
        /// What it holds.
        path: PathBuf,
        /// How long it was waited for, in seconds.
        after_s: u64,
    },
    /// The file by which hooks take turns.
    #[error("cannot {verb} {path}, by which hooks take turns: {source}")]
    Turn {
        /// What was to be done.
        verb: &'static str,
        /// Which.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
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
    /// Runs them.
    pub runner: HookRunner,
}

impl Balancer for BalancerHooks {
    fn look(&mut self, nodes: &[Node]) -> Result<BTreeMap<Node, Member>, BalancerError> {
        let mut all = BTreeMap::new();
        for node in nodes {
            let answer = self.runner.run(&self.state, node)?;
            let member = parse_state(&answer);
            let told = || HookError::Answer(self.state.words(node).join(" "));
            all.insert(node.clone(), member.ok_or_else(told)?);
        }
        Ok(all)
    }

    fn change(&mut self, add: &[Node], drain: &[Node]) -> Result<(), BalancerError> {
        for node in add {
            self.runner.run(&self.add, node)?;
        }
        for node in drain {
            self.runner.run(&self.drain, node)?;
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
    fn hooks_are_words() {
        let hook = Hook::parse("echo  state-of {node} ; $HOME").unwrap();
        let words = hook.words(&Node::parse("a").unwrap());
        assert_eq!(words, ["echo", "state-of", "a", ";", "$HOME"]);
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
