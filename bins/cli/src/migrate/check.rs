//! `sealstone migrate check`.

use clap::Args;
use sealstone_migrate::{
    Answer, Cell, CheckReport, Node, NodeRecord, Target, TokenForm, judge_answers, judge_records, run_matrix,
};

use super::exchange::NodeExchange;
use super::logins::{LoginArguments, missing, tell_missing};
use super::nodes::{NodeArguments, parse_name};
use super::pool::{AddressArguments, BalancerArguments};
use crate::{
    failure::{Failure, Outcome},
    output::{self, Form, OutputArguments},
};

const EXAMPLES: &str = "\
Examples:
  Every scope that the account of the OS_* variables has, at three nodes, and their keys:
    sealstone migrate check --url a=http://10.0.0.11:5000/v3 --url b=http://10.0.0.12:5000/v3 \\
      --dangerous-plain-http --node a=ssh:root@a --node b=ssh:root@b --logins logins.json

  A node that was drained and flipped, before it is let back:
    sealstone migrate check --url a=http://127.0.0.1:5000/v3 --expect a=jws \\
      --haproxy /run/haproxy/admin.sock --drained a

Each login's token is issued at every node, shown to every other, used there, and revoked there; then no node may \
take it. Every token of this program is revoked. logins.json is for your account alone (chmod 600):
  [{\"name\": \"heat\", \"kind\": \"trust\", \"auth\": {
      \"identity\": {\"methods\": [\"password\"], \"password\": {\"user\": {\"id\": \"...\", \"password\": \"...\"}}},
      \"scope\": {\"OS-TRUST:trust\": {\"id\": \"...\"}}}},
   {\"name\": \"fred\", \"kind\": \"federated\",
    \"path\": \"/OS-FEDERATION/identity_providers/x/protocols/y/auth\",
    \"headers\": {\"Authorization\": \"Bearer ...\"}}]
Exit status 1 if anything is wrong.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    addresses: AddressArguments,
    #[command(flatten)]
    nodes: NodeArguments,
    #[command(flatten)]
    logins: LoginArguments,
    /// Which tokens a node is to issue, fernet or jws: of all nodes or of one [default: what its configuration says]
    #[arg(long, value_name = "[NAME=]FORM", value_parser = parse_form)]
    expect: Vec<(Option<Node>, TokenForm)>,
    #[command(flatten)]
    balancer: BalancerArguments,
    /// A node that must take no requests from the balancer; may be given several times
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    drained: Vec<Node>,
    #[command(flatten)]
    output: OutputArguments,
}

fn parse_form(text: &str) -> Result<(Option<Node>, TokenForm), String> {
    let (name, form) = match text.split_once('=') {
        Some((name, form)) => (Some(parse_name(name)?), form),
        None => (None, text),
    };
    let form = TokenForm::parse(form).ok_or("write fernet, jws, or NAME=jws")?;
    Ok((name, form))
}

pub(super) fn run(arguments: &CheckArguments) -> Outcome {
    let urls = arguments.addresses.urls()?;
    let all: Vec<&str> = urls.values().map(String::as_str).collect();
    let plain = arguments.addresses.dangerous_plain_http;
    let mut exchange = NodeExchange::new(&all, arguments.addresses.ca().as_deref(), plain)?;
    let first = all.first().copied().unwrap_or_default();
    let records = arguments.nodes.read()?;
    let targets: Vec<Target> = urls
        .iter()
        .map(|(node, url)| arguments.target(node, url, &records))
        .collect();
    let logins = arguments.logins.read(first, &mut exchange)?;
    let mut progress: Option<output::Progress> = None;
    let (cells, clocks) = run_matrix(&targets, &logins, None, &mut exchange, &mut |_done, of| {
        progress
            .get_or_insert_with(|| output::Progress::new("tokens", of))
            .step();
    });
    let mut verdict = judge_answers(&targets, &cells, &clocks);
    let any_jws = targets.iter().any(|target| target.form == Some(TokenForm::Jws));
    verdict.faults.extend(judge_records(&records, any_jws));
    verdict.faults.extend(arguments.still_serving()?);
    let report = CheckReport::new(verdict, cells, missing(&logins).into_iter(), clocks);
    show(&report, arguments.output.output)?;
    if report.is_good() {
        return Ok(());
    }
    Err(Failure::failed(match report.faults.len() {
        1 => "1 thing is wrong: no node that it is about may serve before it is mended".to_owned(),
        several => format!(
            "{several} things are wrong: no node that they are about may serve before they are mended"
        ),
    }))
}

impl CheckArguments {
    fn target(&self, node: &Node, url: &str, records: &[NodeRecord]) -> Target {
        let settings = records
            .iter()
            .find(|record| record.name == *node)
            .map(|record| &record.settings);
        let of_node =
            |(name, _form): &&(Option<Node>, TokenForm)| name.as_ref().is_none_or(|name| name == node);
        let expected = self.expect.iter().rev().find(of_node).map(|(_name, form)| *form);
        Target {
            node: node.clone(),
            url: url.to_owned(),
            form: expected.or_else(|| TokenForm::parse(&settings?.provider)),
            cached_s: settings
                .filter(|found| found.verdict_caching && found.cache_time_s > 0)
                .map(|found| found.cache_time_s),
        }
    }

    fn still_serving(&self) -> Outcome<Vec<String>> {
        let Some(mut balancer) = self.balancer.balancer(self.balancer.runner(None))? else {
            if self.drained.is_empty() {
                return Ok(Vec::new());
            }
            return Err(Failure::usage(
                "who balances? name HAProxy's socket by --haproxy, or the hooks",
            ));
        };
        let seen = balancer.look(&self.drained)?;
        let serving = seen.iter().filter(|(_node, member)| member.takes);
        Ok(serving
            .map(|(node, _member)| format!("node {node} still serves: drain it before it is changed"))
            .collect())
    }
}

fn show(report: &CheckReport, form: Form) -> Outcome {
    let tell = |text: &String| output::note(&output::visible(text));
    report.faults.iter().for_each(tell);
    for note in &report.notes {
        output::note(&output::visible(&format!("note: {note}")));
    }
    tell_missing(&report.not_checked);
    if form == Form::Json {
        return output::json(report);
    }
    let rows: Vec<Vec<String>> = report.cells.iter().map(row).collect();
    let titles = [
        "SCOPE",
        "ACCOUNT",
        "ISSUED AT",
        "FORM",
        "SHOWN AT",
        "VALIDATED",
        "USED",
        "REVOKED",
        "THEN TAKEN BY",
    ];
    output::table(&titles, &rows)
}

fn row(cell: &Cell) -> Vec<String> {
    let answer = |answer: &Answer| match answer {
        Answer::Taken => "yes".to_owned(),
        Answer::Refused(status) => format!("no ({status})"),
        Answer::NotAllowed => "not allowed".to_owned(),
        Answer::Failed(fault) => fault.clone(),
        Answer::NotAsked => "-".to_owned(),
    };
    let taken: Vec<&str> = cell.taken_after.iter().map(Node::as_str).collect();
    let form = match (&cell.issued, cell.form) {
        (Answer::Taken, Some(form)) => form.to_string(),
        (Answer::Taken, None) => "another".to_owned(),
        (issued, _) => answer(issued),
    };
    vec![
        cell.kind.as_str().to_owned(),
        cell.login.clone(),
        cell.issuer.to_string(),
        form,
        cell.shown_at.to_string(),
        answer(&cell.validated),
        answer(&cell.used),
        answer(&cell.revoked),
        if taken.is_empty() {
            "nobody".to_owned()
        } else {
            taken.join(", ")
        },
    ]
}
