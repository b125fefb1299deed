//! What is due next in a sign-in.

use rustls_pki_types::UnixTime;
use sealstone_identity::Person;

use crate::{
    Acr, AcrWish, Amr, Due, Enrolment, FactorKind, FactorStanding, FirstFactors, LoginDenial, LoginPolicy,
    LoginProgress, SecondFactor, Session,
};

/// A person who proved all that is due. Only [`LoginFlow::next`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    person: Person,
    amr: Amr,
    acr: Acr,
    at: UnixTime,
}

impl Authenticated {
    /// Who it is.
    #[must_use]
    pub const fn person(&self) -> &Person {
        &self.person
    }

    /// By which ways it was proved: those that happened, and no others.
    #[must_use]
    pub const fn amr(&self) -> &Amr {
        &self.amr
    }

    /// How sure that is.
    #[must_use]
    pub const fn acr(&self) -> Acr {
        self.acr
    }

    /// When the first factor was proved: no proof is older (`auth_time`).
    #[must_use]
    pub const fn at(&self) -> UnixTime {
        self.at
    }
}

/// What is due next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is a page for each")]
pub enum NextStep {
    /// The first factor: one of these.
    First(FirstFactors),
    /// A code that the source wants: for [`LoginProgress::open`].
    SourceCode,
    /// Ask the stores and the authority what the person has, and decide again with a [`FactorStanding`].
    Standing,
    /// A second factor: one of these, the surest first.
    Second(Vec<FactorKind>),
    /// The person sets up one of these.
    Enrolment(Vec<FactorKind>),
    /// Nothing: the person is signed in.
    Done(Box<Authenticated>),
}

/// The rules of one sign-in: the domain's policy, and what the request asks for.
///
/// # Examples
/// ```
/// use std::{sync::Arc, time::Duration};
/// use rustls_pki_types::UnixTime;
/// use sealstone_identity::{AuthMethod, LoggedIn, LoginStep, Person, UserRef};
/// use sealstone_login::{AcrWish, FactorKind, FactorStanding, LoginFlow, LoginPolicy, LoginProgress, NextStep};
///
/// let now = UnixTime::since_unix_epoch(Duration::from_secs(1_000));
/// let policy = LoginPolicy::password();
/// let flow = LoginFlow::new(&policy, AcrWish::None);
/// let mut progress = LoginProgress::default();
/// assert!(matches!(flow.next(&progress, None, now), Ok(NextStep::First(_))));
///
/// let counted = progress.count_password()?; // now stored, then the source is asked
/// let person = Arc::new(Person::new(UserRef::new("u1", "ada", "demo").unwrap()));
/// let step = LoginStep::Done(LoggedIn { person, methods: vec![AuthMethod::Password] });
/// progress.password_answered(counted, step, now)?;
/// assert_eq!(flow.next(&progress, None, now)?, NextStep::Standing);
///
/// let standing = FactorStanding { totp: true, passkey: false, recovery: false, authority: None };
/// assert_eq!(flow.next(&progress, Some(standing), now)?, NextStep::Second(vec![FactorKind::Totp]));
/// # Ok::<(), sealstone_login::LoginDenial>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct LoginFlow<'a> {
    policy: &'a LoginPolicy,
    wish: AcrWish,
}

impl<'a> LoginFlow<'a> {
    /// The rules for a request that asks for `wish` in a domain with this policy.
    #[must_use]
    pub const fn new(policy: &'a LoginPolicy, wish: AcrWish) -> Self {
        Self { policy, wish }
    }

    /// What is due next. `standing` is what the person has now; without it nobody gets past the first factor.
    ///
    /// # Errors
    /// [`LoginDenial`]: nobody gets in by this sign-in as things are.
    pub fn next(
        &self,
        progress: &LoginProgress,
        standing: Option<FactorStanding>,
        now: UnixTime,
    ) -> Result<NextStep, LoginDenial> {
        if progress.is_over() {
            return Err(LoginDenial::TooManyAttempts);
        }
        let (Some(person), Some(at)) = (progress.person(), progress.first_at()) else {
            return Ok(self.first(progress, now));
        };
        let Some(standing) = standing else {
            return Ok(NextStep::Standing);
        };
        if self.authority_is_due(standing)? && !progress.is_accepted_by_authority() {
            return Ok(NextStep::Second(vec![FactorKind::Authority]));
        }
        let amr = progress.amr();
        let acr = amr.acr().ok_or(LoginDenial::OutOfOrder)?;
        if acr < self.due(standing) {
            return self.more(self.due(standing), acr, standing);
        }
        Ok(NextStep::Done(Box::new(Authenticated {
            person: person.clone(),
            amr,
            acr,
            at,
        })))
    }

    /// Whether a session that stands is sure enough for the request as it is. If not, the person proves more:
    /// [`LoginProgress::step_up`], then [`LoginFlow::next`], which may find that nothing more can be had.
    #[must_use]
    pub fn suffices(&self, session: &Session) -> bool {
        let wished = match self.wish {
            AcrWish::None => Acr::OneFactor,
            AcrWish::Preferred(acr) | AcrWish::Required(acr) => acr,
        };
        let by_policy = match self.policy.second {
            SecondFactor::Always => Acr::TwoFactor,
            SecondFactor::WhenEnrolled => Acr::OneFactor,
        };
        session.acr() >= wished.max(by_policy)
    }

    fn first(&self, progress: &LoginProgress, now: UnixTime) -> NextStep {
        match progress.open() {
            Some(open) if now < open.ends_at() => NextStep::SourceCode,
            Some(_) | None => NextStep::First(self.policy.first),
        }
    }

    /// The authority's word is needed at every login where there is an authority. No word is no login.
    fn authority_is_due(&self, standing: FactorStanding) -> Result<bool, LoginDenial> {
        if !self.policy.allows(FactorKind::Authority) {
            return Ok(false);
        }
        match standing.authority {
            Some(Due::Yes) => Ok(true),
            Some(Due::No) => Ok(false),
            None => Err(LoginDenial::Unavailable),
        }
    }

    /// How sure the login must be.
    fn due(&self, standing: FactorStanding) -> Acr {
        let has_own = standing.totp || standing.passkey;
        let by_policy = match self.policy.second {
            SecondFactor::Always => Acr::TwoFactor,
            SecondFactor::WhenEnrolled if has_own => Acr::TwoFactor,
            SecondFactor::WhenEnrolled => Acr::OneFactor,
        };
        let wished = match self.wish {
            AcrWish::None => Acr::OneFactor,
            AcrWish::Required(acr) => acr,
            AcrWish::Preferred(acr) => {
                let can = |wanted: Acr| !self.usable(wanted, standing).is_empty();
                Acr::ALL
                    .into_iter()
                    .rev()
                    .find(|wanted| *wanted <= acr && can(*wanted))
                    .unwrap_or(Acr::OneFactor)
            }
        };
        by_policy.max(wished)
    }

    /// The person must prove more than they did.
    fn more(&self, due: Acr, acr: Acr, standing: FactorStanding) -> Result<NextStep, LoginDenial> {
        let usable = self.usable(due, standing);
        if !usable.is_empty() {
            return Ok(NextStep::Second(usable));
        }
        let enrolable: Vec<FactorKind> = self
            .policy
            .kinds
            .iter()
            .copied()
            .filter(|kind| kind.can_be_enrolled() && kind.reaches() >= due)
            .collect();
        let can_ever = self.policy.kinds.iter().any(|kind| kind.reaches() >= due);
        if !can_ever {
            return Err(LoginDenial::AcrUnreachable);
        }
        if self.policy.enrolment == Enrolment::Beforehand || enrolable.is_empty() {
            return Err(LoginDenial::NoFactor);
        }
        // Whoever has a second factor proves it before another is added: else a password alone would do.
        let weaker = self.usable(Acr::TwoFactor, standing);
        if acr < Acr::TwoFactor && !weaker.is_empty() {
            return Ok(NextStep::Second(weaker));
        }
        Ok(NextStep::Enrolment(sorted(enrolable)))
    }

    /// The kinds that make a login as sure as is due, and that the person has.
    fn usable(&self, due: Acr, standing: FactorStanding) -> Vec<FactorKind> {
        let kinds = self.policy.kinds.iter().copied();
        sorted(
            kinds
                .filter(|kind| kind.reaches() >= due && standing.has(*kind))
                .collect(),
        )
    }
}

fn sorted(mut kinds: Vec<FactorKind>) -> Vec<FactorKind> {
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[cfg(test)]
mod tests;
