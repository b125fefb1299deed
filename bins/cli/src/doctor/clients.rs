//! Registered clients that cannot work as they are.

use std::{collections::BTreeSet, time::Duration};

use sealstone_identity::DomainId;
use sealstone_mtls::ClientCertificate;
use sealstone_registry::{Client, ClientAuth, ClientStore as _, DomainStore as _, MAX_PAGE, MachineTie};
use sealstone_storage::SqlStore;

use super::{address::Address, checks, finding::Report, settings::Settings, trail};
use crate::{clock, failure::Outcome, output, store::Places};

/// A client that is younger may not have begun its work.
const OLD: Duration = Duration::from_secs(90 * 24 * 3600);

pub(super) async fn look(
    store: &SqlStore,
    domains: &[DomainId],
    settings: &Settings,
    places: &Places,
    soon: Duration,
    report: &mut Report,
) -> Outcome {
    let seen = trail::clients(places.audit_file());
    let mut hosts = BTreeSet::new();
    let mut progress = output::Progress::new("domains", domains.len());
    for id in domains {
        let is_enabled = store.domain(id).await?.is_some_and(|domain| domain.is_enabled());
        let mut enabled: usize = 0;
        let mut after = None;
        loop {
            let page = store.list(id, after.as_ref(), MAX_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id().clone());
            for client in page.iter().filter(|client| client.is_enabled()) {
                enabled = enabled.saturating_add(1);
                secrets(client, soon, report);
                fits(client, settings, places, report);
                unused(client, seen.as_ref(), report);
                hosts.extend(redirects(client));
            }
        }
        if !is_enabled && enabled > 0 {
            report.found(
                &checks::CLIENT_DOMAIN_DISABLED,
                format!("domain {id}: {enabled} clients"),
            );
        }
        progress.step();
    }
    for (client, uri) in hosts {
        let Some(address) = Address::of(&uri) else {
            continue;
        };
        if address.resolve().await.is_empty() {
            report.found(&checks::NAME_REDIRECT_UNKNOWN, format!("client {client}: {uri}"));
        }
    }
    Ok(())
}

/// Where its answers go, unless that is this machine or an app's own scheme.
fn redirects(client: &Client) -> Vec<(String, String)> {
    let uris = client.redirect_uris().iter().map(ToString::to_string);
    uris.map(|uri| (client.id().to_string(), uri)).collect()
}

fn secrets(client: &Client, soon: Duration, report: &mut Report) {
    let now = clock::now();
    let id = client.id();
    if let Some(secrets) = client.auth().secrets() {
        let end = secrets.expires_at();
        let Some(end) = end else { return };
        let evidence = format!("client {id}: {}", clock::date_and_relative(end, now));
        match end.as_secs().checked_sub(now.as_secs()) {
            None | Some(0) => report.found(&checks::CLIENT_SECRET_ENDED, evidence),
            Some(left) if left < soon.as_secs() => {
                report.found(&checks::CLIENT_SECRET_ENDS_SOON, evidence);
            }
            Some(_) => {}
        }
    }
    if let ClientAuth::SelfSignedTlsClientAuth(jwks) = client.auth() {
        let keys = jwks.keys().keys();
        let ends: Vec<ClientCertificate> = keys
            .iter()
            .filter_map(|key| ClientCertificate::from_der(key.x5c_leaf.as_ref()?).ok())
            .collect();
        // A key without a certificate has no end.
        if ends.len() == keys.len() && !ends.iter().any(|certificate| certificate.is_in_date(now)) {
            let last = ends.iter().map(ClientCertificate::not_after).max().unwrap_or(now);
            let evidence = format!("client {id}: {}", clock::date_and_relative(last, now));
            report.found(&checks::CLIENT_CERTIFICATE_ENDED, evidence);
        }
    }
}

/// Whether the server's configuration has what the client needs.
fn fits(client: &Client, settings: &Settings, places: &Places, report: &mut Report) {
    let id = client.id();
    let by_authority = matches!(client.auth(), ClientAuth::TlsClientAuth(_));
    let by_certificate = by_authority || matches!(client.auth(), ClientAuth::SelfSignedTlsClientAuth(_));
    let asks = settings.text("server", "mtls_listen").is_some() || settings.has_proxy();
    if by_certificate && !asks {
        report.found(&checks::CLIENT_WITHOUT_MTLS, format!("client {id}"));
    }
    if by_authority && settings.texts("tls", "client_ca_files").is_empty() {
        report.found(&checks::CLIENT_WITHOUT_CA, format!("client {id}"));
    }
    let own = format!("people_of.{}", client.domain());
    let has_people = settings.section("people").is_some() || settings.section(&own).is_some();
    if client.has_people() && !has_people {
        report.found(
            &checks::CLIENT_WITHOUT_PEOPLE,
            format!("client {id} of domain {}", client.domain()),
        );
    }
    let is_tied = !matches!(client.tie(), MachineTie::None | MachineTie::Static(_));
    if is_tied && settings.section("keystone").is_none() {
        report.found(&checks::CLIENT_WITHOUT_KEYSTONE, format!("client {id}"));
    }
    let Ok(policy) = places.policy() else { return };
    let wanted = [
        client.signing_algorithm(),
        client.id_token_algorithm(),
        client.userinfo_algorithm(),
    ];
    for algorithm in wanted.into_iter().flatten() {
        if !policy.algorithms().contains(&algorithm) {
            let evidence = format!("client {id} wants {algorithm}");
            report.found(&checks::CLIENT_ALGORITHM_MISSING, evidence);
        }
    }
}

fn unused(client: &Client, seen: Option<&trail::Seen>, report: &mut Report) {
    let Some(seen) = seen else { return };
    let now = clock::now().as_secs();
    let is_old = client.updated_at().as_secs().saturating_add(OLD.as_secs()) < now;
    // A trail that was begun lately does not know.
    let knows = seen
        .since
        .is_some_and(|since| since.saturating_add(OLD.as_secs()) < now);
    if is_old && knows && !seen.clients.contains(client.id().as_str()) {
        let evidence = format!(
            "client {}: last changed {}",
            client.id(),
            clock::date_and_relative(client.updated_at(), clock::now())
        );
        report.found(&checks::CLIENT_UNUSED, evidence);
    }
}
