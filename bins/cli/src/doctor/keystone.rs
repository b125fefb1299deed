//! What `sealstone keystone check` says, as findings.

use super::{
    checks,
    finding::{Area, Check, Report},
};
use crate::{
    failure::Outcome,
    keystone::{Told, look_at},
    store::Places,
};

pub(super) async fn look(places: &Places, report: &mut Report) -> Outcome {
    for told in look_at(places).await? {
        let evidence = match &told.subject {
            Some(subject) => format!("{subject}: {}", told.found),
            None => told.found.clone(),
        };
        if told.is_unknown {
            report.left_out(Area::Keystone, format!("{}: {evidence}", told.check));
        } else if let Some(check) = check(&told) {
            report.found_with(check, evidence, told.advice);
        }
    }
    Ok(())
}

/// Which of ours it is.
fn check(told: &Told) -> Option<&'static Check> {
    let weak = told.is_weak;
    Some(match told.check {
        "configuration" | "address" => &checks::KEYSTONE_ADDRESS,
        // The advice for what is no Keystone is its own; TLS tells itself in the chain of causes.
        "reachable" if told.advice.contains("ends in /v3") => &checks::KEYSTONE_NOT_THERE,
        "reachable" if told.found.contains("certificate") => &checks::KEYSTONE_UNTRUSTED,
        "reachable" => &checks::KEYSTONE_UNREACHABLE,
        "tls" => &checks::KEYSTONE_PLAIN,
        "api version" => &checks::KEYSTONE_OLD,
        "clock" => &checks::KEYSTONE_CLOCK,
        "service account" if weak => &checks::KEYSTONE_ACCOUNT_WEAK,
        "service account" => &checks::KEYSTONE_ACCOUNT,
        "revocation events" => &checks::KEYSTONE_REVOCATIONS,
        "mint key" | "minted token" | "token provider" => &checks::KEYSTONE_MINT,
        "domain" if weak => return None,
        "domain" => &checks::KEYSTONE_DOMAIN,
        "client" if weak => &checks::KEYSTONE_CLIENT_WEAK,
        "client" => &checks::KEYSTONE_CLIENT,
        _ => return None,
    })
}
