//! Where Keystone is, and what it is.

use sealstone_keystone::{ApiVersion, KeystoneClient, KeystoneError};

use super::{Report, account::Account, report::Verdict};
use crate::openstack::{self, Environment, Place, ServerLogins};

/// Access rules came with 3.13 (Train); before it, a credential that has them would be refused by us and by Keystone.
const ACCESS_RULES_SINCE: u32 = 13;

/// A client of the Keystone that the configuration names.
pub(super) fn configured(place: &Place, report: &mut Report) -> Option<KeystoneClient> {
    let Some(url) = &place.url else {
        report.wrong_here(
            "configuration",
            "the server asks no Keystone: there is no `url` in [keystone]",
            "add [keystone] with `url`, and `ca_file` for https",
        );
        return None;
    };
    match openstack::keystone(place, &Environment::default()) {
        Ok(keystone) => {
            report.right("configuration", keystone.url());
            Some(keystone)
        }
        Err(failure) => {
            let found = failure.to_string();
            report.wrong_in(
                "configuration",
                url,
                found,
                "correct `url` and `ca_file` in [keystone]",
            );
            None
        }
    }
}

/// Whether it answers, over what, and what it serves.
pub(super) async fn look(keystone: &KeystoneClient, report: &mut Report) -> bool {
    let url = keystone.url();
    let version = match keystone.version().await {
        Ok(version) => version,
        Err(error) => {
            let advice = if matches!(error, KeystoneError::Malformed { .. }) {
                "check the address: it ends in /v3, and is Keystone's own"
            } else {
                "check the address, the network, and for https `ca_file` in [keystone]"
            };
            report.wrong_in("reachable", url, chain(&error), advice);
            return false;
        }
    };
    report.add(Verdict::Right, "reachable", Some(url), "it answers", "");
    if url.starts_with("https:") {
        let found = "https, with a certificate that `ca_file` vouches for";
        report.add(Verdict::Right, "tls", Some(url), found, "");
    } else if is_here(url) {
        let found = "plain http, which does not leave this machine";
        report.add(Verdict::Right, "tls", Some(url), found, "");
    } else {
        let found = "plain http: who stands on the way reads secrets and forges answers";
        let advice = "use https, and take `dangerous_plain_http` away";
        report.add(Verdict::Weak, "tls", Some(url), found, advice);
    }
    let found = format!("{} ({})", version.id, version.status);
    if minor(&version).is_some_and(|minor| minor >= ACCESS_RULES_SINCE) {
        report.add(Verdict::Right, "api version", Some(url), found, "");
        report.add(
            Verdict::Right,
            "access rules",
            Some(url),
            "known to this version",
            "",
        );
    } else {
        let advice = "upgrade Keystone: access rules need v3.13";
        report.add(Verdict::Wrong, "api version", Some(url), found, advice);
    }
    match keystone.serves_oauth2().await {
        Ok(true) => {
            let found = "Keystone serves /v3/OS-OAUTH2/token itself, too";
            report.add(Verdict::Right, "keystone oauth2", Some(url), found, "");
        }
        Ok(false) => {
            let found = "Keystone has no /v3/OS-OAUTH2/token of its own; ours needs none";
            report.add(Verdict::Right, "keystone oauth2", Some(url), found, "");
        }
        Err(error) => report.add(Verdict::Unknown, "keystone oauth2", Some(url), chain(&error), ""),
    }
    true
}

fn is_here(url: &str) -> bool {
    let host = url.strip_prefix("http://").unwrap_or_default();
    ["127.", "localhost:", "localhost/", "[::1]"]
        .iter()
        .any(|here| host.starts_with(here))
}

/// `v3.14`: 14.
fn minor(version: &ApiVersion) -> Option<u32> {
    version.id.as_str().strip_prefix("v3.")?.parse().ok()
}

/// Which tokens Keystone issues, as their form tells.
pub(super) fn provider(account: Option<&Account>, logins: &ServerLogins, report: &mut Report) {
    let mints = logins.mint_key_file.is_some();
    match account.map(Account::token_form) {
        Some("jws") => report.right("token provider", "jws"),
        Some(form) if mints => report.wrong_in(
            "token provider",
            form,
            "Keystone takes no JWS tokens, so those that we make are refused",
            "set `[token] provider = jws` in keystone.conf on every node, or take [keystone.mint] away",
        ),
        Some(form) => report.right(
            "token provider",
            format!("{form}; nothing is minted, so any will do"),
        ),
        None => report.unknown("token provider", "no token was got", "correct [keystone.service]"),
    }
}

/// The error with its causes.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
