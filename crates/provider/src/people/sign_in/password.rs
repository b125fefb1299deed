use super::Refused;
use crate::people::persons::answered;
use crate::people::underway::{Place, Underway};
use crate::people::view::Fault;
use crate::people::visit::{Step, Visit};
use sealstone_identity::PasswordAttempt;
use sealstone_login::{Judged, LoginDenial, ThrottleKey};
use sealstone_oauth_types::Form;

/// More than any source's names and passwords have; what is longer is nobody's.
const LONGEST: usize = 1024;

impl Visit<'_> {
    /// Name and password. The guess is counted before it is judged: in the store for the name, and in the sign-in where
    /// that is kept.
    pub(super) async fn password(&self, underway: &mut Underway, form: &Form) -> Step<Result<(), Refused>> {
        let user_name = form.get("user_name").unwrap_or_default().trim();
        let password = form.get("password").unwrap_or_default();
        if !self.realm.config.policy.first.password {
            return Ok(Err(LoginDenial::OutOfOrder.into()));
        }
        let is_nobodys = user_name.is_empty() || password.is_empty();
        if is_nobodys || user_name.len() > LONGEST || password.len() > LONGEST {
            return Ok(Err(Fault::WrongPassword.into()));
        }
        let Some(key) = self.count_guess(user_name).await? else {
            return Ok(Err(Fault::TooManyAttempts.into()));
        };
        let counted = match underway.interaction.login.count_password() {
            Ok(counted) => counted,
            Err(denial) => return Ok(Err(denial.into())),
        };
        if matches!(underway.place, Place::Store(_)) {
            self.keep(underway).await?;
        }
        let attempt = PasswordAttempt {
            domain: self.domain(),
            user_name,
            password,
        };
        let step = match answered(self.realm.source()?.begin(&attempt).await) {
            Ok(Ok(step)) => step,
            Ok(Err(_refusal)) => return Ok(Err(Fault::WrongPassword.into())),
            Err(fault) => {
                self.people.throttles.settle_guess(&key, Judged::NotAtAll).await?;
                return Err(fault.into());
            }
        };
        self.people.throttles.settle_guess(&key, Judged::Right).await?;
        let known = self.known_browser(user_name);
        self.people.throttles.know_browser(&known, self.now).await?;
        let told = underway
            .interaction
            .login
            .password_answered(counted, step, self.now);
        Ok(told.map_err(Refused::from))
    }
    /// Counts a guess: for this browser, if the password was right in it within a day; else for the name. `None`: too
    /// many already.
    async fn count_guess(&self, user_name: &str) -> Step<Option<ThrottleKey>> {
        let names = ThrottleKey::password(self.domain(), user_name);
        for key in [self.known_browser(user_name), names] {
            if let Ok(()) = self.people.throttles.count_guess(&key, self.now).await? {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn known_browser(&self, user_name: &str) -> ThrottleKey {
        ThrottleKey::known_browser(self.domain(), user_name, self.cookie.hash())
    }
}
