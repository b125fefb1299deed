use super::{Refused, factors};
use crate::people::persons::answered;
use crate::people::underway::Underway;
use crate::people::view::Fault;
use crate::people::visit::{Step, Visit};
use sealstone_factors::{RecoveryCode, RecoveryCodes, TotpCode, TotpStep};
use sealstone_identity::{LoginRefusal, LoginStep, Passcode, UserId};
use sealstone_login::{
    Counted, FactorFault, FactorKind, Judged, Kept, LoginDenial, Swap, ThrottleKey, UserFactors,
};
use sealstone_oauth_types::Form;

/// How often a record of factors is read again because another request changed it: each of them spent a code, and the
/// throttle lets fewer through.
const TRIES: usize = 4;

impl Visit<'_> {
    /// A one-time code: for the source, for the authority, or of a factor of ours, whichever was asked for.
    pub(super) async fn code(&self, underway: &mut Underway, form: &Form) -> Step<Result<(), Refused>> {
        let Ok(code) = Passcode::parse(form.get("code").unwrap_or_default()) else {
            return Ok(Err(Fault::WrongCode.into()));
        };
        let progress = &underway.interaction.login;
        let person = progress.person().map(|person| person.user.id());
        let open = progress.open().map(|open| open.user().id());
        let Some(user) = person.or(open).cloned() else {
            return Ok(Err(LoginDenial::OutOfOrder.into()));
        };
        let counted = match self.count_code(underway, &user).await? {
            Ok(counted) => counted,
            Err(refused) => return Ok(Err(refused)),
        };
        let judged = if underway.interaction.login.open().is_some() {
            self.code_for_source(underway, counted, &user, &code).await?
        } else if underway.interaction.login.challenge().is_some() {
            self.code_for_authority(underway, counted, &code).await?
        } else {
            self.own_code(underway, counted, &user, &code).await?
        };
        if judged.is_ok() {
            let key = ThrottleKey::code(self.domain(), &user);
            self.people.throttles.settle_guess(&key, Judged::Right).await?;
        }
        Ok(judged)
    }

    /// Counts a code that is about to be judged, in the store, for the person and in this sign-in: of guesses made at
    /// once each counts.
    pub(super) async fn count_code(
        &self,
        underway: &mut Underway,
        user: &UserId,
    ) -> Step<Result<Counted, Refused>> {
        let key = ThrottleKey::code(self.domain(), user);
        if let Err(_wait) = self.people.throttles.count_guess(&key, self.now).await? {
            return Ok(Err(LoginDenial::MustWait.into()));
        }
        let counted = underway.interaction.login.count_code();
        self.keep(underway).await?;
        Ok(counted.map_err(Refused::from))
    }

    async fn code_for_source(
        &self,
        underway: &mut Underway,
        counted: Counted,
        user: &UserId,
        code: &Passcode,
    ) -> Step<Result<(), Refused>> {
        let Some(open) = underway.interaction.login.open() else {
            return Ok(Err(LoginDenial::OutOfOrder.into()));
        };
        let answer = answered(self.realm.source()?.go_on(open, code).await);
        let step = match answer {
            Ok(Ok(step)) => step,
            Ok(Err(LoginRefusal::Ended)) => {
                // The password is due again.
                underway.interaction.login.start_over();
                return Ok(Err(LoginDenial::Ended.into()));
            }
            Ok(Err(_refusal)) => return Ok(Err(Fault::WrongCode.into())),
            Err(fault) => {
                let key = ThrottleKey::code(self.domain(), user);
                self.people.throttles.settle_guess(&key, Judged::NotAtAll).await?;
                return Err(fault.into());
            }
        };
        if let LoginStep::Done(_) = &step
            && let Err(refused) = self.spend_source_code(user, code).await?
        {
            return Ok(Err(refused));
        }
        let told = underway
            .interaction
            .login
            .source_code_answered(counted, step, self.now);
        Ok(told.map_err(Refused::from))
    }

    /// The source may take a code as often as it comes: here it counts once.
    async fn spend_source_code(&self, user: &UserId, code: &Passcode) -> Step<Result<(), Refused>> {
        for _try in 0..TRIES {
            let factors = self.factors_or_none(user).await?;
            let spent = match factors.with_spent_code(code, self.now) {
                Ok(spent) => spent,
                Err(FactorFault::TooManyCodes) => return Ok(Err(LoginDenial::MustWait.into())),
                Err(_spent) => return Ok(Err(LoginDenial::SpentCode.into())),
            };
            if self.people.factors.replace_factors(&spent).await? == Swap::Done {
                return Ok(Ok(()));
            }
        }
        Ok(Err(LoginDenial::SpentCode.into()))
    }

    /// A code of the person's app, or one of their recovery codes. It is spent in the store before it counts.
    async fn own_code(
        &self,
        underway: &mut Underway,
        counted: Counted,
        user: &UserId,
        code: &Passcode,
    ) -> Step<Result<(), Refused>> {
        for _try in 0..TRIES {
            let Some(factors) = self.factors_of(user).await? else {
                return Ok(Err(LoginDenial::WrongCode.into()));
            };
            let spent = match self.spent(&factors, user, code)? {
                Ok(spent) => spent,
                Err(denial) => return Ok(Err(denial.into())),
            };
            if self.people.factors.replace_factors(&spent).await? == Swap::Done {
                let told = underway.interaction.login.own_code_accepted(counted);
                return Ok(told.map_err(Refused::from));
            }
        }
        Ok(Err(LoginDenial::SpentCode.into()))
    }

    /// The person's factors without the code, if it is right.
    fn spent(
        &self,
        factors: &UserFactors,
        user: &UserId,
        code: &Passcode,
    ) -> Step<Result<UserFactors, LoginDenial>> {
        let policy = &self.realm.config.policy;
        if let (true, Some(totp), Ok(code)) = (
            policy.allows(FactorKind::Totp),
            factors.totp(),
            TotpCode::parse(code.expose()),
        ) {
            let secret = self.open_totp(user, totp.sealed_secret())?;
            // Whether it was used is told apart for the audit trail.
            return Ok(match secret.verify(&code, self.now, None) {
                Some(step) => factors
                    .with_spent_step(TotpStep::get(step))
                    .map_err(|_used| LoginDenial::SpentCode),
                None => Err(LoginDenial::WrongCode),
            });
        }
        if let (true, Some(kept), Some(code)) = (
            policy.allows(FactorKind::Recovery) && factors.has_any(),
            factors.recovery(),
            RecoveryCode::parse(code.expose()),
        ) {
            let mut codes: RecoveryCodes = factors::read(kept)?;
            if codes.spend(&code) {
                return Ok(Ok(factors.with_recovery(Kept::of(&codes)?)));
            }
        }
        Ok(Err(LoginDenial::WrongCode))
    }
}
