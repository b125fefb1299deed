//! `sealstone migrate keys`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sealstone_fernet::JwsAlgorithm;
use sealstone_migrate::{Inventory, Node, NodeRecord, judge_keys, keys_in_place, make_keys};

use super::nodes::{NodeArguments, parse_name};
use crate::{
    clock,
    failure::{Failure, Outcome},
    input,
    output::{self, Form, OutputArguments},
};

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make every node's key pair, in a folder for each node
    Make(MakeArguments),
    /// See by digest that all nodes hold the same public keys, and each a private key of its own
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  sealstone migrate keys make --node a --node b --node c --out jws-keys\n\n\
    Bring jws-keys/a/private to [jwt_tokens] jws_private_key_repository of a, and of no other node, and \
    jws-keys/a/public to its jws_public_key_repository, with modes as they are and Keystone's account as the owner. \
    Then remove jws-keys, and run:\n  sealstone migrate keys verify --node a=ssh:root@a --node b=ssh:root@b --node c=ssh:root@c"
)]
pub(crate) struct MakeArguments {
    /// A node; once for each
    #[arg(long = "node", value_name = "NAME", required = true, value_parser = parse_name)]
    nodes: Vec<Node>,
    /// A folder that is not there yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// `[jwt_tokens] jws_algorithm`: ES256, ES384, ES512 or EdDSA
    #[arg(long, value_name = "NAME", default_value = "ES256", value_parser = parse_algorithm)]
    algorithm: JwsAlgorithm,
    #[command(flatten)]
    output: OutputArguments,
}

fn parse_algorithm(text: &str) -> Result<JwsAlgorithm, String> {
    JwsAlgorithm::parse(text).map_err(|_| "write ES256, ES384, ES512 or EdDSA".to_owned())
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sealstone migrate keys verify --node a=ssh:root@a --node b=ssh:root@b\n  \
    sealstone migrate keys verify --inventory inventory.json\n\nExit status 1 if anything is wrong."
)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    nodes: NodeArguments,
    /// Judge what an inventory holds, instead of reading nodes
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "nodes",
        required_unless_present = "nodes"
    )]
    inventory: Option<PathBuf>,
}

pub(super) fn run(command: KeysCommand) -> Outcome {
    match command {
        KeysCommand::Make(arguments) => make(&arguments),
        KeysCommand::Verify(arguments) => verify(&arguments),
    }
}

fn make(arguments: &MakeArguments) -> Outcome {
    let made = make_keys(
        &arguments.out,
        &arguments.nodes,
        arguments.algorithm,
        clock::now(),
    )?;
    if arguments.output.output == Form::Json {
        return output::json(&made);
    }
    let rows: Vec<Vec<String>> = made
        .iter()
        .map(|folder| {
            vec![
                folder.node.to_string(),
                folder.private.display().to_string(),
                folder.public.display().to_string(),
                folder.fingerprint.clone(),
            ]
        })
        .collect();
    output::table(&["NODE", "PRIVATE", "PUBLIC", "FINGERPRINT"], &rows)
}

fn verify(arguments: &VerifyArguments) -> Outcome {
    let records: Vec<NodeRecord> = match &arguments.inventory {
        Some(path) => Inventory::from_json(&input::bytes(path)?)?.nodes,
        None => arguments.nodes.read()?,
    };
    let faults = judge_keys(&records);
    for fault in &faults {
        output::note(&output::visible(&fault.to_string()));
    }
    if !faults.is_empty() {
        return Err(Failure::failed(match faults.len() {
            1 => "1 thing is wrong with the keys".to_owned(),
            several => format!("{several} things are wrong with the keys"),
        }));
    }
    let keys = records
        .first()
        .map(|node| node.jws.keys.len())
        .unwrap_or_default();
    output::line(&keys_in_place(records.len(), keys))
}
