//! `sealstone migrate bridge`.

mod follow;
mod node;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use sealstone_bridge::{
    Bridge, BridgeLimits, BridgeListener, Forwarded, Target, TokenForm, Upstream, UpstreamError,
};
use sealstone_tls::{ClientCertificates, ServerTlsConfig, TlsHandle};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    clock,
    failure::{Failure, Outcome},
    input, output,
};
use follow::Followed;
use node::{NodeFiles, Reading};

const EXAMPLES: &str = "\
Examples:
  On each node, as Keystone's account, before the Keystone that listens on port 5000; then HAProxy's
  servers are given port 5001 in place of port 5000:
    sealstone migrate bridge --listen 10.0.0.11:5001 --upstream http://127.0.0.1:5000 \\
      --dangerous-plain-http

  The same with TLS on both sides:
    sealstone migrate bridge --listen 10.0.0.11:5001 --tls-certificate node.pem --tls-key node.key \\
      --upstream https://node-1.example:5000 --upstream-ca ca.pem

It reads keystone.conf for what the node issues, where its keys are, and in which order it has its methods. \
Tokens of the node's kind are passed on as they are; those of the other kind are proved by the pool's keys, and \
passed on as tokens of the node's kind with the same claims. What nothing proves is not passed on. Nothing else \
is changed.

Keys, configuration and certificates are read anew when they change, and on SIGHUP. SIGTERM and SIGINT let \
requests under way end. What it does is told on standard error; its address, once it listens, on standard output.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct BridgeArguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The node's own address, past any balancer: `http://127.0.0.1:5000`
    #[arg(long, value_name = "URL")]
    upstream: http::Uri,
    /// Which tokens the node takes
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    target: TargetArgument,
    #[command(flatten)]
    files: NodeFiles,
    /// The certificate (and chain) to listen with, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// The authority of an https node, in PEM
    #[arg(long, value_name = "FILE")]
    upstream_ca: Option<PathBuf>,
    /// Listen without TLS on other addresses than the loopback's, and speak so to a node elsewhere: whoever reads the
    /// network there has every token
    #[arg(long)]
    dangerous_plain_http: bool,
    /// What the node is told of where a request comes from
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    forwarded: ForwardedArgument,
    /// How long the node may take to answer
    #[arg(long, value_name = "SPAN", default_value = "50s", value_parser = clock::parse_span)]
    answer_within: Duration,
    /// How long requests under way may take once the bridge is told to end
    #[arg(long, value_name = "SPAN", default_value = "10s", value_parser = clock::parse_span)]
    drain_within: Duration,
    /// How the log reads
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    log: LogForm,
    /// Tell of each token that is refused, and why
    #[arg(long, short)]
    verbose: bool,
}

/// Which tokens the node takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum TargetArgument {
    /// What `[token] provider` of its keystone.conf says, until it is seen to issue the other kind
    #[default]
    Auto,
    /// Fernet tokens, whatever else is seen
    Fernet,
    /// JWS tokens, whatever else is seen
    Jws,
}

impl TargetArgument {
    const fn target(self, of_node: TokenForm) -> Target {
        match self {
            Self::Auto => Target::Learned(of_node),
            Self::Fernet => Target::Fixed(TokenForm::Fernet),
            Self::Jws => Target::Fixed(TokenForm::Jws),
        }
    }
}

/// What the node is told of where a request comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum ForwardedArgument {
    /// What the request says in X-Forwarded-For and the like: a balancer has written it
    #[default]
    Pass,
    /// The peer's address, and nothing that the request says: clients reach the bridge itself
    Replace,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum LogForm {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

pub(super) async fn run(arguments: BridgeArguments) -> Outcome {
    let hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be received")?;
    start_log(arguments.log, arguments.verbose);
    let tls = arguments.tls()?;
    if tls.is_none() && !arguments.listen.ip().is_loopback() && !arguments.dangerous_plain_http {
        return Err(Failure::usage(
            "tokens would cross the network readable: give --tls-certificate and --tls-key, listen on 127.0.0.1, or \
             say --dangerous-plain-http where the network is the balancer's own",
        ));
    }
    let limits = arguments.limits()?;
    let upstream = arguments.upstream(&limits)?;
    let reading = arguments.files.read()?;
    let target = arguments.target.target(reading.issues);
    reading.tell(target);
    let Reading {
        rules,
        public_endpoint,
        issues,
        stamps,
        ..
    } = reading;
    let mut bridge = Bridge::new(rules, upstream, target, limits, Arc::new(clock::now))
        .with_forwarded(arguments.forwarded(tls.is_some()));
    if let Some(endpoint) = public_endpoint {
        bridge = bridge.with_public_endpoint(&endpoint);
    }
    let listener = TcpListener::bind(arguments.listen).await;
    let listener = listener.with_context(|| {
        format!(
            "cannot listen on {}: is the address this machine's, and the port free?",
            arguments.listen
        )
    })?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    output::line(&format!("{scheme}://{}", listener.local_addr()?))?;
    let followed = Followed {
        bridge: bridge.clone(),
        arguments: &arguments,
        tls: tls.clone(),
        issues,
        stamps,
    };
    let listener = match tls {
        Some(tls) => BridgeListener::Tls(listener, tls),
        None => BridgeListener::Plain(listener),
    };
    let serving = sealstone_bridge::serve(listener, bridge.clone(), arguments.drain_within, ended());
    tokio::select! {
        () = serving => {}
        () = followed.follow(hangup) => {}
    }
    tracing::info!("ended; {}", bridge.totals());
    Ok(())
}

/// SIGTERM, or SIGINT of a terminal.
async fn ended() {
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("told to end: no new connections; requests under way may finish");
}

impl BridgeArguments {
    fn limits(&self) -> Outcome<BridgeLimits> {
        if self.answer_within.is_zero() || self.answer_within > Duration::from_secs(3600) {
            return Err(Failure::usage("--answer-within must be from 1s to 1h"));
        }
        let mut limits = BridgeLimits::default();
        limits.answer = self.answer_within;
        Ok(limits)
    }

    fn forwarded(&self, is_tls: bool) -> Forwarded {
        let scheme = if is_tls {
            http::uri::Scheme::HTTPS
        } else {
            http::uri::Scheme::HTTP
        };
        match self.forwarded {
            ForwardedArgument::Pass => Forwarded::Pass,
            ForwardedArgument::Replace => Forwarded::Replace(scheme),
        }
    }

    fn tls(&self) -> Outcome<Option<TlsHandle>> {
        let Some(config) = self.tls_config()? else {
            return Ok(None);
        };
        Ok(Some(config.into_handle()?))
    }

    fn tls_config(&self) -> Outcome<Option<ServerTlsConfig>> {
        let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) else {
            return Ok(None);
        };
        let config = ServerTlsConfig::from_files(certificate, key)?;
        Ok(Some(config.with_client_certificates(ClientCertificates::None)))
    }

    fn upstream(&self, limits: &BridgeLimits) -> Outcome<Upstream> {
        let tls = match &self.upstream_ca {
            Some(path) => {
                let roots = sealstone_https::authorities(&input::bytes(path)?)
                    .with_context(|| path.display().to_string())?;
                let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
                let tls = rustls::ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()?;
                Some(tls.with_root_certificates(roots).with_no_client_auth())
            }
            None => None,
        };
        let made = if self.dangerous_plain_http {
            Upstream::dangerous_with_plain_http(&self.upstream, tls, limits)
        } else {
            Upstream::new(&self.upstream, tls, limits)
        };
        made.map_err(|error| match error {
            UpstreamError::Tls => {
                Failure::usage("an https node needs --upstream-ca: the authority that vouches for it")
            }
            UpstreamError::PlainHttp => {
                Failure::usage(format!("--upstream: {error}, or say --dangerous-plain-http"))
            }
            UpstreamError::Address | _ => Failure::usage(format!("--upstream: {error}")),
        })
    }
}

fn start_log(form: LogForm, verbose: bool) {
    let level = if verbose {
        tracing::Level::DEBUG
    } else {
        tracing::Level::INFO
    };
    // What others' libraries tell of each connection is of no use to an operator.
    let ours = tracing_subscriber::filter::Targets::new()
        .with_target("sealstone", level)
        .with_default(tracing::Level::WARN);
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false);
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let registry = tracing_subscriber::registry().with(ours);
    // Another log is there only in tests.
    let _started = match form {
        LogForm::Text => registry.with(log.with_ansi(false)).try_init(),
        LogForm::Json => registry.with(log.json().flatten_event(true)).try_init(),
    };
}
