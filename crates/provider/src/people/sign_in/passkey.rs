use super::{Refused, factors};
use crate::error::BackendError;
use crate::people::underway::Underway;
use crate::people::view::{Fault, PasskeyQuestion};
use crate::people::visit::{Step, Visit};
use sealstone_factors::{AssertionResponse, Challenge, Passkey, UserVerification};
use sealstone_identity::{AuthMethod, Person};
use sealstone_login::{Kept, LoginDenial, Swap, UserFactors};
use sealstone_oauth_types::Form;

impl Visit<'_> {
    /// Asks the browser for one of the person's passkeys; the question is kept, and answered once.
    pub(super) async fn ask_passkey(
        &self,
        underway: &mut Underway,
        person: &Person,
    ) -> Step<PasskeyQuestion> {
        let factors = self.factors_or_none(person.user.id()).await?;
        let passkeys = passkeys_of(&factors)?;
        let challenge = Challenge::from_octets(self.random()?);
        if underway
            .interaction
            .login
            .passkey_asked(Kept::of(&challenge)?)
            .is_err()
        {
            return Err(self.stop(crate::people::view::PageErrorKind::Expired));
        }
        self.keep(underway).await?;
        let allowed: Vec<&Passkey> = passkeys.iter().collect();
        let options =
            self.relying_party()?
                .request_options(&challenge, &allowed, UserVerification::Preferred);
        Ok(PasskeyQuestion {
            options: options.to_json(),
        })
    }

    /// The browser's answer. Its question is taken out of the record before it is judged.
    pub(super) async fn passkey(&self, underway: &mut Underway, form: &Form) -> Step<Result<(), Refused>> {
        let person = self.signing_in(underway)?;
        let question = match underway.interaction.login.take_passkey() {
            Ok(question) => question,
            Err(_none) => return Ok(Err(Fault::WrongPasskey.into())),
        };
        self.keep(underway).await?;
        let factors = self.factors_or_none(person.user.id()).await?;
        let challenge: Challenge = factors::read(&question)?;
        let judged = self.judge_passkey(&factors, &challenge, form.get("credential").unwrap_or_default())?;
        let Some((used, methods)) = judged else {
            return Ok(Err(Fault::WrongPasskey.into()));
        };
        if self.people.factors.replace_factors(&used).await? == Swap::Conflict {
            return Ok(Err(Fault::WrongPasskey.into()));
        }
        let told = underway
            .interaction
            .login
            .passkey_answered(&person, &methods, self.now);
        Ok(told.map_err(|denial| match denial {
            LoginDenial::WrongCode => Fault::WrongPasskey.into(),
            other => Refused::from(other),
        }))
    }

    fn judge_passkey(
        &self,
        factors: &UserFactors,
        challenge: &Challenge,
        credential: &str,
    ) -> Result<Option<(UserFactors, Vec<AuthMethod>)>, BackendError> {
        let Ok(response) = AssertionResponse::parse(credential) else {
            return Ok(None);
        };
        let id = response.id().to_text();
        let Some(kept) = factors.passkey(&id) else {
            return Ok(None);
        };
        let passkey: Passkey = factors::read(kept.record())?;
        let party = self.relying_party()?;
        let asserted = party.assert(challenge, UserVerification::Preferred, &response, &passkey);
        let assertion = match asserted {
            Ok(assertion) => assertion,
            Err(fault) => {
                tracing::info!(fault = fault.as_str(), "a passkey was not accepted");
                return Ok(None);
            }
        };
        let methods = methods(&assertion.passkey, assertion.user_verified);
        let record = Kept::of(&assertion.passkey)?;
        let used = factors.with_used_passkey(&id, record, self.now).ok();
        Ok(used.map(|used| (used, methods)))
    }
}

/// What the use of a passkey shows.
pub(super) fn methods(passkey: &Passkey, user_verified: bool) -> Vec<AuthMethod> {
    let key = if passkey.is_synced() {
        AuthMethod::SoftwareKey
    } else {
        AuthMethod::HardwareKey
    };
    let verified = user_verified.then_some(AuthMethod::UserVerified);
    std::iter::once(key).chain(verified).collect()
}

pub(super) fn passkeys_of(factors: &UserFactors) -> Result<Vec<Passkey>, BackendError> {
    let records = factors.passkeys().iter();
    records.map(|passkey| factors::read(passkey.record())).collect()
}
