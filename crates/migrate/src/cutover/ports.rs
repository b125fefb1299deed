//! What the change asks of others.

use std::collections::BTreeMap;
use std::time::Duration;

use super::op::Op;
use crate::balancer::Balancer;
use crate::control::NodeControl;
use crate::form::TokenForm;
use crate::inventory::NodeRecord;
use crate::node::Node;

/// What nodes are to be found as.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "implementations of the port read it")]
pub struct Wanted<'a> {
    /// The nodes, and what each issues: those of one form take each other's tokens.
    pub nodes: &'a BTreeMap<Node, TokenForm>,
    /// The node that is to serve, or every node.
    pub about: Option<&'a Node>,
    /// The nodes as they were read just now.
    pub records: &'a [NodeRecord],
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "implementations of the port fill it")]
pub struct Verdict {
    /// What is wrong; nothing, when all is well.
    pub faults: Vec<String>,
    /// What to know.
    pub notes: Vec<String>,
}

/// Asks Keystone as its users do.
pub trait Prober {
    /// Whether a node answers at all.
    fn answers(&mut self, node: &Node) -> bool;

    /// Tries the nodes, each by its own address: what each issues, whether all of one form take each other's tokens and
    /// refuse those that were revoked, and whether their clocks agree.
    fn check(&mut self, wanted: &Wanted<'_>) -> Verdict;

    /// Shows a token of each of these nodes, issued past the balancer, through it: as often as every one of the `serving`
    /// nodes gets to see one, also while others ask. With bridges all of them take it. Nothing is said where the balancer's
    /// address is not known.
    ///
    /// # Errors
    /// Whose token was refused.
    fn carried(&mut self, issuers: &[Node], serving: usize) -> Result<(), String>;

    /// Logs in and asks through the balancer, as a user does. Nothing is said where it is not known.
    ///
    /// # Errors
    /// What went wrong.
    fn through_balancer(&mut self) -> Result<(), String>;
}

/// Time, as the change spends it.
pub trait Wait {
    /// Seconds since 1970.
    fn now(&mut self) -> u64;

    /// Lets time pass.
    fn pause(&mut self, span: Duration);
}

/// Whoever runs the change.
pub trait Operator {
    /// Whether there is anybody who could agree to something, or has. Where nobody could, a run in which something is to be
    /// agreed to does not begin: it would stop in the middle, with a part of the pool drained.
    fn can_agree(&self) -> bool {
        true
    }

    /// Whether the operation may be done, which nothing takes back.
    fn agrees(&mut self, op: &Op, consequence: &str) -> bool;

    /// An operation begins: which, of how many.
    fn begins(&mut self, number: usize, of: usize, op: &Op);

    /// Something worth knowing.
    fn told(&mut self, text: &str);
}

/// All of them.
#[expect(missing_debug_implementations, reason = "ports are whatever they are")]
#[expect(clippy::exhaustive_structs, reason = "callers bring every one")]
pub struct Ports<'a> {
    /// The balancer.
    pub balancer: &'a mut dyn Balancer,
    /// The nodes.
    pub control: &'a mut dyn NodeControl,
    /// Keystone's answers.
    pub prober: &'a mut dyn Prober,
    /// Time.
    pub wait: &'a mut dyn Wait,
    /// Who runs it.
    pub operator: &'a mut dyn Operator,
}
