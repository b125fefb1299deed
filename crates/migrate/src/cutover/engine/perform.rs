//! Does one operation.

use std::time::Duration;

use super::Cutover;
use crate::balancer::Traffic;
use crate::cutover::error::CutoverError;
use crate::cutover::op::Op;
use crate::cutover::pool::Stage;
use crate::cutover::watch::Sample;
use crate::form::TokenForm;
use crate::impact::span;
use crate::node::Node;

/// How long a bridge may take to see that its node's configuration was changed, in seconds: twice what one of ours takes
/// between two looks at it.
const BRIDGE_LOOKS_S: u64 = 4;
/// How often something is looked at that takes its time.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How often users are watched by asking as they do: a login is a password hash and a hundred queries.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// When somebody who waits begins to wonder, and how often he does so again.
const TELL_AFTER: Duration = Duration::from_secs(5);
const TELL_AGAIN: Duration = Duration::from_secs(30);

/// Whether it is time to tell of something that takes its time; what is waited for is looked at every [`LOOK_AGAIN`].
fn is_long(waited: Duration) -> bool {
    waited.as_millis().checked_rem(TELL_AGAIN.as_millis()) == Some(TELL_AFTER.as_millis())
}

impl Cutover<'_> {
    /// What users feel of it, for whoever is asked.
    pub(super) fn consequence(&self, op: &Op) -> String {
        let course = self.history.as_ref().map(|history| &history.course);
        let (life, late) = course.map_or((0, 0), |course| (course.life_s, course.late_s));
        match op {
            Op::Retire => "nothing brings them back: there is no rollback from then on".to_owned(),
            Op::Switch { .. } if self.options.is_bridged => {
                "bridges carry tokens of before across; without one that works they are refused".to_owned()
            }
            Op::Switch { .. } => format!(
                "tokens of before are refused from then on: holders log in anew, for {} at most; for long operations \
                 (allow_expired) {}",
                span(life),
                span(late)
            ),
            Op::Drain(_) | Op::Set(..) | Op::Restart(_) | Op::Check(..) | Op::Add(_) => String::new(),
        }
    }

    pub(super) fn perform(&mut self, op: &Op) -> Result<(), CutoverError> {
        match op {
            Op::Drain(_) | Op::Switch { .. } | Op::Add(_) => self.change_pool(op),
            Op::Set(node, form) => {
                self.checked.remove(node);
                Ok(self.ports.control.set_form(node, *form)?)
            }
            Op::Restart(node) => self.restart(node),
            Op::Check(node, _) => {
                self.checked.remove(node);
                self.is_fit(node)
            }
            Op::Retire => self.retire(),
        }
    }

    fn change_pool(&mut self, op: &Op) -> Result<(), CutoverError> {
        self.bridges_know(op);
        self.is_believed(op.added())?;
        let before = self.ports.balancer.traffic()?;
        self.ports.balancer.change(op.added(), op.drained())?;
        self.is_drained(op.drained())?;
        if !op.added().is_empty() {
            let seen = self.ports.balancer.look(op.added())?;
            if let Some((node, _member)) = seen.iter().find(|(_node, member)| !member.takes) {
                return Err(CutoverError::OutOfPool(node.clone()));
            }
        }
        if matches!(op, Op::Switch { .. }) && !self.options.is_bridged {
            self.refusals_are_due = true;
        }
        self.watch(op, before)
    }

    /// A bridge that does not know yet what its node has become would spoil the first tokens that it gets.
    fn bridges_know(&mut self, op: &Op) {
        if !self.options.is_bridged || op.added().is_empty() {
            return;
        }
        let set = self.history.as_ref().and_then(|history| history.last_set_at);
        let due = set.unwrap_or_default().saturating_add(BRIDGE_LOOKS_S);
        while self.ports.wait.now() < due {
            self.ports.wait.pause(LOOK_AGAIN);
        }
    }

    /// With bridges, tokens of either kind are taken by all that serve.
    fn all_are_carried(&mut self) -> Result<(), String> {
        let Some(history) = &self.history else {
            return Ok(());
        };
        let serving = history.pool.names(|state| state.serves).len();
        let fit = |form| {
            let fit = history
                .pool
                .names(|state| state.stage == Stage::Fit && state.form == form);
            fit.into_iter().next()
        };
        let forms = [TokenForm::Fernet, TokenForm::Jws];
        let issuers: Vec<Node> = forms.into_iter().filter_map(fit).collect();
        self.ports.prober.carried(&issuers, serving)
    }

    /// A balancer that asks its servers itself takes a while to see that one is up again: until then users would get
    /// nothing of it.
    fn is_believed(&mut self, nodes: &[Node]) -> Result<(), CutoverError> {
        let mut waited = Duration::ZERO;
        loop {
            let seen = self.ports.balancer.look(nodes)?;
            let Some((node, _member)) = seen.iter().find(|(_node, member)| !member.healthy) else {
                return Ok(());
            };
            if waited >= self.options.restart_limit {
                return Err(CutoverError::NotBelieved {
                    node: node.clone(),
                    after_s: waited.as_secs(),
                });
            }
            if is_long(waited) {
                let most = self.options.restart_limit.as_secs();
                let text = format!(
                    "the balancer does not take node {node} for healthy yet: waiting for {most} s at most"
                );
                self.ports.operator.told(&text);
            }
            self.ports.wait.pause(LOOK_AGAIN);
            waited = waited.saturating_add(LOOK_AGAIN);
        }
    }

    pub(super) fn is_drained(&mut self, nodes: &[Node]) -> Result<(), CutoverError> {
        let mut waited = Duration::ZERO;
        loop {
            let seen = self.ports.balancer.look(nodes)?;
            let busy = seen
                .iter()
                .find(|(_node, member)| member.takes || member.open > 0);
            let Some((node, member)) = busy else {
                return Ok(());
            };
            if waited >= self.options.drain_limit {
                return Err(CutoverError::NotDrained {
                    node: node.clone(),
                    open: member.open,
                    after_s: waited.as_secs(),
                });
            }
            if is_long(waited) {
                let (open, most) = (member.open, self.options.drain_limit.as_secs());
                let text =
                    format!("node {node} still has {open} open requests: waiting for {most} s at most");
                self.ports.operator.told(&text);
            }
            self.ports.wait.pause(LOOK_AGAIN);
            waited = waited.saturating_add(LOOK_AGAIN);
        }
    }

    fn restart(&mut self, node: &Node) -> Result<(), CutoverError> {
        self.ports.control.restart(node)?;
        let mut waited = Duration::ZERO;
        while !self.ports.prober.answers(node) {
            if waited >= self.options.restart_limit {
                return Err(CutoverError::NotUp {
                    node: node.clone(),
                    after_s: waited.as_secs(),
                });
            }
            if is_long(waited) {
                let most = self.options.restart_limit.as_secs();
                let text = format!("node {node} does not answer yet: waiting for {most} s at most");
                self.ports.operator.told(&text);
            }
            self.ports.wait.pause(LOOK_AGAIN);
            waited = waited.saturating_add(LOOK_AGAIN);
        }
        Ok(())
    }

    /// After the pool was changed: by the balancer's counters, and by asking as a user does.
    fn watch(&mut self, op: &Op, before: Option<Traffic>) -> Result<(), CutoverError> {
        let limits = self.options.limits;
        let mut waited = Duration::ZERO;
        let mut asked = Ok(());
        if limits.settle >= TELL_AFTER {
            let text = format!("watching what users meet for {} s", limits.settle.as_secs());
            self.ports.operator.told(&text);
        }
        if self.options.is_bridged && !op.added().is_empty() {
            self.all_are_carried().map_err(|reason| CutoverError::Errors {
                op: op.clone(),
                reason,
            })?;
        }
        loop {
            let now = self.ports.balancer.traffic()?;
            if let (Some(before), Some(now)) = (before, now) {
                let sample = Sample::between(before, now);
                if let Some(reason) = sample.judge(&self.before, &limits, self.refusals_are_due) {
                    return Err(CutoverError::Errors {
                        op: op.clone(),
                        reason,
                    });
                }
            }
            let is_last = waited >= limits.settle;
            if is_last || waited.as_millis().checked_rem(ASK_AGAIN.as_millis()) == Some(0) {
                asked = self.ports.prober.through_balancer();
            }
            if let Err(reason) = asked {
                return Err(CutoverError::Errors {
                    op: op.clone(),
                    reason: format!("a login through the balancer failed: {reason}"),
                });
            }
            if is_last {
                return Ok(());
            }
            self.ports.wait.pause(LOOK_AGAIN);
            waited = waited.saturating_add(LOOK_AGAIN);
        }
    }

    fn retire(&mut self) -> Result<(), CutoverError> {
        let Some(history) = &self.history else {
            return Err(CutoverError::NothingToTakeBack);
        };
        let nodes = history.pool.names(|state| state.form == TokenForm::Jws);
        for node in &nodes {
            self.ports.control.remove_fernet_keys(node)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_hears_so_after_a_while_and_then_seldom() {
        let looks = (0..=480).map(|look| LOOK_AGAIN * look);
        let told: Vec<u64> = looks
            .filter(|waited| is_long(*waited))
            .map(|waited| waited.as_secs())
            .collect();
        assert_eq!(told, [5, 35, 65, 95]);
    }
}
