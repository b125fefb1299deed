//! `sealstone migrate cutover` and `rollback`.

mod operator;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use sealstone_migrate::{
    Balancer, Cutover, CutoverError, CutoverOptions, Event, Hook, Inventory, JournalFile, KeystoneProber,
    Limits, Node, NodeHands, Outcome as Ended, Plan, Ports,
};
use serde_json::json;

use super::exchange::NodeExchange;
use super::logins::{LoginArguments, missing, tell_missing};
use super::nodes::NodeArguments;
use super::pool::{AddressArguments, BalancerArguments, parse_address, parse_hook};
use crate::{
    clock,
    failure::{Failure, Outcome},
    input,
    output::{self, Form, OutputArguments},
};
use operator::{Console, Watch};

const EXAMPLES: &str = "\
Example:
  sealstone migrate cutover --plan plan.json --inventory inventory.json --journal cutover.journal \\
    --node a=ssh:root@a --node b=ssh:root@b --url a=https://a:5000/v3 --url b=https://b:5000/v3 \\
    --haproxy /run/haproxy/admin.sock --backend keystone --balancer-url https://keystone:5000/v3 \\
    --restart-hook 'ssh root@{node} systemctl restart keystone'

It may be stopped at any moment, by kill -9 too: the same command goes on where it was. Each node is drained, \
changed, restarted and checked before it serves; what is wrong ends the run, with the node outside the pool. It \
stops by itself when more requests fail than before. With the same journal there is a way back from wherever it is:
  sealstone migrate rollback ...

The Fernet keys stay until no Fernet token is alive. Then:
  sealstone migrate cutover --retire ...
Exit status 1 when it stopped; what to do is told.";

const BACK: &str = "\
Example:
  sealstone migrate rollback --journal cutover.journal \\
    --node a=ssh:root@a --node b=ssh:root@b --url a=https://a:5000/v3 --url b=https://b:5000/v3 \\
    --haproxy /run/haproxy/admin.sock --backend keystone --balancer-url https://keystone:5000/v3 \\
    --restart-hook 'ssh root@{node} systemctl restart keystone'

Every node is brought back to Fernet tokens, as carefully as it was brought there; the same command goes on when \
it was stopped. The JWS keys stay where they are: bridges need the public ones while a JWS token is alive.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CutoverArguments {
    /// What `sealstone migrate plan --output json` wrote
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// What `sealstone migrate inventory --output json` wrote, from which the plan was drawn up
    #[arg(long, value_name = "FILE")]
    inventory: PathBuf,
    /// When every node serves JWS tokens and no Fernet token is alive any more: remove the Fernet keys of every node
    #[arg(long)]
    retire: bool,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Debug, Args)]
#[command(after_help = BACK)]
pub(crate) struct RollbackArguments {
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Debug, Args)]
struct RunArguments {
    /// Where is written down what was done: made by the first `cutover`, and needed by `rollback`
    #[arg(long, value_name = "FILE")]
    journal: PathBuf,
    #[command(flatten)]
    nodes: NodeArguments,
    #[command(flatten)]
    addresses: AddressArguments,
    #[command(flatten)]
    balancer: BalancerArguments,
    /// Where users reach the pool: it is asked, too, when the pool was changed
    #[arg(long, value_name = "URL", value_parser = parse_address)]
    balancer_url: Option<String>,
    /// Restarts the Keystone of {node}, by a command that no shell reads
    #[arg(long, value_name = "COMMAND", value_parser = parse_hook)]
    restart_hook: Hook,
    #[command(flatten)]
    logins: LoginArguments,
    /// Bridges (`sealstone migrate bridge`) stand before the nodes, so that refusals are never due
    #[arg(long)]
    bridged: bool,
    /// Ask nothing: also what nothing takes back is done
    #[arg(long, short)]
    yes: bool,
    /// How long users are watched after the pool was changed
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = clock::parse_span)]
    settle: Duration,
    /// Stop when so many of a hundred answers more than before are 5xx
    #[arg(long, value_name = "PERCENT", default_value_t = Limits::default().failed_percent)]
    max_failed: u64,
    /// Stop when so many of a hundred answers more than before are 4xx; after a switch without bridges 50, since each
    /// holder of a token of before is refused once
    #[arg(long, value_name = "PERCENT", default_value_t = Limits::default().refused_percent)]
    max_refused: u64,
    /// How long the open requests of a node may take to end
    #[arg(long, value_name = "SPAN", default_value = "120s", value_parser = clock::parse_span)]
    drain_limit: Duration,
    /// How long a node may take to answer after its restart
    #[arg(long, value_name = "SPAN", default_value = "120s", value_parser = clock::parse_span)]
    restart_limit: Duration,
    #[command(flatten)]
    output: OutputArguments,
}

pub(super) fn cutover(arguments: &CutoverArguments) -> Outcome {
    let inventory = Inventory::from_json(&input::bytes(&arguments.inventory)?)?;
    let plan = Plan::from_json(&input::bytes(&arguments.plan)?, &inventory)?;
    let (journal, events) = JournalFile::open(&arguments.run.journal)?;
    let task = Task {
        name: "cutover",
        nodes: &plan.nodes,
        retires: arguments.retire,
    };
    arguments
        .run
        .run(journal, &events, &task, |cutover| cutover.forward(&plan))
}

pub(super) fn rollback(arguments: &RollbackArguments) -> Outcome {
    let run = &arguments.run;
    if !JournalFile::exists(&run.journal) {
        return Err(Failure::failed(format!(
            "{} does not exist: name the journal that `sealstone migrate cutover` wrote",
            run.journal.display()
        )));
    }
    let (journal, events) = JournalFile::open(&run.journal)?;
    let nodes = events.iter().rev().find_map(|event| {
        let Event::Course { nodes, .. } = event else {
            return None;
        };
        Some(nodes.clone())
    });
    let nodes = nodes.unwrap_or_default();
    let task = Task {
        name: "rollback",
        nodes: &nodes,
        retires: false,
    };
    run.run(journal, &events, &task, |cutover| cutover.back())
}

/// What is to be done, with which nodes.
struct Task<'a> {
    name: &'static str,
    nodes: &'a [Node],
    retires: bool,
}

impl RunArguments {
    fn run(
        &self,
        mut journal: JournalFile,
        events: &[Event],
        task: &Task<'_>,
        work: impl FnOnce(&mut Cutover<'_>) -> Result<Ended, CutoverError>,
    ) -> Outcome {
        let urls = self.addresses.urls()?;
        self.are_all_named(task.nodes, &urls)?;
        let mut all: Vec<&str> = urls.values().map(String::as_str).collect();
        let first = all.first().copied().unwrap_or_default();
        all.extend(self.balancer_url.as_deref());
        let plain = self.addresses.dangerous_plain_http;
        let mut exchange = NodeExchange::new(&all, self.addresses.ca().as_deref(), plain)?;
        let logins = self
            .logins
            .read(self.balancer_url.as_deref().unwrap_or(first), &mut exchange)?;
        tell_missing(&missing(&logins));
        let runner = self.balancer.runner(Some(&self.journal));
        let balancer = self.balancer.balancer(runner.clone())?;
        let mut balancer: Box<dyn Balancer> = balancer.ok_or_else(|| {
            Failure::usage("who balances? name HAProxy's socket by --haproxy, or the hooks")
        })?;
        let now = || i64::try_from(clock::milliseconds()).unwrap_or(i64::MAX);
        let restart = self.restart_hook.clone();
        let specs = self.nodes.specs()?;
        let mut control = NodeHands::new(specs, self.nodes.programs(), restart, runner, &now);
        let mut prober = KeystoneProber::new(&mut exchange, urls.clone(), logins, self.balancer_url.clone());
        let mut console = Console::new(self.yes);
        let ports = Ports {
            balancer: balancer.as_mut(),
            control: &mut control,
            prober: &mut prober,
            wait: &mut Watch,
            operator: &mut console,
        };
        let mut cutover = Cutover::new(&mut journal, events, ports, self.options(task.retires))?;
        let ended = work(&mut cutover);
        let ended = ended.map_err(|error| Failure::failed(self.advice(task.name, &error)))?;
        self.told(ended)
    }

    /// Who lacks files or an address would be found out when others are changed already.
    fn are_all_named(&self, nodes: &[Node], urls: &BTreeMap<Node, String>) -> Outcome {
        let specs = self.nodes.specs()?;
        for node in nodes {
            if !specs.iter().any(|spec| spec.name == *node) {
                return Err(Failure::usage(format!(
                    "node {node} takes part, and nobody says where its files are: give --node {node}=SOURCE"
                )));
            }
            if !urls.contains_key(node) {
                return Err(Failure::usage(format!(
                    "node {node} takes part, and nobody says where it answers: give --url {node}=URL"
                )));
            }
        }
        let named = specs.iter().map(|spec| &spec.name).chain(urls.keys());
        match named.into_iter().find(|name| !nodes.contains(name)) {
            Some(stranger) if !nodes.is_empty() => Err(Failure::usage(format!(
                "node {stranger} is not in the plan: take the inventory and the plan with it, or leave it out here"
            ))),
            _ => Ok(()),
        }
    }

    fn options(&self, retires: bool) -> CutoverOptions {
        CutoverOptions {
            limits: Limits {
                failed_percent: self.max_failed,
                refused_percent: self.max_refused,
                settle: self.settle,
                ..Limits::default()
            },
            drain_limit: self.drain_limit,
            restart_limit: self.restart_limit,
            is_bridged: self.bridged,
            retires,
        }
    }

    /// What went wrong, and what to do.
    fn advice(&self, name: &str, error: &CutoverError) -> String {
        let text = output::visible(&error.to_string());
        let journal = self.journal.display();
        if matches!(error, CutoverError::NotAgreed(_)) && !self.yes && !Console::is_asked() {
            return format!("{text}: nobody could be asked; run it on a terminal, or with --yes");
        }
        if matches!(
            error,
            CutoverError::Nothing(_)
                | CutoverError::TooEarly(_)
                | CutoverError::NothingToTakeBack
                | CutoverError::KeysGone
                | CutoverError::UnderWay(..)
        ) {
            return text;
        }
        let again =
            format!("{text}. Mend it and run `sealstone migrate {name}` again, which goes on from there");
        if name == "rollback" || self.is_untouched() {
            return again;
        }
        format!("{again}, or go back by `sealstone migrate rollback --journal {journal}`")
    }

    /// Whether there is nothing to take back yet.
    fn is_untouched(&self) -> bool {
        std::fs::metadata(&self.journal).is_ok_and(|found| found.len() == 0)
    }

    fn told(&self, ended: Ended) -> Outcome {
        let date = |at: u64| clock::date(clock::at(at));
        let (word, until, text) = match ended {
            Ended::KeysKept(until) => (
                "keys_kept",
                Some(until),
                format!(
                    "every node serves JWS tokens; the Fernet keys stay until {}, then `--retire` removes them",
                    date(until)
                ),
            ),
            Ended::Retired => (
                "retired",
                None,
                "every node serves JWS tokens, and the Fernet keys are gone".to_owned(),
            ),
            Ended::RolledBack(Some(until)) => (
                "rolled_back",
                Some(until),
                format!(
                    "every node serves Fernet tokens; bridges need the public JWS keys until {}",
                    date(until)
                ),
            ),
            Ended::RolledBack(None) | _ => (
                "rolled_back",
                None,
                "every node serves Fernet tokens, as it did before".to_owned(),
            ),
        };
        match self.output.output {
            Form::Json => output::json(&json!({ "outcome": word, "until": until })),
            Form::Table => output::line(&text),
        }
    }
}
