//! The change's questions, asked of Keystone.

use std::collections::{BTreeMap, BTreeSet};

use super::clocks::ClockBounds;
use super::exchange::{Exchange, ProbeRequest};
use super::judge::{judge_answers, judge_records};
use super::matrix::{carry, run_matrix};
use super::{Answer, Cell, Login, LoginKind, Target};
use crate::cutover::{Prober, Verdict, Wanted};
use crate::form::TokenForm;
use crate::node::Node;

/// How often a token is shown for each node that serves: a balancer that takes turns brings one of three to each while
/// others ask as well.
const SHOWN: usize = 3;

/// Asks nodes by their own addresses, and the balancer by its.
pub struct KeystoneProber<'a> {
    exchange: &'a mut dyn Exchange,
    urls: BTreeMap<Node, String>,
    logins: Vec<Login>,
    balancer: Option<String>,
}

impl std::fmt::Debug for KeystoneProber<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeystoneProber")
            .field("urls", &self.urls)
            .field("logins", &self.logins)
            .field("balancer", &self.balancer)
            .finish_non_exhaustive()
    }
}

impl<'a> KeystoneProber<'a> {
    /// `urls` are the nodes' own addresses, `balancer` is what users have.
    #[must_use]
    pub fn new(
        exchange: &'a mut dyn Exchange,
        urls: BTreeMap<Node, String>,
        logins: Vec<Login>,
        balancer: Option<String>,
    ) -> Self {
        Self {
            exchange,
            urls,
            logins,
            balancer,
        }
    }
}

impl KeystoneProber<'_> {
    /// The login by which users are stood in for.
    fn plain_login(&self) -> Option<Login> {
        let is_plain = |login: &&Login| matches!(login.kind(), LoginKind::Project | LoginKind::Unscoped);
        let plain = self.logins.iter().find(is_plain);
        plain.or_else(|| self.logins.first()).cloned()
    }

    /// A node must not be ahead of any other, also of those that are changed later. One that is down tells nothing.
    fn other_clocks(&mut self, wanted: &Wanted<'_>, clocks: &mut BTreeMap<Node, ClockBounds>) {
        let Some(login) = self.logins.first().cloned() else {
            return;
        };
        for (node, url) in self.urls.clone() {
            if wanted.nodes.contains_key(&node) {
                continue;
            }
            let target = Target {
                node,
                url,
                form: None,
                cached_s: None,
            };
            let logins = std::slice::from_ref(&login);
            let (_cells, seen) = run_matrix(&[target], logins, None, self.exchange, &mut |_done, _of| {});
            clocks.extend(seen);
        }
    }
}

/// What a check has tried: whoever reads the log of a change sees what it rests on.
fn asked(wanted: &Wanted<'_>, cells: &[Cell]) -> Option<String> {
    let kinds: BTreeSet<LoginKind> = cells.iter().map(|cell| cell.kind).collect();
    let kinds: Vec<&str> = kinds.into_iter().map(LoginKind::as_str).collect();
    let nodes: Vec<&str> = wanted.nodes.keys().map(Node::as_str).collect();
    let whom = match wanted.about {
        Some(node) => format!("checked node {node}"),
        None => "checked every node".to_owned(),
    };
    let tokens = cells.len();
    let among = nodes.join(", ");
    (tokens > 0).then(|| format!("{whom}: {tokens} tokens ({}) among {among}", kinds.join(", ")))
}

impl Prober for KeystoneProber<'_> {
    fn answers(&mut self, node: &Node) -> bool {
        let Some(url) = self.urls.get(node) else {
            return false;
        };
        let request = ProbeRequest {
            method: "GET",
            url: url.clone(),
            headers: Vec::new(),
            body: "",
        };
        self.exchange
            .exchange(&request)
            .is_ok_and(|answer| answer.status == 200)
    }

    fn check(&mut self, wanted: &Wanted<'_>) -> Verdict {
        let mut targets = Vec::new();
        for (node, form) in wanted.nodes {
            let Some(url) = self.urls.get(node) else {
                return Verdict {
                    faults: vec![format!(
                        "nobody said where node {node} answers: give --url {node}=URL"
                    )],
                    notes: Vec::new(),
                };
            };
            let settings = wanted.records.iter().find(|record| record.name == *node);
            let settings = settings.map(|record| &record.settings);
            targets.push(Target {
                node: node.clone(),
                url: url.clone(),
                form: Some(*form),
                cached_s: settings
                    .filter(|found| found.verdict_caching && found.cache_time_s > 0)
                    .map(|found| found.cache_time_s),
            });
        }
        let (cells, mut clocks) = run_matrix(
            &targets,
            &self.logins,
            wanted.about,
            self.exchange,
            &mut |_done, _of| {},
        );
        self.other_clocks(wanted, &mut clocks);
        let mut verdict = judge_answers(&targets, &cells, &clocks);
        verdict.notes.extend(asked(wanted, &cells));
        let is_jws = wanted.nodes.values().any(|form| *form == TokenForm::Jws);
        let records: Vec<_> = wanted
            .records
            .iter()
            .filter(|record| wanted.nodes.contains_key(&record.name))
            .cloned()
            .collect();
        // The public keys of nodes that are changed later must be there, too.
        let records = if is_jws { wanted.records } else { &records };
        verdict.faults.extend(judge_records(records, is_jws));
        verdict
    }

    fn carried(&mut self, issuers: &[Node], serving: usize) -> Result<(), String> {
        let (Some(balancer), Some(login)) = (self.balancer.clone(), self.plain_login()) else {
            return Ok(());
        };
        let times = serving.saturating_mul(SHOWN);
        for issuer in issuers {
            let Some(url) = self.urls.get(issuer) else {
                continue;
            };
            let carried = carry(&login, url, &balancer, times, self.exchange);
            carried.map_err(|fault| {
                format!(
                    "{fault} a token of node {issuer} that was shown through the balancer: does a bridge stand before \
                     every node, with the pool's keys?"
                )
            })?;
        }
        Ok(())
    }

    fn through_balancer(&mut self) -> Result<(), String> {
        let (Some(url), Some(login)) = (self.balancer.clone(), self.plain_login()) else {
            return Ok(());
        };
        let target = Target {
            node: Node::parse("balancer").map_err(|error| error.to_string())?,
            url,
            form: None,
            cached_s: None,
        };
        let logins = [login];
        let (cells, _clocks) = run_matrix(&[target], &logins, None, self.exchange, &mut |_done, _of| {});
        let Some(cell) = cells.first() else { return Ok(()) };
        for (what, answer) in [
            ("login", &cell.issued),
            ("validation", &cell.validated),
            ("use", &cell.used),
        ] {
            match answer {
                Answer::Taken | Answer::NotAllowed | Answer::NotAsked => {}
                Answer::Refused(status) => return Err(format!("{what}: {status}")),
                Answer::Failed(fault) => return Err(format!("{what}: {fault}")),
            }
        }
        Ok(())
    }
}
