//! Which processors the servers and the load run on.

use std::fs;
use std::process::Command;

/// Where a server and its load run.
#[derive(Clone, Copy)]
pub(crate) enum Placing {
    /// The server has one processor for itself, and the load another: the server serves with one thread, and neither takes
    /// the other's turn.
    Apart,
    /// Both run where the system puts them, and share all processors.
    Together,
}

/// The processors that this program may use.
pub(crate) struct Processors {
    all: Vec<u32>,
}

impl Processors {
    pub(crate) fn known() -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("its own status");
        let listed = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let ranges = listed.expect("the processors").trim().split(',');
        let all = ranges.flat_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            first.parse::<u32>().expect("a number")..=last.parse().expect("a number")
        });
        Self { all: all.collect() }
    }

    /// What can be measured with them.
    pub(crate) fn placings(&self) -> &'static [Placing] {
        if self.all.len() > 1 {
            &[Placing::Apart, Placing::Together]
        } else {
            &[Placing::Together]
        }
    }

    /// Starts a server on its processor, which it inherits.
    pub(crate) fn start<T>(&self, placing: Placing, server: impl FnOnce() -> T) -> T {
        let apart = |processor: Option<&u32>| match (placing, processor) {
            (Placing::Apart, Some(one)) => stay_on(&[*one]),
            _ => stay_on(&self.all),
        };
        apart(self.all.last());
        let started = server();
        apart(self.all.first());
        started
    }

    /// Lets this program run everywhere again.
    pub(crate) fn give_back(&self) {
        stay_on(&self.all);
    }
}

impl Placing {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Apart => "the server on one processor, the load on another",
            Self::Together => "server and load on all processors",
        }
    }
}

fn stay_on(processors: &[u32]) {
    let list: Vec<String> = processors.iter().map(u32::to_string).collect();
    let moved = Command::new("taskset")
        .args(["--pid", "--cpu-list", &list.join(",")])
        .arg(std::process::id().to_string())
        .output()
        .expect("taskset, of util-linux");
    assert!(
        moved.status.success(),
        "{}",
        String::from_utf8_lossy(&moved.stderr)
    );
}
