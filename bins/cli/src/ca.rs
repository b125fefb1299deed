//! `sealstone ca ...`: a small certificate authority in a folder.

mod issue;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use sealstone_ca::{CaFolder, CaRequest, CertificateInfo, KeyKind, RevocationReason, Serial, Subject};
use serde_json::json;

use crate::{
    clock,
    failure::Outcome,
    input,
    output::{self, Form, OutputArguments},
};
use issue::{IssueArguments, RenewArguments};

const DAY: u64 = 86_400;

#[derive(Debug, Subcommand)]
#[command(
    after_help = "Example:\n  sealstone ca init --dir ca --subject 'CN=Example CA,O=Example'\n  \
    sealstone ca issue --dir ca --subject 'CN=ci,O=Example' --out ci"
)]
pub(crate) enum CaCommand {
    /// Make a certificate authority
    #[command(after_help = "Example:\n  sealstone ca init --dir ca --subject 'CN=Example CA,O=Example'")]
    Init(InitArguments),
    /// Issue a certificate with a fresh key
    Issue(IssueArguments),
    /// Issue a successor of a certificate: same subject, names and usages
    Renew(RenewArguments),
    /// Note that a certificate is revoked; `ca crl` tells others
    #[command(
        after_help = "Example:\n  sealstone ca revoke --dir ca --cert ci.pem --reason key-compromise && \
        sealstone ca crl --dir ca"
    )]
    Revoke(RevokeArguments),
    /// Make a new revocation list, into crl.pem of the folder
    Crl(CrlArguments),
    /// List what was issued
    List(ListArguments),
}

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// The CA's folder; made if there is none
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The CA's subject, like "CN=Example CA,O=Example"
    #[arg(long, value_name = "DN", value_parser = parse_subject)]
    subject: Subject,
    /// For how many days
    #[arg(long, value_name = "DAYS", default_value_t = 3650, value_parser = parse_days)]
    days: u32,
    /// The kind of its key
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    key_type: KeyType,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArguments {
    /// The CA's folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The certificate, PEM or DER
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "serial",
        conflicts_with = "serial"
    )]
    cert: Option<PathBuf>,
    /// Its serial number in hexadecimal
    #[arg(long, value_name = "HEX", value_parser = parse_serial)]
    serial: Option<Serial>,
    /// Why
    #[arg(long, value_enum, default_value_t, value_name = "REASON")]
    reason: Reason,
}

#[derive(Debug, Args)]
pub(crate) struct CrlArguments {
    /// The CA's folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// For how many days the list is good: servers refuse an older one
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = parse_days)]
    days: u32,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// The CA's folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    output: OutputArguments,
}

/// Kinds of keys by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum KeyType {
    #[default]
    P256,
    P384,
    Ed25519,
    Rsa3072,
}

impl KeyType {
    const fn kind(self) -> KeyKind {
        match self {
            Self::P256 => KeyKind::P256,
            Self::P384 => KeyKind::P384,
            Self::Ed25519 => KeyKind::Ed25519,
            Self::Rsa3072 => KeyKind::Rsa3072,
        }
    }
}

/// Reasons of RFC 5280 §5.3.1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Reason {
    #[default]
    Unspecified,
    KeyCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    PrivilegeWithdrawn,
}

impl Reason {
    const fn reason(self) -> RevocationReason {
        match self {
            Self::Unspecified => RevocationReason::Unspecified,
            Self::KeyCompromise => RevocationReason::KeyCompromise,
            Self::AffiliationChanged => RevocationReason::AffiliationChanged,
            Self::Superseded => RevocationReason::Superseded,
            Self::CessationOfOperation => RevocationReason::CessationOfOperation,
            Self::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        }
    }
}

fn parse_subject(text: &str) -> Result<Subject, String> {
    Subject::parse(text).map_err(|error| error.to_string())
}

fn parse_serial(text: &str) -> Result<Serial, String> {
    Serial::parse(text).map_err(|_| "write it in hexadecimal, as `sealstone ca list` does".to_owned())
}

fn parse_days(text: &str) -> Result<u32, String> {
    let days = text.parse().ok().filter(|days| (1..=36_500).contains(days));
    days.ok_or_else(|| "give a number of days from 1 to 36500".to_owned())
}

fn days(count: u32) -> Duration {
    Duration::from_secs(u64::from(count).saturating_mul(DAY))
}

pub(crate) fn run(command: CaCommand) -> Outcome {
    match command {
        CaCommand::Init(arguments) => init(arguments),
        CaCommand::Issue(arguments) => issue::issue(&arguments),
        CaCommand::Renew(arguments) => issue::renew(&arguments),
        CaCommand::Revoke(arguments) => revoke(&arguments),
        CaCommand::Crl(arguments) => crl(&arguments),
        CaCommand::List(arguments) => list(&arguments),
    }
}

fn init(arguments: InitArguments) -> Outcome {
    let mut request = CaRequest::new(arguments.subject);
    request.lifetime = days(arguments.days);
    request.key = arguments.key_type.kind();
    let ca = CaFolder::create(&arguments.dir, &request, clock::now())?;
    let info = ca.authority().certificate();
    output::note(&format!(
        "Made the CA {}, good until {}.",
        info.subject,
        clock::date(info.not_after)
    ));
    output::line(&arguments.dir.join("ca.pem").display().to_string())
}

fn revoke(arguments: &RevokeArguments) -> Outcome {
    let ca = CaFolder::open(&arguments.dir)?;
    let serial = match (&arguments.serial, &arguments.cert) {
        (Some(serial), _) => serial.clone(),
        (None, Some(path)) => {
            CertificateInfo::parse(&input::bytes(path)?)
                .with_context(|| path.display().to_string())?
                .serial
        }
        (None, None) => {
            return Err(crate::failure::Failure::usage(
                "name the certificate: --cert FILE or --serial HEX",
            ));
        }
    };
    ca.revoke(&serial, arguments.reason.reason(), clock::now())?;
    output::note(&format!(
        "Tell others: sealstone ca crl --dir {}",
        arguments.dir.display()
    ));
    output::line(&serial.to_string())
}

fn crl(arguments: &CrlArguments) -> Outcome {
    let ca = CaFolder::open(&arguments.dir)?;
    let (now, lifetime) = (clock::now(), days(arguments.days));
    ca.crl(lifetime, now)?;
    let end = clock::at(now.as_secs().saturating_add(lifetime.as_secs()));
    output::note(&format!("Make the next one before {}.", clock::date(end)));
    output::line(&arguments.dir.join("crl.pem").display().to_string())
}

fn list(arguments: &ListArguments) -> Outcome {
    let issued = CaFolder::open(&arguments.dir)?.list()?;
    let now = clock::now();
    let state = |record: &sealstone_ca::IssuedRecord| match &record.revoked {
        Some(revoked) => format!("revoked ({})", revoked.reason.as_str()),
        None if record.not_after < now.as_secs() => "expired".to_owned(),
        None => "good".to_owned(),
    };
    if arguments.output.output == Form::Json {
        let documents = issued.iter().map(|record| {
            json!({
                "serial": record.serial,
                "subject": record.subject,
                "subject_alt_names": record.alt_names,
                "usage": record.usage,
                "not_before": clock::date(clock::at(record.not_before)),
                "not_after": clock::date(clock::at(record.not_after)),
                "renews": record.renews,
                "revoked_at": record.revoked.as_ref().map(|revoked| clock::date(clock::at(revoked.at))),
                "reason": record.revoked.as_ref().map(|revoked| revoked.reason.as_str()),
            })
        });
        return output::json(&documents.collect::<Vec<_>>());
    }
    let rows: Vec<Vec<String>> = issued
        .iter()
        .map(|record| {
            let end = clock::at(record.not_after);
            let subject = if record.subject.is_empty() {
                record.alt_names.join(" ")
            } else {
                record.subject.clone()
            };
            vec![
                record.serial.clone(),
                record.usage.clone(),
                state(record),
                clock::date_and_relative(end, now),
                subject,
            ]
        })
        .collect();
    output::table(&["SERIAL", "USAGE", "STATE", "NOT AFTER", "SUBJECT"], &rows)
}
