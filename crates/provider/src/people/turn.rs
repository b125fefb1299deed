//! One turn of what a person does for a client, a device or themselves: what both flows ask of it.

use super::browser::{BrowserAnswer, BrowserContent, SessionCookie};
use super::sessions::{SignedIn, is_upstream};
use super::sign_in::{Advanced, Renders};
use super::underway::Underway;
use super::view::{Fault, PageErrorKind};
use super::visit::{Step, Visit};
use sealstone_grants::interaction::{Projects, SignedIn as Known};
use sealstone_identity::{PersonProject, UserId};
use sealstone_login::LoginDenial;
use sealstone_registry::Client;

/// One turn of a request: how its page comes, and what its answer takes along.
pub(crate) struct Turn {
    pub(crate) renders: Renders,
    pub(crate) fault: Option<Fault>,
    pub(crate) cookie: SessionCookie,
    /// Who is signed in, once that was asked.
    pub(crate) signed_in: Option<SignedIn>,
    pub(crate) projects: Option<Vec<PersonProject>>,
}

/// What came of a login within a turn.
pub(crate) enum Entered {
    /// The browser is answered: by a page of the login, or on its way to one.
    Answered(BrowserAnswer),
    /// Who is signed in, or how surely, is another now: what is due is decided again.
    Changed,
    /// Nobody gets in by it.
    Denied(LoginDenial),
}

impl Turn {
    pub(crate) const fn new(renders: Renders) -> Self {
        Self {
            renders,
            fault: None,
            cookie: SessionCookie::Keep,
            signed_in: None,
            projects: None,
        }
    }

    /// The page again, with what went wrong.
    pub(crate) fn again(self, fault: Option<Fault>) -> Self {
        Self {
            renders: Renders::Now,
            fault,
            ..self
        }
    }

    /// The id of who is signed in.
    pub(crate) fn user(&self) -> Option<&UserId> {
        self.signed_in
            .as_ref()
            .map(|signed_in| signed_in.session.user_id())
    }

    /// Who is signed in, for the rules; `subject` is how the client knows them.
    pub(crate) fn known<'t>(&'t self, subject: &'t str) -> Option<Known<'t>> {
        self.signed_in.as_ref().map(|signed_in| Known {
            session: &signed_in.session,
            subject,
        })
    }

    /// The person's projects, as far as they were asked for.
    pub(crate) fn known_projects(&self) -> Projects<'_> {
        self.projects
            .as_deref()
            .map_or(Projects::NotAsked, Projects::Known)
    }
}

impl Visit<'_> {
    /// By which subject the client knows who is signed in.
    pub(crate) fn subject_of(&self, turn: &Turn, client: &Client) -> Step<String> {
        Ok(match turn.user() {
            Some(user) => self.provider.subject(client, user)?,
            None => String::new(),
        })
    }

    /// Asks for the projects of who is signed in, unless that was done: whether there is more to decide on now.
    pub(crate) async fn ask_for_projects(&self, turn: &mut Turn) -> Step<bool> {
        let asked = match &turn.signed_in {
            Some(signed_in) if turn.projects.is_none() => self.projects(signed_in).await?,
            Some(_) | None => return Ok(false),
        };
        turn.projects = Some(asked);
        Ok(true)
    }

    /// Where the person may act now: nowhere, for one whom the source knows nothing of.
    pub(crate) async fn projects(&self, signed_in: &SignedIn) -> Step<Vec<PersonProject>> {
        if is_upstream(&signed_in.session) {
            return Ok(Vec::new());
        }
        let source = self.realm.source()?;
        let answer = source.projects(signed_in.session.user_id()).await;
        Ok(super::persons::answered(answer)?.unwrap_or_default())
    }

    /// Takes over what came of a login.
    pub(crate) async fn entered(
        &self,
        underway: &mut Underway,
        turn: &mut Turn,
        advanced: Advanced,
    ) -> Step<Entered> {
        Ok(match advanced {
            Advanced::Page(view) => Entered::Answered(BrowserAnswer::page(*view)),
            Advanced::PageDue => {
                self.keep(underway).await?;
                Entered::Answered(underway.see())
            }
            Advanced::Leave(url) => Entered::Answered(BrowserAnswer::new(BrowserContent::Leave(url))),
            Advanced::SignedIn(signed_in, cookie) => {
                turn.signed_in = Some(*signed_in);
                turn.cookie = cookie;
                turn.projects = None;
                Entered::Changed
            }
            Advanced::AsSureAsCan => {
                let session = turn.signed_in.as_ref().map(|signed_in| &signed_in.session);
                underway.interaction.stepped_up = session.map(|session| session.sid().clone());
                underway.interaction.person = turn.user().cloned();
                underway.changed = true;
                Entered::Changed
            }
            Advanced::Denied(denial) => Entered::Denied(denial),
        })
    }

    pub(crate) fn must_be_signed_in<'t>(&self, turn: &'t Turn) -> Step<&'t SignedIn> {
        turn.signed_in
            .as_ref()
            .ok_or_else(|| self.stop(PageErrorKind::Expired))
    }
}
