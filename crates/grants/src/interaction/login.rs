//! Whether a session will do for a request (OpenID Connect Core §3.1.2.1, §3.1.2.3).

use super::{LoginDemand, Steps};
use rustls_pki_types::UnixTime;
use sealstone_login::{AcrWish, Session};

/// Who is signed in: a session that stands, of the domain, whose person was asked about.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "the rules decide on both")]
pub struct SignedIn<'a> {
    /// The session.
    pub session: &'a Session,
    /// The `sub` by which the client knows its person.
    pub subject: &'a str,
}

/// What is to be proved before a request goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the login flow is told both")]
pub struct LoginNeed {
    /// Why.
    pub cause: LoginCause,
    /// How sure the login must, or should, be.
    pub wish: AcrWish,
}

/// Why a login is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the page tells each")]
pub enum LoginCause {
    /// Nobody is signed in.
    NobodySignedIn,
    /// The client asks for a login, whoever is signed in: nothing that was proved before counts.
    AskedFor,
    /// The login is older than the client takes: nothing that was proved before counts.
    TooOld,
    /// Another person is signed in than the client expects.
    OtherPerson,
    /// The same person must prove more; what was proved before counts.
    StepUp,
}

/// Whether a login is due, and which; `None` if the session will do, or a login in this interaction brought what it
/// could: [`decide`](super::decide) tells what is still missing then.
///
/// A login counts as new only if it happened in this very interaction: within a second, times tell nothing.
#[must_use]
pub fn login_due(
    demand: &LoginDemand,
    steps: Steps<'_>,
    signed_in: Option<SignedIn<'_>>,
    now: UnixTime,
) -> Option<LoginNeed> {
    let due = |cause| {
        Some(LoginNeed {
            cause,
            wish: wish(demand),
        })
    };
    let Some(SignedIn { session, subject }) = signed_in else {
        return due(LoginCause::NobodySignedIn);
    };
    let is_new = steps.logged_in == Some(session.sid());
    if demand.prompt.login && !is_new {
        return due(LoginCause::AskedFor);
    }
    let is_too_old = demand
        .max_age
        .is_some_and(|limit| limit.as_seconds() == 0 || !session.is_fresh(limit.as_duration(), now));
    if is_too_old && !is_new {
        return due(LoginCause::TooOld);
    }
    let is_expected = demand
        .subject
        .as_deref()
        .is_none_or(|expected| expected == subject);
    if !is_expected && !is_new {
        return due(LoginCause::OtherPerson);
    }
    let was_asked = is_new || steps.stepped_up == Some(session.sid());
    let is_sure = Some(session.acr()) >= demand.required_acr.max(demand.wished_acr);
    if is_sure || was_asked {
        None
    } else {
        due(LoginCause::StepUp)
    }
}

/// What is required goes before what is wished.
fn wish(demand: &LoginDemand) -> AcrWish {
    match (demand.required_acr, demand.wished_acr) {
        (Some(required), _) => AcrWish::Required(required),
        (None, Some(wished)) => AcrWish::Preferred(wished),
        (None, None) => AcrWish::None,
    }
}
