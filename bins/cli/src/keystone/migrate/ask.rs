//! Asking before a step.

use std::io::{self, BufRead as _, IsTerminal as _};

use clap::Args;

use crate::{
    failure::{Failure, Outcome},
    output,
};

#[derive(Debug, Args)]
pub(crate) struct Consent {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

impl Consent {
    /// Whether to go on with what was just said.
    pub(super) fn given(&self, question: &str) -> Outcome<bool> {
        if self.dry_run {
            output::note("Nothing was done: --dry-run.");
            return Ok(false);
        }
        if self.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::usage(format!(
                "{question} Nobody is there to answer: add --yes, or --dry-run"
            )));
        }
        output::note(&format!("{question} Write yes to go on:"));
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        if answer.trim() == "yes" {
            return Ok(true);
        }
        output::note("Nothing was done.");
        Ok(false)
    }
}
