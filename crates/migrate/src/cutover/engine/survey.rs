//! Is everything as the journal says, and may the operation be done?

use std::collections::BTreeMap;

use sealstone_fernet::compare_nodes;

use super::Cutover;
use crate::balancer::{Member, Traffic};
use crate::cutover::error::CutoverError;
use crate::cutover::op::Op;
use crate::cutover::pool::{NodeState, Pool, Stage, Unsafe};
use crate::cutover::ports::Wanted;
use crate::cutover::watch::Sample;
use crate::form::TokenForm;
use crate::inventory::{NodeRecord, keys_of};
use crate::keys::judge_keys;
use crate::node::Node;

impl Cutover<'_> {
    /// At the start of a run: nodes and balancer are held against the journal.
    pub(super) fn survey(&mut self) -> Result<(), CutoverError> {
        let Some(history) = self.history.clone() else {
            return Ok(());
        };
        let records = self.ports.control.records()?;
        self.survey_for(history.course.target, &history.pool, &records)?;
        self.records = records;
        self.pool_is_as_written(&history.pool)?;
        if let Some(traffic) = self.ports.balancer.traffic()? {
            self.before = Sample::between(Traffic::default(), traffic);
        }
        let switched = |op: &Op| matches!(op, Op::Switch { .. });
        let done = history.course.ops.iter().take(history.course.done);
        self.refusals_are_due = !self.options.is_bridged && done.clone().any(switched);
        Ok(())
    }

    /// Every node has the keys that it is going to sign with, and is what the journal knows.
    pub(super) fn survey_for(
        &self,
        target: TokenForm,
        pool: &Pool,
        records: &[NodeRecord],
    ) -> Result<(), CutoverError> {
        match target {
            TokenForm::Jws => {
                if let Some(fault) = judge_keys(records).first() {
                    return Err(CutoverError::keys(fault));
                }
            }
            TokenForm::Fernet => fernet_keys(records)?,
        }
        for record in records {
            let Some(state) = pool.state(&record.name) else {
                continue;
            };
            let wanted = state.form.as_str();
            if state.stage != Stage::Changed && record.settings.provider != wanted {
                return Err(CutoverError::Changed {
                    node: record.name.clone(),
                    found: record.settings.provider.clone(),
                    wanted,
                });
            }
        }
        Ok(())
    }

    /// A node that takes requests and should not is drained at once: a balancer that was restarted forgets. One that
    /// takes none and should is somebody's work.
    fn pool_is_as_written(&mut self, pool: &Pool) -> Result<(), CutoverError> {
        let names: Vec<Node> = pool.nodes().keys().cloned().collect();
        self.nobody_else(&names)?;
        let seen = self.ports.balancer.look(&names)?;
        let due = self.due().map(|(_number, _of, op)| op);
        let touched = |node: &Node| {
            let op = due.as_ref();
            op.is_some_and(|op| op.added().contains(node) || op.drained().contains(node))
        };
        let mut forgotten = Vec::new();
        for (node, state) in pool.nodes() {
            let unknown = || CutoverError::NoWay(Unsafe::Stranger(node.clone()));
            let member = seen.get(node).copied().ok_or_else(unknown)?;
            if member.takes && !state.serves {
                forgotten.push(node.clone());
            }
            if !member.takes && state.serves && !touched(node) {
                return Err(CutoverError::OutOfPool(node.clone()));
            }
        }
        if !forgotten.is_empty() {
            let names: Vec<&str> = forgotten.iter().map(Node::as_str).collect();
            self.ports.operator.told(&format!(
                "{} take requests, and the journal says that they were drained: was the balancer restarted? They are \
                 drained again",
                names.join(", ")
            ));
            self.ports.balancer.change(&[], &forgotten)?;
        }
        Ok(())
    }

    /// A server that nobody changes would refuse the others' tokens.
    pub(super) fn nobody_else(&mut self, nodes: &[Node]) -> Result<(), CutoverError> {
        let others = self.ports.balancer.others(nodes)?;
        if others.is_empty() {
            return Ok(());
        }
        let told = |name: &String| format!("`{name}`");
        Err(CutoverError::Others(others.iter().map(told).collect()))
    }

    /// Before the change begins: with one that is down there are fewer to serve than the plan counts on, and nobody can
    /// check the others beside it.
    pub(super) fn all_are_up(&mut self, nodes: &[Node]) -> Result<(), CutoverError> {
        let down = self.down(nodes)?;
        if down.is_empty() {
            return Ok(());
        }
        Err(CutoverError::Down(down))
    }

    /// Those that the balancer would send users to, if it did not take them for down.
    fn down(&mut self, nodes: &[Node]) -> Result<Vec<Node>, CutoverError> {
        let seen = self.ports.balancer.look(nodes)?;
        let down = seen
            .into_iter()
            .filter(|(_node, member)| member.takes && !member.healthy);
        Ok(down.map(|(node, _member)| node).collect())
    }

    /// Before an operation: by the journal, and by what the balancer says now.
    pub(super) fn guard(&mut self, op: &Op) -> Result<(), CutoverError> {
        let refused = |why| CutoverError::Unsafe { op: op.clone(), why };
        let Some(history) = self.history.clone() else {
            return Err(CutoverError::NothingToTakeBack);
        };
        history.pool.may(op).map_err(refused)?;
        let names: Vec<Node> = history.pool.nodes().keys().cloned().collect();
        let seen = self.ports.balancer.look(&names)?;
        match op {
            Op::Set(node, _) | Op::Restart(node) => {
                if seen.get(node).is_none_or(|member| member.takes) {
                    return Err(refused(Unsafe::StillServes(node.clone())));
                }
                // Of an operation that was cut off while it waited.
                self.is_drained(std::slice::from_ref(node))?;
            }
            Op::Check(node, _) => {
                if seen.get(node).is_none_or(|member| member.takes) {
                    return Err(refused(Unsafe::StillServes(node.clone())));
                }
            }
            Op::Drain(_) | Op::Switch { .. } | Op::Add(_) => {
                for node in op.added() {
                    self.is_fit(node)?;
                }
                self.would_be_carried(op)?;
                let left = enough(&seen, op);
                let needed = history.pool.needed();
                if left < needed {
                    return Err(refused(Unsafe::TooFew {
                        serving: left,
                        needed,
                    }));
                }
            }
            Op::Retire => self.may_retire(&history.pool, history.last_fernet_at, history.course.late_s)?,
        }
        Ok(())
    }

    /// Those that serve take tokens of the ones that are added, before these serve: bridges see to it.
    fn would_be_carried(&mut self, op: &Op) -> Result<(), CutoverError> {
        let Some(node) = op.added().first().filter(|_node| self.options.is_bridged) else {
            return Ok(());
        };
        let history = self.history.as_ref();
        let serving = history.map_or(0, |history| history.pool.names(|state| state.serves).len());
        let carried = self.ports.prober.carried(op.added(), serving);
        carried.map_err(|fault| CutoverError::NotFit {
            node: node.clone(),
            faults: vec![fault],
        })
    }

    fn may_retire(&mut self, pool: &Pool, last: Option<u64>, late_s: u64) -> Result<(), CutoverError> {
        let now = self.ports.wait.now();
        // Without a time nobody knows when the last Fernet token was issued: from now on it counts.
        let until = last.unwrap_or(now).saturating_add(late_s);
        if now < until {
            return Err(CutoverError::TooEarly(until.saturating_sub(now)));
        }
        let nodes = forms(pool, |_state| true);
        self.records = self.ports.control.records()?;
        let wanted = Wanted {
            nodes: &nodes,
            about: None,
            records: &self.records,
        };
        let verdict = self.ports.prober.check(&wanted);
        for note in &verdict.notes {
            self.ports.operator.told(note);
        }
        if verdict.faults.is_empty() {
            return Ok(());
        }
        Err(CutoverError::NotValidated(verdict.faults))
    }

    /// A node is seen to be what it shall be before it serves, and by this run: who knows what happened since another.
    pub(super) fn is_fit(&mut self, node: &Node) -> Result<(), CutoverError> {
        if self.checked.contains(node) {
            return Ok(());
        }
        let Some(history) = self.history.clone() else {
            return Err(CutoverError::NothingToTakeBack);
        };
        let Some(own) = history.pool.state(node) else {
            return Err(CutoverError::NoWay(Unsafe::Stranger(node.clone())));
        };
        let like = |state: &NodeState| state.form == own.form && state.stage == Stage::Fit;
        let mut nodes = forms(&history.pool, like);
        if history.course.target == TokenForm::Fernet {
            // The way back must not wait for a node that serves nobody.
            let others: Vec<Node> = nodes.keys().filter(|other| *other != node).cloned().collect();
            for down in self.down(&others)? {
                let text =
                    format!("node {down} is down, says the balancer: node {node} is not checked against it");
                self.ports.operator.told(&text);
                nodes.remove(&down);
            }
        }
        nodes.insert(node.clone(), own.form);
        self.records = self.ports.control.records()?;
        self.survey_for(own.form, &history.pool, &self.records)?;
        let wanted = Wanted {
            nodes: &nodes,
            about: Some(node),
            records: &self.records,
        };
        let verdict = self.ports.prober.check(&wanted);
        for note in &verdict.notes {
            self.ports.operator.told(note);
        }
        if !verdict.faults.is_empty() {
            return Err(CutoverError::NotFit {
                node: node.clone(),
                faults: verdict.faults,
            });
        }
        self.checked.insert(node.clone());
        Ok(())
    }
}

fn forms(pool: &Pool, wanted: impl Fn(&NodeState) -> bool) -> BTreeMap<Node, TokenForm> {
    let found = pool.nodes().iter().filter(|(_node, state)| wanted(state));
    found.map(|(node, state)| (node.clone(), state.form)).collect()
}

/// How many healthy nodes take requests when the operation is done.
fn enough(seen: &BTreeMap<Node, Member>, op: &Op) -> usize {
    let serves = |(node, member): &(&Node, &Member)| {
        let takes = member.takes || op.added().contains(node);
        // One that is being added has answered just now, whatever the balancer believes of a drained server.
        takes && !op.drained().contains(node) && (member.healthy || op.added().contains(node))
    };
    seen.iter().filter(serves).count()
}

fn fernet_keys(records: &[NodeRecord]) -> Result<(), CutoverError> {
    let keys = |fault: String| CutoverError::Keys {
        form: TokenForm::Fernet,
        fault,
    };
    for record in records {
        if record.fernet.signing.is_none() {
            return Err(keys(format!("node `{}` has none", record.name)));
        }
        if let Some(fault) = record.fernet.faults.first() {
            return Err(keys(format!("node `{}`: {fault}", record.name)));
        }
    }
    let all: Vec<_> = records
        .iter()
        .filter_map(keys_of)
        .map(|mut keys| {
            keys.jws_signing = None;
            keys.jws_public.clear();
            keys
        })
        .collect();
    compare_nodes(&all)
        .first()
        .map_or(Ok(()), |fault| Err(keys(fault.to_string())))
}
