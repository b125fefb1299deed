//! `sealstone agent`: a bound token and its certificate, kept fresh for programs that cannot.

mod check;
mod config;
mod machine;
mod notify;
mod start;
mod status;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::{failure::Outcome, output::OutputArguments};

const EXAMPLE: &str = "\
A configuration, agent.toml, whose paths are seen from its own folder:
  [client]
  issuer = \"https://id.example.org/v4/oauth2/ops\"
  client_id = \"ci\"
  scope = \"openstack:api\"
  certificate_file = \"ci.pem\"
  key_file = \"ci.key\"

  [state]
  path = \"/var/lib/sealstone-agent\"

  [[proxy]]
  listen = \"127.0.0.1:8774\"
  upstream = \"https://compute.example.org\"
  secret_file = \"/run/sealstone-agent/compute.secret\"

Start it, and ask how it is:
  sealstone agent run --config agent.toml
  sealstone agent status --config agent.toml";

/// What an agent is asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Get tokens, renew them and the certificate in time, and serve them to local programs, until it is stopped
    #[command(after_help = EXAMPLE)]
    Run(ConfigArguments),
    /// Say everything that `run` would refuse, without asking any server
    #[command(after_help = "Example:\n  sealstone agent check --config agent.toml")]
    Check(ConfigArguments),
    /// Tell how a running agent is; exit status 1 unless programs are served
    #[command(after_help = "Example:\n  sealstone agent status --config agent.toml --output json")]
    Status(StatusArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    /// The agent's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    config: ConfigArguments,
    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) async fn run(command: AgentCommand) -> Outcome {
    match command {
        AgentCommand::Run(arguments) => start::run(&arguments.config).await,
        AgentCommand::Check(arguments) => check::run(&arguments.config),
        AgentCommand::Status(arguments) => status::run(&arguments.config.config, arguments.output.output),
    }
}
