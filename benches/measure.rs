//! Thread CPU time of two or more things in interleaved rounds, and how often they allocate.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

#[path = "measure/allocations.rs"]
mod allocations;
pub(crate) use allocations::allocations_of;

/// One thing to measure.
pub(crate) struct Candidate<'a> {
    pub(crate) name: &'static str,
    pub(crate) run: Box<dyn FnMut() + 'a>,
}

impl<'a> Candidate<'a> {
    pub(crate) fn new(name: &'static str, run: impl FnMut() + 'a) -> Self {
        Self {
            name,
            run: Box::new(run),
        }
    }

    /// The octets of the largest Rust allocation of one call.
    pub(crate) fn largest(&mut self) -> usize {
        allocations::largest_of(&mut self.run)
    }
}

/// The rounds and the calls a round: few where the bench is only tried, as `cargo test` does.
pub(crate) fn effort() -> (usize, u32) {
    if std::env::args().any(|argument| argument == "--bench") {
        (15, 2_000)
    } else {
        (1, 10)
    }
}

/// Prints microseconds a call and the ratio of each candidate to the first, and returns the ratios.
///
/// In a round each candidate runs in its turn, so that a slower machine is slower for all; a figure is the
/// median of the rounds, a ratio the median of the rounds' ratios.
pub(crate) fn compare(candidates: &mut [Candidate<'_>]) -> Vec<f64> {
    let (rounds, calls) = effort();
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); candidates.len()];
    for _round in 0..rounds {
        for (candidate, times) in candidates.iter_mut().zip(&mut times) {
            let start = thread_cpu();
            for _call in 0..calls {
                (candidate.run)();
            }
            times.push((thread_cpu() - start).as_secs_f64() * 1e6 / f64::from(calls));
        }
    }
    println!("\nthread CPU time, median of {rounds} interleaved rounds of {calls} calls");
    let floor = times[0].clone();
    let mut ratios = Vec::new();
    for (candidate, times) in candidates.iter_mut().zip(times) {
        let ratio = median(
            times
                .iter()
                .zip(&floor)
                .map(|(time, floor)| time / floor)
                .collect(),
        );
        let largest = candidate.largest();
        println!(
            "{:<44} {:8.2} us   {ratio:6.3} x   largest allocation {largest}",
            candidate.name,
            median(times)
        );
        ratios.push(ratio);
    }
    ratios
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("a time since the thread began")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
