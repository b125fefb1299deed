//! Whether the nodes take each other's tokens, asked as users ask.

mod clocks;
mod exchange;
mod judge;
mod login;
mod matrix;
mod prober;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cutover::Verdict;
use crate::form::TokenForm;
use crate::node::Node;

pub use clocks::ClockBounds;
pub use exchange::{Exchange, ProbeAnswer, ProbeRequest};
pub use judge::{judge_answers, judge_records};
pub use login::{Login, LoginError, LoginKind};
pub use matrix::{MatrixProgress, run_matrix};
pub use prober::KeystoneProber;

/// One node to ask, past the balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers say where nodes are")]
pub struct Target {
    /// Its name.
    pub node: Node,
    /// Its own address, as `http://a:5000/v3`.
    pub url: String,
    /// What it is to issue; `None` where nobody knows.
    pub form: Option<TokenForm>,
    /// Whether it keeps for a while that a token was not revoked, in seconds: for so long it may take one that was revoked
    /// elsewhere.
    pub cached_s: Option<u64>,
}

/// How a node answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever shows a matrix handles each")]
pub enum Answer {
    /// It did it.
    Taken,
    /// It does not take the token, or the login: 401 or 404.
    Refused(u16),
    /// It takes the token, and its policy does not let this holder do this: 403.
    NotAllowed,
    /// It did neither: another status, or no answer at all.
    Failed(String),
    /// It was not asked, since something before had failed.
    NotAsked,
}

/// A token issued at one node, shown at another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Cell {
    /// Whose token.
    pub login: String,
    /// Of which scope.
    pub kind: LoginKind,
    /// Where it was issued.
    pub issuer: Node,
    /// Where it was shown.
    pub shown_at: Node,
    /// The login.
    pub issued: Answer,
    /// What was issued.
    pub form: Option<TokenForm>,
    /// `GET /auth/tokens`.
    pub validated: Answer,
    /// `GET /auth/projects` with it.
    pub used: Answer,
    /// `DELETE /auth/tokens`.
    pub revoked: Answer,
    /// Nodes that took it after that.
    pub taken_after: Vec<Node>,
}

/// Everything that was asked, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// What must be mended before a node serves.
    pub faults: Vec<String>,
    /// What to know.
    pub notes: Vec<String>,
    /// What was asked.
    pub cells: Vec<Cell>,
    /// Scopes for which there was no login.
    pub not_checked: Vec<LoginKind>,
    /// What each node's clock was seen to be.
    pub clocks: BTreeMap<Node, ClockBounds>,
}

impl CheckReport {
    /// Puts together what was asked and what it means.
    #[must_use]
    pub fn new(
        verdict: Verdict,
        cells: Vec<Cell>,
        not_checked: impl Iterator<Item = LoginKind>,
        clocks: BTreeMap<Node, ClockBounds>,
    ) -> Self {
        Self {
            faults: verdict.faults,
            notes: verdict.notes,
            cells,
            not_checked: not_checked.collect(),
            clocks,
        }
    }

    /// Whether every node may serve.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.faults.is_empty()
    }
}
