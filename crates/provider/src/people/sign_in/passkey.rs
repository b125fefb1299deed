use super::{Refused, factors};
use crate::error::BackendError;
use crate::people::underway::Underway;
use crate::people::view::{Fault, PasskeyQuestion};
use crate::people::visit::{Step, Visit};
use sealstone_factors::{AssertionResponse, Challenge, Passkey, UserVerification};
use sealstone_identity::{AuthMethod, Person, UserId};
use sealstone_login::{FirstFactors, Kept, LoginDenial, Swap, UserFactors};
use sealstone_oauth_types::Form;
use sha2::{Digest as _, Sha256};

/// How long a challenge of the login page is the same; the one before it counts, too, so that an answer has five to ten
/// minutes. Browsers give a person five.
const CHALLENGE_STEP_S: u64 = 300;

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
        let Ok(response) = AssertionResponse::parse(form.get("credential").unwrap_or_default()) else {
            return Ok(Err(Fault::WrongPasskey.into()));
        };
        let judged = self.judge_passkey(&factors, &[challenge], UserVerification::Preferred, &response)?;
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
        Ok(told.map_err(|denial| {
            if denial == LoginDenial::WrongCode {
                Fault::WrongPasskey.into()
            } else {
                Refused::from(denial)
            }
        }))
    }

    /// The question for the login page, where a passkey may be the whole login. Whose it is, the browser's answer says.
    ///
    /// Nothing is kept before somebody proved something: the challenge is made of the page's anti-forgery token, which
    /// this browser alone has, and of the time. The passkey remembers what it answered, so that no answer counts twice.
    pub(super) fn offer_passkey(
        &self,
        underway: &Underway,
        first: FirstFactors,
    ) -> Result<Option<PasskeyQuestion>, BackendError> {
        // Browsers take no address for the host that passkeys are bound to.
        let (true, Ok(party)) = (first.passkey && self.realm.source.is_some(), self.relying_party()) else {
            return Ok(None);
        };
        let [challenge, _] = self.page_challenges(underway);
        let options = party.request_options(&challenge, &[], UserVerification::Required);
        Ok(Some(PasskeyQuestion {
            options: options.to_json(),
        }))
    }

    /// A passkey instead of name and password.
    pub(super) async fn passkey_alone(
        &self,
        underway: &mut Underway,
        form: &Form,
    ) -> Step<Result<(), Refused>> {
        if !self.realm.config.policy.first.passkey {
            return Ok(Err(LoginDenial::OutOfOrder.into()));
        }
        let wrong = || Ok(Err(Fault::WrongPasskey.into()));
        let Ok(response) = AssertionResponse::parse(form.get("credential").unwrap_or_default()) else {
            return wrong();
        };
        let user = response
            .user()
            .and_then(|user| user.user_of(self.domain().as_str()));
        let Some(user) = user.and_then(|user| UserId::parse(&user).ok()) else {
            return wrong();
        };
        let factors = self.factors_or_none(&user).await?;
        let challenges = self.page_challenges(underway);
        let judged = self.judge_passkey(&factors, &challenges, UserVerification::Required, &response)?;
        let Some((used, methods)) = judged else {
            return wrong();
        };
        let Ok(person) = self.realm.person(&user).await? else {
            return wrong();
        };
        if self.people.factors.replace_factors(&used).await? == Swap::Conflict {
            return wrong();
        }
        let told = underway
            .interaction
            .login
            .passkey_answered(&person, &methods, self.now);
        Ok(told.map_err(Refused::from))
    }

    /// The challenge of this browser's page now, and the one before it.
    fn page_challenges(&self, underway: &Underway) -> [Challenge; 2] {
        let token = self.anti_forgery(&underway.place);
        let present = self.now.as_secs() / CHALLENGE_STEP_S;
        [present, present.saturating_sub(1)].map(|step| {
            let mut hash = Sha256::new();
            hash.update(b"sealstone passkey\0");
            hash.update(token.expose().as_bytes());
            hash.update(step.to_be_bytes());
            Challenge::from_octets(hash.finalize().into())
        })
    }

    /// What the passkey is once it is used, and what its use shows; `None`: it does not count.
    fn judge_passkey(
        &self,
        factors: &UserFactors,
        challenges: &[Challenge],
        verification: UserVerification,
        response: &AssertionResponse,
    ) -> Result<Option<(UserFactors, Vec<AuthMethod>)>, BackendError> {
        let id = response.id().to_text();
        let Some(kept) = factors.passkey(&id) else {
            return Ok(None);
        };
        let passkey: Passkey = factors::read(kept.record())?;
        let party = self.relying_party()?;
        let mut answers = challenges
            .iter()
            .map(|challenge| party.assert(challenge, verification, response, &passkey));
        // The fault of the present challenge says more than that of one before it.
        let first = answers.next().transpose();
        let asserted = match first {
            Ok(asserted) => Ok(asserted),
            Err(fault) => answers.find_map(Result::ok).map(Some).ok_or(fault),
        };
        let assertion = match asserted {
            Ok(Some(assertion)) => assertion,
            Ok(None) => return Ok(None),
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
