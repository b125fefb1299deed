//! The command line.

use anyhow::Context as _;
use clap::{Parser, Subcommand};

#[cfg(unix)]
use crate::{
    agent::{self, AgentCommand},
    audit::{self, AuditCommand},
    client::{self, ClientCommand},
    db::{self, DbCommand},
    doctor::{self, DoctorArguments},
    key::{self, KeyCommand},
    keystone::{self, KeystoneCommand},
    migrate::{self, MigrateCommand},
    user::{self, UserCommand},
};
use crate::{
    ca::{self, CaCommand},
    cert::{self, CertCommand},
    env::{self, EnvArguments, ExecArguments},
    failure::Outcome,
    jwt::{self, JwtCommand},
    login::{self, LoginArguments},
    logout::{self, LogoutArguments},
    manual::{self, CompletionsArguments, ManArguments},
    mapping::{self, MappingCommand},
    token::{self, TokenArguments},
    whoami::{self, WhoamiArguments},
};

/// Sealstone: short-lived tokens that only the holder of a certificate can use.
///
/// Data goes to standard output, everything else to standard error. Exit status: 0 done, 1 failed, 2 wrong usage, 3 nobody
/// is logged in, 4 an audit trail is not as it was written.
#[derive(Debug, Parser)]
#[command(
    name = "sealstone",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Log in, by a browser or by a code; what comes after is silent
    Login(Box<LoginArguments>),
    /// Log out: what was granted ends at the server, and is forgotten here
    Logout(Box<LogoutArguments>),
    /// Tell who is logged in
    Whoami(Box<WhoamiArguments>),
    /// Print a login as variables for a shell, for programs that read OS_*
    Env(Box<EnvArguments>),
    /// Run a program that reads OS_* with a login
    Exec(Box<ExecArguments>),
    /// Print the token of a login, or get one that is bound to a machine's certificate
    Token(Box<TokenArguments>),
    /// Keep a bound token and its certificate fresh for programs that cannot
    #[cfg(unix)]
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Look after registered clients, on the server's database or over HTTP
    #[cfg(unix)]
    #[command(subcommand)]
    Client(Box<ClientCommand>),
    /// Look after users of the embedded directory, on the server's database
    #[cfg(unix)]
    #[command(subcommand)]
    User(Box<UserCommand>),
    /// Look after signing keys, on the server's database or over HTTP
    #[cfg(unix)]
    #[command(subcommand)]
    Key(KeyCommand),
    /// Look at Keystone, and bring its machine accounts off passwords
    #[cfg(unix)]
    #[command(subcommand)]
    Keystone(KeystoneCommand),
    /// Try out and convert rules that map assertions to identities
    #[command(subcommand)]
    Mapping(MappingCommand),
    /// Bring a Keystone from Fernet to JWS tokens
    #[cfg(unix)]
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// A small certificate authority in a folder
    #[command(subcommand)]
    Ca(CaCommand),
    /// Verify and read the server's audit trail
    #[cfg(unix)]
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Look at certificates
    #[command(subcommand)]
    Cert(CertCommand),
    /// Look at tokens, and verify them
    #[command(subcommand)]
    Jwt(JwtCommand),
    /// Copy the server's database while it serves, and put a copy back
    #[cfg(unix)]
    #[command(subcommand)]
    Db(DbCommand),
    /// Tell what is wrong with a server and what is around it, and what to do
    #[cfg(unix)]
    Doctor(Box<DoctorArguments>),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  sealstone completions bash > ~/.local/share/bash-completion/completions/sealstone"
    )]
    Completions(CompletionsArguments),
    /// Print the manual page
    #[command(after_help = "Example:\n  sealstone man --dir ~/.local/share/man/man1")]
    Man(ManArguments),
}

pub(crate) fn run(arguments: Arguments) -> Outcome {
    match arguments.command {
        Command::Login(arguments) => wait(login::run(*arguments)),
        Command::Logout(arguments) => wait(logout::run(*arguments)),
        Command::Whoami(arguments) => whoami::run(&arguments),
        Command::Env(arguments) => env::env(&arguments),
        Command::Exec(arguments) => env::exec(&arguments),
        Command::Token(arguments) => token::run(&arguments),
        #[cfg(unix)]
        Command::Agent(command) => wait(agent::run(command)),
        #[cfg(unix)]
        Command::Client(command) => wait(client::run(*command)),
        #[cfg(unix)]
        Command::User(command) => wait(user::run(*command)),
        #[cfg(unix)]
        Command::Key(command) => wait(key::run(command)),
        #[cfg(unix)]
        Command::Keystone(command) => wait(keystone::run(command)),
        Command::Mapping(command) => mapping::run(command),
        #[cfg(unix)]
        Command::Migrate(command) => migrate::run(command),
        Command::Ca(command) => ca::run(command),
        #[cfg(unix)]
        Command::Audit(command) => audit::run(&command),
        Command::Cert(command) => cert::run(command),
        Command::Jwt(command) => wait(jwt::run(command)),
        #[cfg(unix)]
        Command::Db(command) => wait(db::run(command)),
        #[cfg(unix)]
        Command::Doctor(arguments) => wait(doctor::run(&arguments)),
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man(arguments) => manual::man(&arguments),
    }
}

pub(crate) fn wait(work: impl Future<Output = Outcome>) -> Outcome {
    wait_for(work)
}

/// Only what asks others needs a runtime: what is kept is printed without.
pub(crate) fn wait_for<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the system gives no resources to start: try again")?;
    runtime.block_on(work)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    /// A longer line is broken where it is shown, and can't be pasted any more.
    #[test]
    fn examples_fit_the_width_of_the_help() {
        let mut commands = vec![Arguments::command()];
        let mut lines = 0;
        while let Some(command) = commands.pop() {
            let examples = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            for line in examples.lines().filter(|line| line.contains("sealstone ")) {
                assert!(line.chars().count() <= 100, "{line}");
                lines += 1;
            }
            commands.extend(command.get_subcommands().cloned());
        }
        assert!(lines > 10, "{lines}");
    }
}
