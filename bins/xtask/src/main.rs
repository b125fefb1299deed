//! Development tasks: the full suite, its installation, the gates.
//!
//! `cargo xtask test` installs what the suite needs and runs all of it; `--list` names its steps, `--only STEP` repeats
//! one. `cargo xtask setup` installs only. `cargo xtask sizes` counts lines. `cargo xtask fuzz --seconds 600 TARGET`
//! fuzzes for longer. `cargo xtask lab` starts the labs for tests that are run one by one.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a program for developers: it prints, measures its steps and reads its environment"
)]

mod benches;
mod demo;
mod disk;
mod fuzz;
mod lab;
mod mfa_lab;
mod package;
mod plan;
mod runner;
mod secrecy;
mod setup;
mod sizes;
mod summary;
mod systems;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Development tasks of Sealstone")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build, serve a demo, and show a bound token taken with its certificate and refused with another
    Demo(DemoArgs),
    /// Install what the full suite needs, by package name; does nothing where it is there already
    Setup,
    /// Install what is missing and run the full suite
    Test(TestArgs),
    /// Count the lines of code of every file: at most 500, tests not counted
    Sizes,
    /// Run the fuzz targets
    Fuzz(FuzzArgs),
    /// Start the Keystone and privacyIDEA labs that tests share, so that single tests need not start their own
    Lab(LabArgs),
    /// Build the Debian package
    Deb(DebArgs),
}

#[derive(Args, Debug)]
struct DemoArgs {
    /// Port for everybody; the next one is for clients with certificates. 0 takes free ones
    #[arg(long, default_value_t = 8443)]
    port: u16,
    /// End after showing, instead of serving on
    #[arg(long)]
    stop: bool,
}

#[derive(Args, Debug)]
struct TestArgs {
    /// Run only this step; may be given several times
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Leave this step out; may be given several times
    #[arg(long, value_name = "STEP")]
    skip: Vec<String>,
    /// Stop at the first step that fails
    #[arg(long)]
    fail_fast: bool,
    /// List the steps and what each runs
    #[arg(long)]
    list: bool,
    /// Show a passed step's output too
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Args, Debug)]
struct FuzzArgs {
    /// Targets; all where none is named
    targets: Vec<String>,
    /// Time for each target
    #[arg(long, default_value_t = 10)]
    seconds: u32,
}

#[derive(Args, Debug)]
struct LabArgs {
    /// Stop them instead, and forget their state
    #[arg(long)]
    stop: bool,
}

#[derive(Args, Debug)]
struct DebArgs {
    /// Cargo's profile of the programs
    #[arg(long, default_value = "release")]
    profile: String,
    /// Take the programs as they are built
    #[arg(long)]
    no_build: bool,
    /// Compress less, and sooner
    #[arg(long)]
    fast: bool,
    /// The folder or file to write
    #[arg(long, default_value = "target/debian/")]
    output: PathBuf,
}

fn main() -> ExitCode {
    let root = workspace_root();
    let done = match Cli::parse().task {
        Task::Demo(arguments) => demo::run(&root, &arguments),
        Task::Setup => setup::run(&root),
        Task::Test(arguments) => plan::test(&root, &arguments),
        Task::Sizes => sizes::check(&root),
        Task::Fuzz(arguments) => fuzz::run(&root, &arguments.targets, arguments.seconds),
        Task::Deb(arguments) => package::deb(&root, &arguments),
        Task::Lab(LabArgs { stop: true }) => lab::stop(&root).and_then(|()| mfa_lab::stop(&root)),
        Task::Lab(LabArgs { stop: false }) => lab::start(&root).and_then(|()| mfa_lab::start(&root)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Two folders above this package.
fn workspace_root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_path_buf()
}

/// Where Cargo puts the programs: where it put this one, wherever that was configured to be.
fn programs(root: &Path) -> PathBuf {
    let own = std::env::current_exe().ok();
    let folder = own.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    folder.unwrap_or_else(|| root.join("target/debug"))
}
