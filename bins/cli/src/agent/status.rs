//! `sealstone agent status`.

use std::path::Path;

use sealstone_agent::{Health, StateFolder, Status};
use serde_json::json;

use super::config::Config;
use crate::{
    clock,
    failure::{Failure, Outcome},
    output::{self, Form},
};

/// An agent writes its status once a minute; on a busy machine, a little later.
const STALE: u64 = 180;

pub(super) fn run(path: &Path, form: Form) -> Outcome {
    let config = Config::read(path)?;
    let folder = &config.state.path;
    let running = StateFolder::is_taken(folder);
    let written = StateFolder::status(folder).ok();
    let status = written
        .as_ref()
        .and_then(|(text, _)| serde_json::from_str::<Status>(text).ok());
    match (&status, form) {
        (Some(status), Form::Json) => {
            let mut document = serde_json::to_value(status)?;
            if let Some(object) = document.as_object_mut() {
                object.insert("running".to_owned(), running.into());
            }
            output::json(&document)?;
        }
        (None, Form::Json) => output::json(&json!({"running": running, "health": null}))?,
        (Some(status), Form::Table) => table(status, running)?,
        (None, Form::Table) => {}
    }
    if !running {
        return Err(Failure::failed(format!(
            "no agent runs with {}: start it with `sealstone agent run --config {}`",
            folder.display(),
            path.display()
        )));
    }
    let now = clock::now();
    if let Some((_, at)) = written.filter(|(_, at)| now.as_secs() > at.as_secs().saturating_add(STALE)) {
        return Err(Failure::failed(format!(
            "the agent has not written its status since {}: is the disk of {} full? What it serves by sockets and proxies may \
             be good all the same: its log says",
            clock::date(at),
            folder.display()
        )));
    }
    match status.map(|status| status.health) {
        Some(Health::Fresh | Health::Degraded) => Ok(()),
        Some(Health::Starting) => Err(Failure::failed(
            "the agent has no token yet: ask again in a moment",
        )),
        Some(Health::Failing) => Err(Failure::failed(
            "the agent has no token that is good: see its faults",
        )),
        None => Err(Failure::failed(format!(
            "the agent's status in {} cannot be read: see its log; the disk may be full",
            folder.display()
        ))),
    }
}

fn table(status: &Status, running: bool) -> Outcome {
    let health = match status.health {
        Health::Starting => "starting",
        Health::Fresh => "fresh",
        Health::Degraded => "degraded",
        Health::Failing => "failing",
    };
    let health = if running {
        health.to_owned()
    } else {
        format!("not running (was {health})")
    };
    let mut rows = vec![("health", health), ("as of", status.at.clone())];
    if let Some(certificate) = &status.certificate {
        rows.push(("certificate", certificate.subject.clone()));
        rows.push(("x5t#S256", certificate.thumbprint.clone()));
        rows.push(("certificate until", certificate.not_after.clone()));
    }
    if let Some(due) = &status.certificate_due {
        rows.push(("next certificate", due.clone()));
    }
    if let Some(token) = &status.token {
        rows.push(("token until", token.until.clone()));
    }
    if let Some(due) = &status.token_due {
        rows.push(("next token", due.clone()));
    }
    rows.push(("rotations", status.rotations.to_string()));
    for fault in &status.faults {
        let times = if fault.attempts == 1 {
            "once".to_owned()
        } else {
            format!("{} times", fault.attempts)
        };
        let text = format!(
            "{} (since {}, tried {times}): {}",
            fault.work, fault.since, fault.message
        );
        rows.push(("fault", text));
    }
    output::pairs(&rows)
}
