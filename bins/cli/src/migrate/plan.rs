//! `sealstone migrate plan`.

use std::path::PathBuf;

use clap::Args;
use sealstone_migrate::{Inventory, Plan, PlanOptions};

use super::{Form, FormArguments};
use crate::{failure::Outcome, input, output};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sealstone migrate plan --inventory inventory.json --needed 1 --output markdown > runbook.md\n  \
    sealstone migrate plan --inventory inventory.json --needed 2 --bridged --output json > plan.json\n  \
    sealstone migrate plan --inventory inventory.json --verify plan.json\n\n\
    In commands, {node} is the node's name; in --flip-command, {file} is the last of its configuration files and \
    {provider} the provider. The defaults are for HAProxy's runtime socket, nodes behind ssh, and systemd.\n\n\
    `cutover` takes the plan as JSON (--output json); the table and the Markdown are for people."
)]
pub(crate) struct PlanArguments {
    /// What `sealstone migrate inventory --output json` wrote
    #[arg(long, value_name = "FILE")]
    inventory: PathBuf,
    /// How many nodes must serve at any time
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    needed: usize,
    /// Bridges (`sealstone migrate bridge`) stand before all nodes: change one after the other, and let those that were
    /// changed serve beside those that were not
    #[arg(long)]
    bridged: bool,
    /// Takes a node out of the balancer's pool
    #[arg(
        long,
        value_name = "COMMAND",
        default_value = "echo 'set server keystone/{node} state drain' | socat stdio /run/haproxy/admin.sock"
    )]
    drain_command: String,
    /// Puts a node into the pool
    #[arg(
        long,
        value_name = "COMMAND",
        default_value = "echo 'set server keystone/{node} state ready' | socat stdio /run/haproxy/admin.sock"
    )]
    add_command: String,
    /// Shows whether a node serves, and how many of its requests are open
    #[arg(
        long,
        value_name = "COMMAND",
        default_value = "echo 'show stat' | socat stdio /run/haproxy/admin.sock | grep '^keystone,{node},' | cut -d, -f5,18"
    )]
    state_command: String,
    /// Sets the token provider of a node
    #[arg(
        long,
        value_name = "COMMAND",
        default_value = "ssh {node} crudini --set {file} token provider {provider}"
    )]
    flip_command: String,
    /// Restarts a node's Keystone
    #[arg(
        long,
        value_name = "COMMAND",
        default_value = "ssh {node} systemctl restart keystone"
    )]
    restart_command: String,
    /// Where a node answers, past the balancer
    #[arg(long, value_name = "URL", default_value = "http://{node}:5000/v3")]
    node_url: String,
    /// Verify a plan that was changed by hand, instead of drawing one up
    #[arg(long, value_name = "FILE")]
    verify: Option<PathBuf>,
    #[command(flatten)]
    form: FormArguments,
}

pub(super) fn run(arguments: &PlanArguments) -> Outcome {
    let inventory = Inventory::from_json(&input::bytes(&arguments.inventory)?)?;
    let plan = match &arguments.verify {
        Some(path) => Plan::from_json(&input::bytes(path)?, &inventory)?,
        None => {
            let options = PlanOptions {
                needed: arguments.needed,
                bridged: arguments.bridged,
                drain: arguments.drain_command.clone(),
                add: arguments.add_command.clone(),
                state: arguments.state_command.clone(),
                flip: arguments.flip_command.clone(),
                restart: arguments.restart_command.clone(),
                url: arguments.node_url.clone(),
            };
            Plan::new(&inventory, &options)?
        }
    };
    match arguments.form.output {
        Form::Json => output::json(&plan),
        Form::Markdown => output::data(&plan.to_markdown()),
        Form::Table => table(&plan),
    }
}

fn table(plan: &Plan) -> Outcome {
    let rows: Vec<Vec<String>> = (1..)
        .zip(&plan.steps)
        .map(|(number, step): (usize, _)| vec![number.to_string(), step.title.clone(), step.window.clone()])
        .collect();
    output::table(&["STEP", "WHAT", "WHAT USERS MEET"], &rows)
}
