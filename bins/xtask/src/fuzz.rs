//! Builds and runs the targets of `fuzz/`, each from its committed seeds.

use std::collections::VecDeque;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::runner::Call;
use crate::setup;
use crate::summary::Counts;

/// The targets, by their files.
pub(crate) fn targets(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut targets: Vec<String> = names
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .collect();
    targets.sort();
    Ok(targets)
}

/// The build of all targets. No sanitizer: our code has no `unsafe`; overflow and debug assertions are on.
///
/// libFuzzer's coverage flags need a nightly compiler, or a stable one that is told to behave as one.
pub(crate) fn build(root: &Path) -> Call {
    cargo_fuzz(root, "build")
}

/// A run of one target. What it learns goes to `fuzz/corpus`, which is not committed.
pub(crate) fn call(root: &Path, target: &str, seconds: u32) -> Result<Call, String> {
    let corpus = PathBuf::from("fuzz/corpus").join(target);
    fs::create_dir_all(root.join(&corpus)).map_err(|error| format!("{}: {error}", corpus.display()))?;
    let seeds = PathBuf::from("fuzz/seeds").join(target);
    let call = cargo_fuzz(root, "run")
        .arg(target)
        .arg(&corpus.to_string_lossy())
        .arg(&seeds.to_string_lossy())
        .arg("--")
        .arg(&format!("-max_total_time={seconds}"))
        .arg("-timeout=5")
        .arg("-rss_limit_mb=1024")
        .arg("-print_final_stats=1");
    Ok(call)
}

fn cargo_fuzz(root: &Path, verb: &str) -> Call {
    let call = Call::new(root, "cargo fuzz")
        .arg(verb)
        .arg("--sanitizer")
        .arg("none");
    setup::with_tools(root, call).env("RUSTC_BOOTSTRAP", "1")
}

/// Builds all and runs those named, or all.
pub(crate) fn run(root: &Path, named: &[String], seconds: u32) -> Result<(), String> {
    setup::tools(root)?;
    build(root).run(true)?;
    let chosen = if named.is_empty() {
        targets(root)?
    } else {
        named.to_vec()
    };
    for target in chosen {
        println!("{target}: {seconds} s");
        call(root, &target, seconds)?.run(true)?;
    }
    Ok(())
}

/// Builds all and runs all, as many at a time as there are processors: each target has one to itself for its time.
pub(crate) fn all(root: &Path, seconds: u32, verbose: bool) -> Result<Counts, String> {
    soon(build(root)).run(verbose)?;
    let waiting = Mutex::new(VecDeque::from(targets(root)?));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let done = Mutex::new((Counts::default(), Vec::new()));
    let work = || {
        while let Some(target) = next() {
            let outcome = call(root, &target, seconds).and_then(|call| soon(call).run(verbose));
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok(_) => done.0.add(Counts::of_one_check()),
                Err(message) => {
                    done.0.add(Counts::of_one_failure());
                    let first = message.lines().next().unwrap_or_default();
                    done.1.push(format!("fuzz target {target}: {first}"));
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    let (counts, failures) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    if failures.is_empty() {
        Ok(counts)
    } else {
        Err(format!("{}\n{}", failures.join("\n"), counts.line()))
    }
}

/// Compiled in two thirds of the time, to run half of the inputs a second in the worst of the targets, four fifths in most:
/// what a run of seconds wants, and one of minutes does not.
fn soon(call: Call) -> Call {
    call.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
}
