//! What a person sees while something is waited for.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::{
    failure::{Failure, Outcome},
    output,
};

/// Whether standard error is a terminal that can write over a line.
pub(crate) fn is_lively() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Does the work, and tells what it waits for: on a terminal with the time that is left, elsewhere once. Ctrl-C ends it.
///
/// # Errors
/// [`Failure::Interrupted`].
pub(crate) async fn waiting<T>(what: &str, limit: Duration, work: impl Future<Output = T>) -> Outcome<T> {
    let lively = is_lively();
    if !lively {
        output::note(&format!("{what} ({} at most)", span(limit)));
    }
    let begun = now();
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    tokio::pin!(work);
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    // Past the limit the work ends by itself; this is for one that does not.
    let overdue = sleep(limit.saturating_add(Duration::from_secs(30)));
    tokio::pin!(overdue);
    let done = loop {
        tokio::select! {
            done = &mut work => break Ok(done),
            _ = &mut interrupted => break Err(Failure::Interrupted),
            () = &mut overdue => break Err(Failure::failed("nothing came back in time: log in again")),
            _ = ticks.tick(), if lively => {
                let left = limit.saturating_sub(begun.elapsed());
                let text = format!("\r\x1b[2K{what} {}:{:02} ", left.as_secs() / 60, left.as_secs() % 60);
                let _seen_or_not = io::stderr().write_all(text.as_bytes());
            }
        }
    };
    if lively {
        let _seen_or_not = io::stderr().write_all(b"\r\x1b[2K");
    }
    done
}

fn now() -> Instant {
    Instant::now()
}

fn span(limit: Duration) -> String {
    match limit.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}
