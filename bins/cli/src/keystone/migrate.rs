//! `sealstone keystone migrate ...`: an account at a time, from its password to a certificate.
//!
//! Registering changes nothing about the account: both ways work side by side. The password is turned off by a rule of
//! the account itself, which Keystone forgets again when told to, so that the old password is good again. What can't be
//! undone is a command of its own.

mod ask;
mod certificate;
mod evidence;
mod owner;
mod passwords;
mod register;
mod status;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use sealstone_identity::{ApplicationCredentialId, DomainId, ProjectId};
use sealstone_oauth_types::ClientId;
use sealstone_registry::chosen_client_id;

use super::journal::{AccountRecord, Journal};
use crate::{
    clock,
    failure::{Failure, Outcome},
    openstack::{self, Environment, Operator},
    output::OutputArguments,
    store::{Places, StoreArguments, parse_domain},
};
pub(super) use ask::Consent;

const EXAMPLES: &str = "\
Examples:
  1. A client beside the account, with a certificate of your CA; the account stays as it is:
    sealstone keystone migrate register --config sealstoned.toml --journal off.json \\
      --user ci --project 0b21 --role member --owner-password-file ci.password \\
      --ca ca --out ci

  2. Who still uses the old way:
    sealstone keystone migrate status --config sealstoned.toml --journal off.json \\
      --keystone-log keystone.log

  3. The passwords of those who do not; and the way back:
    sealstone keystone migrate disable-passwords --config sealstoned.toml --journal off.json \\
      --all --keystone-log keystone.log
    sealstone keystone migrate restore-passwords --config sealstoned.toml --journal off.json \\
      --user ci

Who asks is said by the OS_* variables of the OpenStack clients. For the roles of others it takes an administrator
of the whole cloud (OS_SYSTEM_SCOPE=all), for OS_PASSWORD and the like are never options.";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum MigrateCommand {
    /// Register a client that takes an account's place in one project; the account stays as it is
    #[command(after_help = EXAMPLES)]
    Register(Box<RegisterArguments>),
    /// Tell where each account stands: whether the client is used, and whether the password still is
    Status(StatusArguments),
    /// Turn off the passwords of accounts whose clients are used and whose passwords are not
    DisablePasswords(PasswordArguments),
    /// The way back: the old passwords are good again
    RestorePasswords(RestoreArguments),
    /// Take passwords away for good that have been off for a while; there is no way back
    RemovePasswords(RemoveArguments),
}

#[derive(Debug, Args)]
pub(crate) struct JournalArguments {
    /// The file that says what was done to which account, and how to undo it; holds no secret
    #[arg(long, value_name = "FILE")]
    journal: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RegisterArguments {
    /// The account: a user of Keystone, by id or name
    #[arg(long, value_name = "USER")]
    user: String,
    /// The Keystone domain in which the name is looked for
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    user_domain: Option<DomainId>,
    /// The project that the client is for [default: the only one in which the account has a role]
    #[arg(long, value_name = "ID", value_parser = parse_project)]
    project: Option<ProjectId>,
    /// The client's identifier [default: the account's name]
    #[arg(long, value_name = "ID", value_parser = parse_client)]
    client: Option<ClientId>,
    /// The issuer's domain [default: that of the account]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    domain: Option<DomainId>,
    /// Make the issuer's domain if there is none of this name
    #[arg(long)]
    new_domain: bool,
    #[command(flatten)]
    tie: TieChoice,
    #[command(flatten)]
    certificate: CertificateChoice,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    journal: JournalArguments,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "What the client may do")]
struct TieChoice {
    /// A role that its work needs; may be given several times. Goes into a new application credential
    #[arg(long, value_name = "NAME", conflicts_with = "application_credential")]
    role: Vec<String>,
    /// Requests that its work needs, as JSON: [{"service","method","path"}]; goes into a new application credential
    #[arg(long, value_name = "FILE", requires = "role")]
    access_rules: Option<PathBuf>,
    /// When a new application credential ends [default: never]
    #[arg(long, value_name = "SPAN", value_parser = clock::parse_span, requires = "role")]
    expires_in: Option<Duration>,
    /// The account's password (- for standard input): only the account itself can make its application credential
    #[arg(
        long,
        value_name = "FILE",
        requires = "role",
        conflicts_with = "owner_token_file"
    )]
    owner_password_file: Option<PathBuf>,
    /// A token of the account for the project, instead of its password (- for standard input)
    #[arg(long, value_name = "FILE", requires = "role")]
    owner_token_file: Option<PathBuf>,
    /// An application credential of the account that there is already
    #[arg(long, value_name = "ID", value_parser = parse_credential)]
    application_credential: Option<ApplicationCredentialId>,
    /// Its secret (- for standard input)
    #[arg(
        long,
        value_name = "FILE",
        requires = "application_credential",
        conflicts_with = "minted"
    )]
    application_credential_secret_file: Option<PathBuf>,
    /// Keep no secret: the server makes the Keystone tokens itself. Alone, the client gets all that the account may do
    #[arg(long)]
    minted: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Its certificate")]
struct CertificateChoice {
    /// The certificate that the machine has already: its subject is registered
    #[arg(long, value_name = "FILE", group = "certificate_choice")]
    certificate: Option<PathBuf>,
    /// The subject of its certificate, like "CN=ci,O=Example"
    #[arg(long, value_name = "DN", group = "certificate_choice")]
    subject_dn: Option<String>,
    /// Issue one from this CA's folder (`sealstone ca init`)
    #[arg(long, value_name = "DIR", group = "certificate_choice", requires = "out")]
    ca: Option<PathBuf>,
    /// Write it to PREFIX.pem and PREFIX.key
    #[arg(long, value_name = "PREFIX", requires = "ca")]
    out: Option<PathBuf>,
    /// For how many days it is issued
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    days: u32,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    evidence: EvidenceArguments,
    #[command(flatten)]
    journal: JournalArguments,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
struct EvidenceArguments {
    /// A log of Keystone with its login events; may be given several times: every node's
    #[arg(long, value_name = "FILE")]
    keystone_log: Vec<PathBuf>,
    /// For how long a password must not have been used
    #[arg(long, value_name = "SPAN", default_value = "7d", value_parser = clock::parse_span)]
    quiet: Duration,
}

#[derive(Debug, Args)]
#[group(id = "whom", required = true, multiple = false, args = ["user", "all"])]
struct Whom {
    /// This account of the journal, by id or name; may be given several times
    #[arg(long, value_name = "USER")]
    user: Vec<String>,
    /// Every account of the journal
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PasswordArguments {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    evidence: EvidenceArguments,
    /// Also where nobody knows whether the password is still used, or the client is not yet
    #[arg(long)]
    without_evidence: bool,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    journal: JournalArguments,
    #[command(flatten)]
    store: StoreArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArguments {
    #[command(flatten)]
    whom: Whom,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    journal: JournalArguments,
    #[command(flatten)]
    store: StoreArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArguments {
    #[command(flatten)]
    whom: Whom,
    /// For how long a password must have been off
    #[arg(long, value_name = "SPAN", default_value = "30d", value_parser = clock::parse_span)]
    off_for: Duration,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    journal: JournalArguments,
    #[command(flatten)]
    store: StoreArguments,
}

fn parse_client(text: &str) -> Result<ClientId, String> {
    chosen_client_id(text).map_err(|error| error.to_string())
}

fn parse_project(text: &str) -> Result<ProjectId, String> {
    ProjectId::parse(text).map_err(|error| error.to_string())
}

fn parse_credential(text: &str) -> Result<ApplicationCredentialId, String> {
    ApplicationCredentialId::parse(text).map_err(|error| error.to_string())
}

pub(super) async fn run(command: MigrateCommand) -> Outcome {
    match command {
        MigrateCommand::Register(arguments) => register::run(*arguments).await,
        MigrateCommand::Status(arguments) => status::run(&arguments),
        MigrateCommand::DisablePasswords(arguments) => passwords::disable(arguments).await,
        MigrateCommand::RestorePasswords(arguments) => passwords::restore(arguments).await,
        MigrateCommand::RemovePasswords(arguments) => passwords::remove(arguments).await,
    }
}

/// Whoever is in the environment, at the Keystone of the server.
async fn operator(places: &Places) -> Outcome<Operator> {
    let environment = Environment::read();
    let keystone = openstack::patient(places.keystone(), &environment)?;
    Operator::log_in(keystone, environment).await
}

/// The address that a journal is about.
fn address(places: &Places) -> Outcome<String> {
    let keystone = openstack::keystone(places.keystone(), &Environment::read())?;
    Ok(keystone.url().to_owned())
}

impl Whom {
    /// The accounts that are meant, in the journal's order.
    fn of(&self, journal: &Journal) -> Outcome<Vec<(String, AccountRecord)>> {
        let all = journal.accounts();
        for named in &self.user {
            let matching = all
                .iter()
                .filter(|(id, record)| is_named(named, id, record))
                .count();
            match matching {
                0 => {
                    return Err(Failure::failed(format!(
                        "the journal has no account {named}: `sealstone keystone migrate status` names them"
                    )));
                }
                1 => {}
                _ => {
                    return Err(Failure::usage(format!(
                        "several accounts are named {named}: name it by id"
                    )));
                }
            }
        }
        let meant = |id: &str, record: &AccountRecord| {
            self.all || self.user.iter().any(|named| is_named(named, id, record))
        };
        let found = all.iter().filter(|(id, record)| meant(id, record));
        Ok(found.map(|(id, record)| (id.clone(), record.clone())).collect())
    }
}

fn is_named(named: &str, id: &str, record: &AccountRecord) -> bool {
    named == id || named == record.name
}
