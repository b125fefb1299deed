//! The PKCS#11 token: its module, its PIN and the keys that it should have.
//!
//! A PIN is tried once at most, and not at all where the token says that a wrong one was tried before: whoever runs this
//! every minute locks no token.

#[cfg(feature = "pkcs11")]
mod module;

use super::{
    checks,
    finding::{Area, Report},
    keys::Rings,
    settings::Settings,
};
use crate::{custody::Hsm, store::Places};

/// The token, if it can be used.
pub(super) struct Found(Option<Hsm>);

#[cfg(not(feature = "pkcs11"))]
pub(super) fn look(settings: &Settings, _places: &Places, _try_pin: bool, report: &mut Report) -> Found {
    let why = match settings.section("pkcs11") {
        Some(_) => "this program was built without the feature `pkcs11`",
        None => "none is configured",
    };
    report.left_out(Area::Hsm, why);
    Found(None)
}

#[cfg(not(feature = "pkcs11"))]
impl Found {
    pub(super) fn keys(&self, _rings: &Rings, _report: &mut Report) {}
}

#[cfg(feature = "pkcs11")]
pub(super) fn look(settings: &Settings, places: &Places, try_pin: bool, report: &mut Report) -> Found {
    if settings.section("pkcs11").is_none() {
        report.left_out(Area::Hsm, "none is configured");
        return Found(None);
    }
    report.looked_at(Area::Hsm);
    let before = report.count_of(Area::Hsm);
    let token = used(places, try_pin, report);
    if token.is_none() && report.count_of(Area::Hsm) > before {
        // Nothing else tries what was not tried here.
        let _set = places
            .custody()
            .untried
            .set("see what the area `hsm` of `sealstone doctor` says of the token".to_owned());
    }
    Found(token)
}

/// As far as it comes, one thing after the other: each needs the one before.
#[cfg(feature = "pkcs11")]
fn used(places: &Places, try_pin: bool, report: &mut Report) -> Option<Hsm> {
    use sealstone_pkcs11::{PinState, SessionLimit, survey};
    let section = places.custody().pkcs11.as_ref()?;
    let (Some(file), Some(label)) = (&section.module, &section.token_label) else {
        report.left_out(Area::Hsm, "[pkcs11] needs `module` and `token_label`");
        return None;
    };
    if !module::is_loadable(file, report) {
        return None;
    }
    let tokens = survey(file)
        .map_err(|error| module::refused(&error, report))
        .ok()?;
    let evidence = |what: &str| format!("{label:?}: {what}");
    let named: Vec<_> = tokens.iter().filter(|token| token.label == *label).collect();
    let token = match named.as_slice() {
        [] if tokens.is_empty() => {
            report.found(&checks::HSM_SLOT_EMPTY, file.display().to_string());
            return None;
        }
        [] => {
            let there: Vec<String> = tokens.iter().map(|token| format!("{:?}", token.label)).collect();
            report.found(
                &checks::HSM_TOKEN_UNKNOWN,
                evidence(&format!("there are {}", there.join(", "))),
            );
            return None;
        }
        [one] => *one,
        [one, other, ..] => {
            let numbers = format!("the tokens of serial numbers {} and {}", one.serial, other.serial);
            report.found(&checks::HSM_TOKEN_TWICE, evidence(&numbers));
            return None;
        }
    };
    let wanted = section.sessions.unwrap_or(SESSIONS);
    if let SessionLimit::Of(limit) = token.sessions
        && u64::try_from(wanted).is_ok_and(|wanted| wanted > limit)
    {
        let told = format!("pkcs11.sessions is {wanted}, the token opens {limit}");
        report.found(&checks::HSM_SESSIONS, evidence(&told));
    }
    if let Err(failure) = section.pin() {
        report.found(&checks::HSM_PIN_MISSING, failure.to_string());
        return None;
    }
    let why_not = match token.pin {
        PinState::Good => None,
        PinState::WrongTried if try_pin => None,
        PinState::WrongTried => Some(&checks::HSM_PIN_NOT_TRIED),
        PinState::LastTry => Some(&checks::HSM_PIN_LAST_TRY),
        PinState::Locked => Some(&checks::HSM_PIN_LOCKED),
        PinState::Unset => Some(&checks::HSM_PIN_UNSET),
    };
    if let Some(check) = why_not {
        report.found(check, evidence("as the token itself says"));
        return None;
    }
    logged_in(places, wanted, report)
}

/// As many as the server opens, unless told otherwise.
#[cfg(feature = "pkcs11")]
const SESSIONS: usize = 4;

#[cfg(feature = "pkcs11")]
fn logged_in(places: &Places, wanted: usize, report: &mut Report) -> Option<Hsm> {
    use sealstone_pkcs11::Pkcs11Error;
    let found = match places.custody().hsm_with(Some(wanted)) {
        Ok(Some(Ok(token))) => match token.prove_sessions() {
            Ok(()) => return Some(token),
            Err(error) => {
                if !report.has(&checks::HSM_SESSIONS) {
                    report.found(&checks::HSM_SESSIONS, error.to_string());
                }
                return Some(token);
            }
        },
        Ok(Some(Err(error))) => error,
        Ok(None) => return None,
        Err(failure) => {
            report.left_out(Area::Hsm, failure.to_string());
            return None;
        }
    };
    let check = match &found {
        Pkcs11Error::WrongPin { .. } => &checks::HSM_PIN_WRONG,
        Pkcs11Error::LockedPin { .. } => &checks::HSM_PIN_LOCKED,
        Pkcs11Error::LastTry { .. } => &checks::HSM_PIN_LAST_TRY,
        Pkcs11Error::NoPin { .. } => &checks::HSM_PIN_UNSET,
        Pkcs11Error::NoToken { .. } => &checks::HSM_TOKEN_UNKNOWN,
        Pkcs11Error::NoSession { .. } | Pkcs11Error::Busy { .. } => &checks::HSM_SESSIONS,
        Pkcs11Error::Module { .. }
        | Pkcs11Error::Away { .. }
        | Pkcs11Error::NoKey { .. }
        | Pkcs11Error::AnotherKey { .. }
        | Pkcs11Error::Algorithm(_)
        | Pkcs11Error::Unwrap { .. }
        | Pkcs11Error::NotWrapped
        | Pkcs11Error::Refused { .. }
        | _ => &checks::HSM_LOGIN_FAILS,
    };
    report.found(check, found.to_string());
    None
}

#[cfg(feature = "pkcs11")]
impl Found {
    /// Whether the token has the keys that it should have, and they sign. Nothing that they sign here is a token.
    pub(super) fn keys(&self, rings: &Rings, report: &mut Report) {
        use sealstone_pkcs11::Pkcs11Error;
        let Some(token) = &self.0 else { return };
        for (domain, ring) in rings {
            for key in ring.keys() {
                let Some(reference) = key.held_as() else { continue };
                let Err(error) = token.prove(reference, key.algorithm(), key.public()) else {
                    continue;
                };
                let check = if matches!(error, Pkcs11Error::NoKey { .. }) {
                    &checks::HSM_KEY_MISSING
                } else if matches!(error, Pkcs11Error::AnotherKey { .. }) {
                    &checks::HSM_KEY_OTHER
                } else {
                    &checks::HSM_KEY_NOT_SIGNING
                };
                let kid = key.kid().as_str();
                report.found(
                    check,
                    format!("domain {domain}, {kid} ({}): {error}", key.state().as_str()),
                );
            }
        }
    }
}
