//! Every login at every node, shown at every other.

use std::collections::BTreeMap;

use serde_json::Value;
use zeroize::Zeroizing;

use super::clocks::{self, ClockBounds};
use super::exchange::{Exchange, ProbeAnswer, ProbeRequest};
use super::{Answer, Cell, Login, LoginKind, Target};
use crate::form::TokenForm;
use crate::node::Node;

/// How far it is: done, of how many.
pub type MatrixProgress<'a> = &'a mut dyn FnMut(usize, usize);

/// Tries every login at every target and shows each token at every other one; with `about`, only where that node is
/// one of the two. A single target is shown its own.
pub fn run_matrix(
    targets: &[Target],
    logins: &[Login],
    about: Option<&Node>,
    exchange: &mut dyn Exchange,
    progress: MatrixProgress<'_>,
) -> (Vec<Cell>, BTreeMap<Node, ClockBounds>) {
    let is_wanted = |issuer: &Target, shown_at: &Target| {
        let differ = issuer.node != shown_at.node || targets.len() == 1;
        differ && about.is_none_or(|node| issuer.node == *node || shown_at.node == *node)
    };
    let mut pairs = Vec::new();
    for login in logins {
        for issuer in targets {
            let others = targets.iter().filter(|other| is_wanted(issuer, other));
            pairs.extend(others.map(|other| (login, issuer, other)));
        }
    }
    let of = pairs.len();
    let mut matrix = Matrix {
        targets,
        exchange,
        clocks: BTreeMap::new(),
        inspector: logins.iter().find(|login| login.kind() == LoginKind::System),
    };
    let mut cells = Vec::new();
    for (done, (login, issuer, shown_at)) in (1..).zip(pairs) {
        cells.push(matrix.cell(login, issuer, shown_at));
        progress(done, of);
    }
    (cells, matrix.clocks)
}

/// Shows a token that was issued at one address at another, some times, and revokes it.
pub(super) fn carry(
    login: &Login,
    issuer: &str,
    at: &str,
    times: usize,
    exchange: &mut dyn Exchange,
) -> Result<(), String> {
    let target = |name: &str, url: &str| {
        let node = Node::parse(name).map_err(|error| error.to_string())?;
        Ok::<_, String>(Target {
            node,
            url: url.to_owned(),
            form: None,
            cached_s: None,
        })
    };
    let (issuer, at) = (target("issuer", issuer)?, target("balancer", at)?);
    let mut matrix = Matrix {
        targets: &[],
        exchange,
        clocks: BTreeMap::new(),
        inspector: None,
    };
    let (_issued, Some(token)) = matrix.issue(login, &issuer) else {
        return Err("nobody issued".to_owned());
    };
    let mut carried = Ok(());
    for _ in 0..times {
        carried = match matrix.show(&at, "GET", "/auth/projects", &token, &token) {
            Answer::Taken | Answer::NotAllowed | Answer::NotAsked => continue,
            Answer::Refused(status) => Err(format!("{status} for")),
            Answer::Failed(fault) => Err(format!("{fault}: no answer to")),
        };
        break;
    }
    let _ = matrix.show(&issuer, "DELETE", "/auth/tokens", &token, &token);
    carried
}

struct Matrix<'a> {
    targets: &'a [Target],
    exchange: &'a mut dyn Exchange,
    clocks: BTreeMap<Node, ClockBounds>,
    /// Who may see other people's tokens.
    inspector: Option<&'a Login>,
}

impl Matrix<'_> {
    fn cell(&mut self, login: &Login, issuer: &Target, shown_at: &Target) -> Cell {
        let mut cell = Cell {
            login: login.name().to_owned(),
            kind: login.kind(),
            issuer: issuer.node.clone(),
            shown_at: shown_at.node.clone(),
            issued: Answer::NotAsked,
            form: None,
            validated: Answer::NotAsked,
            used: Answer::NotAsked,
            revoked: Answer::NotAsked,
            taken_after: Vec::new(),
        };
        let (issued, token) = self.issue(login, issuer);
        cell.issued = issued;
        let Some(token) = token else {
            return cell;
        };
        cell.form = TokenForm::of_token(&token);
        cell.validated = self.show(shown_at, "GET", "/auth/tokens?nocatalog", &token, &token);
        cell.used = self.show(shown_at, "GET", "/auth/projects", &token, &token);
        cell.revoked = self.show(shown_at, "DELETE", "/auth/tokens", &token, &token);
        self.inspect(&mut cell, shown_at, &token);
        if cell.revoked == Answer::Taken {
            for target in self.targets {
                let after = self.show(target, "GET", "/auth/projects", &token, &token);
                if matches!(after, Answer::Taken | Answer::NotAllowed) {
                    cell.taken_after.push(target.node.clone());
                }
            }
        } else {
            // It is not left alive.
            let _ = self.show(issuer, "DELETE", "/auth/tokens", &token, &token);
        }
        cell
    }

    /// Keystone does not let the holder of an impersonating trust see or revoke its own token, which is in the
    /// trustor's name: somebody else does it, who may.
    fn inspect(&mut self, cell: &mut Cell, shown_at: &Target, token: &str) {
        let is_due = cell.validated == Answer::NotAllowed || cell.revoked == Answer::NotAllowed;
        let Some(login) = self.inspector.filter(|_| is_due) else {
            return;
        };
        let (_issued, Some(caller)) = self.issue(login, shown_at) else {
            return;
        };
        if cell.validated == Answer::NotAllowed {
            cell.validated = self.show(shown_at, "GET", "/auth/tokens?nocatalog", &caller, token);
        }
        if cell.revoked == Answer::NotAllowed {
            cell.revoked = self.show(shown_at, "DELETE", "/auth/tokens", &caller, token);
        }
        let _ = self.show(shown_at, "DELETE", "/auth/tokens", &caller, &caller);
    }

    fn issue(&mut self, login: &Login, issuer: &Target) -> (Answer, Option<Zeroizing<String>>) {
        let (method, mut headers) = if login.body().is_empty() {
            ("GET", Vec::new())
        } else {
            ("POST", vec![("content-type", "application/json")])
        };
        headers.extend(login.headers());
        let request = ProbeRequest {
            method,
            url: format!("{}{}", issuer.url, login.path()),
            headers,
            body: login.body(),
        };
        let before = self.exchange.now_ms();
        let answer = self.exchange.exchange(&request);
        let after = self.exchange.now_ms();
        match answer {
            Ok(answer) if answer.status == 201 => {
                if let Some(told) = second_of(&answer) {
                    let bounds = ClockBounds::of(told, before, after);
                    let known = self.clocks.get(&issuer.node).copied();
                    let bounds = known.map_or(bounds, |known| known.and(bounds));
                    self.clocks.insert(issuer.node.clone(), bounds);
                }
                match answer.token {
                    Some(token) => (Answer::Taken, Some(Zeroizing::new(token))),
                    None => (Answer::Failed("201 without a token".to_owned()), None),
                }
            }
            Ok(answer) => (of_status(answer.status), None),
            Err(fault) => (Answer::Failed(fault), None),
        }
    }

    fn show(
        &mut self,
        target: &Target,
        method: &'static str,
        path: &str,
        caller: &str,
        subject: &str,
    ) -> Answer {
        let request = ProbeRequest {
            method,
            url: format!("{}{path}", target.url),
            headers: vec![
                ("x-auth-token", caller),
                ("x-subject-token", subject),
                // Without it, tokens of credentials with access rules are not found.
                ("openstack-identity-access-rules", "1.0"),
            ],
            body: "",
        };
        match self.exchange.exchange(&request) {
            Ok(answer) => of_status(answer.status),
            Err(fault) => Answer::Failed(fault),
        }
    }
}

fn of_status(status: u16) -> Answer {
    match status {
        200 | 201 | 204 => Answer::Taken,
        401 | 404 => Answer::Refused(status),
        403 => Answer::NotAllowed,
        other => Answer::Failed(format!("status {other}")),
    }
}

/// Of the `Date` header, or of the token itself where a server sends none: of the two, the token is what counts.
fn second_of(answer: &ProbeAnswer) -> Option<i64> {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let issued = body.as_ref().and_then(|body| body.pointer("/token/issued_at"));
    let issued = issued.and_then(Value::as_str).and_then(clocks::of_issued_at);
    issued.or_else(|| answer.date.as_deref().and_then(clocks::of_date))
}
