//! Tables of the guide, held to what was observed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sealstone_interop::{Answer, Front, HttpsError};

use crate::{guide, soon};

/// What was observed of one failure, by the head of the column that tells of it.
pub(crate) type Observed = BTreeMap<&'static str, String>;

/// The columns that are advice, not observation.
const ADVICE: [&str; 2] = ["Failure", "Do"];

/// Holds the table below a heading to what was observed: each row has its failure and each failure its row; what a cell
/// quotes was said, in this order, and where it says `nothing` nothing was.
#[track_caller]
pub(crate) fn check(heading: &str, observed: &BTreeMap<&'static str, Observed>) {
    let guide = guide();
    let section = guide
        .split(&format!("\n### {heading}\n"))
        .nth(1)
        .unwrap_or_default();
    let section = section.split("\n#").next().unwrap_or_default();
    let mut rows = section.lines().filter(|line| line.starts_with("| "));
    let heads: Vec<&str> = rows.next().map(cells).unwrap_or_default();
    let mut wrong = String::new();
    let mut told = Vec::new();
    for row in rows {
        let cells = cells(row);
        let Some(seen) = observed.get(cells[0]) else {
            let _ = writeln!(wrong, "nothing like it was tried: {row}");
            continue;
        };
        told.push(cells[0]);
        assert_eq!(cells.len(), heads.len(), "{row}");
        for (head, cell) in heads.iter().zip(cells).filter(|(head, _)| !ADVICE.contains(head)) {
            let said = &seen[*head];
            if !fits(cell, said) {
                let _ = writeln!(wrong, "{row}\n  {head}: {said}\n");
            }
        }
    }
    for (failure, seen) in observed {
        if !told.contains(failure) {
            let _ = writeln!(wrong, "not in the guide: {failure} {seen:#?}");
        }
    }
    assert!(wrong.is_empty(), "{heading}\n{wrong}");
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split(" | ").map(str::trim).collect()
}

fn fits(cell: &str, said: &str) -> bool {
    if cell == "nothing" {
        return said.trim().is_empty();
    }
    let mut rest = said;
    let mut count = 0;
    for quoted in cell.split('`').skip(1).step_by(2) {
        for part in quoted.split('…') {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        count += 1;
    }
    count > 0
}

/// What a client sees of an answer, or of a connection that ended without one.
pub(crate) fn seen(answer: &Result<Answer, HttpsError>) -> String {
    match answer {
        Ok(answer) => format!("{} {}", answer.status, answer.text()),
        Err(error) => format!("no answer: {error}"),
    }
}

/// What a node logged, without its accesses and without what every hashing says.
pub(crate) fn keystone_said(log: &str) -> String {
    let lines = log
        .lines()
        .filter(|line| !line.starts_with("[pid: ") && !line.contains("password_hashing"));
    lines.collect::<Vec<_>>().join("\n")
}

/// What a front logged, without those who looked whether it is there.
pub(crate) fn front_said(front: &Front) -> String {
    let said = front.said();
    let lines = said
        .lines()
        .filter(|line| !line.contains("while SSL handshaking"));
    lines.collect::<Vec<_>>().join("\n")
}

/// A line may be on its way through a pipe while the answer is here already: one quiet look is not enough.
const QUIET_LOOKS: usize = 6;

/// The lines that came since, once no more come.
pub(crate) fn settled<const N: usize>(
    before: &[(&'static str, String); N],
    texts: impl Fn() -> [(&'static str, String); N],
) -> Observed {
    let mut last = texts();
    let mut quiet = 0;
    soon("the logs are quiet", || {
        let now = texts();
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
        quiet >= QUIET_LOOKS
    });
    let fresh = before.iter().zip(last).map(|((head, old), (_, new))| {
        let old: BTreeSet<&str> = old.lines().collect();
        let fresh: Vec<&str> = new.lines().filter(|line| !old.contains(line)).collect();
        (*head, fresh.join("\n"))
    });
    fresh.collect()
}
