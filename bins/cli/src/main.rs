//! The Sealstone command line.

#[cfg(unix)]
mod agent;
mod audit;
mod ca;
mod cert;
mod client;
mod clock;
mod command;
mod custody;
mod db;
mod discovery;
mod doctor;
mod env;
mod failure;
mod http;
mod input;
mod jwt;
mod key;
mod keystone;
mod login;
mod logout;
mod manual;
mod mapping;
mod migrate;
mod openstack;
mod output;
mod random;
mod store;
mod token;
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
