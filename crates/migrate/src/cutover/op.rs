//! What is done, and what is written down of it.

use serde::{Deserialize, Serialize};

use crate::form::TokenForm;
use crate::node::Node;
use crate::plan::Action;

/// One operation. Done twice, it does no more than done once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::exhaustive_enums, reason = "whoever shows a course handles each")]
pub enum Op {
    /// Out of the pool, and its open requests end.
    Drain(Node),
    /// `[token] provider`.
    Set(Node, TokenForm),
    /// Keystone reads its configuration.
    Restart(Node),
    /// The node issues this form, and those that do and it take each other's tokens.
    Check(Node, TokenForm),
    /// Into the pool.
    Add(Node),
    /// Those in, these out, as one.
    Switch {
        /// Into the pool.
        add: Vec<Node>,
        /// Out of it.
        drain: Vec<Node>,
    },
    /// The Fernet keys go.
    Retire,
}

impl Op {
    /// What a step of a plan does; `None` for one that changes nothing.
    #[must_use]
    pub fn of_action(action: &Action) -> Option<Self> {
        Some(match action {
            Action::Look => return None,
            Action::Drain(node) => Self::Drain(node.clone()),
            Action::Flip(node) => Self::Set(node.clone(), TokenForm::Jws),
            Action::Restart(node) => Self::Restart(node.clone()),
            Action::Check(node) => Self::Check(node.clone(), TokenForm::Jws),
            Action::Add(node) => Self::Add(node.clone()),
            Action::Switch { add, drain } => Self::Switch {
                add: add.clone(),
                drain: drain.clone(),
            },
            Action::Retire => Self::Retire,
        })
    }

    /// Whom it puts into the pool.
    #[must_use]
    pub fn added(&self) -> &[Node] {
        match self {
            Self::Add(node) => std::slice::from_ref(node),
            Self::Switch { add, .. } => add,
            Self::Drain(_) | Self::Set(..) | Self::Restart(_) | Self::Check(..) | Self::Retire => &[],
        }
    }

    /// Whom it takes out of it.
    #[must_use]
    pub fn drained(&self) -> &[Node] {
        match self {
            Self::Drain(node) => std::slice::from_ref(node),
            Self::Switch { drain, .. } => drain,
            Self::Add(_) | Self::Set(..) | Self::Restart(_) | Self::Check(..) | Self::Retire => &[],
        }
    }

    /// Whether users feel it and nothing takes back what they felt, or nothing brings back what it removes.
    #[must_use]
    pub const fn is_irreversible(&self) -> bool {
        matches!(self, Self::Switch { .. } | Self::Retire)
    }
}

impl std::fmt::Display for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |nodes: &[Node]| {
            let names: Vec<&str> = nodes.iter().map(Node::as_str).collect();
            names.join(" and ")
        };
        match self {
            Self::Drain(node) => write!(f, "drain {node}"),
            Self::Set(node, form) => write!(f, "set [token] provider = {} on {node}", form.as_str()),
            Self::Restart(node) => write!(f, "restart Keystone on {node}"),
            Self::Check(node, form) => write!(
                f,
                "check that {node} issues {form} tokens and takes those of its like"
            ),
            Self::Add(node) => write!(f, "let {node} serve"),
            Self::Switch { add, drain } => {
                let verb = |nodes: &[Node], one, several| if nodes.len() == 1 { one } else { several };
                let (serve, are) = (verb(add, "serves", "serve"), verb(drain, "is", "are"));
                write!(f, "switch: {} {serve}, {} {are} drained", list(add), list(drain))
            }
            Self::Retire => f.write_str("remove the Fernet keys of every node"),
        }
    }
}

/// One line of the journal. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::exhaustive_enums, reason = "whoever reads a journal handles each")]
pub enum Event {
    /// What is going to be done, in order.
    Course {
        /// When it was drawn up.
        at: u64,
        /// What the nodes issue in the end.
        target: TokenForm,
        /// How many must serve at any time.
        needed: usize,
        /// Whether bridges stand before the nodes, so that both kinds may serve side by side.
        #[serde(default)]
        bridged: bool,
        /// All nodes.
        nodes: Vec<Node>,
        /// Those of them that an operation of the course before, which was cut off, was found to have taken out of the
        /// pool.
        out: Vec<Node>,
        /// The operations.
        ops: Vec<Op>,
        /// How long a token lives at most, in seconds.
        life_s: u64,
        /// How long after its issue a service may show a token, in seconds.
        late_s: u64,
    },
    /// An operation begins, counted from 0: from here on nobody knows whether it is done.
    Begun {
        /// When.
        at: u64,
        /// Which of the course.
        op: usize,
    },
    /// It is done.
    Done {
        /// When.
        at: u64,
        /// Which of the course.
        op: usize,
    },
    /// The change stopped itself before or in an operation.
    Stopped {
        /// When.
        at: u64,
        /// Which of the course.
        op: usize,
        /// Why.
        reason: String,
    },
}
