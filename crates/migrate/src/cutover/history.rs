//! What a journal says happened.

use super::journal::JournalError;
use super::op::{Event, Op};
use super::pool::Pool;
use crate::form::TokenForm;
use crate::node::Node;

/// A way through the operations.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Course {
    /// What the nodes issue in the end.
    pub target: TokenForm,
    /// Whether it counts on bridges before the nodes.
    pub bridged: bool,
    /// The operations.
    pub ops: Vec<Op>,
    /// How many of them are done.
    pub done: usize,
    /// Whether the next one was begun.
    pub is_begun: bool,
    /// How long a token lives at most, in seconds.
    pub life_s: u64,
    /// How long after its issue a service may show a token, in seconds.
    pub late_s: u64,
}

impl Course {
    /// The operation that is due, or `None` when all are done.
    #[must_use]
    pub fn next(&self) -> Option<&Op> {
        self.ops.get(self.done)
    }

    /// Whether nothing is left but to remove the Fernet keys.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.next() == Some(&Op::Retire) && !self.is_begun
    }

    /// Whether every node serves what it shall.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.next().is_none() || self.is_waiting()
    }
}

/// The journal, played.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct History {
    /// The pool, at worst.
    pub pool: Pool,
    /// The last course.
    pub course: Course,
    /// When the last node that issued Fernet tokens stopped serving, in seconds since 1970.
    pub last_fernet_at: Option<u64>,
    /// When a node's configuration was changed last, in seconds since 1970.
    pub last_set_at: Option<u64>,
    /// When the last node that issued JWS tokens stopped serving.
    pub last_jws_at: Option<u64>,
    /// Why it stopped itself, if that was the last thing it did.
    pub stopped: Option<String>,
}

impl History {
    /// Plays the events of a journal; `None` for an empty one.
    ///
    /// # Errors
    /// [`JournalError::Story`] where they do not follow from each other.
    pub fn of(events: &[Event]) -> Result<Option<Self>, JournalError> {
        let mut history: Option<Self> = None;
        for (line, event) in (1..).zip(events) {
            let played = Self::play(&mut history, event);
            played.map_err(|fault| JournalError::Story { line, fault })?;
        }
        Ok(history)
    }

    /// One event more, that was written down just now.
    pub(super) fn play_one(history: &mut Option<Self>, event: &Event) -> Result<(), JournalError> {
        Self::play(history, event).map_err(|fault| JournalError::Story { line: 0, fault })
    }

    fn play(history: &mut Option<Self>, event: &Event) -> Result<(), &'static str> {
        match (event, history) {
            (
                Event::Course {
                    target,
                    needed,
                    bridged,
                    nodes,
                    out,
                    ops,
                    life_s,
                    late_s,
                    at: _,
                },
                history,
            ) => {
                let course = Course {
                    target: *target,
                    bridged: *bridged,
                    ops: ops.clone(),
                    done: 0,
                    is_begun: false,
                    life_s: *life_s,
                    late_s: *late_s,
                };
                history
                    .as_ref()
                    .map_or(Ok(()), |history| history.may_turn(nodes, out))?;
                let fresh = || Self {
                    pool: Pool::serving(nodes, *needed, TokenForm::Fernet),
                    course: course.clone(),
                    last_fernet_at: None,
                    last_jws_at: None,
                    last_set_at: None,
                    stopped: None,
                };
                let found = history.get_or_insert_with(fresh);
                found.course = course;
                found.pool.set_rules(*needed, *bridged);
                found.stopped = None;
                for node in out {
                    found.pool.found_out(node);
                }
                let sound = found.pool.verify(ops, *target);
                sound.map_err(|_unsafe| "a course that is not safe from there")
            }
            (_, None) => Err("no course was drawn up"),
            (Event::Begun { op, .. }, Some(history)) => history.begin(*op),
            (Event::Done { op, at }, Some(history)) => history.finish(*op, *at),
            (Event::Stopped { reason, .. }, Some(history)) => {
                history.stopped = Some(reason.clone());
                Ok(())
            }
        }
    }

    fn may_turn(&self, nodes: &[Node], out: &[Node]) -> Result<(), &'static str> {
        let known = self.pool.nodes();
        let same = nodes.len() == known.len() && nodes.iter().all(|node| known.contains_key(node));
        if !same {
            return Err("a course for other nodes");
        }
        let cut = self.cut_off();
        let explained = out.iter().all(|node| cut.contains(node));
        explained
            .then_some(())
            .ok_or("a node out of the pool that nothing took out")
    }

    /// Nodes whose place in or out of the pool nobody knows, since an operation on them was cut off.
    pub(super) fn cut_off(&self) -> Vec<Node> {
        match self.course.next() {
            Some(op) if self.course.is_begun => op.added().iter().chain(op.drained()).cloned().collect(),
            _ => Vec::new(),
        }
    }

    fn begin(&mut self, op: usize) -> Result<(), &'static str> {
        if op != self.course.done || self.course.is_begun {
            return Err("an operation out of turn");
        }
        let next = self.course.next().cloned().ok_or("an operation past the last")?;
        self.pool.begun(&next);
        self.course.is_begun = true;
        self.stopped = None;
        Ok(())
    }

    fn finish(&mut self, op: usize, at: u64) -> Result<(), &'static str> {
        if op != self.course.done || !self.course.is_begun {
            return Err("an operation done that was not begun");
        }
        let next = self.course.next().cloned().ok_or("an operation past the last")?;
        self.pool.done(&next);
        self.course.done = self.course.done.saturating_add(1);
        self.course.is_begun = false;
        self.stopped = None;
        if matches!(next, Op::Set(..)) {
            self.last_set_at = Some(at);
        }
        // From when on nobody got a token of that form.
        if !next.drained().is_empty() {
            let serves = |form| {
                !self
                    .pool
                    .names(|state| state.serves && state.form == form)
                    .is_empty()
            };
            if self.course.target == TokenForm::Jws && !serves(TokenForm::Fernet) {
                self.last_fernet_at = Some(at);
            }
            if self.course.target == TokenForm::Fernet && !serves(TokenForm::Jws) {
                self.last_jws_at = Some(at);
            }
        }
        Ok(())
    }
}
