//! The command line.

use crate::config::{self, LogSection};
use crate::dev::{self, DevOptions};
use crate::reload::Source;
use crate::run::{Listeners, Served};
use crate::{check, compose, db, faults, logging, reload, traces};
use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use sealstone_telemetry::TracerHandle;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::signal::unix::{SignalKind, signal};

/// The Sealstone server: an OAuth 2.0 authorization server for OpenStack clouds.
#[derive(Debug, Parser)]
#[command(name = "sealstoned", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const RELOAD: &str = "\
Example:
  sealstoned reload --config /etc/sealstone/sealstoned.toml

Sends the server SIGHUP and waits for its word, which the admin listener (server.admin_listen) gives. All or nothing: a
configuration that can't be used changes nothing, and the exit status is 1. Keys that have changed and need a restart are
named; with systemd's sockets nobody notices one. Connections stand. Run it as the server's user, or as root.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a demo from nothing: CA, certificates, database, clients, and the commands to try it
    #[command(after_help = "Example:\n  sealstoned dev --data /tmp/demo")]
    Dev(DevArguments),
    /// Serve with a configuration file
    #[command(
        after_help = "Example:\n  sealstoned serve --config /etc/sealstone/sealstoned.toml\n\n\
        SIGHUP, or better `sealstoned reload`, reads the configuration and every file that it names anew: what acts at once and \
        what needs a restart is in docs/reference/configuration.md. SIGTERM ends after requests under way."
    )]
    Serve(ConfigArgument),
    /// Say everything that `serve` would refuse, without serving
    Check(ConfigArgument),
    /// Have a running server read its configuration and files anew, and say what became of it
    #[command(after_help = RELOAD)]
    Reload(ConfigArgument),
    /// Look after the database
    #[command(subcommand)]
    Db(DbCommand),
}

#[derive(Debug, Args)]
struct DevArguments {
    /// Address for everybody; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Address for clients with certificates
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8444")]
    mtls_listen: SocketAddr,
    /// Address for health and metrics; none unless given
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin_listen: Option<SocketAddr>,
    /// Folder for everything that is made
    #[arg(long, value_name = "DIR", default_value = "sealstone-dev")]
    data: PathBuf,
    /// Only the TLS versions and cipher suites of the FAPI 2.0 security profile
    #[arg(long)]
    fapi: bool,
    /// Call the public address `localhost`: browsers have passkeys for names alone
    #[arg(long)]
    localhost: bool,
}

#[derive(Debug, Args)]
struct ConfigArgument {
    /// Configuration file; examples/sealstoned.toml explains each key
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum DbCommand {
    /// Bring the database to this program's schema
    Migrate(ConfigArgument),
    /// Show the schema's version
    Status(ConfigArgument),
}

/// Does what was asked for.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Dev(dev) => {
            let _level = logging::start(&LogSection::default(), &TracerHandle::default());
            let options = DevOptions {
                listen: dev.listen,
                mtls_listen: dev.mtls_listen,
                admin_listen: dev.admin_listen,
                data: dev.data,
                fapi: dev.fapi,
                localhost: dev.localhost,
            };
            runtime()?.block_on(async { dev::run(options, asked_to_stop()?).await })
        }
        Command::Serve(argument) => serve(&argument.config),
        Command::Reload(argument) => reload::ask(&argument.config),
        Command::Check(argument) => runtime()?.block_on(check::run(&argument.config)),
        Command::Db(DbCommand::Migrate(argument)) => runtime()?.block_on(db::migrate(&argument.config)),
        Command::Db(DbCommand::Status(argument)) => runtime()?.block_on(db::status(&argument.config)),
    }
}

fn serve(path: &Path) -> anyhow::Result<()> {
    let (config, given) = config::read(path)?;
    let traces = traces::compose(&config, None)?;
    let tracer = TracerHandle::default();
    let log = logging::start(&config.log, &tracer);
    runtime()?.block_on(async {
        let shutdown = asked_to_stop()?;
        let reloads = reload::requests()?;
        let composition = compose::compose(&config).map_err(|found| faults(&found))?;
        let listeners = Listeners::bind(&config).await?;
        let served = Served::open(&config, composition)
            .await?
            .with_traces(traces, tracer);
        let domains = served.provider.domains().len();
        let [public, mutual_tls, admin] = listeners.addresses();
        tracing::info!(
            base_url = config.server.base_url,
            domains,
            public,
            mutual_tls,
            admin,
            "serving"
        );
        let source = Source::File {
            path,
            given,
            log: &log,
        };
        served.run(config, source, listeners, reloads, shutdown).await
    })
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")
}

/// Ready at SIGINT or SIGTERM. The handlers stand before anything is made, so that no signal kills half a start.
fn asked_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT can't be received")?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM can't be received")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
