//! `sealstone agent run`: the parts put together.

use std::{io::IsTerminal as _, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use rustls::RootCertStore;
use sealstone_agent::{
    Agent, BuiltInCa, CertificateSource, ClientCredentials, EstClient, EstOperation, ForeignToken, Handle,
    Health, Keeper, LocalSecret, MachinePair, NextKey, PrivateKeys, ProxySettings, RenewCommand, StateFolder,
    TokenFile, TokenFileForm, TokenHeader, UnixSocket, WatchedPair,
};
use sealstone_ca::KeyKind;
use sealstone_client::{ClientContext, ClientCredentialsRequest};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::{
    config::{Config, Foreign, Form, Header, KeyChoice, Operation, ProxySection, RenewalSection},
    machine::ThisMachine,
    notify::Notify,
};
use crate::{
    clock,
    failure::{Failure, Outcome},
    http, output,
};

pub(super) async fn run(path: &Path) -> Outcome {
    let config = Config::read(path)?;
    log_to_stderr();
    let state = StateFolder::open(&config.state.path)?;
    let pair = newest(&config, &state)?;
    let tokens = tokens(&config)?;
    let watched = WatchedPair::new(
        config.client.certificate_file.clone(),
        config.client.key_file.clone(),
    );
    let (keeper, handle) = Keeper::new(pair, Arc::new(tokens), Arc::new(ThisMachine));
    let mut keeper = keeper.watching(watched);
    if let Some(renewal) = &config.renewal {
        keeper = keeper.renewing(
            source(renewal)?,
            http::authorities(Some(&renewal.authority_file))?,
        );
    }
    let mut agent = Agent::new(keeper, handle.clone(), state);
    for file in &config.token_file {
        let form = match file.form {
            Form::Token => TokenFileForm::Token,
            Form::Header => TokenFileForm::Header,
        };
        agent = agent.with_token_file(TokenFile::new(file.path.clone(), form));
    }
    for socket in &config.socket {
        let keys = if socket.private_key {
            PrivateKeys::Given
        } else {
            PrivateKeys::Kept
        };
        agent = agent.with_socket(UnixSocket::bind(&socket.path, &socket.allowed_uids)?, keys);
        output::note(&format!("tokens at {}", socket.path.display()));
    }
    for proxy in &config.proxy {
        agent = with_proxy(agent, proxy).await?;
    }
    let ended = ended()?;
    let notify = Notify::of_environment();
    let telling = tell(handle, &notify);
    tokio::select! {
        () = agent.run(ended) => {}
        () = telling => {}
    }
    notify.tell("STOPPING=1");
    Ok(())
}

/// Of the pair that was in use last and the one in the configured files, the one that is good for longer.
pub(super) fn newest(config: &Config, state: &StateFolder) -> Outcome<MachinePair> {
    let (certificate, key) = (&config.client.certificate_file, &config.client.key_file);
    let configured = MachinePair::read(certificate, key)
        .with_context(|| format!("the pair of {} and {}", certificate.display(), key.display()));
    let kept = state.pair().unwrap_or_else(|fault| {
        output::note(&format!(
            "the pair in {} is left aside: {fault}",
            config.state.path.display()
        ));
        None
    });
    match (kept, configured) {
        (Some(kept), Ok(configured)) => {
            let later = configured.certificate().not_after() > kept.certificate().not_after();
            Ok(if later { configured } else { kept })
        }
        (Some(kept), Err(fault)) => {
            output::note(&format!("the certificate in use last is taken: {fault:#}"));
            Ok(kept)
        }
        (None, configured) => Ok(configured?),
    }
}

fn tokens(config: &Config) -> Outcome<ClientCredentials> {
    let client = &config.client;
    let _issuer = crate::discovery::issuer(&client.issuer)?;
    let context = ClientContext::of_this_machine(http::authorities(client.ca_file.as_deref())?);
    let mut request = ClientCredentialsRequest::new();
    if let Some(scope) = &client.scope {
        request = request.with_scope(scope);
    }
    for resource in &client.resource {
        request = request.with_resource(resource);
    }
    Ok(ClientCredentials::new(
        context,
        &client.issuer,
        &client.client_id,
        request,
    ))
}

pub(super) fn source(renewal: &RenewalSection) -> Outcome<Arc<dyn CertificateSource>> {
    let key = match renewal.key {
        KeyChoice::P256 => NextKey::New(KeyKind::P256),
        KeyChoice::P384 => NextKey::New(KeyKind::P384),
        KeyChoice::Ed25519 => NextKey::New(KeyKind::Ed25519),
        KeyChoice::Rsa3072 => NextKey::New(KeyKind::Rsa3072),
        KeyChoice::Keep => NextKey::Keep,
    };
    if let Some(ca) = &renewal.ca {
        let lifetime = clock::parse_span(&ca.lifetime).map_err(Failure::failed)?;
        return Ok(Arc::new(BuiltInCa::new(ca.folder.clone(), lifetime, key)));
    }
    if let Some(command) = &renewal.command {
        let mut argv = command.argv.iter().map(Into::into);
        let program = argv.next().unwrap_or_default();
        let environment = command
            .pass_environment
            .iter()
            .filter_map(|name| Some((name.into(), std::env::var_os(name)?)));
        let source = RenewCommand::new(program, argv.collect(), key)
            .with_environment(environment.collect())
            .with_deadline(Duration::from_secs(command.deadline_s));
        return Ok(Arc::new(source));
    }
    let Some(est) = &renewal.est else {
        return Err(Failure::failed("[renewal] names nobody who renews"));
    };
    let operation = match est.operation {
        Operation::SimpleReenroll => EstOperation::Reenroll,
        Operation::SimpleEnroll => EstOperation::Enroll,
    };
    let authorities = http::authorities(Some(&est.ca_file))?;
    Ok(Arc::new(
        EstClient::new(&est.url, authorities, key)?.with_operation(operation),
    ))
}

pub(super) fn proxy_settings(proxy: &ProxySection) -> Outcome<ProxySettings> {
    let authorities: RootCertStore = http::authorities(proxy.ca_file.as_deref())?;
    let header = match proxy.token_header {
        Header::Authorization => TokenHeader::Authorization,
        Header::XAuthToken => TokenHeader::XAuthToken,
    };
    let foreign = match proxy.foreign_token {
        Foreign::Refuse => ForeignToken::Refuse,
        Foreign::Replace => ForeignToken::Replace,
    };
    Ok(ProxySettings::new(&proxy.upstream, authorities)?
        .with_token_header(header)
        .with_foreign_token(foreign))
}

async fn with_proxy(agent: Agent, proxy: &ProxySection) -> Outcome<Agent> {
    let settings = proxy_settings(proxy)?;
    if let Some(path) = proxy.listen.strip_prefix("unix:") {
        let socket = UnixSocket::bind(Path::new(path), &proxy.allowed_uids)?;
        output::note(&format!("{} at {}", proxy.upstream, proxy.listen));
        return Ok(agent.with_proxy_at_socket(socket, settings));
    }
    let address = address(&proxy.listen)?;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("{address} cannot be listened at: end the program that does, or take another port")
    })?;
    let mut octets = [0; 32];
    aws_lc_rs::rand::fill(&mut octets).context("this machine gives no random octets: try again")?;
    let secret = LocalSecret::new(&octets);
    if let Some(path) = &proxy.secret_file {
        secret.write(path)?;
    }
    output::note(&format!(
        "{} at http://{}",
        proxy.upstream,
        listener.local_addr()?
    ));
    Ok(agent.with_proxy_at_port(listener, secret, settings)?)
}

pub(super) fn address(listen: &str) -> Outcome<SocketAddr> {
    let address: Option<SocketAddr> = listen.parse().ok();
    address.filter(|address| address.ip().is_loopback()).ok_or_else(|| {
        Failure::failed(format!(
            "proxy.listen = {listen:?} is no address of this machine alone: write 127.0.0.1:PORT, [::1]:PORT or unix:/PATH"
        ))
    })
}

fn ended() -> Outcome<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Tells the person at the terminal, and systemd, when programs can be served, and what stands in the way.
async fn tell(handle: Handle, notify: &Notify) {
    let mut changes = handle.status_changes();
    let mut in_place = handle.in_place();
    let serves = |health| matches!(health, Health::Fresh | Health::Degraded);
    let mut said = None;
    loop {
        let status = handle.status();
        // Whoever waited for this reads the token's file next, or the status.
        if serves(status.health) && in_place.wait_for(|is| *is).await.is_err() {
            return std::future::pending().await;
        }
        let fault = status
            .faults
            .first()
            .map(|fault| format!("{}: {}", fault.work, fault.message));
        let health = status.health;
        if said != Some((health, fault.clone())) {
            match (health, &fault) {
                (Health::Fresh | Health::Degraded, _) => {
                    let until = status.token.as_ref().map_or("", |token| token.until.as_str());
                    let text = fault
                        .clone()
                        .unwrap_or_else(|| format!("token good until {until}"));
                    notify.tell(&format!("READY=1\nSTATUS={text}"));
                }
                (Health::Starting | Health::Failing, fault) => {
                    let text = fault
                        .clone()
                        .unwrap_or_else(|| "getting the first token".to_owned());
                    notify.tell(&format!("STATUS={text}"));
                }
            }
            if serves(health) && !said.as_ref().is_some_and(|(before, _)| serves(*before)) {
                let until = status.token.as_ref().map_or("", |token| token.until.as_str());
                output::note(&format!(
                    "ready: the token is good until {until}, and renewed before"
                ));
            }
            said = Some((health, fault));
        }
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

fn log_to_stderr() {
    use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};
    let ours = tracing_subscriber::filter::Targets::new()
        .with_target("sealstone_agent", tracing::Level::INFO)
        .with_default(tracing::Level::WARN);
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false);
    // Somebody else's is as good.
    let _ = tracing_subscriber::registry().with(ours).with(log).try_init();
}
