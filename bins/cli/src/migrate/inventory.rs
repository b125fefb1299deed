//! `sealstone migrate inventory`.

use clap::Args;
use sealstone_migrate::{ClockOffset, Impact, Inventory, RepositoryRecord};

use super::{Form, FormArguments, long_lived, nodes::NodeArguments};
use crate::{
    clock,
    failure::{Failure, Outcome},
    openstack::Environment,
    output,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  sealstone migrate inventory --node a=ssh:root@a --node b=ssh:root@b\n  \
    sealstone migrate inventory --node a=a.tar --node b=b.tar --clock a=0 --clock b=0.1 --output json\n\n\
    Over ssh, the account must be one that may read Keystone's files, and log in without being asked. With the OS_* \
    variables of an administrator, Keystone is asked for trusts and application credentials, too. Keys are written \
    down by fingerprint only. What Keystone takes from environment variables (OS_TOKEN__PROVIDER) is not seen."
)]
pub(crate) struct InventoryArguments {
    #[command(flatten)]
    nodes: NodeArguments,
    #[command(flatten)]
    form: FormArguments,
}

pub(super) async fn run(arguments: InventoryArguments) -> Outcome {
    if arguments.nodes.nodes.is_empty() {
        return Err(Failure::usage(
            "no node is named: give --node NAME=SOURCE for each",
        ));
    }
    let records = arguments.nodes.read()?;
    let environment = Environment::read();
    let long_lived = match environment.auth_url {
        Some(_) => Some(long_lived::read(environment).await?),
        None => {
            output::note(
                "note: Keystone is not asked for trusts and application credentials: set the OS_* variables",
            );
            None
        }
    };
    let inventory = Inventory::new(clock::now().as_secs(), records, long_lived);
    match arguments.form.output {
        Form::Json => output::json(&inventory),
        Form::Markdown => output::data(&inventory.to_markdown()),
        Form::Table => table(&inventory),
    }
}

fn table(inventory: &Inventory) -> Outcome {
    let keys = |keys: &RepositoryRecord| match (keys.present, keys.faults.is_empty()) {
        (false, _) => "none".to_owned(),
        (true, true) => keys.keys.len().to_string(),
        (true, false) => format!("{}, faulty", keys.keys.len()),
    };
    let clock = |found: ClockOffset| match found.within_ms {
        0 => format!("{:+} ms", found.offset_ms),
        within => format!("{:+} ms ± {within}", found.offset_ms),
    };
    let rows: Vec<Vec<String>> = inventory
        .nodes
        .iter()
        .map(|node| {
            let settings = &node.settings;
            vec![
                node.name.to_string(),
                settings.provider.clone(),
                format!("{} s", settings.expiration_s),
                format!("{} s", settings.allow_expired_window_s),
                if settings.caching {
                    format!("{} s", settings.cache_time_s)
                } else {
                    "off".to_owned()
                },
                node.clock.map_or_else(|| "unknown".to_owned(), clock),
                keys(&node.fernet),
                settings.jws_algorithm.clone(),
                keys(&node.jws),
            ]
        })
        .collect();
    let titles = [
        "NODE",
        "PROVIDER",
        "TOKENS LIVE",
        "WINDOW",
        "CACHING",
        "CLOCK",
        "FERNET KEYS",
        "ALGORITHM",
        "JWS KEYS",
    ];
    output::table(&titles, &rows)?;
    trouble(inventory);
    output::line("\nWHAT CHANGES")?;
    inventory.impact.iter().try_for_each(impact)
}

/// Sentences: side by side they would be wider than any terminal.
fn impact(row: &Impact) -> Outcome {
    output::line(&output::visible(&row.change))?;
    output::pairs(&[
        ("  what breaks", row.breaks.clone()),
        ("  for whom", row.whom.clone()),
        ("  for how long", row.how_long.clone()),
    ])
}

/// On standard error: what is not as it must be.
fn trouble(inventory: &Inventory) {
    let note = |text: &str| output::note(&output::visible(text));
    inventory.disagreements.iter().for_each(|text| note(text));
    for node in &inventory.nodes {
        for repository in [&node.fernet, &node.jws] {
            for text in repository.faults.iter().chain(&repository.warnings) {
                note(&format!("node {}: {text}", node.name));
            }
        }
        node.notes
            .iter()
            .for_each(|text| note(&format!("node {}: {text}", node.name)));
    }
    if let Some(found) = &inventory.long_lived {
        found.not_seen.iter().for_each(|text| note(text));
    }
}
