//! Works a course off.

mod perform;
mod survey;

use std::collections::BTreeSet;
use std::time::Duration;

use super::error::CutoverError;
use super::history::History;
use super::journal::Journal;
use super::op::{Event, Op};
use super::pool::{Pool, Unsafe};
use super::ports::Ports;
use super::watch::{Limits, Sample};
use crate::form::TokenForm;
use crate::inventory::NodeRecord;
use crate::node::Node;
use crate::plan::Plan;

/// What was begun is finished as it was begun.
const ANOTHER_PLAN: &str = "the journal goes on with the plan that it was begun with, which is another than this one; to \
                            go by this one, take the change back first (`sealstone migrate rollback`)";

/// How the change is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers say how they want it")]
pub struct CutoverOptions {
    /// When it stops by itself.
    pub limits: Limits,
    /// How long the open requests of a node may take to end.
    pub drain_limit: Duration,
    /// How long a node may take to answer after its restart.
    pub restart_limit: Duration,
    /// Bridges stand before the nodes: refusals are never due.
    pub is_bridged: bool,
    /// Remove the Fernet keys when all is done.
    pub retires: bool,
}

impl Default for CutoverOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            // Twice what a proxy before Keystone commonly waits for an answer.
            drain_limit: Duration::from_secs(120),
            // A Keystone with many workers on a busy machine takes half a minute.
            restart_limit: Duration::from_secs(120),
            is_bridged: false,
            retires: false,
        }
    }
}

/// How a run ended that ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Every node serves JWS tokens; the Fernet keys stay until then, in seconds since 1970.
    KeysKept(u64),
    /// The Fernet keys are gone, too.
    Retired,
    /// Every node serves Fernet tokens again; the public JWS keys are of use to bridges until then, if any JWS token was
    /// issued.
    RolledBack(Option<u64>),
}

/// A change, and everything that it is made with.
#[expect(missing_debug_implementations, reason = "ports are whatever they are")]
pub struct Cutover<'a> {
    journal: &'a mut dyn Journal,
    history: Option<History>,
    ports: Ports<'a>,
    options: CutoverOptions,
    /// Nodes that this run has checked since it changed them.
    checked: BTreeSet<Node>,
    records: Vec<NodeRecord>,
    /// The shares before this run.
    before: Sample,
    refusals_are_due: bool,
}

impl<'a> Cutover<'a> {
    /// `events` are what the journal holds.
    ///
    /// # Errors
    /// [`CutoverError::Journal`] where they do not follow from each other.
    pub fn new(
        journal: &'a mut dyn Journal,
        events: &[Event],
        ports: Ports<'a>,
        options: CutoverOptions,
    ) -> Result<Self, CutoverError> {
        Ok(Self {
            journal,
            history: History::of(events)?,
            ports,
            options,
            checked: BTreeSet::new(),
            records: Vec::new(),
            before: Sample::default(),
            refusals_are_due: false,
        })
    }

    /// What happened so far.
    #[must_use]
    pub const fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// Brings every node to JWS tokens by this plan, or goes on where the journal ends.
    ///
    /// # Errors
    /// [`CutoverError`]; the pool is safe then, and another run goes on.
    pub fn forward(&mut self, plan: &Plan) -> Result<Outcome, CutoverError> {
        let is_new = match &self.history {
            None => true,
            Some(history) if history.course.target == TokenForm::Jws => false,
            Some(history) if history.course.is_over() => true,
            Some(_) => return Err(CutoverError::UnderWay("rollback", "sealstone migrate rollback")),
        };
        if !is_new
            && self
                .history
                .as_ref()
                .is_some_and(|history| history.course.next().is_none())
        {
            return Err(CutoverError::Nothing(TokenForm::Jws));
        }
        let steps = plan.steps.iter();
        let ops: Vec<Op> = steps.filter_map(|step| Op::of_action(&step.action)).collect();
        let course = self.history.as_ref().map(|history| &history.course);
        if !is_new && course.is_some_and(|course| course.ops != ops) {
            self.ports.operator.told(ANOTHER_PLAN);
        }
        if is_new {
            self.begin(TokenForm::Jws, |_pool| ops, &plan.nodes, plan.needed)?;
        }
        self.run()?;
        let Some(history) = &self.history else {
            return Err(CutoverError::NothingToTakeBack);
        };
        if history.course.next().is_none() {
            return Ok(Outcome::Retired);
        }
        Ok(Outcome::KeysKept(
            history
                .last_fernet_at
                .unwrap_or_default()
                .saturating_add(history.course.late_s),
        ))
    }

    /// Brings every node back to Fernet tokens from wherever the change is, or goes on with that.
    ///
    /// # Errors
    /// [`CutoverError`].
    pub fn back(&mut self) -> Result<Outcome, CutoverError> {
        let Some(history) = &self.history else {
            return Err(CutoverError::NothingToTakeBack);
        };
        if !history.pool.has_fernet_keys() {
            return Err(CutoverError::KeysGone);
        }
        if history.course.target == TokenForm::Jws {
            let nodes: Vec<Node> = history.pool.nodes().keys().cloned().collect();
            let needed = history.pool.needed();
            self.begin(
                TokenForm::Fernet,
                |pool| pool.course_to(TokenForm::Fernet),
                &nodes,
                needed,
            )?;
        } else if history.course.next().is_none() {
            return Err(CutoverError::Nothing(TokenForm::Fernet));
        }
        self.run()?;
        let history = self.history.as_ref();
        let until = history.and_then(|found| Some(found.last_jws_at?.saturating_add(found.course.late_s)));
        Ok(Outcome::RolledBack(until))
    }

    /// Draws up a course, verifies it, and writes it down.
    fn begin(
        &mut self,
        target: TokenForm,
        ops: impl FnOnce(&Pool) -> Vec<Op>,
        nodes: &[Node],
        needed: usize,
    ) -> Result<(), CutoverError> {
        let records = self.ports.control.records()?;
        for node in nodes {
            if !records.iter().any(|record| record.name == *node) {
                return Err(CutoverError::NoWay(Unsafe::Stranger(node.clone())));
            }
        }
        let (mut pool, cut) = match &self.history {
            Some(history) => (history.pool.clone(), history.cut_off()),
            None => (Pool::serving(nodes, needed, TokenForm::Fernet), Vec::new()),
        };
        self.nobody_else(nodes)?;
        if target == TokenForm::Jws {
            self.all_are_up(nodes)?;
        }
        let seen = self.ports.balancer.look(&cut)?;
        let out: Vec<Node> = seen
            .into_iter()
            .filter(|(_node, member)| !member.takes)
            .map(|(node, _member)| node)
            .collect();
        let bridged = self.options.is_bridged;
        pool.set_rules(needed, bridged);
        for node in &out {
            pool.found_out(node);
        }
        let ops = ops(&pool);
        pool.verify(&ops, target).map_err(CutoverError::NoWay)?;
        let greatest = |of: fn(&NodeRecord) -> u64| records.iter().map(of).max().unwrap_or_default();
        let life_s = greatest(|record| record.settings.expiration_s);
        let late_s = life_s.saturating_add(greatest(|record| record.settings.allow_expired_window_s));
        self.survey_for(target, &pool, &records)?;
        let event = Event::Course {
            at: self.ports.wait.now(),
            target,
            needed,
            bridged,
            nodes: nodes.to_vec(),
            out,
            ops,
            life_s,
            late_s,
        };
        self.write(&event)
    }

    fn write(&mut self, event: &Event) -> Result<(), CutoverError> {
        self.journal.append(event)?;
        History::play_one(&mut self.history, event)?;
        Ok(())
    }

    /// All that is due.
    fn run(&mut self) -> Result<(), CutoverError> {
        let course = self.history.as_ref().map(|history| &history.course);
        let counts = course.is_some_and(|course| course.bridged && !course.is_over());
        if counts && !self.options.is_bridged {
            return Err(CutoverError::Unbridged);
        }
        self.survey()?;
        self.is_somebody_there()?;
        while let Some((number, of, op)) = self.due() {
            // Once begun, keys are gone on some nodes: it is finished, whoever goes on.
            let is_begun = self
                .history
                .as_ref()
                .is_some_and(|history| history.course.is_begun);
            if op == Op::Retire && !self.options.retires && !is_begun {
                return Ok(());
            }
            self.ports.operator.begins(number.saturating_add(1), of, &op);
            let done = self.one(number, &op);
            if let Err(error) = &done
                && !error.is_refusal()
            {
                let at = self.ports.wait.now();
                let reason = error.to_string();
                self.write(&Event::Stopped {
                    at,
                    op: number,
                    reason,
                })?;
            }
            done?;
        }
        Ok(())
    }

    /// What is to be agreed to in this run finds somebody who can.
    fn is_somebody_there(&self) -> Result<(), CutoverError> {
        let Some(course) = self.history.as_ref().map(|history| &history.course) else {
            return Ok(());
        };
        let due = course.ops.iter().skip(course.done);
        let mut asked = due.filter(|op| op.is_irreversible() && (**op != Op::Retire || self.options.retires));
        match asked.next() {
            Some(op) if !self.ports.operator.can_agree() => Err(CutoverError::NotAgreed(op.clone())),
            _ => Ok(()),
        }
    }

    fn due(&self) -> Option<(usize, usize, Op)> {
        let course = &self.history.as_ref()?.course;
        let next = course.next()?;
        Some((course.done, course.ops.len(), next.clone()))
    }

    /// One operation: is it safe, is it agreed to; then it is written down, done, watched, and written down again.
    fn one(&mut self, number: usize, op: &Op) -> Result<(), CutoverError> {
        self.guard(op)?;
        let consequence = self.consequence(op);
        if op.is_irreversible() && !self.ports.operator.agrees(op, &consequence) {
            return Err(CutoverError::NotAgreed(op.clone()));
        }
        let is_begun = self
            .history
            .as_ref()
            .is_some_and(|history| history.course.is_begun);
        if !is_begun {
            let at = self.ports.wait.now();
            self.write(&Event::Begun { at, op: number })?;
        }
        self.perform(op)?;
        let at = self.ports.wait.now();
        self.write(&Event::Done { at, op: number })
    }
}

#[cfg(test)]
mod tests;
