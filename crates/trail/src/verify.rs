//! Whether a trail is whole, and as its node wrote it.

mod fault;
mod gaps;
mod lines;

pub use fault::{Fault, Finding};

use crate::key::{ALGORITHM, NodeName};
use crate::line::{Checkpoint, Hash, Line};
use gaps::Gaps;
use lines::{Garbage, Lines};
use rustls_pki_types::UnixTime;
use sealstone_jose::{Jwk, Verifier};
use std::io::{self, BufRead};

/// Findings that are kept; more are counted. A file of something else would have one for each line.
const MOST_FINDINGS: usize = 1_000;
/// Events after which a checkpoint is overdue: ten times what [`TrailFile::tend`](crate::TrailFile::tend) leaves unsigned.
const OVERDUE: u64 = 100_000;

/// Reads the files of one node's trail, in their order, and tells what is wrong with them.
///
/// Memory is bounded, whatever the files hold.
///
/// ```
/// let mut verification = sealstone_trail::Verification::new(None);
/// verification.file("audit.jsonl", &b"{}\n"[..], &mut |_octets| {})?;
/// let report = verification.finish();
/// assert!(!report.is_sound());
/// assert_eq!(report.findings[0].line, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Verification {
    pinned: bool,
    key: Option<(String, Verifier)>,
    node: Option<NodeName>,
    /// The node that the lines at hand are of, if it is not ours.
    foreign: Option<NodeName>,
    last: Option<Seen>,
    gaps: Gaps,
    overdue_told: bool,
    report: Report,
}

/// The line before.
#[derive(Debug, Clone)]
struct Seen {
    sequence: u64,
    hash: Hash,
    file: usize,
    line: u64,
}

/// Through where a trail is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signed {
    /// The checkpoint's number: it and everything before it is as it was written.
    pub sequence: u64,
    /// When it was made.
    pub time: UnixTime,
}

/// How the last file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a trail ends in one of these ways")]
pub enum Ending {
    /// With a checkpoint of a rotation: there is a next file.
    Rotated,
    /// With the checkpoint of a server that ended in good order.
    Stopped,
    /// Otherwise: it is written on, or its writer was killed, or its end was cut off. The files alone don't tell which.
    Open,
}

/// What a [`Verification`] found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The names of the files, in the order in which they were read.
    pub files: Vec<String>,
    /// Lines that are events of the chain, checkpoints among them.
    pub events: u64,
    /// Checkpoints with a right signature.
    pub checkpoints: u64,
    /// Torn lines that were set aside and are as they were then.
    pub mended: u64,
    /// The node.
    pub node: Option<NodeName>,
    /// The thumbprint of the key that was verified with.
    pub kid: Option<String>,
    /// The first number.
    pub first: Option<u64>,
    /// The last number.
    pub last: Option<u64>,
    /// The last checkpoint.
    pub signed: Option<Signed>,
    /// Events after it: chained, not signed.
    pub unsigned: u64,
    /// How the last file ends.
    pub ending: Ending,
    /// What is wrong, in the order of the files, a thousand at most.
    pub findings: Vec<Finding>,
    /// What is wrong besides.
    pub more: u64,
}

impl Report {
    /// Whether nothing was found.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.findings.is_empty() && self.more == 0
    }

    fn add(&mut self, finding: Finding) -> Option<usize> {
        if self.findings.len() >= MOST_FINDINGS {
            self.more = self.more.saturating_add(1);
            return None;
        }
        self.findings.push(finding);
        self.findings.len().checked_sub(1)
    }
}

impl Verification {
    /// With the node's public key, as it was published. Without one, the key that the trail itself names first is taken:
    /// then it is for the caller to compare [`Report::kid`] with what was published.
    ///
    /// A key of another algorithm than Ed25519 verifies nothing, and each checkpoint is a finding.
    #[must_use]
    pub fn new(key: Option<&Jwk>) -> Self {
        let usable = key.and_then(with_verifier);
        Self {
            pinned: key.is_some(),
            node: key.map(NodeName::of),
            report: Report {
                files: Vec::new(),
                events: 0,
                checkpoints: 0,
                mended: 0,
                node: None,
                kid: usable.as_ref().map(|(kid, _)| kid.clone()),
                first: None,
                last: None,
                signed: None,
                unsigned: 0,
                ending: Ending::Open,
                findings: Vec::new(),
                more: 0,
            },
            key: usable,
            foreign: None,
            last: None,
            gaps: Gaps::default(),
            overdue_told: false,
        }
    }

    /// The next file. `progress` is told of the octets of each line.
    ///
    /// # Errors
    /// What the reader says.
    pub fn file(
        &mut self,
        name: &str,
        reader: impl BufRead,
        progress: &mut dyn FnMut(usize),
    ) -> io::Result<()> {
        let file = self.report.files.len();
        self.report.files.push(name.to_owned());
        let mut lines = Lines::new(reader);
        let mut garbage = Garbage::default();
        while let Some(line) = lines.next()? {
            progress(line.octets);
            let parsed = if line.whole {
                Line::parse(lines.text())
            } else {
                Err(crate::LineError::TooLong)
            };
            match parsed {
                Err(error) => garbage.add(line.number, lines.text(), error),
                Ok(parsed) => {
                    self.set_aside(file, &mut garbage, parsed.mended, line.number);
                    if !Line::is_canonical(lines.text()) {
                        self.found(file, line.number, Fault::NotCanonical);
                    }
                    self.line(file, line.number, &parsed);
                }
            }
        }
        self.set_aside(file, &mut garbage, None, lines.number());
        Ok(())
    }

    /// What was found.
    #[must_use]
    pub fn finish(mut self) -> Report {
        self.report.node = self.node;
        self.report
    }

    /// What stood between two events: right if the second says so.
    fn set_aside(&mut self, file: usize, garbage: &mut Garbage, told: Option<crate::Mended>, line: u64) {
        let garbage = std::mem::take(garbage);
        match (garbage.what(), told) {
            // What was set aside is no event: a receiver of the trail never had it.
            (None, None | Some(_)) => {}
            (Some(found), Some(told)) if found == told => {
                self.report.mended = self.report.mended.saturating_add(1);
            }
            (Some(_), told) => {
                for (line, error) in garbage.lines() {
                    self.found(file, line, Fault::NoEvent(error));
                }
                for _ in garbage.untold() {
                    self.report.more = self.report.more.saturating_add(1);
                }
                if told.is_some() {
                    self.found(file, line, Fault::Mended);
                }
            }
        }
    }

    fn line(&mut self, file: usize, number: u64, line: &Line) {
        self.report.events = self.report.events.saturating_add(1);
        self.report.unsigned = self.report.unsigned.saturating_add(1);
        self.report.first.get_or_insert(line.sequence);
        self.of_node(file, number, line);
        self.in_order(file, number, line);
        self.report.ending = match &line.checkpoint {
            Some(checkpoint) => {
                self.checkpoint(file, number, line, checkpoint);
                match checkpoint.reason.as_str() {
                    "rotate" => Ending::Rotated,
                    "stop" => Ending::Stopped,
                    _ => Ending::Open,
                }
            }
            None => Ending::Open,
        };
        if self.report.unsigned > OVERDUE && !std::mem::replace(&mut self.overdue_told, true) {
            self.found(file, number, Fault::Overdue(self.report.unsigned));
        }
    }

    fn of_node(&mut self, file: usize, number: u64, line: &Line) {
        let node = self.node.get_or_insert_with(|| line.node.clone());
        if *node == line.node {
            self.foreign = None;
        } else if self.foreign.as_ref() != Some(&line.node) {
            let fault = Fault::OtherNode {
                ours: node.clone(),
                found: line.node.clone(),
            };
            self.foreign = Some(line.node.clone());
            self.found(file, number, fault);
        }
    }

    fn in_order(&mut self, file: usize, number: u64, line: &Line) {
        let here = Seen {
            sequence: line.sequence,
            hash: line.hash,
            file,
            line: number,
        };
        let Some(last) = self.last.clone() else {
            self.last = Some(here);
            self.report.last = Some(line.sequence);
            return;
        };
        let due = last.sequence.saturating_add(1);
        if line.sequence < due {
            let fault = match self.gaps.fill(line.sequence) {
                Some(filled) => {
                    filled
                        .and_then(|at| self.report.findings.get_mut(at))
                        .iter_mut()
                        .for_each(|told| told.fault = Fault::Later(line.sequence));
                    Fault::Moved(line.sequence)
                }
                None if line.sequence <= 1 => Fault::Anew,
                None => Fault::Repeated(line.sequence),
            };
            let anew = matches!(fault, Fault::Anew);
            self.found(file, number, fault);
            if !anew {
                return;
            }
        } else if line.sequence > due {
            let (from, to) = (due, line.sequence.saturating_sub(1));
            let fault = if last.file == file {
                Fault::Missing { from, to }
            } else {
                Fault::FileMissing {
                    from,
                    to,
                    before: self.name(last.file),
                }
            };
            let told = self.add(file, number, fault);
            self.gaps.open(from, to, told);
        } else if line.previous != last.hash {
            let next = if last.file == file { number } else { 0 };
            self.found(
                last.file,
                last.line,
                Fault::Changed {
                    sequence: last.sequence,
                    next,
                },
            );
        }
        self.last = Some(here);
        self.report.last = Some(line.sequence);
    }

    fn checkpoint(&mut self, file: usize, number: u64, line: &Line, checkpoint: &Checkpoint) {
        if self.key.is_none()
            && !self.pinned
            && let Some(key) = &checkpoint.key
        {
            self.key = with_verifier(key);
            self.report.kid = self.key.as_ref().map(|(kid, _)| kid.clone());
        }
        let fault = match &self.key {
            None => Some(Fault::NoKey),
            Some((kid, _)) if *kid != checkpoint.kid => {
                Some(Fault::OtherKey(checkpoint.kid.chars().take(64).collect()))
            }
            Some((_, key)) => key
                .verify(&checkpoint.message, &checkpoint.signature)
                .err()
                .map(|_error| Fault::Signature {
                    since: self.report.signed.map(|signed| signed.sequence),
                }),
        };
        if let Some(fault) = fault {
            self.found(file, number, fault);
            return;
        }
        self.report.checkpoints = self.report.checkpoints.saturating_add(1);
        self.report.signed = Some(Signed {
            sequence: line.sequence,
            time: line.time,
        });
        self.report.unsigned = 0;
        self.overdue_told = false;
    }

    fn name(&self, file: usize) -> String {
        self.report.files.get(file).cloned().unwrap_or_default()
    }

    fn found(&mut self, file: usize, line: u64, fault: Fault) {
        self.add(file, line, fault);
    }

    fn add(&mut self, file: usize, line: u64, fault: Fault) -> Option<usize> {
        let finding = Finding {
            file: self.name(file),
            line,
            fault,
        };
        self.report.add(finding)
    }
}

/// The key by its thumbprint, if it is one that signs trails.
fn with_verifier(key: &Jwk) -> Option<(String, Verifier)> {
    let verifier = Verifier::new(key, ALGORITHM).ok()?;
    Some((key.thumbprint().to_string(), verifier))
}

#[cfg(test)]
mod tests;
