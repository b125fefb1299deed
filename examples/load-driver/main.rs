//! Puts load on a Sealstone deployment of one's own, and says what it bore: throughput, latency, and each error by its
//! RFC code. `load-driver --help` tells how to ask.

mod options;
mod tally;
mod target;
mod wire;
mod work;

use std::process::ExitCode;

use clap::Parser as _;

use options::{Options, Output};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("load-driver: {error}");
            ExitCode::from(1)
        }
    }
}

/// Whether every request got what it asked for.
async fn run(options: &Options) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
    let target = target::Target::find(options).await?;
    let tally = work::drive(options, target).await?;
    match options.output {
        Output::Text => print!("{tally}"),
        Output::Json => println!("{}", tally.to_json()),
    }
    Ok(tally.has_no_fault())
}
