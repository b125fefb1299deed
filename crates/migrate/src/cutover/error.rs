//! Why the change goes no further.

use super::journal::JournalError;
use super::op::Op;
use super::pool::Unsafe;
use crate::balancer::BalancerError;
use crate::control::ControlError;
use crate::form::TokenForm;
use crate::impact::span;
use crate::keys::KeyFault;
use crate::node::Node;
use crate::plan::PlanError;

/// Why the change goes no further. What was done is in the journal, and another run goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CutoverError {
    /// The journal.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// The balancer.
    #[error("{0}")]
    Balancer(#[from] BalancerError),
    /// A node.
    #[error("{0}")]
    Control(#[from] ControlError),
    /// The plan.
    #[error("{0}")]
    Plan(#[from] PlanError),
    /// What would not be safe.
    #[error("not done: {op}: {why}")]
    Unsafe {
        /// What.
        op: Op,
        /// Why.
        why: Unsafe,
    },
    /// No safe course from where the pool is.
    #[error("there is no safe way from here: {0}")]
    NoWay(Unsafe),
    /// The keys that the nodes are to sign with are not in place.
    #[error("the {form} keys are not in place: {fault}")]
    Keys {
        /// Of which form.
        form: TokenForm,
        /// What is wrong.
        fault: String,
    },
    /// A node that is not what the journal knows.
    #[error(
        "node `{node}` has the provider `{found}`, and the journal says `{wanted}`: somebody changed it meanwhile; put \
         it back, or begin anew with another journal"
    )]
    Changed {
        /// Which.
        node: Node,
        /// What it has.
        found: String,
        /// What the journal says.
        wanted: &'static str,
    },
    /// A node that somebody took out of the pool.
    #[error(
        "node `{0}` is out of the balancer's pool, and the journal says that it serves: somebody drained it; let it \
         serve again, then go on"
    )]
    OutOfPool(Node),
    /// Nodes that are down before anything is changed.
    #[error(
        "the balancer takes {} for down, and the plan counts on every node: nothing was changed; bring it up, or drain it \
         and take inventory and plan without it",
        nodes_of(.0)
    )]
    Down(Vec<Node>),
    /// What the balancer sends users to, and nobody changes.
    #[error(
        "the balancer also sends users to {}, which the plan does not know: it would go on with the tokens of before; take \
         the inventory and the plan with it, or drain it there", .0.join(", ")
    )]
    Others(Vec<String>),
    /// Requests that do not end.
    #[error("node `{node}` still has {open} requests after {after_s} s: see what they are, then go on")]
    NotDrained {
        /// Which.
        node: Node,
        /// How many.
        open: u64,
        /// How long was waited.
        after_s: u64,
    },
    /// A node that does not come back.
    #[error(
        "node `{node}` does not answer {after_s} s after its restart: see Keystone's log there, and its --url; it stays \
         out of the pool"
    )]
    NotUp {
        /// Which.
        node: Node,
        /// How long was waited.
        after_s: u64,
    },
    /// A node that answers us and not the balancer.
    #[error(
        "the balancer does not take node `{node}` for healthy, {after_s} s after it was checked: see how it asks it \
         (`option httpchk`); it stays out of the pool"
    )]
    NotBelieved {
        /// Which.
        node: Node,
        /// How long was waited.
        after_s: u64,
    },
    /// A node that is not what it shall be.
    #[error("node `{node}` stays out of the pool: {}", faults.join("; "))]
    NotFit {
        /// Which.
        node: Node,
        /// What was found.
        faults: Vec<String>,
    },
    /// Users are worse off.
    #[error("stopped after `{op}`: {reason}; `sealstone migrate check` says of which node, and why")]
    Errors {
        /// What was done.
        op: Op,
        /// What was seen.
        reason: String,
    },
    /// Whoever runs it did not agree.
    #[error("stopped before `{0}`: it was not agreed to")]
    NotAgreed(Op),
    /// The course counts on bridges, and nobody said that they are there.
    #[error(
        "this journal's course lets nodes of both kinds serve side by side: give --bridged, as before, while bridges \
         stand before the nodes"
    )]
    Unbridged,
    /// The other direction is under way.
    #[error("a {0} is under way in this journal: finish it by `{1}`, then begin anew")]
    UnderWay(&'static str, &'static str),
    /// Nothing to go back from.
    #[error("this journal knows of no change: there is nothing to take back")]
    NothingToTakeBack,
    /// The change is made; there is nothing to do.
    #[error("every node serves {0} tokens already, by this journal")]
    Nothing(TokenForm),
    /// A Fernet token may still be shown.
    #[error(
        "the Fernet keys stay for another {}: until then a service may show a Fernet token of before the switch \
         (expiration + allow_expired_window)", span(*.0)
    )]
    TooEarly(u64),
    /// Keystone took something amiss that is to be retired.
    #[error("the Fernet keys stay: JWS tokens are not taken everywhere: {}", .0.join("; "))]
    NotValidated(Vec<String>),
    /// The Fernet keys are gone.
    #[error(
        "the Fernet keys are gone, so there is no way back with them: make others with `keystone-manage fernet_setup` on \
         one node, bring them to all, and set the provider by hand"
    )]
    KeysGone,
}

fn nodes_of(nodes: &[Node]) -> String {
    let named: Vec<String> = nodes.iter().map(|node| format!("node `{node}`")).collect();
    named.join(", ")
}

impl CutoverError {
    pub(super) fn keys(fault: &KeyFault) -> Self {
        Self::Keys {
            form: TokenForm::Jws,
            fault: format!("{fault}; see `sealstone migrate keys`"),
        }
    }

    /// Whether it is about what was asked for, and not about the nodes: nothing is written down for it.
    pub(super) const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Journal(_) | Self::TooEarly(_) | Self::NotAgreed(_) | Self::Nothing(_) | Self::Unbridged
        )
    }
}
