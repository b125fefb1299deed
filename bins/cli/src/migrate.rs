//! `sealstone migrate ...`: a Keystone from Fernet to JWS tokens.

mod inventory;
mod keys;
mod long_lived;
mod nodes;
mod plan;

use clap::{Args, Subcommand, ValueEnum};

use crate::failure::Outcome;
use inventory::InventoryArguments;
use keys::KeysCommand;
use plan::PlanArguments;

const EXAMPLES: &str = "\
Examples:
  What the nodes are, and what the change means:
    sealstone migrate inventory --node a=ssh:a --node b=ssh:b --output json > inventory.json

  Every node's keys, then whether they have arrived:
    sealstone migrate keys make --node a --node b --out jws-keys
    sealstone migrate keys verify --node a=ssh:root@a --node b=ssh:root@b

  The steps:
    sealstone migrate plan --inventory inventory.json --needed 1 > runbook.md";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum MigrateCommand {
    /// Read the nodes' configuration and keys, and tell what the change means; nothing is changed
    Inventory(InventoryArguments),
    /// Make the nodes' JWS keys, and see whether they are in place
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Draw up the steps of the change, or verify steps that were changed by hand
    Plan(Box<PlanArguments>),
}

/// How a document is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Text in columns, for people
    #[default]
    Table,
    /// One JSON document, for programs
    Json,
    /// Markdown, for tickets and wikis
    Markdown,
}

#[derive(Debug, Clone, Copy, Args)]
struct FormArguments {
    /// How data is shown
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    output: Form,
}

pub(crate) async fn run(command: MigrateCommand) -> Outcome {
    match command {
        MigrateCommand::Inventory(arguments) => inventory::run(arguments).await,
        MigrateCommand::Keys(command) => keys::run(command),
        MigrateCommand::Plan(arguments) => plan::run(&arguments),
    }
}
