//! What is reached at the issuer's address, from here.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use rustls::{CertificateError, RootCertStore};
use rustls_pki_types::CertificateDer;
use sealstone_https::HttpsError;
use sealstone_jose::JwkSet;
use sealstone_mtls::ClientCertificate;
use serde_json::Value;

use super::{
    address::Address,
    certificates::judge,
    checks,
    finding::{Check, Report},
    probe::Probe,
};
use crate::{clock, failure::Outcome, http::Fault};

/// Beyond the second that a date is cut to, and the time that an answer takes.
const CLOCK_SKEW: u64 = 5;
/// An answer's text that is shown as evidence.
const SHOWN: usize = 120;
/// Every answer of ours has it.
pub(super) const OURS: &str = "x-request-id";

/// What is known of the issuer from the server's side.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    /// Identifiers of the published keys, if they are known.
    pub(super) kids: Option<BTreeSet<String>>,
    /// The chain in the server's file, where no proxy ends TLS.
    pub(super) chain: &'a [CertificateDer<'static>],
    pub(super) roots: &'a Arc<RootCertStore>,
}

/// Looks at the issuer's documents. Says whether it is there, so that more can be asked of it.
pub(super) async fn look(expected: &Expected<'_>, report: &mut Report) -> Outcome<bool> {
    let Some(address) = Address::of(expected.issuer) else {
        report.found(&checks::ISSUER_NOT_HTTPS, expected.issuer.to_owned());
        return Ok(false);
    };
    if !address.is_https {
        report.found(&checks::ISSUER_NOT_HTTPS, expected.issuer.to_owned());
        return Ok(false);
    }
    let probe = Probe::new()?;
    let url = format!("{}/.well-known/openid-configuration", expected.issuer);
    let before = clock::now();
    let answer = match get(&probe, &url).await {
        Ok(answer) => answer,
        Err(error) => {
            no_answer(&url, &error, report);
            return Ok(false);
        }
    };
    clocks(&answer, before.as_secs(), &url, report);
    served(&probe.chain(), &address, expected, report);
    let Some(metadata) = document(&url, &answer, report) else {
        return Ok(false);
    };
    let told = metadata.get("issuer").and_then(Value::as_str).unwrap_or_default();
    if told != expected.issuer {
        let evidence = format!("fetched from {}, it says {told}", expected.issuer);
        report.found(&checks::ISSUER_DIFFERS, evidence);
        return Ok(false);
    }
    if let (Some(kids), Some(jwks)) = (&expected.kids, metadata.get("jwks_uri").and_then(Value::as_str)) {
        keys(&probe, jwks, kids, report).await;
    }
    Ok(true)
}

pub(super) async fn get(probe: &Probe, url: &str) -> Result<Response<Bytes>, HttpsError> {
    let request = Request::get(url).body(Bytes::new());
    probe.send(request.map_err(|_| HttpsError::Address)?).await
}

/// Why nothing came back, by who did not answer.
pub(super) fn no_answer(url: &str, error: &HttpsError, report: &mut Report) {
    let check: &'static Check = match error {
        HttpsError::Redirect(redirected) => {
            let to = redirected.location().unwrap_or("nowhere");
            let evidence = format!("{url} answers {} to {to}", redirected.status());
            return report.found(&checks::ISSUER_REDIRECTS, evidence);
        }
        HttpsError::Connect(source) => match Fault::of(&**source) {
            Fault::NoTls | Fault::Alert => &checks::ISSUER_NO_TLS,
            // The name is told under `dns`.
            Fault::UnknownName if report.has(&checks::NAME_UNKNOWN) => return,
            Fault::UnknownName
            | Fault::Refused
            | Fault::Silent
            | Fault::Untrusted
            | Fault::OtherName
            | Fault::OutOfDate
            | Fault::Early
            | Fault::BadCertificate
            | Fault::Other => &checks::ISSUER_UNREACHABLE,
        },
        HttpsError::TooLarge(_) => &checks::ISSUER_OTHER_SERVER,
        HttpsError::Address | HttpsError::Broken(_) | HttpsError::Deadline(_) => &checks::ISSUER_UNREACHABLE,
    };
    let mut evidence = format!("{url}: {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        evidence = format!("{evidence}: {next}");
        cause = next.source();
    }
    report.found(check, evidence);
}

/// The document, or who answered in its place.
fn document(url: &str, answer: &Response<Bytes>, report: &mut Report) -> Option<Value> {
    let status = answer.status();
    let is_ours = answer.headers().contains_key(OURS);
    let check: &'static Check = match status {
        StatusCode::OK => match serde_json::from_slice::<Value>(answer.body()) {
            Ok(metadata) if metadata.get("issuer").is_some() => return Some(metadata),
            _ => &checks::ISSUER_OTHER_SERVER,
        },
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
            if !is_ours =>
        {
            &checks::PROXY_CANNOT_REACH
        }
        StatusCode::NOT_FOUND => &checks::ISSUER_PATH_LOST,
        _ => &checks::ISSUER_OTHER_SERVER,
    };
    let evidence = format!("{url} answers {status}, {}: {}", by_whom(answer), excerpt(answer));
    report.found(check, evidence);
    None
}

/// Whose answer it is.
pub(super) fn by_whom(answer: &Response<Bytes>) -> String {
    if answer.headers().contains_key(OURS) {
        return "by this server".to_owned();
    }
    let server = answer.headers().get(header::SERVER);
    let server = server.and_then(|value| value.to_str().ok());
    server.map_or_else(
        || "by something that does not say its name".to_owned(),
        |name| format!("by {name}"),
    )
}

fn excerpt(answer: &Response<Bytes>) -> String {
    let text = String::from_utf8_lossy(answer.body());
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().take(SHOWN).collect()
}

/// What a client that verifies would say of the chain.
fn served(
    chain: &[CertificateDer<'static>],
    address: &Address,
    expected: &Expected<'_>,
    report: &mut Report,
) {
    let Some(leaf) = chain
        .first()
        .and_then(|leaf| ClientCertificate::from_der(leaf).ok())
    else {
        return;
    };
    let now = clock::now();
    let told = |what: String| format!("{}:{}: {}, {what}", address.host, address.port, leaf.subject());
    if !leaf.is_in_date(now) {
        let dates = format!(
            "from {} to {}",
            clock::date(leaf.not_before()),
            clock::date_and_relative(leaf.not_after(), now)
        );
        report.found(&checks::SERVED_EXPIRED, told(dates));
    }
    // Each fault is told by itself: the dates are not asked again.
    match judge(chain, &address.host, expected.roots, leaf.not_before()) {
        Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
            let names = leaf.subject_alt_names().dns().join(", ");
            report.found(&checks::SERVED_OTHER_NAME, told(format!("for {names}")));
        }
        Some(CertificateError::UnknownIssuer) => {
            let sent = format!(
                "signed by {}; {} certificates were sent",
                leaf.issuer(),
                chain.len()
            );
            report.found(&checks::SERVED_UNTRUSTED, told(sent));
        }
        Some(_) | None => {}
    }
    let own = expected.chain.first();
    if own.is_some() && own != chain.first() {
        report.found(
            &checks::SERVED_OLD_CERTIFICATE,
            told("which is not the file's".to_owned()),
        );
    }
}

/// `Date` against our own clock, read before and after.
fn clocks(answer: &Response<Bytes>, before: u64, url: &str, report: &mut Report) {
    let date = answer.headers().get(header::DATE);
    let theirs = date.and_then(|value| value.to_str().ok()).and_then(http_date);
    let Some(theirs) = theirs else { return };
    let after = clock::now().as_secs();
    let ahead = theirs.saturating_sub(after);
    let behind = before.saturating_sub(theirs.saturating_add(1));
    let apart = ahead.max(behind);
    if apart > CLOCK_SKEW {
        let side = if ahead > behind { "ahead of" } else { "behind" };
        let evidence = format!("{url}: its clock is {apart} s {side} ours");
        report.found(&checks::CLOCK_ISSUER, evidence);
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
fn http_date(text: &str) -> Option<u64> {
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let moment = time::PrimitiveDateTime::parse(text, &format).ok()?;
    u64::try_from(moment.assume_utc().unix_timestamp()).ok()
}

async fn keys(probe: &Probe, url: &str, want: &BTreeSet<String>, report: &mut Report) {
    let Ok(answer) = get(probe, url).await else { return };
    let Ok(set) = JwkSet::parse(answer.body()) else {
        let evidence = format!("{url} answers {}, which is no key set", answer.status());
        return report.found(&checks::JWKS_OTHER, evidence);
    };
    let have: BTreeSet<String> = set
        .keys()
        .iter()
        .filter_map(|key| key.kid().map(|kid| kid.to_string()))
        .collect();
    if have.is_disjoint(want) && !want.is_empty() {
        let list = |all: &BTreeSet<String>| all.iter().cloned().collect::<Vec<_>>().join(", ");
        let evidence = format!("{url} has {}; the database {}", list(&have), list(want));
        report.found(&checks::JWKS_OTHER, evidence);
    }
}

#[cfg(test)]
mod tests {
    use super::http_date;

    #[test]
    fn dates_of_answers() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        for wrong in ["", "06 Nov 1994", "Sun, 06 Nov 1994 08:49:37 UTC"] {
            assert_eq!(http_date(wrong), None, "{wrong}");
        }
    }
}
