//! The balancer before the nodes, as the change needs it.

pub(crate) mod haproxy;
mod hook;

use std::collections::BTreeMap;
use std::io::ErrorKind;

use crate::node::Node;

pub use haproxy::{HaProxy, HaProxySocket, ServerLine, parse_servers, parse_traffic};
pub use hook::{BalancerHooks, Hook, HookError, HookRunner};

/// What the balancer does with a node now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "implementations of the port fill it")]
pub struct Member {
    /// Whether it gets new requests, or would get them as soon as it is healthy: nobody took it out of the pool.
    pub takes: bool,
    /// Whether it is believed to answer.
    pub healthy: bool,
    /// How many requests or sessions are open on it.
    pub open: u64,
}

/// What the balancer has counted since it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "implementations of the port fill it")]
pub struct Traffic {
    /// Answers.
    pub answers: u64,
    /// Answers 4xx.
    pub refused: u64,
    /// Answers 5xx, the balancer's own included.
    pub failed: u64,
}

/// Why the balancer was not understood, or did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BalancerError {
    /// Its socket.
    #[error(
        "cannot {verb} HAProxy's runtime socket {socket}: {source}; {}",
        remedy(source)
    )]
    Socket {
        /// What was to be done.
        verb: &'static str,
        /// Which.
        socket: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// It refused.
    #[error(
        "HAProxy ({socket}) refused `{command}`: {}; see --backend, and the socket's level in HAProxy's configuration",
        answer.trim_end_matches('.')
    )]
    Refused {
        /// Which socket.
        socket: String,
        /// What it was told.
        command: String,
        /// What it said.
        answer: String,
    },
    /// Not the form that HAProxy's documentation has.
    #[error("HAProxy ({socket}) answered `{command}` in another form than it is documented: {fault}")]
    Form {
        /// Which socket.
        socket: String,
        /// What it was told.
        command: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// A node that the balancer does not have.
    #[error("the balancer has no server `{node}` in `{backend}`: nodes are called as its servers are")]
    Unknown {
        /// The node.
        node: Node,
        /// Where it was looked for.
        backend: String,
    },
    /// A hook.
    #[error("{0}")]
    Hook(#[from] HookError),
}

/// What to do about a socket that does not work.
fn remedy(error: &std::io::Error) -> &'static str {
    // Kinds are added by new releases of Rust, and what is common is told apart.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the kinds are not ours")]
    match error.kind() {
        ErrorKind::NotFound => {
            "nothing is there: HAProxy does not run on this machine, or `stats socket PATH level admin` in its \
             configuration names another path"
        }
        ErrorKind::PermissionDenied => {
            "this account may not use it: run this as root or as an account of the group that the socket belongs to, or \
             let its `stats socket` in HAProxy's configuration say `mode 660 group GROUP level admin`"
        }
        ErrorKind::ConnectionRefused => {
            "nobody listens there: HAProxy does not run, or an earlier one left the file; start HAProxy"
        }
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            "it does not answer within 5 s: HAProxy hangs, or something else listens there"
        }
        _ => {
            "it is to be what `stats socket PATH level admin` in HAProxy's configuration names, of an HAProxy that runs"
        }
    }
}

/// The balancer's own interface.
///
/// What [`Balancer::look`] says is believed before a node is changed: an implementation that tells of a node that still
/// takes requests that it takes none breaks the promise that no such node is ever changed.
pub trait Balancer {
    /// What it does with each of these nodes now.
    ///
    /// # Errors
    /// [`BalancerError`]; a node that it does not know is one.
    fn look(&mut self, nodes: &[Node]) -> Result<BTreeMap<Node, Member>, BalancerError>;

    /// Lets those take requests, then these take no new ones, as one as far as it can. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`BalancerError`]; a part of it may have been done.
    fn change(&mut self, add: &[Node], drain: &[Node]) -> Result<(), BalancerError>;

    /// What takes requests of users beside these nodes, by its name there; nothing where it cannot tell.
    ///
    /// # Errors
    /// [`BalancerError`].
    fn others(&mut self, _nodes: &[Node]) -> Result<Vec<String>, BalancerError> {
        Ok(Vec::new())
    }

    /// What it has counted; `None` where it does not count.
    ///
    /// # Errors
    /// [`BalancerError`].
    fn traffic(&mut self) -> Result<Option<Traffic>, BalancerError>;
}
