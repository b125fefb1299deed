//! The order of the change: a runbook, and what makes one safe.

mod steps;
mod verify;

use serde::{Deserialize, Serialize};

use crate::inventory::Inventory;
use crate::keys::{KeyFault, judge_keys};
use crate::node::Node;

/// The form of the document; another number is another form.
const VERSION: u32 = 1;
/// How far clocks of nodes may be apart, in milliseconds. Keystone dates tokens by whole seconds and refuses those of
/// its future, so a node that is behind refuses what was issued in the first moments of a second; half a second is what
/// clocks kept by NTP never reach, and what asking over `ssh` can tell.
pub(crate) const MAX_CLOCK_SPREAD_MS: u64 = 500;
/// How long a command may be, in characters: what fits a line of a shell's history.
const MAX_COMMAND: usize = 1024;

/// How things are done here. In the commands, `{node}` is the node's name; in `flip`, `{file}` is the last of its
/// configuration files and `{provider}` the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers say how their cloud is run")]
pub struct PlanOptions {
    /// How many nodes must serve at any time.
    pub needed: usize,
    /// Bridges stand before the nodes, each of which takes tokens of both kinds then: nodes are changed one after the
    /// other, and serve beside those that are not.
    pub bridged: bool,
    /// Takes a node out of the balancer's pool, its open requests finish.
    pub drain: String,
    /// Puts a node into the pool.
    pub add: String,
    /// Shows whether a node serves, and how many of its requests are open.
    pub state: String,
    /// Sets the provider.
    pub flip: String,
    /// Restarts Keystone.
    pub restart: String,
    /// The node's own URL, past the balancer: `http://{node}:5000/v3`.
    pub url: String,
}

/// What a step does to which nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(
    clippy::exhaustive_enums,
    reason = "what a runbook is made of; whoever runs one handles each"
)]
pub enum Action {
    /// Look, change nothing.
    Look,
    /// Out of the pool.
    Drain(Node),
    /// `[token] provider` becomes `jws`.
    Flip(Node),
    /// Keystone reads its configuration.
    Restart(Node),
    /// The node issues JWS tokens, and takes those of every node that was changed.
    Check(Node),
    /// Into the pool.
    Add(Node),
    /// Those in, these out, as one.
    Switch {
        /// Into the pool.
        add: Vec<Node>,
        /// Out of it.
        drain: Vec<Node>,
    },
    /// Fernet keys may go.
    Retire,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Step {
    /// What it does.
    pub action: Action,
    /// In words.
    pub title: String,
    /// What to run.
    pub commands: Vec<String>,
    /// What to run then, to see that it is done.
    pub checks: Vec<String>,
    /// What the checks must say.
    pub expected: String,
    /// What users meet meanwhile, and for how long.
    pub window: String,
    /// What to run to be where one was before the step.
    pub way_back: Vec<String>,
}

/// A runbook, node by node. One that was read from a file is verified before it is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Plan {
    version: u32,
    /// When the inventory was taken that it was drawn from, in seconds since 1970.
    pub inventory_taken_at: u64,
    /// How many nodes serve at any time.
    pub needed: usize,
    /// Whether it counts on bridges before the nodes.
    #[serde(default)]
    pub bridged: bool,
    /// All nodes.
    pub nodes: Vec<Node>,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// Why there is no plan, or one is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Not its JSON.
    #[error("not a plan of `sealstone migrate plan --output json`: {0}")]
    Json(#[from] serde_json::Error),
    /// Another form.
    #[error("a plan of form {0}; this program reads form {VERSION}: make it anew")]
    Version(u32),
    /// A command that would break the runbook.
    #[error("the command for {0}: 1 to {MAX_COMMAND} characters on one line")]
    Command(&'static str),
    /// One half of the pool must carry all while the other is changed, or nodes that differ serve side by side.
    #[error(
        "{nodes} nodes, of which {needed} must serve: {} are needed, so that no flipped node serves beside an \
         unflipped one, or one more than must serve where bridges stand before them (--bridged); add nodes, or do with \
         fewer for a while",
        needed.saturating_mul(2)
    )]
    TooFewNodes {
        /// How many there are.
        nodes: usize,
        /// How many must serve.
        needed: usize,
    },
    /// A node that does not issue Fernet tokens.
    #[error(
        "node `{node}` has the provider `{provider}`: only a pool that issues Fernet tokens throughout is planned"
    )]
    Provider {
        /// The node.
        node: Node,
        /// What it has.
        provider: String,
    },
    /// Nobody knows the node's clock.
    #[error(
        "the clock of node `{0}` is not known: read the node over ssh, or measure its clock and tell by --clock"
    )]
    ClockUnknown(Node),
    /// Clocks that nobody knows well enough.
    #[error(
        "the clock of node `{node}` is known to {within_ms} ms only, since the node was slow to answer: take the \
         inventory again, or measure the clock and tell by --clock"
    )]
    ClockUnsure {
        /// The node.
        node: Node,
        /// By how much its clock may be off from what was found, in milliseconds.
        within_ms: u64,
    },
    /// Clocks that differ.
    #[error(
        "the clocks of `{behind}` and `{ahead}` may differ by {by_ms} ms, more than {MAX_CLOCK_SPREAD_MS}: Keystone \
         refuses tokens of its future; set the clocks"
    )]
    Clocks {
        /// The node that is behind.
        behind: Node,
        /// The node that is ahead.
        ahead: Node,
        /// By how much at most, in milliseconds.
        by_ms: u64,
    },
    /// The JWS keys are not in place.
    #[error("the JWS keys are not in place: {0}; see `sealstone migrate keys`")]
    Keys(KeyFault),
    /// The algorithm that a node signs with is not one that another takes.
    #[error("node `{node}` does not take {algorithm} ([jwt_tokens] jws_accepted_algorithms)")]
    Algorithm {
        /// The node that would refuse.
        node: Node,
        /// What another signs with.
        algorithm: String,
    },
    /// The steps would change a node that users are on.
    #[error("step {step} flips or restarts node `{node}`, which still serves: drain it first")]
    StillServes {
        /// Counted from 1.
        step: usize,
        /// The node.
        node: Node,
    },
    /// Too few would serve.
    #[error("after step {step} {serving} nodes serve, and {needed} must")]
    TooFewServe {
        /// Counted from 1.
        step: usize,
        /// How many serve.
        serving: usize,
        /// How many must.
        needed: usize,
    },
    /// Flipped and unflipped nodes side by side.
    #[error(
        "after step {0} flipped and unflipped nodes serve side by side: without bridges they refuse each other's tokens"
    )]
    Mixed(usize),
    /// A node comes back unseen.
    #[error("step {step} lets node `{node}` serve that was not checked since it was changed")]
    Unchecked {
        /// Counted from 1.
        step: usize,
        /// The node.
        node: Node,
    },
    /// The steps do not fit each other.
    #[error("step {step}: {fault}")]
    Order {
        /// Counted from 1.
        step: usize,
        /// What is wrong.
        fault: &'static str,
    },
    /// The last step leaves something undone.
    #[error("after the last step node `{0}` does not serve JWS tokens")]
    Unfinished(Node),
    /// A node that the inventory does not have, or has and the plan has not.
    #[error("node `{0}` is not in both the plan and the inventory")]
    Stranger(Node),
}

impl Plan {
    /// Draws up the steps for the nodes of an inventory.
    ///
    /// One half of the pool is changed while the other serves, then they change places as one, and the other half is
    /// changed: at no time do flipped and unflipped nodes serve side by side. With bridges before the nodes they may, and
    /// one node is changed after the other.
    ///
    /// # Errors
    /// [`PlanError`] where the change would not be safe: too few nodes, clocks that are unknown or differ, keys that are
    /// not in place, nodes that do not issue Fernet tokens.
    pub fn new(inventory: &Inventory, options: &PlanOptions) -> Result<Self, PlanError> {
        for (what, command) in [
            ("draining", &options.drain),
            ("adding", &options.add),
            ("showing the state", &options.state),
            ("flipping", &options.flip),
            ("restarting", &options.restart),
            ("the node's URL", &options.url),
        ] {
            let is_good = !command.is_empty()
                && command.chars().count() <= MAX_COMMAND
                && !command.chars().any(char::is_control)
                && !command.contains("```");
            if !is_good {
                return Err(PlanError::Command(what));
            }
        }
        let nodes: Vec<Node> = inventory.nodes.iter().map(|node| node.name.clone()).collect();
        judge(inventory, options.needed, options.bridged)?;
        let plan = Self {
            version: VERSION,
            inventory_taken_at: inventory.taken_at,
            needed: options.needed,
            bridged: options.bridged,
            steps: steps::draw(inventory, options),
            nodes,
        };
        verify::steps(&plan)?;
        Ok(plan)
    }

    /// Reads what a plan was written as, by hand changed or not, and verifies it against the inventory: nothing that
    /// still serves is flipped, enough serve at any time, none beside one that refuses its tokens, every node is checked
    /// before it serves, and all serve in the end.
    ///
    /// What its commands do is not judged; that they do what the step says is for a person to see.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn from_json(bytes: &[u8], inventory: &Inventory) -> Result<Self, PlanError> {
        let plan: Self = serde_json::from_slice(bytes)?;
        if plan.version != VERSION {
            return Err(PlanError::Version(plan.version));
        }
        let known = |node: &Node| inventory.nodes.iter().any(|record| record.name == *node);
        let ours = plan.nodes.iter().find(|node| !known(node));
        let theirs = inventory.nodes.iter().map(|record| &record.name);
        let mut theirs = theirs.filter(|name| !plan.nodes.contains(name));
        if let Some(stranger) = ours.or_else(|| theirs.next()) {
            return Err(PlanError::Stranger(stranger.clone()));
        }
        judge(inventory, plan.needed, plan.bridged)?;
        verify::steps(&plan)?;
        Ok(plan)
    }

    /// As a runbook for people.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        crate::markdown::plan(self)
    }
}

/// Whether the nodes are fit for the change at all.
fn judge(inventory: &Inventory, needed: usize, bridged: bool) -> Result<(), PlanError> {
    let nodes = inventory.nodes.len();
    let needed = needed.max(1);
    let least = if bridged {
        needed.saturating_add(1)
    } else {
        needed.saturating_mul(2)
    };
    if nodes < least {
        return Err(PlanError::TooFewNodes { nodes, needed });
    }
    for node in &inventory.nodes {
        if node.settings.provider != "fernet" {
            return Err(PlanError::Provider {
                node: node.name.clone(),
                provider: node.settings.provider.clone(),
            });
        }
        for other in &inventory.nodes {
            let algorithm = &other.settings.jws_algorithm;
            if !node.settings.jws_accepted_algorithms.contains(algorithm) {
                return Err(PlanError::Algorithm {
                    node: node.name.clone(),
                    algorithm: algorithm.clone(),
                });
            }
        }
    }
    clocks(inventory)?;
    match judge_keys(&inventory.nodes).into_iter().next() {
        Some(fault) => Err(PlanError::Keys(fault)),
        None => Ok(()),
    }
}

fn clocks(inventory: &Inventory) -> Result<(), PlanError> {
    for ahead in &inventory.nodes {
        let front = ahead
            .clock
            .ok_or_else(|| PlanError::ClockUnknown(ahead.name.clone()))?;
        for behind in inventory.nodes.iter().filter(|node| node.name != ahead.name) {
            let back = behind
                .clock
                .ok_or_else(|| PlanError::ClockUnknown(behind.name.clone()))?;
            let apart = front.offset_ms.abs_diff(back.offset_ms);
            let by_ms = apart
                .saturating_add(front.within_ms)
                .saturating_add(back.within_ms);
            if by_ms > MAX_CLOCK_SPREAD_MS && apart <= front.within_ms.saturating_add(back.within_ms) {
                let unsure = if front.within_ms >= back.within_ms {
                    (ahead, front)
                } else {
                    (behind, back)
                };
                return Err(PlanError::ClockUnsure {
                    node: unsure.0.name.clone(),
                    within_ms: unsure.1.within_ms,
                });
            }
            if front.offset_ms >= back.offset_ms && by_ms > MAX_CLOCK_SPREAD_MS {
                return Err(PlanError::Clocks {
                    behind: behind.name.clone(),
                    ahead: ahead.name.clone(),
                    by_ms,
                });
            }
        }
    }
    Ok(())
}
