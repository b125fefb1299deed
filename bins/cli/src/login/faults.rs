//! What went wrong, and what to do about it.

use std::error::Error;

use sealstone_client::{DiscoveryError, KeystoneError, LoginError, TokenError};

use crate::{failure::Failure, http::Fault, output, token::explain};

pub(super) fn discovery(error: &DiscoveryError) -> Failure {
    of(error)
}

pub(super) fn keystone(error: &KeystoneError) -> Failure {
    if matches!(
        error,
        KeystoneError::Ambiguous(_) | KeystoneError::UnknownScope { .. }
    ) {
        return Failure::failed(format!(
            "{}: give --project, --domain or --system",
            output::visible(&error.to_string())
        ));
    }
    of(error)
}

pub(super) fn token(error: &TokenError) -> Failure {
    let TokenError::Refused(refusal) = error else {
        return of(error);
    };
    Failure::failed(match refusal.code.as_str() {
        "invalid_client" | "unauthorized_client" => format!(
            "the server refused with {refusal}: check --client-id, and that the client is registered for this kind of login \
             (`sealstone client show ID`)"
        ),
        code => explain(code, refusal.description.as_deref()),
    })
}

pub(super) fn login(error: &LoginError) -> Failure {
    match error {
        LoginError::Token(error) => token(error),
        LoginError::Keystone(error) => keystone(error),
        LoginError::PortTaken(port) => Failure::failed(format!(
            "port {port} is in use by another program: end that (`ss -ltnp sport = :{port}` names it), or take another port by --port"
        )),
        LoginError::Deadline(_) => Failure::failed(format!(
            "{error}; if the browser was closed, the address above is good no more"
        )),
        LoginError::Listen(_)
        | LoginError::Path(_)
        | LoginError::Denied(_)
        | LoginError::Expired
        | LoginError::Provider(_)
        | LoginError::Entropy(_)
        | _ => of(error),
    }
}

/// The whole chain; for connections what helps.
fn of(error: &(dyn Error + 'static)) -> Failure {
    let mut text = error.to_string();
    let fault = Fault::of(error);
    if fault != Fault::Other {
        return Failure::failed(output::visible(&format!("{text}: {fault}")));
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    Failure::failed(output::visible(&text))
}
