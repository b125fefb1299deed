//! How a node's clock differs from this machine's.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use crate::error::InventoryError;
use crate::inventory::ClockOffset;
use crate::node::SshHost;
use crate::program::{Running, ssh};
use crate::read::Clock;
use crate::source::Programs;

/// How often it is asked, over one connection: the first answer has the connection and the login in it, which take longer
/// than clocks may differ by, and one of the others was not held up.
const QUESTIONS: u64 = 5;
/// The longest answer of `date`, in bytes, three times over.
const MAX_ANSWER: u64 = 64;
/// What answers each line with the time there.
const ANSWERS: [&str; 3] = ["sh", "-c", "'while read l; do date -u +%s.%N; done'"];

/// Asks over `ssh`; the answer that came soonest bounds the difference best. `None` where the other side has no such `date`.
pub(crate) fn over_ssh(
    programs: &Programs,
    host: &SshHost,
    clock: Clock<'_>,
) -> Result<Option<ClockOffset>, InventoryError> {
    let mut command = ssh(programs, host);
    command.args(ANSWERS);
    let mut running = Running::start(&mut command, Stdio::piped(), Some(programs.ssh_limit))?;
    let mut best: Option<ClockOffset> = None;
    if let (Some(mut input), Some(output)) = (running.input(), running.output()) {
        let mut output = BufReader::new(output.take(MAX_ANSWER.saturating_mul(QUESTIONS)));
        for _question in 0..QUESTIONS {
            let mut answer = String::new();
            let before = clock();
            // Who does not listen or answer has ended, or will be: its status says why.
            let asked = input.write_all(b"\n").and_then(|()| input.flush());
            if asked.is_err() || !output.read_line(&mut answer).is_ok_and(|length| length > 0) {
                break;
            }
            let told = Told::read(answer.trim()).map(|told| told.offset(before, clock()));
            best = [best, told]
                .into_iter()
                .flatten()
                .min_by_key(|found| found.within_ms);
        }
    }
    let (status, complaint) = running.end()?;
    if !status.success() {
        return Err(InventoryError::Program {
            program: "ssh",
            complaint,
        });
    }
    Ok(best)
}

/// What `date` said, in milliseconds since 1970.
struct Told {
    at: i64,
    within: u64,
}

impl Told {
    /// `1795302884.123456789`, of GNU `date`; whole seconds of others (`%N` stays `N` there).
    fn read(text: &str) -> Option<Self> {
        let (seconds, rest) = text.split_once('.')?;
        let seconds: i64 = seconds.parse().ok()?;
        let fraction = rest.get(..3).and_then(|digits| digits.parse::<i64>().ok());
        let (fraction, within) = fraction.map_or((500, 500), |fraction| (fraction, 0));
        Some(Self {
            at: seconds.checked_mul(1000)?.checked_add(fraction)?,
            within,
        })
    }

    /// What was told between these two moments is most likely of the middle.
    const fn offset(&self, before: i64, after: i64) -> ClockOffset {
        let half = after.saturating_sub(before) / 2;
        ClockOffset {
            offset_ms: self.at.saturating_sub(before.saturating_add(half)),
            within_ms: half.unsigned_abs().saturating_add(self.within),
        }
    }
}
