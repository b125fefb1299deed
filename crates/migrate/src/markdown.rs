//! Documents for people.

use crate::impact::span;
use crate::inventory::{Inventory, RepositoryRecord};
use crate::plan::{Plan, Step};

/// Text in a cell of a table: nothing in it ends the cell, the line or the table.
fn cell(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect::<String>()
        .replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('<', "&lt;")
}

fn row(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn head(titles: &[&str]) -> String {
    format!("{}|{}\n", row(titles), "---|".repeat(titles.len()))
}

fn keys(repository: &RepositoryRecord) -> String {
    match (repository.present, repository.faults.len()) {
        (false, _) => "none".to_owned(),
        (true, 0) => format!("{} keys", repository.keys.len()),
        (true, faults) => format!("{} keys, faults: {faults}", repository.keys.len()),
    }
}

pub(crate) fn inventory(found: &Inventory) -> String {
    let mut text = "# From Fernet to JWS: inventory\n\n## Nodes\n\n".to_owned();
    text.push_str(&head(&[
        "Node",
        "Provider",
        "Tokens live",
        "Window",
        "Caching",
        "Clock",
        "Fernet",
        "JWS",
    ]));
    for node in &found.nodes {
        let settings = &node.settings;
        let clock = node.clock.map_or_else(
            || "unknown".to_owned(),
            |clock| format!("{:+} ms, within {} ms", clock.offset_ms, clock.within_ms),
        );
        let caching = if settings.caching {
            span(settings.cache_time_s)
        } else {
            "off".to_owned()
        };
        text.push_str(&row(&[
            node.name.as_str(),
            &settings.provider,
            &span(settings.expiration_s),
            &span(settings.allow_expired_window_s),
            &caching,
            &clock,
            &keys(&node.fernet),
            &format!("{}, {}", settings.jws_algorithm, keys(&node.jws)),
        ]));
    }
    text.push_str("\n## What is not as it must be\n\n");
    let notes: Vec<String> = trouble(found);
    match notes.is_empty() {
        true => text.push_str("Nothing was found.\n"),
        false => notes
            .iter()
            .for_each(|note| text.push_str(&format!("- {}\n", cell(note)))),
    }
    text.push_str("\n## What the change means\n\n");
    text.push_str(&head(&[
        "What changes",
        "What breaks",
        "For how long",
        "For whom",
    ]));
    for impact in &found.impact {
        text.push_str(&row(&[
            &impact.change,
            &impact.breaks,
            &impact.how_long,
            &impact.whom,
        ]));
    }
    text
}

/// Everything that somebody should look at, one a line.
fn trouble(found: &Inventory) -> Vec<String> {
    let mut lines = found.disagreements.clone();
    for node in &found.nodes {
        let of = |what: &str, text: &String| format!("node {}: {what}{text}", node.name);
        for repository in [&node.fernet, &node.jws] {
            lines.extend(repository.faults.iter().map(|text| of("", text)));
            lines.extend(repository.warnings.iter().map(|text| of("warning: ", text)));
        }
        lines.extend(node.notes.iter().map(|text| of("", text)));
    }
    if let Some(long_lived) = &found.long_lived {
        lines.extend(long_lived.not_seen.iter().cloned());
    }
    lines
}

pub(crate) fn plan(plan: &Plan) -> String {
    let nodes: Vec<&str> = plan.nodes.iter().map(|node| node.as_str()).collect();
    let mut text = format!(
        "# From Fernet to JWS: runbook\n\nNodes: {}. At any time {} serve at least. Go on only when a step's checks say \
         what is expected; else take its way back, and the ways back of the steps before it in reverse order.{}\n",
        nodes.join(", "),
        plan.needed.max(1),
        if plan.bridged {
            " Bridges stand before all of them, from before the first step until no token of before is alive."
        } else {
            ""
        }
    );
    for (number, step) in (1..).zip(&plan.steps) {
        text.push_str(&section(number, step));
    }
    text
}

fn section(number: usize, step: &Step) -> String {
    let mut text = format!("\n## {number}. {}\n", cell(&step.title));
    for (title, commands) in [("", &step.commands), ("Check:\n", &step.checks)] {
        if !commands.is_empty() {
            text.push_str(&format!("\n{title}```sh\n{}\n```\n", lines(commands)));
        }
    }
    text.push_str(&format!(
        "\n- Expected: {}\n- Window: {}\n",
        cell(&step.expected),
        cell(&step.window)
    ));
    match step.way_back.is_empty() {
        true => text.push_str("- Way back: none is needed\n"),
        false => text.push_str(&format!("- Way back:\n\n```sh\n{}\n```\n", lines(&step.way_back))),
    }
    text
}

/// Commands of a plan that somebody wrote: on one line each, and inside the block.
fn lines(commands: &[String]) -> String {
    let one = |command: &String| -> String {
        let visible = command
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c });
        visible.collect::<String>().replace("```", "'''")
    };
    commands.iter().map(one).collect::<Vec<_>>().join("\n")
}
