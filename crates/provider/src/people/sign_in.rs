//! A sign-in, step by step: what is due, the page for it, and what the person sent.

mod authority;
mod code;
mod enrol;
mod factors;
mod passkey;
mod password;
mod upstream;

pub(crate) use enrol::{Enrolled, Enrolment};
pub(crate) use factors::recovery_left;

use super::browser::SessionCookie;
use super::sessions::{SignedIn, is_upstream};
use super::underway::Underway;
use super::view::{ClientView, CodeKind, CodeView, Fault, LoginView, PageErrorKind, PersonView, View};
use super::visit::{Record, Step, Visit};
use sealstone_audit::{Action, Reason, Target};
use sealstone_grants::interaction::{LoginCause, LoginNeed};
use sealstone_identity::{AuthMethod, Person};
use sealstone_login::{
    Authenticated, ChallengeMode, FactorKind, FactorStanding, FirstFactors, LoginDenial, LoginFlow,
    LoginProgress, NextStep,
};
use sealstone_oauth_types::{ClientId, Form, Secret};

/// What a sign-in is for, and how its page looks.
pub(crate) struct Asked<'a> {
    pub(crate) need: LoginNeed,
    pub(crate) signed_in: Option<&'a SignedIn>,
    pub(crate) client: Option<ClientView>,
    pub(crate) login_hint: Option<&'a str>,
    pub(crate) may_cancel: bool,
    pub(crate) fault: Option<Fault>,
    pub(crate) renders: Renders,
}

/// Whether a page that is due is made now, or by the request that the browser is sent to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renders {
    Now,
    Later,
}

/// How far it came.
pub(crate) enum Advanced {
    /// A page is due: this one.
    Page(Box<View>),
    /// A page is due, and is made when the browser comes for it.
    PageDue,
    /// The browser goes to the upstream provider.
    Leave(Secret),
    /// The person is signed in.
    SignedIn(Box<SignedIn>, SessionCookie),
    /// The person can't sign in more surely than they are: what was wished for, and not required, stays undone.
    AsSureAsCan,
    /// Nobody gets in by this sign-in.
    Denied(LoginDenial),
}

/// Why what the person sent does not count.
pub(crate) enum Refused {
    /// The page is shown again, with this; and the word for the audit trail, which may say more.
    Fault(Fault, &'static str),
    /// The sign-in is over.
    Denied(LoginDenial),
}

impl Visit<'_> {
    /// Goes on until a page is due, or the person is signed in.
    pub(crate) async fn advance(&self, underway: &mut Underway, asked: Asked<'_>) -> Step<Advanced> {
        if let Err(denial) = prepare(&mut underway.interaction.login, asked.need, asked.signed_in) {
            return Ok(Advanced::Denied(denial));
        }
        let realm = std::sync::Arc::clone(&self.realm);
        let flow = LoginFlow::new(&realm.config.policy, asked.need.wish);
        let mut standing = None;
        loop {
            let next = flow.next(&underway.interaction.login, standing, self.now);
            match next {
                Err(denial) => return Ok(Advanced::Denied(denial)),
                Ok(NextStep::Standing) => {
                    let waits = self.realm.config.policy.allows(FactorKind::Authority)
                        && !underway.interaction.login.is_accepted_by_authority();
                    if waits && asked.renders == Renders::Later {
                        return Ok(Advanced::PageDue);
                    }
                    standing = Some(self.standing(underway).await?);
                }
                Ok(NextStep::Done(authenticated)) => {
                    return self.finish_sign_in(underway, &authenticated, &asked).await;
                }
                Ok(NextStep::First(first)) => return self.first(underway, asked, first).await,
                Ok(NextStep::SourceCode | NextStep::Second(_) | NextStep::Enrolment(_))
                    if asked.renders == Renders::Later =>
                {
                    return Ok(Advanced::PageDue);
                }
                Ok(NextStep::SourceCode) => {
                    return Ok(Advanced::Page(Box::new(self.source_code(underway, asked))));
                }
                Ok(NextStep::Second(kinds)) => match self.second(underway, &asked, &kinds).await? {
                    Some(view) => return Ok(Advanced::Page(Box::new(view))),
                    None => continue,
                },
                Ok(NextStep::Enrolment(kinds)) => {
                    let view = self.enrolment(underway, &asked, &kinds).await?;
                    return Ok(Advanced::Page(Box::new(view)));
                }
            }
        }
    }

    async fn finish_sign_in(
        &self,
        underway: &mut Underway,
        authenticated: &Authenticated,
        asked: &Asked<'_>,
    ) -> Step<Advanced> {
        let is_step_up = underway.interaction.login.stepping_up().is_some();
        if let (true, Some(signed_in)) = (is_step_up, asked.signed_in)
            && signed_in.session.amr() == authenticated.amr()
        {
            return Ok(Advanced::AsSureAsCan);
        }
        if self.began_earlier(underway) && !self.still_stands_by(authenticated).await? {
            return Ok(Advanced::Denied(LoginDenial::Ended));
        }
        let (signed_in, cookie) = self
            .begin_session(authenticated, asked.signed_in.cloned())
            .await?;
        // A step-up stands on what was proved before: it is no login that `prompt=login` or `max_age` asks for.
        let sid = Some(signed_in.session.sid().clone());
        if is_step_up {
            underway.interaction.stepped_up = sid;
        } else {
            underway.interaction.logged_in = sid;
        }
        underway.interaction.person = Some(signed_in.session.user_id().clone());
        underway.interaction.login = LoginProgress::default();
        underway.changed = true;
        Ok(Advanced::SignedIn(Box::new(signed_in), cookie))
    }

    fn began_earlier(&self, underway: &Underway) -> bool {
        underway.interaction.version > 0 && underway.interaction.created_at.as_secs() < self.now.as_secs()
    }

    /// Whether what was proved in an earlier step stands: the password may have been changed since.
    async fn still_stands_by(&self, authenticated: &Authenticated) -> Step<bool> {
        if authenticated
            .amr()
            .methods()
            .any(|method| method == AuthMethod::Upstream)
        {
            return Ok(true);
        }
        let person = self.realm.person(authenticated.person().user.id()).await?;
        Ok(person.is_ok_and(|person| person.stands_since(authenticated.at())))
    }

    /// The login page, or at once the way to the upstream provider where there is nothing to ask for here.
    async fn first(&self, underway: &mut Underway, asked: Asked<'_>, first: FirstFactors) -> Step<Advanced> {
        let passkey = self.offer_passkey(underway, first)?;
        if first.upstream && !first.password && passkey.is_none() {
            return self.to_upstream(underway, &asked).await.map(Advanced::Leave);
        }
        if underway.changed {
            // What was chosen before the login is not on its page.
            self.keep(underway).await?;
        }
        if asked.renders == Renders::Later && underway.interaction.version > 0 {
            return Ok(Advanced::PageDue);
        }
        let known = asked
            .signed_in
            .filter(|_| asked.need.cause != LoginCause::OtherPerson);
        // Too old is a login of this person; whoever was asked to sign in anew may be somebody else.
        let is_same_person = first.password
            && asked.need.cause == LoginCause::TooOld
            && known.is_some_and(|signed_in| !is_upstream(&signed_in.session));
        let known = known.map(|signed_in| signed_in.person.user.name().as_str());
        Ok(Advanced::Page(Box::new(View::Login(LoginView {
            form: underway.form(self),
            user_name: known.or(asked.login_hint).map(str::to_owned),
            is_same_person,
            asks_password: first.password,
            passkey,
            upstream: first.upstream.then(|| self.realm.config.upstream_name.clone()),
            may_cancel: asked.may_cancel,
            fault: asked.fault,
            client: asked.client,
        }))))
    }

    fn source_code(&self, underway: &Underway, asked: Asked<'_>) -> View {
        let open = underway.interaction.login.open();
        View::Code(CodeView {
            form: underway.form(self),
            client: asked.client,
            person: PersonView {
                user_name: open
                    .map(|open| open.user().name().as_str().to_owned())
                    .unwrap_or_default(),
                full_name: None,
            },
            kinds: vec![CodeKind::Source],
            message: None,
            passkey: None,
            fault: asked.fault,
        })
    }

    /// The page for a second factor; `None`: something changed, decide again.
    async fn second(
        &self,
        underway: &mut Underway,
        asked: &Asked<'_>,
        kinds: &[FactorKind],
    ) -> Step<Option<View>> {
        if kinds == [FactorKind::Authority] {
            return self.authority_page(underway, asked).await;
        }
        let person = self.signing_in(underway)?;
        let passkey = if kinds.contains(&FactorKind::Passkey) {
            Some(self.ask_passkey(underway, &person).await?)
        } else {
            None
        };
        let shown = kinds.iter().filter_map(|kind| match kind {
            FactorKind::Totp => Some(CodeKind::Totp),
            FactorKind::Recovery => Some(CodeKind::Recovery),
            FactorKind::Passkey | FactorKind::Authority => None,
        });
        Ok(Some(View::Code(CodeView {
            kinds: shown.collect(),
            form: underway.form(self),
            client: asked.client.clone(),
            person: person_view(&person),
            message: None,
            passkey,
            fault: asked.fault,
        })))
    }

    /// Who signs in. A step that comes before that is no step of ours.
    pub(crate) fn signing_in(&self, underway: &Underway) -> Step<Person> {
        let person = underway.interaction.login.person().cloned();
        person.ok_or_else(|| self.stop(PageErrorKind::Expired))
    }

    /// What the person sent, judged. What was proved is in the progress, and is to be kept.
    pub(crate) async fn step(
        &self,
        underway: &mut Underway,
        need: LoginNeed,
        signed_in: Option<&SignedIn>,
        form: &Form,
        client: Option<&ClientId>,
    ) -> Step<Result<Enrolled, Refused>> {
        let judged = match prepare(&mut underway.interaction.login, need, signed_in) {
            Ok(()) => self.judge(underway, need, form, client).await?,
            Err(denial) => Err(denial.into()),
        };
        if let Err(refused) = &judged {
            self.sign_in_failed(underway, refused, client)?;
        }
        Ok(judged)
    }

    async fn judge(
        &self,
        underway: &mut Underway,
        need: LoginNeed,
        form: &Form,
        client: Option<&ClientId>,
    ) -> Step<Result<Enrolled, Refused>> {
        let pressed = form.get("do").unwrap_or_default();
        let judged = match pressed {
            "password" => self.password(underway, form).await?,
            "code" if form.get("credential").is_some() => match underway.interaction.login.person() {
                Some(_) => self.passkey(underway, form).await?,
                None => self.passkey_alone(underway, form).await?,
            },
            "code" => self.code(underway, form).await?,
            "totp" | "passkey" | "confirm" | "back" => {
                let allowed = &self.enrolment_due(underway, need.wish).await?;
                let enrolment = Enrolment { allowed, client };
                return self.enrolment_step(underway, pressed, form, &enrolment).await;
            }
            _ => Ok(()),
        };
        Ok(judged.map(|()| Enrolled::Nothing))
    }

    /// One event for each attempt that does not count.
    pub(crate) fn sign_in_failed(
        &self,
        underway: &Underway,
        refused: &Refused,
        client: Option<&ClientId>,
    ) -> Step<()> {
        let detail = match refused {
            Refused::Fault(_, detail) => detail,
            Refused::Denied(denial) => denial.as_str(),
        };
        let person = underway.interaction.login.person().map(|person| person.user.id());
        let open = underway.interaction.login.open().map(|open| open.user().id());
        let user = person.or(open).map(sealstone_identity::UserId::as_str);
        let target = match user {
            Some(user) => Target::User(user.into()),
            None => Target::Issuer(self.domain().as_str().into()),
        };
        self.record(&Record {
            action: Action::SignIn,
            user: None,
            client,
            target,
            refused: Some(Reason::new(401, "login_refused").with_detail(Some(detail))),
        })?;
        Ok(())
    }

    /// What the person has now.
    async fn standing(&self, underway: &Underway) -> Step<FactorStanding> {
        let Some(person) = underway.interaction.login.person() else {
            return Err(self.stop(PageErrorKind::Expired));
        };
        let factors = self.factors_of(person.user.id()).await?;
        let authority = self.due_by_authority(underway, person).await?;
        let left = recovery_left(factors.as_ref())?;
        Ok(FactorStanding::of(factors.as_ref(), left, authority))
    }
}

/// Brings the progress in line with why a login is due: a step-up stands on the session, anything else on nothing that
/// was proved before.
fn prepare(
    progress: &mut LoginProgress,
    need: LoginNeed,
    signed_in: Option<&SignedIn>,
) -> Result<(), LoginDenial> {
    let session = signed_in.filter(|_| need.cause == LoginCause::StepUp);
    let sid = session.map(|signed_in| signed_in.session.sid());
    if sid.is_some() && progress.stepping_up() == sid {
        return Ok(());
    }
    if progress.stepping_up().is_some() {
        progress.start_over();
    }
    if let (Some(signed_in), None) = (session, progress.person()) {
        *progress = LoginProgress::step_up(&signed_in.session, &signed_in.person)?;
    }
    Ok(())
}

/// How a challenge can be answered.
fn takes(modes: &[ChallengeMode], mode: ChallengeMode) -> bool {
    modes.contains(&mode)
}

pub(crate) fn person_view(person: &Person) -> PersonView {
    PersonView {
        user_name: person.user.name().as_str().to_owned(),
        full_name: person.full_name.as_ref().map(|name| name.as_str().to_owned()),
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault, fault.as_str())
    }
}

impl Refused {
    /// What ends a sign-in ends it; everything else is told on the page.
    fn of(denial: LoginDenial) -> Self {
        if denial.ends_sign_in() {
            return Self::Denied(denial);
        }
        let fault = if denial == LoginDenial::MustWait {
            Fault::TooManyAttempts
        } else {
            Fault::WrongCode
        };
        Self::Fault(fault, denial.as_str())
    }
}

impl From<LoginDenial> for Refused {
    fn from(denial: LoginDenial) -> Self {
        Self::of(denial)
    }
}
