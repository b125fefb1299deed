//! What was proved so far in one sign-in: a record on the server, bound to one browser by whoever keeps it.

use std::sync::Arc;

use rustls_pki_types::UnixTime;
use sealstone_identity::{AuthMethod, LoginStep, OpenLogin, Person, unix_seconds};
use serde::{Deserialize, Serialize};

use crate::{Amr, Challenge, FactorKind, Kept, LoginDenial, PendingUpstream, Poll, Session, Sid, Verdict};

/// More than a person mistypes; the count for each name goes across sign-ins (`Throttle`).
pub const MAX_PASSWORDS: u8 = 10;
/// What a person mistypes of six digits; beyond it the password is due again.
pub const MAX_CODES: u8 = 5;

/// The first factor, as it was proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    person: Person,
    amr: Amr,
    #[serde(with = "unix_seconds")]
    at: UnixTime,
}

/// A second factor being set up: what the person must prove next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolling {
    kind: FactorKind,
    state: Kept,
}

impl Enrolling {
    /// A factor of this kind, with what the `factors` crate needs to finish it: the sealed secret, the question.
    #[must_use]
    pub const fn new(kind: FactorKind, state: Kept) -> Self {
        Self { kind, state }
    }

    /// Which kind.
    #[must_use]
    pub const fn kind(&self) -> FactorKind {
        self.kind
    }

    /// What it takes to finish it.
    #[must_use]
    pub const fn state(&self) -> &Kept {
        &self.state
    }
}

/// An attempt that was counted, and may now be judged.
///
/// It comes from [`LoginProgress::count_password`] and [`LoginProgress::count_code`] only. The record with the count is
/// stored by compare-and-swap **before** the attempt is judged: of attempts made at once, each is counted.
#[derive(Debug)]
#[must_use = "a counted attempt is judged, and then told of"]
pub struct Counted(Attempt);

impl Counted {
    fn must_be(self, expected: &Attempt) -> Result<(), LoginDenial> {
        let Self(attempt) = self;
        if attempt == *expected {
            Ok(())
        } else {
            Err(LoginDenial::OutOfOrder)
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    Password,
    Code,
}

/// What was proved so far in one sign-in.
///
/// It says nothing of what is due: that is [`LoginFlow::next`](crate::LoginFlow::next), which decides anew each time.
/// Every step that fails leaves nothing proved that was not proved before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginProgress {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<OpenLogin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upstream: Option<PendingUpstream>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<First>,
    /// The session that the first factor was taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stepping_up: Option<Sid>,
    #[serde(default, skip_serializing_if = "Amr::is_empty")]
    second: Amr,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    authority: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    challenge: Option<Challenge>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passkey: Option<Kept>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    enrolling: Option<Enrolling>,
    #[serde(default)]
    passwords: u8,
    #[serde(default)]
    codes: u8,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    over: bool,
}

impl LoginProgress {
    /// A sign-in of somebody who is signed in already, and is to prove more (step-up): what the session stands on was
    /// proved when the session says. `person` is who the source says they are now.
    ///
    /// # Errors
    /// [`LoginDenial::OtherPerson`] when the session is not, or no longer, theirs.
    pub fn step_up(session: &Session, person: &Person) -> Result<Self, LoginDenial> {
        session
            .still_of(person)
            .map_err(|_end| LoginDenial::OtherPerson)?;
        Ok(Self {
            first: Some(First {
                person: person.clone(),
                amr: session.amr().clone(),
                at: session.authenticated_at(),
            }),
            stepping_up: Some(session.sid().clone()),
            ..Self::default()
        })
    }

    /// The session of a [step-up](LoginProgress::step_up): without it nothing of it counts.
    #[must_use]
    pub const fn stepping_up(&self) -> Option<&Sid> {
        self.stepping_up.as_ref()
    }

    /// Who signs in, once the first factor was proved.
    #[must_use]
    pub fn person(&self) -> Option<&Person> {
        self.first.as_ref().map(|first| &first.person)
    }

    /// When the first factor was proved.
    #[must_use]
    pub fn first_at(&self) -> Option<UnixTime> {
        self.first.as_ref().map(|first| first.at)
    }

    /// By which ways it was proved so far who signs in.
    #[must_use]
    pub fn amr(&self) -> Amr {
        self.first
            .as_ref()
            .map(|first| first.amr.clone().and(&self.second))
            .unwrap_or_default()
    }

    /// Whether the authority for second factors has accepted the person in this sign-in.
    #[must_use]
    pub const fn is_accepted_by_authority(&self) -> bool {
        self.authority
    }

    /// Whether it ended without anybody getting in: nothing that follows counts.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// What the source wants a code for.
    #[must_use]
    pub const fn open(&self) -> Option<&OpenLogin> {
        self.open.as_ref()
    }

    /// The question that the authority has asked.
    #[must_use]
    pub const fn challenge(&self) -> Option<&Challenge> {
        self.challenge.as_ref()
    }

    /// The factor that is being set up.
    #[must_use]
    pub const fn enrolling(&self) -> Option<&Enrolling> {
        self.enrolling.as_ref()
    }

    /// How many more codes may be tried.
    #[must_use]
    pub const fn codes_left(&self) -> u8 {
        MAX_CODES.saturating_sub(self.codes)
    }

    /// Counts a password that is about to be judged.
    ///
    /// # Errors
    /// [`LoginDenial::TooManyAttempts`]: the sign-in is over. [`LoginDenial::OutOfOrder`] when the first factor was
    /// proved.
    pub fn count_password(&mut self) -> Result<Counted, LoginDenial> {
        self.must_go_on()?;
        if self.first.is_some() {
            return Err(LoginDenial::OutOfOrder);
        }
        if self.passwords >= MAX_PASSWORDS {
            return Err(self.end(LoginDenial::TooManyAttempts));
        }
        self.passwords = self.passwords.saturating_add(1);
        Ok(Counted(Attempt::Password))
    }

    /// Counts a code that is about to be judged, by whomever.
    ///
    /// # Errors
    /// [`LoginDenial::TooManyAttempts`]: the sign-in is over. [`LoginDenial::OutOfOrder`] when no password was right.
    pub fn count_code(&mut self) -> Result<Counted, LoginDenial> {
        self.must_go_on()?;
        if self.first.is_none() && self.open.is_none() {
            return Err(LoginDenial::OutOfOrder);
        }
        if self.codes >= MAX_CODES {
            return Err(self.end(LoginDenial::TooManyAttempts));
        }
        self.codes = self.codes.saturating_add(1);
        Ok(Counted(Attempt::Code))
    }

    /// What the source said to name and password.
    ///
    /// # Errors
    /// [`LoginDenial::OutOfOrder`] for an attempt of another kind.
    pub fn password_answered(
        &mut self,
        counted: Counted,
        step: LoginStep,
        now: UnixTime,
    ) -> Result<(), LoginDenial> {
        self.must_go_on()?;
        counted.must_be(&Attempt::Password)?;
        if self.first.is_some() {
            return Err(LoginDenial::OutOfOrder);
        }
        self.source_answered(step, now);
        Ok(())
    }

    /// What the source said to the code that it wanted.
    ///
    /// # Errors
    /// [`LoginDenial::OtherPerson`] when it answered about another than [`LoginProgress::open`] is of: the sign-in is
    /// over. [`LoginDenial::OutOfOrder`] when it wanted none.
    pub fn source_code_answered(
        &mut self,
        counted: Counted,
        step: LoginStep,
        now: UnixTime,
    ) -> Result<(), LoginDenial> {
        self.must_go_on()?;
        counted.must_be(&Attempt::Code)?;
        let open = self.open.as_ref().ok_or(LoginDenial::OutOfOrder)?;
        let answered = match &step {
            LoginStep::Done(done) => &done.person.user,
            LoginStep::NeedsCode(more) => more.user(),
        };
        if answered.id() != open.user().id() {
            return Err(self.end(LoginDenial::OtherPerson));
        }
        self.source_answered(step, now);
        Ok(())
    }

    fn source_answered(&mut self, step: LoginStep, now: UnixTime) {
        match step {
            LoginStep::NeedsCode(open) => self.open = Some(open),
            LoginStep::Done(done) => {
                self.open = None;
                self.first = Some(First {
                    person: Arc::unwrap_or_clone(done.person),
                    amr: Amr::of(done.methods),
                    at: now,
                });
            }
        }
    }

    /// The browser is sent upstream; a login under way there is forgotten.
    ///
    /// # Errors
    /// [`LoginDenial::OutOfOrder`] when the first factor was proved.
    pub fn upstream_began(&mut self, pending: PendingUpstream) -> Result<(), LoginDenial> {
        self.must_go_on()?;
        if self.first.is_some() {
            return Err(LoginDenial::OutOfOrder);
        }
        self.upstream = Some(pending);
        Ok(())
    }

    /// Takes the login under way upstream: a second callback finds none. The record without it is stored before the
    /// code is redeemed.
    ///
    /// # Errors
    /// [`LoginDenial::OutOfOrder`] when there is none.
    pub fn take_upstream(&mut self) -> Result<PendingUpstream, LoginDenial> {
        self.must_go_on()?;
        self.upstream.take().ok_or(LoginDenial::OutOfOrder)
    }

    /// Who the upstream provider says it was, and how; `at` is its `auth_time`, or now where it tells none.
    ///
    /// # Errors
    /// [`LoginDenial::OutOfOrder`] when the first factor was proved.
    pub fn upstream_answered(&mut self, person: Person, amr: Amr, at: UnixTime) -> Result<(), LoginDenial> {
        self.must_go_on()?;
        if self.first.is_some() || amr.is_empty() {
            return Err(LoginDenial::OutOfOrder);
        }
        self.open = None;
        self.first = Some(First { person, amr, at });
        Ok(())
    }

    /// The browser was asked for a passkey; a question before this one is forgotten.
    ///
    /// # Errors
    /// [`LoginDenial::TooManyAttempts`] when the sign-in is over.
    pub fn passkey_asked(&mut self, question: Kept) -> Result<(), LoginDenial> {
        self.must_go_on()?;
        self.passkey = Some(question);
        Ok(())
    }

    /// Takes the question that the browser was asked: a second answer finds none.
    ///
    /// # Errors
    /// [`LoginDenial::OutOfOrder`] when there is none.
    pub fn take_passkey(&mut self) -> Result<Kept, LoginDenial> {
        self.must_go_on()?;
        self.passkey.take().ok_or(LoginDenial::OutOfOrder)
    }

    /// The person's passkey answered rightly: in place of the password with `methods` that hold
    /// [`AuthMethod::UserVerified`], or after it.
    ///
    /// # Errors
    /// [`LoginDenial::OtherPerson`] when another person's password was proved before: the sign-in is over.
    /// [`LoginDenial::WrongCode`] when it stands in place of the password and did not make sure of its user.
    pub fn passkey_answered(
        &mut self,
        person: &Person,
        methods: &[AuthMethod],
        now: UnixTime,
    ) -> Result<(), LoginDenial> {
        self.must_go_on()?;
        let amr = Amr::of(methods.iter().copied());
        if let Some(first) = &self.first {
            if first.person.user.id() != person.user.id() {
                return Err(self.end(LoginDenial::OtherPerson));
            }
            self.second = std::mem::take(&mut self.second).and(&amr);
            return Ok(());
        }
        if amr.acr() != Some(crate::Acr::PhishingResistant) {
            return Err(LoginDenial::WrongCode);
        }
        self.open = None;
        self.first = Some(First {
            person: person.clone(),
            amr,
            at: now,
        });
        Ok(())
    }

    /// A code of the person's app, or a recovery code, was right and is spent:
    /// [`UserFactors`](crate::UserFactors) without it was stored before.
    ///
    /// # Errors
    /// [`LoginDenial::OutOfOrder`] without a first factor, or for an attempt of another kind.
    pub fn own_code_accepted(&mut self, counted: Counted) -> Result<(), LoginDenial> {
        self.must_go_on()?;
        counted.must_be(&Attempt::Code)?;
        if self.first.is_none() {
            return Err(LoginDenial::OutOfOrder);
        }
        self.second = std::mem::take(&mut self.second).and(&Amr::of([AuthMethod::OneTimeCode]));
        Ok(())
    }

    /// The authority has asked the person; a question before this one is forgotten.
    ///
    /// # Errors
    /// [`LoginDenial::OtherPerson`] when it asked another than who signs in: the sign-in is over.
    /// [`LoginDenial::OutOfOrder`] without a first factor.
    pub fn challenged(&mut self, challenge: Challenge) -> Result<(), LoginDenial> {
        self.must_go_on()?;
        let first = self.first.as_ref().ok_or(LoginDenial::OutOfOrder)?;
        if challenge.user() != first.person.user.id() {
            return Err(self.end(LoginDenial::OtherPerson));
        }
        self.challenge = Some(challenge);
        Ok(())
    }

    /// The question that may be answered now.
    ///
    /// # Errors
    /// [`LoginDenial::Ended`] when it has ended, [`LoginDenial::OutOfOrder`] when there is none.
    pub fn open_challenge(&self, now: UnixTime) -> Result<&Challenge, LoginDenial> {
        self.must_go_on()?;
        let challenge = self.challenge.as_ref().ok_or(LoginDenial::OutOfOrder)?;
        if now >= challenge.ends_at() {
            return Err(LoginDenial::Ended);
        }
        Ok(challenge)
    }

    /// What the authority said to the person's code.
    ///
    /// # Errors
    /// Unless it accepted: [`LoginDenial::WrongCode`], [`LoginDenial::Locked`], [`LoginDenial::Ended`].
    pub fn authority_answered(
        &mut self,
        counted: Counted,
        verdict: Verdict,
        now: UnixTime,
    ) -> Result<(), LoginDenial> {
        counted.must_be(&Attempt::Code)?;
        self.open_challenge(now)?;
        match verdict {
            Verdict::Accepted { method } => {
                self.authority_accepted(method);
                Ok(())
            }
            Verdict::Wrong => Err(LoginDenial::WrongCode),
            Verdict::Locked => Err(self.end(LoginDenial::Locked)),
            Verdict::Ended => {
                self.challenge = None;
                Err(LoginDenial::Ended)
            }
        }
    }

    /// What became of the question on the person's telephone. `Ok(false)`: no answer yet.
    ///
    /// # Errors
    /// [`LoginDenial::Declined`]: the sign-in is over. [`LoginDenial::Ended`].
    pub fn authority_polled(&mut self, poll: Poll, now: UnixTime) -> Result<bool, LoginDenial> {
        self.open_challenge(now)?;
        match poll {
            Poll::Pending => Ok(false),
            Poll::Accepted { method } => {
                self.authority_accepted(method);
                Ok(true)
            }
            Poll::Declined => Err(self.end(LoginDenial::Declined)),
            Poll::Ended => {
                self.challenge = None;
                Err(LoginDenial::Ended)
            }
        }
    }

    fn authority_accepted(&mut self, method: AuthMethod) {
        self.challenge = None;
        self.authority = true;
        self.second = std::mem::take(&mut self.second).and(&Amr::of([method]));
    }

    /// The person sets up a factor; one that was not finished is forgotten.
    ///
    /// # Errors
    /// [`LoginDenial::OutOfOrder`] without a first factor.
    pub fn enrolment_began(&mut self, enrolling: Enrolling) -> Result<(), LoginDenial> {
        self.must_go_on()?;
        if self.first.is_none() {
            return Err(LoginDenial::OutOfOrder);
        }
        self.enrolling = Some(enrolling);
        Ok(())
    }

    /// The person does not go on setting up a factor: what was begun is forgotten.
    pub fn enrolment_left(&mut self) {
        self.enrolling = None;
    }

    /// The person proved the factor that was being set up, and it is stored: the proof counts for this sign-in.
    ///
    /// # Errors
    /// [`LoginDenial::OutOfOrder`] when no factor of this kind was being set up.
    pub fn enrolled(&mut self, kind: FactorKind, methods: &[AuthMethod]) -> Result<(), LoginDenial> {
        self.must_go_on()?;
        if self.first.is_none() || self.enrolling.as_ref().map(Enrolling::kind) != Some(kind) {
            return Err(LoginDenial::OutOfOrder);
        }
        self.enrolling = None;
        self.second = std::mem::take(&mut self.second).and(&Amr::of(methods.iter().copied()));
        Ok(())
    }

    /// Begins anew, for another person or another way: nothing is proved any longer; what was counted stays counted.
    pub fn start_over(&mut self) {
        *self = Self {
            passwords: self.passwords,
            codes: self.codes,
            over: self.over,
            ..Self::default()
        };
    }

    const fn must_go_on(&self) -> Result<(), LoginDenial> {
        if self.over {
            return Err(LoginDenial::TooManyAttempts);
        }
        Ok(())
    }

    /// Nothing of it counts any longer.
    fn end(&mut self, denial: LoginDenial) -> LoginDenial {
        self.over = true;
        self.start_over();
        denial
    }
}

#[cfg(test)]
mod tests;
