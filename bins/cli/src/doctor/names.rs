//! Names, and what listens at their addresses.

use std::{net::SocketAddr, time::Duration};

use tokio::{net::TcpStream, time::timeout};

use super::{address::Address, checks, finding::Report, settings::Settings};

/// How long a listener may take: it is ours, or right before ours.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn look(settings: &Settings, report: &mut Report) {
    let listen = settings.text("server", "listen");
    let listen = listen.and_then(|text| text.parse::<SocketAddr>().ok());
    for key in ["base_url", "mtls_base_url"] {
        let Some(url) = settings.text("server", key) else {
            continue;
        };
        let Some(address) = Address::of(url) else {
            continue;
        };
        let name = address.host.clone();
        let found = address.resolve().await;
        if found.is_empty() {
            report.found(&checks::NAME_UNKNOWN, name);
            continue;
        }
        let texts: Vec<String> = found.iter().map(|one| one.ip().to_string()).collect();
        let is_here = |one: &SocketAddr| one.ip().is_loopback();
        if found.iter().all(is_here) {
            report.found(&checks::NAME_LOOPBACK, format!("{name} is {}", texts.join(", ")));
        } else if key == "base_url"
            && !settings.has_proxy()
            && let Some(listen) = listen.filter(|listen| listen.ip().is_loopback())
        {
            let evidence = format!("{name} is {}; server.listen = {listen}", texts.join(", "));
            report.found(&checks::LISTEN_LOOPBACK, evidence);
        }
        served(&name, &found, report).await;
    }
}

/// All of the name's addresses, or those that nobody answers at. None at all is another matter.
async fn served(name: &str, all: &[SocketAddr], report: &mut Report) {
    let mut silent = Vec::new();
    for one in all {
        let connected = timeout(PATIENCE, TcpStream::connect(one)).await;
        if !matches!(connected, Ok(Ok(_))) {
            silent.push(one.to_string());
        }
    }
    if !silent.is_empty() && silent.len() < all.len() {
        let evidence = format!("{name}: nothing answers at {}", silent.join(", "));
        report.found(&checks::NAME_NOT_SERVED, evidence);
    }
}
