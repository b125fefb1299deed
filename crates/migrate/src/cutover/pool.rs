//! The pool as the journal knows it, and what may be done to it.

use std::collections::BTreeMap;

use super::op::Op;
use crate::form::TokenForm;
use crate::node::Node;

/// How far a node is in becoming what it shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever shows a pool handles each")]
pub enum Stage {
    /// As it was found, or checked since it was restarted: it may serve.
    Fit,
    /// Its configuration was changed, or was going to be.
    Changed,
    /// It was restarted since.
    Restarted,
}

/// One node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever shows a pool reads all of it")]
pub struct NodeState {
    /// Whether it is in the pool, or may be.
    pub serves: bool,
    /// What it issues, or will when it is restarted.
    pub form: TokenForm,
    /// How far it is.
    pub stage: Stage,
}

/// Why an operation is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsafe {
    /// A node that users are on.
    #[error("node `{0}` still serves: it is not changed before it is drained")]
    StillServes(Node),
    /// A node that nobody checked since it was changed.
    #[error("node `{0}` was changed and not checked since: it does not serve before it is")]
    Unchecked(Node),
    /// Too few would be left.
    #[error("{serving} nodes would serve, and {needed} must")]
    TooFew {
        /// How many would.
        serving: usize,
        /// How many must.
        needed: usize,
    },
    /// Nodes that refuse each other's tokens.
    #[error(
        "nodes that issue Fernet and nodes that issue JWS tokens would serve side by side, which is for pools with \
         bridges before the nodes alone (--bridged)"
    )]
    Mixed,
    /// Not one of the pool's.
    #[error("node `{0}` is not one of the pool's")]
    Stranger(Node),
    /// Before its time.
    #[error("{0}")]
    Order(&'static str),
    /// The course does not end where it should.
    #[error("after the last operation node `{0}` does not serve {1} tokens")]
    Unfinished(Node, TokenForm),
}

/// All nodes, as they are for certain or may be at worst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    nodes: BTreeMap<Node, NodeState>,
    needed: usize,
    bridged: bool,
    fernet_keys: bool,
}

impl Pool {
    /// Nodes that all serve and all issue `form`.
    #[must_use]
    pub fn serving(nodes: &[Node], needed: usize, form: TokenForm) -> Self {
        let state = NodeState {
            serves: true,
            form,
            stage: Stage::Fit,
        };
        Self {
            nodes: nodes.iter().map(|node| (node.clone(), state)).collect(),
            needed: needed.max(1),
            bridged: false,
            fernet_keys: true,
        }
    }

    /// Every node.
    #[must_use]
    pub const fn nodes(&self) -> &BTreeMap<Node, NodeState> {
        &self.nodes
    }

    /// How many must serve at any time.
    #[must_use]
    pub const fn needed(&self) -> usize {
        self.needed
    }

    /// One node.
    #[must_use]
    pub fn state(&self, node: &Node) -> Option<NodeState> {
        self.nodes.get(node).copied()
    }

    /// Whether there are Fernet keys to go back to.
    #[must_use]
    pub const fn has_fernet_keys(&self) -> bool {
        self.fernet_keys
    }

    pub(super) fn names(&self, wanted: impl Fn(&NodeState) -> bool) -> Vec<Node> {
        let found = self.nodes.iter().filter(|(_node, state)| wanted(state));
        found.map(|(node, _state)| node.clone()).collect()
    }

    /// Whether the operation may begin now.
    ///
    /// # Errors
    /// [`Unsafe`].
    pub fn may(&self, op: &Op) -> Result<(), Unsafe> {
        let find = |node: &Node| self.state(node).ok_or_else(|| Unsafe::Stranger(node.clone()));
        match op {
            Op::Set(node, _) | Op::Restart(node) => {
                if find(node)?.serves {
                    return Err(Unsafe::StillServes(node.clone()));
                }
            }
            Op::Check(node, form) => {
                let state = find(node)?;
                if state.stage == Stage::Changed || state.form != *form {
                    return Err(Unsafe::Order(
                        "a node is checked when it was restarted with that form",
                    ));
                }
            }
            Op::Retire => {
                let is_done = |state: &NodeState| {
                    state.serves && state.form == TokenForm::Jws && state.stage == Stage::Fit
                };
                if !self.nodes.values().all(is_done) {
                    return Err(Unsafe::Order(
                        "the Fernet keys stay until every node serves JWS tokens and was checked",
                    ));
                }
            }
            Op::Drain(_) | Op::Add(_) | Op::Switch { .. } => {
                for node in op.added() {
                    if find(node)?.stage != Stage::Fit {
                        return Err(Unsafe::Unchecked(node.clone()));
                    }
                }
                op.drained().iter().try_for_each(|node| find(node).map(drop))?;
                let mut after = self.clone();
                after.done(op);
                after.is_sound()?;
            }
        }
        Ok(())
    }

    /// Enough serve, and all of them take each other's tokens, or bridges before them do.
    fn is_sound(&self) -> Result<(), Unsafe> {
        let forms: Vec<TokenForm> = self
            .nodes
            .values()
            .filter(|state| state.serves)
            .map(|state| state.form)
            .collect();
        if forms.len() < self.needed {
            return Err(Unsafe::TooFew {
                serving: forms.len(),
                needed: self.needed,
            });
        }
        if !self.bridged && forms.contains(&TokenForm::Fernet) && forms.contains(&TokenForm::Jws) {
            return Err(Unsafe::Mixed);
        }
        Ok(())
    }

    /// The worst that an operation that began may have done.
    pub fn begun(&mut self, op: &Op) {
        match op {
            Op::Set(node, form) => self.put(node, |state| {
                state.form = *form;
                state.stage = Stage::Changed;
            }),
            Op::Restart(node) => self.put(node, |state| state.stage = Stage::Changed),
            Op::Add(_) | Op::Switch { .. } => {
                for node in op.added() {
                    self.put(node, |state| state.serves = true);
                }
            }
            Op::Retire => self.fernet_keys = false,
            Op::Drain(_) | Op::Check(..) => {}
        }
    }

    /// What an operation has done.
    pub fn done(&mut self, op: &Op) {
        self.begun(op);
        match op {
            Op::Restart(node) => self.put(node, |state| state.stage = Stage::Restarted),
            Op::Check(node, _) => self.put(node, |state| state.stage = Stage::Fit),
            Op::Drain(_) | Op::Switch { .. } => {
                for node in op.drained() {
                    self.put(node, |state| state.serves = false);
                }
            }
            Op::Set(..) | Op::Add(_) | Op::Retire => {}
        }
    }

    pub(super) fn set_rules(&mut self, needed: usize, bridged: bool) {
        self.needed = needed.max(1);
        self.bridged = bridged;
    }

    /// A node that was found out of the pool.
    pub(super) fn found_out(&mut self, node: &Node) {
        self.put(node, |state| state.serves = false);
    }

    fn put(&mut self, node: &Node, change: impl FnOnce(&mut NodeState)) {
        if let Some(state) = self.nodes.get_mut(node) {
            change(state);
        }
    }

    /// Plays a course through: each operation may be done in its turn, and all nodes serve `target` in the end.
    ///
    /// # Errors
    /// [`Unsafe`].
    pub fn verify(&self, ops: &[Op], target: TokenForm) -> Result<(), Unsafe> {
        let mut pool = self.clone();
        for op in ops {
            pool.may(op)?;
            pool.done(op);
        }
        let is_done = |state: &NodeState| state.serves && state.form == target && state.stage == Stage::Fit;
        match pool.names(|state| !is_done(state)).into_iter().next() {
            Some(node) => Err(Unsafe::Unfinished(node, target)),
            None => Ok(()),
        }
    }

    /// The operations that bring every node to serve `target`, from wherever the pool is.
    ///
    /// Nodes that are neither needed nor what they shall be are changed first, while the others serve; then the two
    /// change places, and the rest follows. With bridges one is changed after the other, and serves beside the rest.
    #[must_use]
    pub fn course_to(&self, target: TokenForm) -> Vec<Op> {
        let mut course = CourseTo {
            pool: self.clone(),
            target,
            ops: Vec::new(),
        };
        if self.bridged {
            course.one_by_one();
        } else {
            course.draw();
        }
        course.ops
    }
}

struct CourseTo {
    pool: Pool,
    target: TokenForm,
    ops: Vec<Op>,
}

impl CourseTo {
    fn push(&mut self, op: Op) {
        self.pool.done(&op);
        self.ops.push(op);
    }

    /// Names of nodes that are for certain what they shall be, and may serve.
    fn ready(&self) -> Vec<Node> {
        let target = self.target;
        self.pool
            .names(|state| state.form == target && state.stage == Stage::Fit)
    }

    fn draw(&mut self) {
        let target = self.target;
        let serving = |state: &NodeState| state.serves;
        let ready = self.ready();
        let (others, needed) = (
            self.pool.names(|state| state.serves && state.form != target),
            self.pool.needed,
        );
        if !others.is_empty() && ready.len() >= needed {
            // Those that are ready carry it: at once, before anything is changed.
            self.switch(&ready, others);
        } else if !others.is_empty() {
            // One half is changed while the other serves.
            let all = self.pool.nodes.len();
            let half = all.div_ceil(2).min(all.saturating_sub(needed)).max(1);
            let out = self.pool.names(|state| !state.serves).len();
            let strays = self.pool.names(|state| state.serves && state.form == target);
            let spare: Vec<Node> = strays.into_iter().chain(others).collect();
            for node in spare.iter().take(half.saturating_sub(out)) {
                self.push(Op::Drain(node.clone()));
            }
            for node in self.pool.names(|state| !state.serves) {
                self.bring(&node);
            }
            let drain = self.pool.names(|state| state.serves && state.form != target);
            let add = self.ready();
            self.switch(&add, drain);
        }
        for node in self.pool.names(|state| !serving(state)) {
            self.bring(&node);
            self.push(Op::Add(node));
        }
    }

    fn one_by_one(&mut self) {
        let target = self.target;
        // Those that do not serve anyway come first: then more may be spared.
        for node in self.pool.names(|state| !state.serves) {
            self.bring(&node);
            self.push(Op::Add(node));
        }
        for node in self
            .pool
            .names(|state| state.form != target || state.stage != Stage::Fit)
        {
            self.push(Op::Drain(node.clone()));
            self.bring(&node);
            self.push(Op::Add(node));
        }
    }

    fn switch(&mut self, ready: &[Node], drain: Vec<Node>) {
        let is_out = |node: &&Node| self.pool.state(node).is_some_and(|state| !state.serves);
        let mut add: Vec<Node> = ready.iter().filter(is_out).cloned().collect();
        if add.is_empty() {
            // Told once more to take requests, which changes nothing.
            add = ready.to_vec();
        }
        self.push(Op::Switch { add, drain });
    }

    fn bring(&mut self, node: &Node) {
        let state = self.pool.state(node);
        let is_ready = state.is_some_and(|state| state.form == self.target && state.stage == Stage::Fit);
        if is_ready {
            return;
        }
        self.push(Op::Set(node.clone(), self.target));
        self.push(Op::Restart(node.clone()));
        self.push(Op::Check(node.clone(), self.target));
    }
}
