//! `sealstone audit verify`.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use sealstone_jose::Jwk;
use sealstone_trail::{Ending, Line, NodeKey, Report, Verification, rotated};
use serde_json::json;

use crate::{
    clock,
    failure::{Failure, Outcome},
    output::{self, Form, OutputArguments, Progress},
    store::Places,
};

use super::command::ServerArguments;

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// Files of one node's trail, in any order [default: all of the server's, by --data or --config]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The node's public key, a JWK [default: with --data or --config the server's; else what the trail itself names]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The trail reaches at least to this event: somebody else knows of it
    #[arg(long, value_name = "NUMBER")]
    through: Option<u64>,
    /// The trail begins with its first event: no older file is missing
    #[arg(long)]
    from_start: bool,
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// Octets after which progress is told.
const STEP: usize = 1024 * 1024;
/// A JWK is smaller.
const LARGEST_KEY: u64 = 64 * 1024;

pub(crate) fn run(arguments: &VerifyArguments) -> Outcome {
    let (files, key) = what(arguments)?;
    let sizes: u64 = files
        .iter()
        .filter_map(|path| fs::metadata(path).ok())
        .map(|file| file.len())
        .sum();
    let mib = usize::try_from(sizes).unwrap_or(usize::MAX).div_ceil(STEP);
    let mut progress = Progress::new("MiB of the trail read", mib);
    let mut read = 0_usize;
    let mut tell = |octets: usize| {
        read = read.saturating_add(octets);
        while read >= STEP {
            read = read.saturating_sub(STEP);
            progress.step();
        }
    };
    let mut verification = Verification::new(key.as_ref());
    for path in &files {
        let reader = BufReader::with_capacity(STEP, open(path)?);
        verification
            .file(&path.display().to_string(), reader, &mut tell)
            .with_context(|| format!("{} can't be read to its end", path.display()))?;
    }
    let report = verification.finish();
    let wrong = besides(arguments, &report);
    match arguments.output.output {
        Form::Table => table(&report, &wrong, key.is_some())?,
        Form::Json => output::json(&document(&report, &wrong, key.is_some()))?,
    }
    if report.is_sound() && wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::Unsound(
        "the audit trail is not as its node wrote it: keep these files as they are, and compare with what receivers of the \
         trail have"
            .to_owned(),
    ))
}

/// The server's own key, public.
pub(super) fn own_key(places: &Places) -> Outcome<Jwk> {
    let (key, trail) = (places.audit_key(), places.audit_file());
    if !key.exists() && !trail.exists() {
        return Err(Failure::failed(format!(
            "there is no audit trail at {} and no key of one: start the server once, or name the right folder or \
             configuration",
            trail.display()
        )));
    }
    if !key.exists() {
        return Err(Failure::failed(format!(
            "the audit key {} is gone: put it back from a copy, or name the public one by `audit verify --key FILE`",
            key.display()
        )));
    }
    Ok(NodeKey::load(key)?.public_jwk().clone())
}

/// Which files, and which key.
fn what(arguments: &VerifyArguments) -> Outcome<(Vec<PathBuf>, Option<Jwk>)> {
    let given = match &arguments.key {
        Some(path) => Some(jwk(path)?),
        None => None,
    };
    let places = arguments.server.places()?;
    if !arguments.files.is_empty() {
        let key = match (given, &places) {
            (None, Some(places)) => Some(own_key(places)?),
            (given, _) => given,
        };
        return Ok((in_order(&arguments.files)?, key));
    }
    let places = places.ok_or_else(|| {
        Failure::usage(
            "name the files of a trail, or the server's data: FILE..., --data DIR or --config FILE",
        )
    })?;
    let path = places.audit_file();
    let older = rotated(path).with_context(|| format!("the folder of {} can't be read", path.display()))?;
    let files = older
        .into_iter()
        .map(|(_, path)| path)
        .chain([path.to_owned()])
        .collect();
    let key = match given {
        Some(key) => key,
        None => own_key(&places)?,
    };
    Ok((files, Some(key)))
}

fn jwk(path: &Path) -> Outcome<Jwk> {
    let mut text = Vec::new();
    open(path)?.take(LARGEST_KEY).read_to_end(&mut text)?;
    let key = Jwk::parse(text.trim_ascii()).with_context(|| {
        format!(
            "{} is no public key as `sealstone audit key` prints it (a JWK)",
            path.display()
        )
    })?;
    Ok(key)
}

/// By the number of their first event; files without one come last, as they were named.
fn in_order(files: &[PathBuf]) -> Outcome<Vec<PathBuf>> {
    let mut numbered = Vec::new();
    for path in files {
        numbered.push((first(path)?.unwrap_or(u64::MAX), path.clone()));
    }
    numbered.sort_by_key(|(number, _)| *number);
    Ok(numbered.into_iter().map(|(_, path)| path).collect())
}

/// The number of the first event among the first lines.
fn first(path: &Path) -> Outcome<Option<u64>> {
    const LINES: usize = 100;
    let limit = u64::try_from(Line::LONGEST).unwrap_or(u64::MAX);
    let mut reader = BufReader::new(open(path)?);
    for _ in 0..LINES {
        let mut line = Vec::new();
        reader.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            break;
        }
        if let Ok(line) = Line::parse(line.trim_ascii_end()) {
            return Ok(Some(line.sequence));
        }
    }
    Ok(None)
}

fn open(path: &Path) -> Outcome<File> {
    Ok(File::open(path).with_context(|| format!("{} can't be read", path.display()))?)
}

/// What the trail alone does not tell.
fn besides(arguments: &VerifyArguments, report: &Report) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    let last = report.last.unwrap_or_default();
    if let Some(through) = arguments.through.filter(|through| *through > last) {
        wrong.push((
            "end_missing",
            format!("the trail ends with event {last}, and there was an event {through}: its end was cut off, or a file was not named"),
        ));
    }
    if let Some(first) = report.first.filter(|first| arguments.from_start && *first != 1) {
        wrong.push((
            "start_missing",
            format!("the trail begins with event {first}: older files were removed, or not named"),
        ));
    }
    if report.events == 0 && report.is_sound() {
        wrong.push(("empty", "there is no event at all".to_owned()));
    }
    wrong
}

const fn ending(report: &Report) -> &'static str {
    match report.ending {
        Ending::Rotated => "rotated",
        Ending::Stopped => "stopped",
        Ending::Open => "open",
    }
}

fn table(report: &Report, wrong: &[(&'static str, String)], pinned: bool) -> Outcome {
    for finding in &report.findings {
        let text = format!("{}:{}: {}", finding.file, finding.line, finding.fault);
        output::line(&output::visible(&text))?;
    }
    if report.more > 0 {
        output::line(&format!("and {} findings more", report.more))?;
    }
    for (_, text) in wrong {
        output::line(text)?;
    }
    let text = |value: Option<u64>| value.map_or_else(|| "none".to_owned(), |value| value.to_string());
    let mut pairs = vec![
        ("files", report.files.len().to_string()),
        ("events", format!("{} ({} to {})", report.events, text(report.first), text(report.last))),
        ("node", report.node.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string)),
        ("key", match (&report.kid, pinned) {
            (Some(kid), true) => kid.clone(),
            (Some(kid), false) => format!("{kid}, as the trail itself says: compare it with what the node published, or name it by --key"),
            (None, _) => "none that could verify anything".to_owned(),
        }),
        ("signed through", match report.signed {
            Some(signed) => format!("event {}, {}", signed.sequence, clock::date(signed.time)),
            None => "nothing".to_owned(),
        }),
        ("not signed yet", format!("{} events at the end: chained, and whoever can write the file could write them", report.unsigned)),
        ("ends", match report.ending {
            Ending::Rotated => "with a rotation: there is a next file".to_owned(),
            Ending::Stopped => "with a server that ended in good order".to_owned(),
            Ending::Open => "open: it is written on, or its writer was killed, or events were cut off; --through tells".to_owned(),
        }),
    ];
    if report.unsigned == 0 {
        pairs.retain(|(name, _)| *name != "not signed yet");
    }
    if report.mended > 0 {
        pairs.push((
            "set aside",
            format!("{} torn lines, as they were then", report.mended),
        ));
    }
    let sound = report.is_sound() && wrong.is_empty();
    pairs.push((
        "verdict",
        if sound {
            "nothing is wrong"
        } else {
            "NOT as it was written"
        }
        .to_owned(),
    ));
    output::pairs(&pairs)
}

fn document(report: &Report, wrong: &[(&'static str, String)], pinned: bool) -> serde_json::Value {
    let findings = report.findings.iter().map(|finding| {
        json!({"file": finding.file, "line": finding.line, "what": finding.fault.name(), "message": finding.fault.to_string()})
    });
    let besides = wrong
        .iter()
        .map(|(name, text)| json!({"file": null, "line": null, "what": name, "message": text}));
    json!({
        "sound": report.is_sound() && wrong.is_empty(),
        "files": report.files,
        "events": report.events,
        "checkpoints": report.checkpoints,
        "set_aside": report.mended,
        "node": report.node.as_ref().map(ToString::to_string),
        "key": report.kid,
        "key_given": pinned,
        "first": report.first,
        "last": report.last,
        "signed_through": report.signed.map(|signed| json!({"sequence": signed.sequence, "time": clock::date(signed.time)})),
        "unsigned": report.unsigned,
        "ends": ending(report),
        "findings": findings.chain(besides).collect::<Vec<_>>(),
        "more_findings": report.more,
    })
}
