//! `sealstone mapping ...`: rules that map assertions to identities, tried out and converted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::slice::from_ref;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use sealstone_claims::{
    Assertion, ConditionExplanation, ConditionOutcome, Explanation, MappingFaults, RuleExplanation, RuleSet,
    import_mapping,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    cert,
    failure::{Failure, Outcome},
    input,
    output::{self, Form, OutputArguments},
};

#[derive(Debug, Subcommand)]
pub(crate) enum MappingCommand {
    /// Show what an assertion comes to, and rule by rule why
    #[command(
        after_help = "Examples:\n  sealstone mapping test rules.json --assertion claims.json\n  \
            sealstone mapping test rules.json --certificate ci.pem"
    )]
    Test(TestArguments),
    /// Convert rules of Keystone, or of the Rust Keystone, to Sealstone's own format
    #[command(
        after_help = "Example:\n  openstack mapping show MAPPING -f json | sealstone mapping import > rules.json"
    )]
    Import(ImportArguments),
}

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// The rules: Sealstone's own, Keystone's or the Rust Keystone's (- for standard input)
    #[arg(value_name = "RULES")]
    rules: PathBuf,
    #[command(flatten)]
    given: Given,
    /// Who vouches for it, as `source` of the rules names it; a certificate's issuer if not stated
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Given {
    /// A JSON object of attributes and their values (- for standard input)
    #[arg(long, value_name = "FILE")]
    assertion: Option<PathBuf>,
    /// A certificate, its names as Keystone's mappings know them: `SSL_CLIENT_SUBJECT_DN_CN`, …
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// The rules to convert (- for standard input)
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

pub(crate) fn run(command: MappingCommand) -> Outcome {
    match command {
        MappingCommand::Test(arguments) => test(&arguments),
        MappingCommand::Import(arguments) => import(&arguments),
    }
}

fn test(arguments: &TestArguments) -> Outcome {
    if [&arguments.given.assertion, &arguments.given.certificate]
        .into_iter()
        .flatten()
        .any(|path| path == Path::new("-") && arguments.rules == Path::new("-"))
    {
        return Err(Failure::usage(
            "standard input holds one of the two: name a file for the other",
        ));
    }
    let bytes = input::bytes(&arguments.rules)?;
    let form = arguments.output.output;
    let rules =
        RuleSet::from_json(&unwrapped(bytes)).map_err(|faults| refused(&arguments.rules, &faults, form))?;
    let mut assertion = arguments.given.read()?;
    if let Some(source) = &arguments.source {
        assertion = assertion.with_source(source);
    }
    let explanation = rules.explain(&assertion);
    match form {
        Form::Json => output::json(&explanation)?,
        Form::Table => output::data(&shown(&explanation)?)?,
    }
    match explanation.error {
        None => Ok(()),
        Some(error) => Err(Failure::failed(format!("the assertion comes to nobody: {error}"))),
    }
}

impl Given {
    fn read(&self) -> Outcome<Assertion> {
        if let Some(path) = &self.certificate {
            let certificate = cert::read(path)?;
            let mut builder = Assertion::builder().source(certificate.issuer().to_string());
            for (name, values) in certificate.keystone_attributes() {
                builder = builder.texts(name, values);
            }
            return Ok(builder
                .build()
                .with_context(|| format!("the names in {} make no assertion", path.display()))?);
        }
        let path = self.assertion.as_deref().unwrap_or_else(|| Path::new("-"));
        Ok(Assertion::from_json(&input::bytes(path)?)
            .with_context(|| format!("{} holds no assertion", path.display()))?)
    }
}

/// What `openstack mapping show -f json` prints has the rules beside an `id` and a `schema_version`; that is a mapping
/// as it is.
fn import(arguments: &ImportArguments) -> Outcome {
    let bytes = unwrapped(input::bytes(&arguments.file)?);
    let (document, notes) =
        import_mapping(&bytes).map_err(|faults| refused(&arguments.file, &faults, Form::Table))?;
    for note in notes {
        output::note(&format!("note: {note}"));
    }
    output::json(&document)
}

/// Editors put a byte order mark before JSON, which has none (RFC 8259 §8.1).
fn unwrapped(bytes: Vec<u8>) -> Vec<u8> {
    match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => rest.to_vec(),
        None => bytes,
    }
}

/// Rules that are refused: each fault on a line of its own.
fn refused(path: &Path, faults: &MappingFaults, form: Form) -> Failure {
    if form == Form::Json
        && let Err(failure) = output::json(&json!({ "faults": faults }))
    {
        return failure;
    }
    let lines: Vec<String> = faults
        .faults()
        .iter()
        .map(|fault| format!("\n  {}", output::visible(&fault.to_string())))
        .collect();
    let name = if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    Failure::failed(format!("the rules in {name} are refused:{}", lines.concat()))
}

fn shown(explanation: &Explanation) -> Outcome<String> {
    let mut text = String::new();
    for rule in &explanation.rules {
        rule_shown(rule, &mut text);
    }
    if let Some(identity) = &explanation.identity {
        text.push_str("identity\n");
        text.push_str(&pairs_shown(identity)?);
    }
    Ok(text)
}

fn rule_shown(rule: &RuleExplanation, text: &mut String) {
    let considered = match (rule.considered, rule.outcome) {
        (true, _) => "",
        (false, ConditionOutcome::Matched) => " (an earlier rule decided)",
        (false, ConditionOutcome::NotMatched | ConditionOutcome::Undecidable) => " (not looked at)",
    };
    line(
        text,
        0,
        &format!("rule `{}`: {}{considered}", rule.name, word(rule.outcome)),
    );
    condition_shown(&rule.when, 1, text);
    for (name, values) in &rule.values {
        let values = if values.is_empty() {
            "none".to_owned()
        } else {
            values.join(", ")
        };
        line(text, 1, &format!("${{{name}}}: {values}"));
    }
    if let Some(error) = &rule.error {
        line(text, 1, &format!("fails: {error}"));
    }
}

fn condition_shown(condition: &ConditionExplanation, depth: usize, text: &mut String) {
    let mark = match condition.outcome {
        ConditionOutcome::Matched => "yes",
        ConditionOutcome::NotMatched => "no ",
        ConditionOutcome::Undecidable => "?  ",
    };
    let found = match condition.found.as_str() {
        "" => String::new(),
        found => format!(": {found}"),
    };
    line(text, depth, &format!("{mark} {}{found}", condition.condition));
    for inner in &condition.conditions {
        condition_shown(inner, depth.saturating_add(1), text);
    }
}

const fn word(outcome: ConditionOutcome) -> &'static str {
    match outcome {
        ConditionOutcome::Matched => "matched",
        ConditionOutcome::NotMatched => "did not match",
        ConditionOutcome::Undecidable => "can't be decided",
    }
}

fn line(text: &mut String, depth: usize, content: &str) {
    text.push_str(&"  ".repeat(depth));
    text.push_str(&output::visible(content));
    text.push('\n');
}

/// Each member of the identity on a line.
fn pairs_shown(identity: &impl Serialize) -> Outcome<String> {
    let mut text = String::new();
    let value = serde_json::to_value(identity)?;
    let members: BTreeMap<_, _> = value.as_object().into_iter().flatten().collect();
    for (name, value) in members {
        let items = value.as_array().map_or_else(|| from_ref(value), Vec::as_slice);
        for item in items {
            line(&mut text, 1, &format!("{name}: {}", item_shown(item)));
        }
    }
    Ok(text)
}

/// Text as it is, anything else as JSON with its members by name.
fn item_shown(item: &Value) -> String {
    item.as_str()
        .map_or_else(|| by_name(item).to_string(), str::to_owned)
}

fn by_name(value: &Value) -> Value {
    let Some(members) = value.as_object() else {
        return value.clone();
    };
    let sorted: BTreeMap<&String, Value> = members
        .iter()
        .map(|(name, value)| (name, by_name(value)))
        .collect();
    sorted
        .into_iter()
        .map(|(name, value)| (name.clone(), value))
        .collect()
}
