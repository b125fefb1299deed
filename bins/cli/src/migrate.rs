//! `sealstone migrate ...`: a Keystone from Fernet to JWS tokens.

mod bridge;
mod check;
mod cutover;
mod exchange;
mod inventory;
mod keys;
mod logins;
mod long_lived;
mod nodes;
mod plan;
mod pool;

use clap::{Args, Subcommand, ValueEnum};

use crate::{command::wait, failure::Outcome};
use bridge::BridgeArguments;
use check::CheckArguments;
use cutover::{CutoverArguments, RollbackArguments};
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

  With the keys in place, the inventory anew, and the steps from it: to read, and for `cutover`:
    sealstone migrate inventory --node a=ssh:a --node b=ssh:b --output json > inventory.json
    sealstone migrate plan --inventory inventory.json --needed 1 --output markdown > runbook.md
    sealstone migrate plan --inventory inventory.json --needed 1 --output json > plan.json

  The change: see `sealstone migrate check --help`, `cutover --help` and `rollback --help`.";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum MigrateCommand {
    /// Read the nodes' configuration and keys, and tell what the change means; nothing is changed
    Inventory(InventoryArguments),
    /// Make the nodes' JWS keys, and see whether they are in place
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Stand before a node, and put tokens into the form that it takes, so that none dies at the flip
    Bridge(Box<BridgeArguments>),
    /// Draw up the steps of the change, or verify steps that were changed by hand
    Plan(Box<PlanArguments>),
    /// See that every node takes the tokens of every other, and refuses them once they are revoked
    Check(Box<CheckArguments>),
    /// Make the change, node by node, by a plan; or go on where it was stopped
    Cutover(Box<CutoverArguments>),
    /// Take the change back, from wherever it is
    Rollback(Box<RollbackArguments>),
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

pub(crate) fn run(command: MigrateCommand) -> Outcome {
    match command {
        MigrateCommand::Bridge(arguments) => wait(bridge::run(*arguments)),
        MigrateCommand::Check(arguments) => check::run(&arguments),
        MigrateCommand::Cutover(arguments) => cutover::cutover(&arguments),
        MigrateCommand::Inventory(arguments) => wait(inventory::run(arguments)),
        MigrateCommand::Keys(command) => keys::run(command),
        MigrateCommand::Plan(arguments) => plan::run(&arguments),
        MigrateCommand::Rollback(arguments) => cutover::rollback(&arguments),
    }
}
