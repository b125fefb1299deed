//! `sealstone client ...`: registered clients, on the server's database or over HTTP.

mod change;
mod import;
mod initial_token;
mod new;
mod people;
mod registration;
mod remote;
mod secret;
mod show;
mod tie;

use std::time::Duration;

use clap::{Args, Subcommand};
use sealstone_identity::DomainId;
use sealstone_oauth_types::ClientId;
use sealstone_registry::chosen_client_id;

use crate::{
    clock,
    failure::{Failure, Outcome},
    output::OutputArguments,
    remote::WhereArguments,
    store::parse_domain,
};
pub(crate) use new::{make_domain, register};
use people::PeopleArguments;
use registration::RegistrationArguments;
use remote::Clients;
use tie::TieArguments;

const EXAMPLES: &str = "\
Examples:
  A machine with a certificate of your CA:
    sealstone client create --data sealstone-dev ci --subject-dn 'CN=ci,O=Example' \\
      --scope openstack:api --registration authority.json

  One with a self-signed certificate:
    sealstone client create --data sealstone-dev probe --certificate probe.pem --scope metrics:read

  One with a secret, which is shown once:
    sealstone client create --config sealstoned.toml exporter --scope metrics:read

  A service that people sign in to:
    sealstone client create --config sealstoned.toml grafana --scope 'openid profile email groups' \\
      --redirect-uri https://grafana.example/login/generic_oauth

  A program on people's machines, with browser or device code:
    sealstone client create --config sealstoned.toml cli --public --native \\
      --grant authorization_code --grant device_code --grant refresh_token \\
      --redirect-uri http://127.0.0.1/callback --scope 'openid offline_access openstack:api'

From elsewhere, by an access token, by a login at Keystone, or by a certificate:
    export SEALSTONE_ACCESS_TOKEN=$(sealstone token --issuer https://id.example.org/v4/oauth2/demo \\
      --client-id admin --client-secret-file secret --scope sealstone:clients)
    sealstone client list --url https://id.example.org/v4/oauth2/demo
    sealstone client disable --url https://id.example.org/v4/oauth2/demo --cloud prod exporter
    sealstone client rotate-secret --url https://id.example.org/v4/oauth2/demo \\
      --cert me.pem --key me.key exporter

A running server knows every change within a second.";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum ClientCommand {
    /// Register a client; a secret, if it has one, is printed once
    #[command(after_help = EXAMPLES)]
    Create(CreateArguments),
    /// List clients
    List(ListArguments),
    /// Show a client
    Show(OneArguments),
    /// Change a client; what is not named stays
    Update(UpdateArguments),
    /// Give a client a new secret, printed once; the old one stays good for --overlap
    RotateSecret(RotateArguments),
    /// Let a client get no more tokens
    Disable(OneArguments),
    /// Let a disabled client get tokens again
    Enable(OneArguments),
    /// Delete a client for good
    Delete(DeleteArguments),
    /// Show what would come of another server's clients, and register them with --apply
    Import(import::ImportArguments),
    /// Tokens by which programs register themselves
    #[command(subcommand)]
    InitialToken(initial_token::InitialTokenCommand),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    /// The client's identifier: 1 to 64 of A-Z a-z 0-9 _ -, not of the form of a user's id [default: 32 random digits]
    #[arg(value_name = "ID", value_parser = parse_new_id)]
    id: Option<ClientId>,
    /// The domain [default: the only one]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    domain: Option<DomainId>,
    /// Make the domain if there is none of this name
    #[arg(long, requires = "domain")]
    new_domain: bool,
    #[command(flatten)]
    registration: RegistrationArguments,
    #[command(flatten)]
    people: PeopleArguments,
    #[command(flatten)]
    tie: TieArguments,
    #[command(flatten)]
    place: WhereArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only this domain [default: all]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    domain: Option<DomainId>,
    #[command(flatten)]
    place: WhereArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct OneArguments {
    /// The client's identifier
    #[arg(value_name = "ID", value_parser = parse_id)]
    id: ClientId,
    #[command(flatten)]
    place: WhereArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArguments {
    /// The client's identifier
    #[arg(value_name = "ID", value_parser = parse_id)]
    id: ClientId,
    #[command(flatten)]
    registration: RegistrationArguments,
    #[command(flatten)]
    people: PeopleArguments,
    #[command(flatten)]
    tie: TieArguments,
    #[command(flatten)]
    place: WhereArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RotateArguments {
    /// The client's identifier
    #[arg(value_name = "ID", value_parser = parse_id)]
    id: ClientId,
    /// For how long the old secret stays good; 0s ends it at once
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = clock::parse_span)]
    overlap: Duration,
    /// When the new secret ends [default: never]
    #[arg(long, value_name = "SPAN", value_parser = clock::parse_span)]
    expires_in: Option<Duration>,
    #[command(flatten)]
    place: WhereArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    /// The client's identifier
    #[arg(value_name = "ID", value_parser = parse_id)]
    id: ClientId,
    /// Yes, for good
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: WhereArguments,
}

fn parse_id(text: &str) -> Result<ClientId, String> {
    ClientId::parse(text).map_err(|error| error.to_string())
}

fn parse_new_id(text: &str) -> Result<ClientId, String> {
    chosen_client_id(text).map_err(|error| error.to_string())
}

pub(crate) async fn run(command: ClientCommand) -> Outcome {
    match command {
        ClientCommand::Create(arguments) => match arguments.place.remote() {
            Some(remote) => Clients(remote).create(&arguments).await,
            None => change::create(arguments).await,
        },
        ClientCommand::List(arguments) => match arguments.place.remote() {
            Some(remote) => Clients(remote).list(&arguments).await,
            None => show::list(arguments).await,
        },
        ClientCommand::Show(arguments) => match arguments.place.remote() {
            Some(remote) => Clients(remote).show(&arguments).await,
            None => show::show(arguments).await,
        },
        ClientCommand::Update(arguments) => match arguments.place.remote() {
            Some(remote) => Clients(remote).update(&arguments).await,
            None => change::update(arguments).await,
        },
        ClientCommand::RotateSecret(arguments) => match arguments.place.remote() {
            Some(remote) => Clients(remote).rotate_secret(&arguments).await,
            None => change::rotate_secret(arguments).await,
        },
        ClientCommand::Disable(arguments) => enable(arguments, false).await,
        ClientCommand::Enable(arguments) => enable(arguments, true).await,
        ClientCommand::Delete(arguments) => delete(arguments).await,
        ClientCommand::Import(arguments) => import::run(arguments).await,
        ClientCommand::InitialToken(command) => initial_token::run(command).await,
    }
}

async fn enable(arguments: OneArguments, enabled: bool) -> Outcome {
    match arguments.place.remote() {
        Some(remote) => Clients(remote).enable(&arguments, enabled).await,
        None => change::enable(arguments, enabled).await,
    }
}

async fn delete(arguments: DeleteArguments) -> Outcome {
    if !arguments.yes {
        return Err(Failure::usage(format!(
            "deleting {} cannot be undone: add --yes, or use `sealstone client disable`",
            arguments.id
        )));
    }
    match arguments.place.remote() {
        Some(remote) => Clients(remote).delete(&arguments).await,
        None => change::delete(arguments).await,
    }
}
