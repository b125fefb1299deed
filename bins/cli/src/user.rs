//! `sealstone user ...`: users of the embedded directory, on the server's database.

mod change;
mod details;
mod factors;
mod password;
mod show;

use clap::{Args, Subcommand};
use sealstone_directory::UserName;
use sealstone_identity::DomainId;

use crate::{
    failure::Outcome,
    output::OutputArguments,
    store::{StoreArguments, parse_domain},
};
use details::DetailArguments;
use password::PasswordArguments;

const EXAMPLES: &str = "\
Examples:
  A person, asked for the password:
    sealstone user create --config sealstoned.toml ada --full-name 'Ada Lovelace' --group admins

  One with the password in a file, who may act in a project:
    sealstone user create --data sealstone-dev bob --password-file bob.txt \\
      --project 4be1f2:builds:member,reader

A password comes from a prompt, a file, or standard input (-), never from the command line.
A running server knows every change within a second.";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum UserCommand {
    /// Make a user, who may log in once there is a password
    #[command(after_help = EXAMPLES)]
    Create(CreateArguments),
    /// List users
    List(ListArguments),
    /// Show a user
    Show(OneArguments),
    /// Change a user; what is not named stays
    Update(UpdateArguments),
    /// Give a user a new password; every session and refresh token of before ends
    SetPassword(SetPasswordArguments),
    /// Let a user log in no more; every session and refresh token ends
    Disable(OneArguments),
    /// Let a disabled user log in again
    Enable(OneArguments),
    /// Take a person's app, recovery codes and passkeys away, for somebody who lost them
    ResetFactors(DeleteArguments),
    /// Delete a user for good, with second factors, sessions and consents
    Delete(DeleteArguments),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    /// What the user logs in with: 1 to 64 of A-Z a-z 0-9 . _ @ + -
    #[arg(value_name = "NAME", value_parser = parse_name)]
    name: UserName,
    /// The domain [default: the only one]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    domain: Option<DomainId>,
    #[command(flatten)]
    details: DetailArguments,
    #[command(flatten)]
    password: PasswordArguments,
    /// Make the user without a password: nobody logs in before `set-password`
    #[arg(long, conflicts_with = "password_file")]
    no_password: bool,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only this domain [default: all]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    domain: Option<DomainId>,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// Which user is meant.
#[derive(Debug, Args)]
pub(crate) struct WhichArguments {
    /// The user's name, or id
    #[arg(value_name = "USER", value_parser = parse_name)]
    user: UserName,
    /// The domain [default: the only one]
    #[arg(long, value_name = "ID", value_parser = parse_domain)]
    domain: Option<DomainId>,
}

#[derive(Debug, Args)]
pub(crate) struct OneArguments {
    #[command(flatten)]
    which: WhichArguments,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArguments {
    #[command(flatten)]
    which: WhichArguments,
    /// Another name to log in with
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<UserName>,
    #[command(flatten)]
    details: DetailArguments,
    /// In no group any more
    #[arg(long, conflicts_with = "group")]
    no_groups: bool,
    /// In no project any more
    #[arg(long, conflicts_with = "project")]
    no_projects: bool,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct SetPasswordArguments {
    #[command(flatten)]
    which: WhichArguments,
    #[command(flatten)]
    password: PasswordArguments,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    #[command(flatten)]
    which: WhichArguments,
    /// Yes, for good
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    store: StoreArguments,
}

fn parse_name(text: &str) -> Result<UserName, String> {
    UserName::parse(text).map_err(|error| error.to_string())
}

pub(crate) async fn run(command: UserCommand) -> Outcome {
    match command {
        UserCommand::Create(arguments) => change::create(arguments).await,
        UserCommand::List(arguments) => show::list(arguments).await,
        UserCommand::Show(arguments) => show::show(arguments).await,
        UserCommand::Update(arguments) => change::update(arguments).await,
        UserCommand::SetPassword(arguments) => change::set_password(arguments).await,
        UserCommand::Disable(arguments) => change::enable(arguments, false).await,
        UserCommand::Enable(arguments) => change::enable(arguments, true).await,
        UserCommand::ResetFactors(arguments) => factors::reset(arguments).await,
        UserCommand::Delete(arguments) => change::delete(arguments).await,
    }
}
