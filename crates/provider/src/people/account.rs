//! `/account`: what a person has here, seen and ended by themselves.

mod change;
mod page;

use super::browser::{BrowserAnswer, BrowserContent, BrowserContext, SessionCookie};
use super::error::BrowserError;
use super::sessions::SignedIn;
use super::sign_in::{Advanced, Asked, Enrolled, Enrolment, Refused, Renders};
use super::turn::Turn;
use super::underway::{Draft, Underway};
use super::view::{Fault, PageErrorKind};
use super::visit::{Step, Visit};
use crate::provider::Provider;
use sealstone_grants::interaction::{LoginCause, LoginNeed, Purpose};
use sealstone_identity::DomainId;
use sealstone_login::{Acr, AcrWish, Enrolling, FactorKind};
use sealstone_oauth_types::Form;
use std::time::Duration;

/// How old a login may be for a change of what the next one takes: long enough to find the telephone. A browser that was
/// left open changes nothing.
const RECENT: Duration = Duration::from_secs(900);

/// Where the page is.
const ACCOUNT: &str = "/account";

impl Provider {
    /// `GET /account`: the person's own page; first the login, for a browser without session.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn account(
        &self,
        domain: &DomainId,
        browser: &BrowserContext,
    ) -> Result<BrowserAnswer, BrowserError> {
        let visit = self.visit(domain, browser)?;
        let underway = visit.account_underway();
        let result = Box::pin(visit.go_on_with_account(underway, Turn::new(Renders::Now))).await;
        visit.settle(result)
    }
}

/// What stands in the way of the page, or of a change: a login that was too long ago for it.
const fn need(signed_in: Option<&SignedIn>) -> LoginNeed {
    LoginNeed {
        cause: match signed_in {
            None => LoginCause::NobodySignedIn,
            Some(_) => LoginCause::TooOld,
        },
        wish: AcrWish::None,
    }
}

impl Visit<'_> {
    pub(crate) fn account_underway(&self) -> Underway {
        Underway::new(self, Purpose::Account, Draft::Account)
    }

    pub(crate) async fn go_on_with_account(
        &self,
        mut underway: Underway,
        mut turn: Turn,
    ) -> Step<BrowserAnswer> {
        if turn.signed_in.is_none() {
            turn.signed_in = self.session().await?;
        }
        let login = &underway.interaction.login;
        let is_logging_in =
            login.open().is_some() || (login.person().is_some() && login.stepping_up().is_none());
        let Some(signed_in) = turn.signed_in.clone().filter(|_| !is_logging_in) else {
            return Box::pin(self.account_login(underway, turn)).await;
        };
        let enrolling = login.enrolling().map(Enrolling::kind);
        let is_of_session = login.stepping_up() == Some(signed_in.session.sid());
        if let (Some(kind), true) = (enrolling, is_of_session) {
            if let Some(elsewhere) = self.page_is_due(&mut underway, turn.renders).await? {
                return Ok(elsewhere);
            }
            let view = self.enrolment_page(&mut underway, None, turn.fault, kind).await?;
            return Ok(BrowserAnswer::page(view));
        }
        if underway.id().is_some() && turn.fault.is_none() {
            self.take(&underway).await?;
            return Ok(BrowserAnswer::see(ACCOUNT.to_owned()));
        }
        self.account_page(&signed_in, turn.fault).await
    }

    /// The login that comes before the page, or before a change.
    async fn account_login(&self, mut underway: Underway, turn: Turn) -> Step<BrowserAnswer> {
        let asked = Asked {
            need: need(turn.signed_in.as_ref()),
            signed_in: turn.signed_in.as_ref(),
            client: None,
            login_hint: None,
            may_cancel: turn.signed_in.is_some(),
            fault: turn.fault,
            renders: turn.renders,
        };
        match self.advance(&mut underway, asked).await? {
            Advanced::Page(view) => Ok(BrowserAnswer::page(*view)),
            Advanced::PageDue => {
                self.keep(&mut underway).await?;
                Ok(underway.see())
            }
            Advanced::Leave(url) => Ok(BrowserAnswer::new(BrowserContent::Leave(url))),
            Advanced::SignedIn(_, cookie) => {
                self.take(&underway).await?;
                Ok(BrowserAnswer::see(ACCOUNT.to_owned()).with_session(cookie))
            }
            Advanced::AsSureAsCan => Ok(BrowserAnswer::see(ACCOUNT.to_owned())),
            Advanced::Denied(_) => Err(self.stop(PageErrorKind::NotAllowed)),
        }
    }

    pub(crate) async fn submit_account(&self, mut underway: Underway, form: &Form) -> Step<BrowserAnswer> {
        let mut turn = Turn::new(Renders::Later);
        turn.signed_in = self.session().await?;
        let pressed = form.get("do").unwrap_or_default();
        let Some(signed_in) = turn.signed_in.clone() else {
            return Box::pin(self.submit_account_login(underway, turn, form)).await;
        };
        match pressed {
            "password" | "code" | "poll" | "upstream" => {
                Box::pin(self.submit_account_login(underway, turn, form)).await
            }
            "add_totp" | "add_passkey" | "confirm" | "back" | "new_recovery_codes" | "remove_totp"
            | "remove_passkey" => {
                if !self.may_change_factors(&signed_in).await? {
                    turn.renders = Renders::Now;
                    return Box::pin(self.account_login(underway, turn)).await;
                }
                Box::pin(self.change_factors(&mut underway, turn, signed_in, form)).await
            }
            "end_all" | "logout" => self.end_all_or_this(&signed_in, pressed).await,
            _ => {
                self.end_one(&signed_in, pressed, form.get("target").unwrap_or_default())
                    .await?;
                Ok(BrowserAnswer::see(ACCOUNT.to_owned()))
            }
        }
    }

    /// Whoever has a second factor has just proved it: a session from before it was set up changes none.
    async fn may_change_factors(&self, signed_in: &SignedIn) -> Step<bool> {
        let session = &signed_in.session;
        let factors = self.factors_of(session.user_id()).await?;
        let has_any = factors.is_some_and(|factors| factors.has_any());
        let is_sure = !has_any || session.acr() >= Acr::TwoFactor;
        Ok(is_sure && session.is_fresh(RECENT, self.now))
    }

    async fn submit_account_login(
        &self,
        mut underway: Underway,
        turn: Turn,
        form: &Form,
    ) -> Step<BrowserAnswer> {
        let need = need(turn.signed_in.as_ref());
        if form.get("do") == Some("upstream") && self.realm.config.policy.first.upstream {
            return self.leave_upstream(&mut underway, need, None).await;
        }
        let signed_in = turn.signed_in.clone();
        match self
            .step(&mut underway, need, signed_in.as_ref(), form, None)
            .await?
        {
            Ok(Enrolled::Show(view)) => Ok(BrowserAnswer::page(*view)),
            Ok(Enrolled::Nothing) => Box::pin(self.account_login(underway, turn)).await,
            Err(Refused::Fault(fault, _)) => {
                Box::pin(self.account_login(underway, turn.again(Some(fault)))).await
            }
            Err(Refused::Denied(_)) => Err(self.stop(PageErrorKind::NotAllowed)),
        }
    }

    /// Second factors, by a person who has just proved who they are.
    async fn change_factors(
        &self,
        underway: &mut Underway,
        turn: Turn,
        signed_in: SignedIn,
        form: &Form,
    ) -> Step<BrowserAnswer> {
        let pressed = match form.get("do").unwrap_or_default() {
            "add_totp" => "totp",
            "add_passkey" => "passkey",
            "new_recovery_codes" => return self.replace_recovery_codes(underway, &signed_in).await,
            "remove_totp" => return self.remove_factor(&signed_in, None).await,
            "remove_passkey" => {
                let id = form.get("target").unwrap_or_default();
                return self.remove_factor(&signed_in, Some(id)).await;
            }
            other => other,
        };
        self.begin_change(underway, &signed_in)?;
        let kinds = self.realm.config.policy.kinds.iter().copied();
        let allowed: Vec<FactorKind> = kinds.filter(|kind| kind.can_be_enrolled()).collect();
        let enrolment = Enrolment {
            allowed: &allowed,
            client: None,
        };
        let step = self.enrolment_step(underway, pressed, form, &enrolment).await?;
        let turn = Turn {
            signed_in: Some(signed_in),
            ..turn
        };
        match step {
            Ok(Enrolled::Show(view)) => Ok(BrowserAnswer::page(*view)),
            Ok(Enrolled::Nothing) => Box::pin(self.go_on_with_account(underway.clone(), turn)).await,
            Err(Refused::Fault(fault, _)) => {
                Box::pin(self.go_on_with_account(underway.clone(), turn.again(Some(fault)))).await
            }
            Err(Refused::Denied(_)) => Err(self.stop(PageErrorKind::NotAllowed)),
        }
    }

    /// A change stands on the session of the person who makes it, and on no other.
    fn begin_change(&self, underway: &mut Underway, signed_in: &SignedIn) -> Step<()> {
        let login = &mut underway.interaction.login;
        if login.stepping_up() == Some(signed_in.session.sid()) {
            return Ok(());
        }
        login.start_over();
        let stands = sealstone_login::LoginProgress::step_up(&signed_in.session, &signed_in.person);
        *login = stands.map_err(|_denial| self.stop(PageErrorKind::Expired))?;
        Ok(())
    }

    async fn replace_recovery_codes(&self, underway: &Underway, signed_in: &SignedIn) -> Step<BrowserAnswer> {
        let factors = self.factors_or_none(signed_in.session.user_id()).await?;
        if !factors.has_any() || !self.realm.config.policy.allows(FactorKind::Recovery) {
            return Ok(BrowserAnswer::see(ACCOUNT.to_owned()));
        }
        let view = self
            .new_recovery_codes(underway, &signed_in.person, &factors)
            .await?;
        Ok(view.map_or_else(|| BrowserAnswer::see(ACCOUNT.to_owned()), BrowserAnswer::page))
    }

    async fn end_all_or_this(&self, signed_in: &SignedIn, pressed: &str) -> Step<BrowserAnswer> {
        let everywhere = pressed == "end_all";
        if everywhere {
            self.end_everything(signed_in).await?;
        } else {
            self.sign_out(&signed_in.session).await?;
        }
        let view = super::view::View::LoggedOut(super::view::LoggedOutView {
            ended: true,
            everywhere,
        });
        Ok(BrowserAnswer::page(view).with_session(SessionCookie::Clear))
    }

    /// The page again, with what stands in the way.
    async fn account_again(&self, signed_in: &SignedIn, fault: Fault) -> Step<BrowserAnswer> {
        self.account_page(signed_in, Some(fault)).await
    }
}
