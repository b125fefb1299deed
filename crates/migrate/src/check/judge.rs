//! What the answers mean.

use std::collections::{BTreeMap, BTreeSet};

use sealstone_fernet::compare_nodes;

use super::clocks::ClockBounds;
use super::{Answer, Cell, LoginKind, Target};
use crate::cutover::Verdict;
use crate::form::TokenForm;
use crate::inventory::{NodeRecord, keys_of};
use crate::keys::judge_keys;
use crate::node::Node;
use crate::plan::MAX_CLOCK_SPREAD_MS;

/// How far this machine's clock may be from all nodes' before it is told, in milliseconds: what an answer on its way
/// and whole seconds make, and no more.
const OWN_CLOCK_MS: i64 = 2000;

/// Judges answers: nodes of one form take each other's tokens, each issues what it is to issue, what was revoked is
/// refused everywhere, and clocks agree.
#[must_use]
pub fn judge_answers(targets: &[Target], cells: &[Cell], clocks: &BTreeMap<Node, ClockBounds>) -> Verdict {
    let mut judge = Judge {
        targets,
        faults: BTreeMap::new(),
        notes: BTreeSet::new(),
    };
    for cell in cells {
        judge.cell(cell);
    }
    let mut verdict = Verdict::default();
    // First, since much of what follows may come of them.
    of_clocks(clocks, &mut verdict);
    for (fault, kinds) in judge.faults {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        verdict.faults.push(format!("{fault} ({})", kinds.join(", ")));
    }
    verdict.notes.extend(judge.notes);
    verdict
}

struct Judge<'a> {
    targets: &'a [Target],
    faults: BTreeMap<String, BTreeSet<LoginKind>>,
    notes: BTreeSet<String>,
}

impl Judge<'_> {
    fn fault(&mut self, kind: LoginKind, text: String) {
        self.faults.entry(text).or_default().insert(kind);
    }

    fn target(&self, node: &Node) -> Option<&Target> {
        self.targets.iter().find(|target| target.node == *node)
    }

    fn cell(&mut self, cell: &Cell) {
        let (issuer, at) = (&cell.issuer, &cell.shown_at);
        let what = match &cell.issued {
            Answer::Taken => None,
            Answer::Refused(status) => Some(format!(
                "node {issuer} refuses the login: {status}, as `{}`",
                cell.login
            )),
            Answer::NotAllowed => Some(format!(
                "node {issuer} refuses the login: 403, as `{}`",
                cell.login
            )),
            // Whoever asks: told once for all of them.
            Answer::Failed(fault) => Some(format!("node {issuer} does not log in: {fault}")),
            Answer::NotAsked => Some(format!("node {issuer} was not asked")),
        };
        if let Some(what) = what {
            return self.fault(cell.kind, what);
        }
        let wanted = self.target(issuer).and_then(|target| target.form);
        match (cell.form, wanted) {
            (None, _) => {
                return self.fault(cell.kind, format!("node {issuer} issues tokens of neither form"));
            }
            (Some(found), Some(wanted)) if found != wanted => {
                self.fault(
                    cell.kind,
                    format!(
                        "node {issuer} issues {found} tokens, and {wanted} is expected: was it restarted since its \
                         configuration was changed?"
                    ),
                );
            }
            _ => {}
        }
        let theirs = self.target(at).and_then(|target| target.form);
        if let (Some(found), Some(theirs)) = (cell.form, theirs)
            && found != theirs
        {
            if cell.validated != Answer::Taken {
                self.notes.insert(format!(
                    "node {at} issues {theirs} tokens, and refuses the {found} tokens of node {issuer}: they must not \
                     serve side by side"
                ));
            }
            return;
        }
        self.asked(cell, "validate", &cell.validated);
        self.asked(cell, "let in", &cell.used);
        self.asked(cell, "revoke", &cell.revoked);
        for node in &cell.taken_after {
            match self.target(node).and_then(|target| target.cached_s) {
                Some(cached) => {
                    self.notes.insert(format!(
                        "node {node} took a token that was revoked at node {at}: it keeps validations for {cached} s"
                    ));
                }
                None => self.fault(
                    cell.kind,
                    format!("node {node} takes tokens that were revoked at node {at}"),
                ),
            }
        }
    }

    fn asked(&mut self, cell: &Cell, verb: &str, answer: &Answer) {
        let (issuer, at) = (&cell.issuer, &cell.shown_at);
        match answer {
            Answer::Taken | Answer::NotAsked => {}
            Answer::NotAllowed => {
                self.notes.insert(format!(
                    "Keystone's policy does not let `{}` {verb} its own token ({}): a login of kind system does it",
                    cell.login,
                    cell.kind.as_str()
                ));
            }
            Answer::Refused(status) => self.fault(
                cell.kind,
                format!("node {at} does not {verb} tokens of node {issuer}: {status}; does it have that node's key?"),
            ),
            Answer::Failed(fault) => self.fault(
                cell.kind,
                format!(
                    "node {at} fails to {verb} tokens of node {issuer}: {fault}; is its clock behind, or is it down?"
                ),
            ),
        }
    }
}

fn of_clocks(clocks: &BTreeMap<Node, ClockBounds>, verdict: &mut Verdict) {
    let most = i64::try_from(MAX_CLOCK_SPREAD_MS).unwrap_or(i64::MAX);
    for (ahead, ours) in clocks {
        for (behind, theirs) in clocks {
            let by = ours.ahead_of(theirs);
            if by > most {
                verdict.faults.push(format!(
                    "the clock of node {ahead} is ahead of that of node {behind} by {} s at least: set the clocks",
                    by / 1000
                ));
            }
        }
    }
    let is_off =
        |bounds: &ClockBounds| bounds.at_least_ms > OWN_CLOCK_MS || bounds.at_most_ms < -OWN_CLOCK_MS;
    if !clocks.is_empty() && clocks.values().all(is_off) {
        verdict.notes.push(
            "this machine's clock differs from that of every node: set it, for it tells how long keys are kept"
                .to_owned(),
        );
    }
}

/// Judges what was read on the nodes: the keys of the form that each issues, and the JWS keys of all where any issues
/// JWS tokens or `all_jws` says that any will.
#[must_use]
pub fn judge_records(records: &[NodeRecord], all_jws: bool) -> Vec<String> {
    let issues = |record: &NodeRecord, form: TokenForm| record.settings.provider == form.as_str();
    let mut faults = Vec::new();
    if all_jws || records.iter().any(|record| issues(record, TokenForm::Jws)) {
        faults.extend(judge_keys(records).iter().map(ToString::to_string));
    }
    let fernet: Vec<&NodeRecord> = records
        .iter()
        .filter(|record| issues(record, TokenForm::Fernet))
        .collect();
    for record in &fernet {
        let told = record
            .fernet
            .faults
            .iter()
            .map(|fault| format!("node `{}`: {fault}", record.name));
        faults.extend(told);
    }
    let keys: Vec<_> = fernet
        .iter()
        .filter_map(|record| keys_of(record))
        .map(|mut keys| {
            keys.jws_signing = None;
            keys.jws_public.clear();
            keys
        })
        .collect();
    faults.extend(compare_nodes(&keys).iter().map(ToString::to_string));
    faults
}

#[cfg(test)]
mod tests;
