//! What a proxy between here and the server does to requests.

use std::net::{IpAddr, UdpSocket};

use bytes::Bytes;
use http::{Request, StatusCode, header};

use super::{
    address::Address,
    checks,
    finding::{Area, Report},
    issuer::{OURS, by_whom},
    probe::Probe,
    settings::Settings,
    trail,
};
use crate::{failure::Outcome, random, store::Places};

/// Below the 64 KiB that the server reads.
const BODY: usize = 60 * 1024;
/// Of a token with many roles, or a signed request: below the 64 KiB of a head that the server reads.
const HEADER: usize = 10 * 1024;
/// What the server says of a header that the proxy it trusts has passed on unread.
const UNREAD: &str = "the forwarded client certificate cannot be read";

/// The header of each form.
const FORMS: [(&str, &str); 5] = [
    ("rfc9440", "client-cert"),
    ("nginx-escaped-pem", "x-ssl-client-cert"),
    ("apache-pem", "x-ssl-client-cert"),
    ("envoy-xfcc", "x-forwarded-client-cert"),
    ("traefik", "x-forwarded-tls-client-cert"),
];

/// `issuer` answers at its address; `mtls` is the same issuer where clients have certificates.
pub(super) async fn look(
    issuer: &str,
    mtls: Option<&str>,
    settings: Option<(&Settings, &Places)>,
    report: &mut Report,
) -> Outcome {
    let probe = Probe::new()?;
    let request_id = format!("doctor-{:016x}", u64::from_be_bytes(random::octets()?));
    headers(&probe, issuer, &request_id, report).await;
    if probe.was_asked() && mtls.is_some_and(|mtls| mtls != issuer) {
        report.found(&checks::PUBLIC_ASKS, issuer.to_owned());
    }
    body(&probe, issuer, report).await;
    large_header(&probe, issuer, report).await;
    if let Some(mtls) = mtls {
        let asking = Probe::new()?;
        let reached = asking
            .send(form(mtls, "grant_type=client_credentials", None)?)
            .await;
        match reached {
            Ok(_) if !asking.was_asked() => report.found(&checks::MTLS_ASKS_NOBODY, mtls.to_owned()),
            Ok(_) => {}
            Err(error) => {
                report.left_out(Area::Issuer, format!("{mtls}: {error}"));
            }
        }
    }
    if let Some((settings, places)) = settings {
        for base in [Some(issuer), mtls].into_iter().flatten() {
            forged(&probe, base, settings, report).await;
        }
        source(issuer, &request_id, settings, places, report).await;
    }
    Ok(())
}

/// A request that every server refuses, and records.
fn form(base: &str, body: &str, extra: Option<(&str, &str)>) -> Outcome<Request<Bytes>> {
    let mut request = Request::post(format!("{base}/token"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some((name, value)) = extra {
        request = request.header(name, value);
    }
    Ok(request.body(Bytes::copy_from_slice(body.as_bytes()))?)
}

const NOBODY: &str = "grant_type=client_credentials&client_id=doctor&client_secret=doctor";

async fn headers(probe: &Probe, issuer: &str, request_id: &str, report: &mut Report) {
    let Ok(request) = form(issuer, NOBODY, Some((OURS, request_id))) else {
        return;
    };
    let Ok(answer) = probe.send(request).await else {
        return;
    };
    let wanted = [
        header::CACHE_CONTROL,
        header::STRICT_TRANSPORT_SECURITY,
        header::X_CONTENT_TYPE_OPTIONS,
    ];
    let lost: Vec<String> = wanted
        .into_iter()
        .filter(|name| !answer.headers().contains_key(name))
        .map(|name| name.to_string())
        .collect();
    if !lost.is_empty() {
        let evidence = format!("{issuer}/token answers without {}", lost.join(", "));
        report.found(&checks::HEADERS_LOST, evidence);
    }
}

async fn body(probe: &Probe, issuer: &str, report: &mut Report) {
    let text = format!("{NOBODY}&scope={}", "x".repeat(BODY));
    let Ok(request) = form(issuer, &text, None) else {
        return;
    };
    let evidence = match probe.send(request).await {
        Ok(answer) if answer.headers().contains_key(OURS) => return,
        Ok(answer) => format!(
            "{issuer}/token answers {} to {BODY} octets, {}",
            answer.status(),
            by_whom(&answer)
        ),
        Err(error) => format!("{issuer}/token: {BODY} octets, {error}"),
    };
    report.found(&checks::PROXY_BODY_LIMIT, evidence);
}

async fn large_header(probe: &Probe, issuer: &str, report: &mut Report) {
    let value = format!("Bearer {}", "x".repeat(HEADER));
    let request = Request::get(format!("{issuer}/userinfo")).header(header::AUTHORIZATION, value);
    let Ok(request) = request.body(Bytes::new()) else {
        return;
    };
    let evidence = match probe.send(request).await {
        Ok(answer) if answer.headers().contains_key(OURS) => return,
        Ok(answer) => format!(
            "{issuer}/userinfo answers {} to a header of {HEADER} octets, {}",
            answer.status(),
            by_whom(&answer)
        ),
        Err(error) => format!("{issuer}/userinfo: a header of {HEADER} octets, {error}"),
    };
    report.found(&checks::PROXY_HEADER_LIMIT, evidence);
}

/// Writes the proxy's header itself: the proxy must not let it through.
async fn forged(probe: &Probe, base: &str, settings: &Settings, report: &mut Report) {
    let Some(form_name) = settings.text("proxy", "form") else {
        return;
    };
    let usual = FORMS.iter().find(|(name, _)| *name == form_name);
    let name = settings
        .text("proxy", "header")
        .or_else(|| usual.map(|(_, header)| *header));
    let Some(name) = name.map(str::to_lowercase) else {
        return;
    };
    let Ok(request) = form(base, NOBODY, Some((&name, "doctor"))) else {
        return;
    };
    let Ok(answer) = probe.send(request).await else {
        return;
    };
    let text = String::from_utf8_lossy(answer.body());
    if answer.status() == StatusCode::BAD_REQUEST && text.contains(UNREAD) {
        let evidence = format!("{base}/token: {name}, written here, was read by the server");
        report.found(&checks::PROXY_PASSES_CERTIFICATES, evidence);
    }
}

/// Whose address the server has seen, by its audit trail.
async fn source(issuer: &str, request_id: &str, settings: &Settings, places: &Places, report: &mut Report) {
    let Some(seen) = trail::address_of(places.audit_file(), request_id) else {
        let why =
            "the audit file does not have this request: run this where the server runs, to see its addresses";
        return report.left_out(Area::Issuer, why);
    };
    let Ok(seen) = seen.parse::<IpAddr>() else { return };
    let Some(address) = Address::of(issuer) else {
        return;
    };
    let own: Vec<IpAddr> = address
        .resolve()
        .await
        .iter()
        .filter_map(|to| own_address(*to))
        .collect();
    if own.contains(&seen) || own.is_empty() {
        return;
    }
    let own: Vec<String> = own.iter().map(ToString::to_string).collect();
    let evidence = format!("a request from {} is seen as from {seen}", own.join(" or "));
    if !settings.has_proxy() {
        // A balancer that passes TLS on, and that the operator has thought of.
        let unlimited = settings.texts("limits", "insecure_unlimited_networks");
        if unlimited.iter().any(|network| holds(network, seen)) {
            return;
        }
        return report.found(&checks::PROXY_UNCONFIGURED, evidence);
    }
    let networks = settings.texts("proxy", "trusted_networks");
    if networks.iter().any(|network| holds(network, seen)) {
        report.found(&checks::PROXY_NOT_BELIEVED, evidence);
    } else {
        let evidence = format!("{evidence}; proxy.trusted_networks = {networks:?}");
        report.found(&checks::PROXY_NOT_TRUSTED, evidence);
    }
}

/// From where this machine would speak to that address. Nothing is sent.
fn own_address(to: std::net::SocketAddr) -> Option<IpAddr> {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Whether a network in CIDR form, or a single address, holds an address.
fn holds(network: &str, address: IpAddr) -> bool {
    let (base, prefix) = network.split_once('/').map_or((network, None), |(base, prefix)| {
        (base, prefix.parse::<u32>().ok())
    });
    let bits = |address: IpAddr| match address {
        IpAddr::V4(four) => (u128::from(four.to_bits()) << 96, 32),
        IpAddr::V6(six) => (six.to_bits(), 128),
    };
    let Ok(base) = base.parse::<IpAddr>() else {
        return false;
    };
    if base.is_ipv4() != address.is_ipv4() {
        return false;
    }
    let ((base, length), (address, _)) = (bits(base), bits(address));
    let prefix = prefix.unwrap_or(length);
    prefix == 0 || (base ^ address).leading_zeros() >= prefix.min(128)
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn networks_hold_addresses() {
        for (network, address, want) in [
            ("127.0.0.0/8", "127.3.2.1", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1/32", "127.0.0.2", false),
            ("10.0.0.0/30", "10.0.0.4", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe12::1", false),
            ("::/0", "127.0.0.1", false),
            ("nothing", "127.0.0.1", false),
        ] {
            assert_eq!(
                holds(network, address.parse().unwrap()),
                want,
                "{network} {address}"
            );
        }
    }
}
