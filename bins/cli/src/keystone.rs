//! `sealstone keystone ...`: a Keystone as the server needs it, and the way of its machine accounts off passwords.

mod check;
mod inventory;
mod journal;
mod logins;
mod migrate;
mod people;

use clap::Subcommand;

use crate::failure::Outcome;
use check::CheckArguments;
pub(crate) use check::{Told, look_at};
use inventory::InventoryArguments;
use migrate::MigrateCommand;

const EXAMPLES: &str = "\
Examples:
  What is right and wrong about the Keystone that the server asks:
    sealstone keystone check --config sealstoned.toml

  Which machines log in how, and what becomes of them:
    source admin-openrc.sh
    sealstone keystone inventory --keystone-log keystone.log --output json";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum KeystoneCommand {
    /// Tell what is right and wrong about the Keystone that the server asks; nothing is changed
    Check(Box<CheckArguments>),
    /// List accounts, application credentials, EC2 keys and trusts, and what becomes of each; nothing is changed
    Inventory(InventoryArguments),
    /// Bring accounts from passwords to certificates, step by step, each with its way back
    #[command(subcommand)]
    Migrate(Box<MigrateCommand>),
}

pub(crate) async fn run(command: KeystoneCommand) -> Outcome {
    match command {
        KeystoneCommand::Check(arguments) => check::run(*arguments).await,
        KeystoneCommand::Inventory(arguments) => inventory::run(arguments).await,
        KeystoneCommand::Migrate(command) => migrate::run(*command).await,
    }
}
