//! A new password: from a file, standard input, or a prompt.

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
};

use anyhow::Context as _;
use clap::Args;
use sealstone_factors::{NewPassword, PasswordHash};
use zeroize::Zeroizing;

use crate::{
    failure::{Failure, Outcome},
    input, random,
};

#[derive(Debug, Args)]
pub(super) struct PasswordArguments {
    /// The password's file, one line; - for standard input [default: a prompt on the terminal]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordArguments {
    /// The hash of what was given. Takes as long as a login's.
    pub(super) fn hash(&self) -> Outcome<PasswordHash> {
        let typed = match &self.password_file {
            Some(path) => one_line(&input::secret(path)?)?,
            None => asked()?,
        };
        let password = NewPassword::parse(&typed).map_err(|fault| Failure::failed(fault.to_string()))?;
        Ok(password.hash(random::octets()?)?)
    }
}

/// What editors put at the end of a file is no part of the password.
fn one_line(text: &str) -> Outcome<Zeroizing<String>> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(['\n', '\r']) {
        return Err(Failure::failed(
            "there is more than one line: put the password alone into the file",
        ));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn asked() -> Outcome<Zeroizing<String>> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "name the password's file by --password-file FILE, or - for standard input",
        ));
    }
    let ask = |prompt| {
        let typed = rpassword::prompt_password(prompt).map(Zeroizing::new);
        typed.context("the terminal cannot be asked: use --password-file FILE")
    };
    let first = ask("New password: ")?;
    let again = ask("Again: ")?;
    if *first != *again {
        return Err(Failure::failed("the two are not the same: try again"));
    }
    Ok(first)
}
