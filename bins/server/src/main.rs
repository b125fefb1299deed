//! The Sealstone server.

mod audit_file;
mod check;
mod command;
mod compose;
mod config;
mod db;
mod dev;
mod logging;
mod reload;
mod run;
mod secrets;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = command::Arguments::parse();
    match command::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last words of a program that failed")]
fn report(error: &anyhow::Error) {
    eprintln!("sealstoned: {error:#}");
}

/// Several faults as one error: a line each.
fn faults(faults: Vec<anyhow::Error>) -> anyhow::Error {
    let lines: Vec<String> = faults.iter().map(|fault| format!("\n  - {fault:#}")).collect();
    anyhow::anyhow!("the configuration can't be used:{}", lines.concat())
}
