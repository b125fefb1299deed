//! The Sealstone command line.
//!
//! What looks after a server stands on Unix files and processes, and is left out elsewhere.

#[cfg(unix)]
mod agent;
#[cfg(unix)]
mod audit;
mod ca;
mod cert;
#[cfg(unix)]
mod client;
mod clock;
mod command;
#[cfg(unix)]
mod custody;
#[cfg(unix)]
mod db;
mod discovery;
#[cfg(unix)]
mod doctor;
mod env;
mod failure;
mod http;
mod input;
mod jwt;
#[cfg(unix)]
mod key;
#[cfg(unix)]
mod keystone;
mod login;
mod logout;
mod manual;
mod mapping;
#[cfg(unix)]
mod migrate;
mod openstack;
mod output;
mod random;
#[cfg(unix)]
mod remote;
#[cfg(unix)]
mod store;
mod token;
#[cfg(unix)]
mod user;
mod whoami;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let arguments = command::Arguments::parse();
    match command::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::note(&format!("sealstone: {failure}"));
            failure.exit_code()
        }
    }
}
