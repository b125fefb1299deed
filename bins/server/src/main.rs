//! The Sealstone server.

mod administration;
mod audit;
mod background;
mod check;
mod command;
mod compose;
mod config;
mod custody;
mod db;
mod dev;
mod generation;
mod hashing;
mod health;
mod keeping;
mod keystone;
mod live;
mod logging;
mod metrics;
mod notify;
mod people;
mod reload;
mod run;
mod secrets;
mod sinks;
mod sockets;
mod storage;
mod traces;

use clap::Parser as _;
use std::process::ExitCode;

/// Small objects come and go with every request (ADR 0015).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    eprintln!("sealstoned: {}", whole(error));
}

/// An error with its causes; a cause that the text before it has told already is not told again.
fn whole(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}

/// Several faults as one error: a line each.
fn faults(faults: &[anyhow::Error]) -> anyhow::Error {
    let lines: Vec<String> = faults
        .iter()
        .map(|fault| format!("\n  - {}", whole(fault)))
        .collect();
    anyhow::anyhow!("the configuration can't be used:{}", lines.concat())
}
