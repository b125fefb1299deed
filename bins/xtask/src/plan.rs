//! The steps of the full suite, in order.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::runner::Call;
use crate::summary::Counts;
use crate::{DemoArgs, TestArgs, benches, demo, disk, fuzz, lab, mfa_lab, secrecy, setup, sizes, systems};

/// What tests may do and programs may not.
const LENIENT: &[&str] = &[
    "arithmetic_side_effects",
    "as_conversions",
    "disallowed_methods",
    "expect_used",
    "indexing_slicing",
    "missing_errors_doc",
    "missing_panics_doc",
    "needless_pass_by_value",
    "panic",
    "print_stderr",
    "print_stdout",
    "too_many_lines",
    "unwrap_used",
    "wildcard_enum_match_arm",
];

/// Of code that is optimized little: at least as many inputs as in five of code that is optimized fully.
const FUZZ_SECONDS: u32 = 11;

/// One step: a name to repeat it by, what it is for, how it runs.
struct Step {
    name: &'static str,
    purpose: &'static str,
    action: Action,
}

enum Action {
    Setup,
    Sizes,
    Commands(Vec<Call>),
    /// Commands while a lab runs.
    Lab(Lab, Vec<Call>),
    Fuzz,
    Demo,
    Systems,
    Secrecy,
}

/// What runs beside the tests of a step.
#[derive(Clone, Copy)]
enum Lab {
    Keystone,
    PrivacyIdea,
}

impl Lab {
    fn start(self, root: &Path) -> Result<(), String> {
        match self {
            Self::Keystone => lab::start(root),
            Self::PrivacyIdea => mfa_lab::start(root),
        }
    }

    fn stop(self, root: &Path) -> Result<(), String> {
        match self {
            Self::Keystone => lab::stop(root),
            Self::PrivacyIdea => mfa_lab::stop(root),
        }
    }
}

/// Runs the chosen steps; all of them, even after a failure, unless told otherwise.
pub(crate) fn test(root: &Path, arguments: &TestArgs) -> Result<(), String> {
    let steps = steps(root);
    for name in arguments.only.iter().chain(&arguments.skip) {
        if !steps.iter().any(|step| step.name == name) {
            return Err(format!(
                "there is no step `{name}`; `cargo xtask test --list` names them"
            ));
        }
    }
    let chosen: Vec<&Step> = steps.iter().filter(|step| is_chosen(step, arguments)).collect();
    if arguments.list {
        list(&chosen);
        return Ok(());
    }
    println!("{}", disk::line(root));
    if arguments.only.is_empty() {
        secrecy::begin(root)?;
    }
    let started = Instant::now();
    let mut counts = Counts::default();
    let mut failures: Vec<&'static str> = Vec::new();
    for (index, step) in chosen.iter().enumerate() {
        println!(
            "[{:>2}/{}] {:<14} {}",
            index.saturating_add(1),
            chosen.len(),
            step.name,
            step.purpose
        );
        let step_started = Instant::now();
        let outcome = step.run(root, arguments.verbose);
        let spent = shown(step_started.elapsed());
        match outcome {
            Ok(done) => {
                let tests = if done.is_empty() {
                    String::new()
                } else {
                    format!(": {}", done.line())
                };
                println!("        ok in {spent}{tests}");
                counts.add(if done.is_empty() {
                    Counts::of_one_check()
                } else {
                    done
                });
            }
            Err(message) => {
                println!(
                    "{message}\n        FAILED in {spent}; {}; to repeat: cargo xtask test --only {}",
                    disk::line(root),
                    step.name
                );
                let mut done = Counts::of_message(&message);
                done.fail_at_least_one();
                counts.add(done);
                failures.push(step.name);
                if arguments.fail_fast {
                    break;
                }
            }
        }
    }
    println!("\nall steps: {}; {}", shown(started.elapsed()), disk::line(root));
    if !failures.is_empty() {
        println!("failed: {}", failures.join(", "));
        for name in &failures {
            println!("  cargo xtask test --only {name}");
        }
    }
    println!("{}", counts.line());
    if failures.is_empty() {
        Ok(())
    } else {
        Err(format!("{} failed", failures.join(", ")))
    }
}

fn is_chosen(step: &Step, arguments: &TestArgs) -> bool {
    let name = |given: &String| given == step.name;
    (arguments.only.is_empty() || arguments.only.iter().any(name)) && !arguments.skip.iter().any(name)
}

fn list(steps: &[&Step]) {
    for step in steps {
        println!("{:<14} {}", step.name, step.purpose);
        if let Action::Commands(calls) | Action::Lab(_, calls) = &step.action {
            for call in calls {
                println!("                 {}", call.shown());
            }
        }
    }
}

fn shown(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

impl Step {
    fn run(&self, root: &Path, verbose: bool) -> Result<Counts, String> {
        match &self.action {
            Action::Setup => setup::run(root).map(|()| Counts::default()),
            Action::Demo => demo::run(root, &DemoArgs { port: 0, stop: true }).map(|()| Counts::default()),
            Action::Systems => systems::check(root, verbose),
            Action::Secrecy => secrecy::check(root).map(|()| Counts::default()),
            Action::Sizes => sizes::check(root).map(|()| Counts::default()),
            Action::Commands(calls) => run_all(calls.iter().cloned(), verbose),
            Action::Lab(lab, calls) => {
                let done = lab.start(root);
                let done = done.and_then(|()| run_all(calls.iter().cloned(), verbose));
                let stopped = lab.stop(root);
                done.and_then(|counts| stopped.map(|()| counts))
            }
            Action::Fuzz => fuzz::all(root, FUZZ_SECONDS, verbose),
        }
    }
}

/// All of them, even after one failed; the counts of all.
fn run_all(calls: impl Iterator<Item = Call>, verbose: bool) -> Result<Counts, String> {
    let mut counts = Counts::default();
    let mut failures = Vec::new();
    for call in calls {
        match call.run(verbose) {
            Ok(done) => counts.add(done),
            Err(message) => {
                counts.add(Counts::of_message(&message));
                failures.push(message.lines().next().unwrap_or_default().to_owned());
            }
        }
    }
    if failures.is_empty() {
        Ok(counts)
    } else {
        Err(format!("{}\n{}", failures.join("\n"), counts.line()))
    }
}

fn steps(root: &Path) -> Vec<Step> {
    let mut all = gates(root);
    all.extend(runs(root));
    all.extend(lasts(root));
    all
}

fn step(name: &'static str, purpose: &'static str, action: Action) -> Step {
    Step {
        name,
        purpose,
        action,
    }
}

fn call(root: &Path, line: &str) -> Call {
    setup::with_tools(root, Call::new(root, line))
}

fn commands(root: &Path, lines: &[&str]) -> Action {
    Action::Commands(lines.iter().map(|line| call(root, line)).collect())
}

/// What looks at the code without running it.
fn gates(root: &Path) -> Vec<Step> {
    let format = [
        "cargo fmt --all --check",
        "cargo fmt --manifest-path fuzz/Cargo.toml --check",
    ];
    let deny = "cargo deny --log-level error check --hide-inclusion-graph licenses bans sources";
    let lints = [
        "cargo clippy --workspace --lib --bins --keep-going -- -D warnings",
        "cargo clippy -p sealstone-jose --lib --no-default-features --features portable -- -D warnings",
    ];
    let lenient: String = LENIENT.iter().map(|lint| format!(" -A clippy::{lint}")).collect();
    let test_lints =
        format!("cargo clippy --workspace --tests --benches --examples --keep-going -- -D warnings{lenient}");
    let doc = call(root, "cargo doc --workspace --no-deps --keep-going").env("RUSTDOCFLAGS", "-D warnings");
    vec![
        step("setup", "installs what is missing", Action::Setup),
        step("fmt", "formatting", commands(root, &format)),
        step("sizes", "at most 500 lines of code in a file", Action::Sizes),
        step(
            "deny",
            "licences, bans and sources of dependencies",
            commands(root, &[deny]),
        ),
        step(
            "clippy",
            "lints of libraries and programs",
            commands(root, &lints),
        ),
        step(
            "clippy-tests",
            "lints of tests, benches and examples",
            commands(root, &[&test_lints]),
        ),
        step(
            "doc",
            "documentation without a warning",
            Action::Commands(vec![doc]),
        ),
    ]
}

/// Tests, with the programs that they start.
fn tests(root: &Path, line: &str) -> Call {
    let programs = crate::programs(root);
    let (server, program) = (programs.join("sealstoned"), programs.join("sealstone"));
    let service = programs.join("examples/protected-service");
    let driver = programs.join("examples/load-driver");
    call(root, line)
        .env("SEALSTONED", &server.to_string_lossy())
        .env("SEALSTONE", &program.to_string_lossy())
        .env("PROTECTED_SERVICE", &service.to_string_lossy())
        .env("XTASK", &programs.join("xtask").to_string_lossy())
        .env("LOAD_DRIVER", &driver.to_string_lossy())
        // Tests that ask PostgreSQL or SoftHSM are left out only where nobody said that they must run.
        .env("SEALSTONE_NEEDS_POSTGRES", "1")
        .env("SEALSTONE_NEEDS_SOFTHSM", "1")
        .env(secrecy::VARIABLE, &secrecy::folder(root).to_string_lossy())
}

/// What runs the code.
fn runs(root: &Path) -> Vec<Step> {
    // One selection of packages for all: another would build the dependencies anew, with other features.
    let nextest = |filter: &str| {
        tests(root, "cargo nextest run --workspace --no-fail-fast")
            .arg("-E")
            .arg(filter)
    };
    let filtered = |filter: &str| Action::Commands(vec![nextest(filter)]);
    let with = |fixture: &str| {
        let programs = lab::test_programs(root, fixture);
        let programs: Vec<String> = programs.iter().map(|name| format!("binary(={name})")).collect();
        programs.join(" | ")
    };
    let (keystone, privacyidea) = (with("KeystoneLab"), with("PrivacyIdeaLab"));
    let elsewhere = "not (package(sealstone-interop) | package(sealstone-jose-oracle))";
    let portable =
        "cargo nextest run -p sealstone-jose --no-default-features --features portable --no-fail-fast";
    // The workspace's selection again, with each bench by its name: those of `interop` are measured, not tested.
    let named = benches::names(root)
        .into_iter()
        .map(|name| format!(" --bench {name}"));
    let benches = format!(
        "cargo test --workspace{} --no-fail-fast -- --test",
        named.collect::<String>()
    );
    let doctests = "cargo test --workspace --doc --no-fail-fast";
    vec![
        step(
            "build",
            "programs and examples",
            commands(root, &["cargo build --workspace --bins --examples"]),
        ),
        step("demo", "the README's first command", Action::Demo),
        step("tests", "the workspace's tests", filtered(elsewhere)),
        step(
            "oracle",
            "jose against josekit",
            filtered("package(sealstone-jose-oracle)"),
        ),
        step(
            "interop",
            "stock clients against sealstoned",
            filtered(&format!(
                "package(sealstone-interop) - ({keystone} | {privacyidea})"
            )),
        ),
        step(
            "keystone",
            "a real Keystone, its clients and middleware",
            Action::Lab(
                Lab::Keystone,
                vec![nextest(&format!("package(sealstone-interop) & ({keystone})"))],
            ),
        ),
        step(
            "privacyidea",
            "a real privacyIDEA as the judge of second factors",
            Action::Lab(
                Lab::PrivacyIdea,
                vec![nextest(&format!(
                    "package(sealstone-interop) & ({privacyidea}) - ({keystone})"
                ))],
            ),
        ),
        step(
            "doctests",
            "examples in the documentation",
            commands(root, &[doctests]),
        ),
        step(
            "portable",
            "jose on its pure Rust backend",
            commands(root, &[portable]),
        ),
        step(
            "benches",
            "each bench once, asserting its result",
            commands(root, &[&benches]),
        ),
        step("fuzz", "every fuzz target for a few seconds", Action::Fuzz),
    ]
}

/// What comes last: another program than the others are tested with, and what all of them left.
fn lasts(root: &Path) -> Vec<Step> {
    // One selection for both: the program alone would have the dependencies with other features, built anew.
    let features = "--features sealstone-cli/desktop-keyring,sealstone-interop/desktop-keyring";
    let desktop = [
        format!("cargo build --workspace --bin sealstone --test desktop_keyring {features}"),
        format!("cargo nextest run --workspace {features} --test desktop_keyring --no-fail-fast"),
    ];
    vec![
        step(
            "desktop-keyring",
            "logins kept by a real Secret Service",
            Action::Commands(vec![call(root, &desktop[0]), tests(root, &desktop[1])]),
        ),
        step(
            "systems",
            "the program compiled for Windows and macOS",
            Action::Systems,
        ),
        step(
            "secrecy",
            "no secret of any test in anything that was logged",
            Action::Secrecy,
        ),
    ]
}
