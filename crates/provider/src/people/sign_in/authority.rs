use super::{Asked, Refused, person_view, takes};
use crate::error::BackendError;
use crate::people::persons::{SECOND_FACTOR, unavailable};
use crate::people::underway::Underway;
use crate::people::view::{CodeKind, CodeView, PageErrorKind, View, WaitView};
use crate::people::visit::{Step, Visit};
use sealstone_identity::{Passcode, Person};
use sealstone_login::{
    Challenge, ChallengeMode, Counted, Due, FactorKind, Judged, LoginDenial, SecondFactorAuthority,
    SecondFactorError, ThrottleKey,
};
use sealstone_oauth_types::ClientId;

/// How often a page that waits looks again: people look at their telephone for seconds, and each look is a call to the
/// authority.
const REFRESH_S: u32 = 3;

impl Visit<'_> {
    fn authority(&self) -> Result<&dyn SecondFactorAuthority, BackendError> {
        let authority = self.realm.second_factor.as_deref();
        authority.ok_or(BackendError::PersonNotConfigured {
            who: SECOND_FACTOR,
            needs: "an authority for second factors for this domain",
        })
    }

    /// Whether the authority wants a second factor. One that it accepted in this sign-in is not asked about again.
    pub(super) async fn due_by_authority(&self, underway: &Underway, person: &Person) -> Step<Option<Due>> {
        let progress = &underway.interaction.login;
        if !self.realm.config.policy.allows(FactorKind::Authority) {
            return Ok(None);
        }
        if progress.is_accepted_by_authority() || progress.challenge().is_some() {
            return Ok(Some(Due::Yes));
        }
        match self.authority()?.due(person).await {
            Ok(due) => Ok(Some(due)),
            Err(error) => Err(self.authority_failed(underway.client(), person, error)?),
        }
    }

    /// Nobody gets in on an authority that gives no answer: one event, and a page that says so.
    fn authority_failed(
        &self,
        client: Option<&ClientId>,
        person: &Person,
        error: SecondFactorError,
    ) -> Step<crate::people::visit::Stop> {
        let (denial, fault) = match error {
            SecondFactorError::NoFactor => (LoginDenial::NoFactor, None),
            SecondFactorError::Locked => (LoginDenial::Locked, None),
            SecondFactorError::Unavailable { source } | SecondFactorError::Malformed { source } => {
                (LoginDenial::Unavailable, Some(unavailable(SECOND_FACTOR, source)))
            }
            SecondFactorError::NotConfigured { needs } => (
                LoginDenial::Unavailable,
                Some(BackendError::PersonNotConfigured {
                    who: SECOND_FACTOR,
                    needs,
                }),
            ),
        };
        self.second_factor_refused(client, person, denial)?;
        Ok(match fault {
            Some(fault) => fault.into(),
            None => self.stop(PageErrorKind::NotAllowed),
        })
    }

    fn second_factor_refused(
        &self,
        client: Option<&ClientId>,
        person: &Person,
        denial: LoginDenial,
    ) -> Step<()> {
        use sealstone_audit::{Action, Reason, Target};
        self.record(&crate::people::visit::Record {
            action: Action::SignIn,
            user: None,
            client,
            target: Target::User(person.user.id().as_str().into()),
            refused: Some(Reason::new(403, "login_refused").with_detail(Some(denial.as_str()))),
        })?;
        Ok(())
    }

    /// The page for the authority's question. A question that is open is looked at first: the person may have answered
    /// it on their telephone. `None`: they have.
    pub(super) async fn authority_page(
        &self,
        underway: &mut Underway,
        asked: &Asked<'_>,
    ) -> Step<Option<View>> {
        let person = self.signing_in(underway)?;
        let open = underway.interaction.login.open_challenge(self.now).ok().cloned();
        let challenge = match open {
            Some(challenge) => {
                if takes(challenge.modes(), ChallengeMode::Push)
                    && self.poll_authority(underway, &person, &challenge).await?
                {
                    return Ok(None);
                }
                challenge
            }
            None => self.trigger(underway, &person).await?,
        };
        Ok(Some(self.challenge_page(underway, asked, &person, &challenge)))
    }

    /// Asks the person, unless that was done too often without an answer.
    async fn trigger(&self, underway: &mut Underway, person: &Person) -> Step<Challenge> {
        let (throttles, key) = (&self.people.throttles, self.question_to(person));
        if let Err(_wait) = throttles.count_guess(&key, self.now).await? {
            self.second_factor_refused(underway.client(), person, LoginDenial::MustWait)?;
            return Err(self.stop(PageErrorKind::TooMany));
        }
        let challenge = match self.authority()?.trigger(person).await {
            Ok(challenge) => challenge,
            Err(error) => {
                throttles.settle_guess(&key, Judged::NotAtAll).await?;
                return Err(self.authority_failed(underway.client(), person, error)?);
            }
        };
        if underway.interaction.login.challenged(challenge.clone()).is_err() {
            let malformed = SecondFactorError::malformed("a question to another person");
            return Err(self.authority_failed(underway.client(), person, malformed)?);
        }
        self.keep(underway).await?;
        Ok(challenge)
    }

    fn question_to(&self, person: &Person) -> ThrottleKey {
        ThrottleKey::question(self.domain(), person.user.id())
    }

    /// The person answered: what they were asked before does not count.
    async fn answered_by(&self, person: &Person) -> Step<()> {
        let key = self.question_to(person);
        Ok(self.people.throttles.settle_guess(&key, Judged::Right).await?)
    }

    /// Whether the person confirmed.
    async fn poll_authority(
        &self,
        underway: &mut Underway,
        person: &Person,
        challenge: &Challenge,
    ) -> Step<bool> {
        let poll = match self.authority()?.poll(person, challenge).await {
            Ok(poll) => poll,
            Err(error) => return Err(self.authority_failed(underway.client(), person, error)?),
        };
        match underway.interaction.login.authority_polled(poll, self.now) {
            Ok(false) => Ok(false),
            Ok(true) => {
                self.keep(underway).await?;
                self.answered_by(person).await?;
                Ok(true)
            }
            Err(denial) => {
                self.second_factor_refused(underway.client(), person, denial)?;
                self.keep(underway).await?;
                // What is due now is decided again: another question, or the end.
                Ok(true)
            }
        }
    }

    fn challenge_page(
        &self,
        underway: &Underway,
        asked: &Asked<'_>,
        person: &Person,
        challenge: &Challenge,
    ) -> View {
        let takes_code = takes(challenge.modes(), ChallengeMode::Code);
        let message = challenge.message().map(str::to_owned);
        if takes(challenge.modes(), ChallengeMode::Push) {
            return View::Wait(WaitView {
                form: underway.form(self),
                client: asked.client.clone(),
                person: person_view(person),
                message,
                path: underway.path(),
                refresh_s: REFRESH_S,
                takes_code,
                fault: asked.fault,
            });
        }
        View::Code(CodeView {
            form: underway.form(self),
            client: asked.client.clone(),
            person: person_view(person),
            kinds: vec![CodeKind::Authority],
            message,
            passkey: None,
            fault: asked.fault,
        })
    }

    pub(super) async fn code_for_authority(
        &self,
        underway: &mut Underway,
        counted: Counted,
        code: &Passcode,
    ) -> Step<Result<(), Refused>> {
        let person = self.signing_in(underway)?;
        let challenge = match underway.interaction.login.open_challenge(self.now) {
            Ok(challenge) => challenge.clone(),
            Err(denial) => return Ok(Err(denial.into())),
        };
        let verdict = match self.authority()?.answer(&person, &challenge, code).await {
            Ok(verdict) => verdict,
            Err(error) => return Err(self.authority_failed(underway.client(), &person, error)?),
        };
        let told = underway
            .interaction
            .login
            .authority_answered(counted, verdict, self.now);
        if told.is_ok() {
            self.answered_by(&person).await?;
        }
        Ok(told.map_err(Refused::from))
    }
}
