//! Sessions: who is signed in in a browser, since when, and what ends with them.

use super::browser::SessionCookie;
use super::notices;
use super::visit::{Record, Visit};
use crate::error::BackendError;
use crate::issuer::IssuerState;
use crate::provider::Provider;
use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Reason, Target};
use sealstone_grants::refresh::Ending;
use sealstone_identity::{AuthMethod, Person, UserId};
use sealstone_login::{Authenticated, MAX_SESSIONS_PAGE, Session, SessionSecrets, Sid, Swap};
use sealstone_oauth_types::{ClientId, OpaqueToken};
use std::sync::Arc;

/// How often it is tried to note a client with its session: as often as a person has tabs that answer at once.
const JOIN_TRIES: usize = 16;

/// A session that counts, and the person as they are now.
#[derive(Clone)]
pub(crate) struct SignedIn {
    pub(crate) session: Session,
    pub(crate) person: Arc<Person>,
}

impl Visit<'_> {
    /// The session of this browser, if it counts: in its limits, of this domain, of a person who is still who they were.
    /// One that no longer counts is ended.
    pub(crate) async fn session(&self) -> Result<Option<SignedIn>, BackendError> {
        let sent = self.browser.session.as_ref();
        let Some(token) = sent.and_then(|sent| OpaqueToken::parse(sent.expose()).ok()) else {
            return Ok(None);
        };
        let Some(session) = self.people.sessions.session(&token.hash()).await? else {
            return Ok(None);
        };
        if session.domain() != self.domain() {
            return Ok(None);
        }
        match self.still_stands(&session).await? {
            Ok(person) => {
                let session = self.touch(session).await?;
                Ok(Some(SignedIn { session, person }))
            }
            Err(reason) => {
                end_session(self.provider, self.people, &self.issuer, &session, self.now).await?;
                self.record(&Record {
                    action: Action::EndSession,
                    user: Some(session.user_id().as_str()),
                    client: None,
                    target: Target::Session(session.sid().as_str().into()),
                    refused: Some(Reason::new(401, reason)),
                })?;
                Ok(None)
            }
        }
    }

    async fn still_stands(
        &self,
        session: &Session,
    ) -> Result<Result<Arc<Person>, &'static str>, BackendError> {
        if let Err(end) = session.standing(self.domain(), self.now) {
            return Ok(Err(end.as_str()));
        }
        if is_upstream(session) {
            // Nobody can be asked: the provider vouched at the login, and the session's limits bound that.
            return Ok(Ok(Arc::new(session.person().clone())));
        }
        Ok(match self.realm.person(session.user_id()).await? {
            Ok(person) => session
                .still_of(&person)
                .map(|()| person)
                .map_err(|end| end.as_str()),
            Err(refusal) => Err(refusal.as_str()),
        })
    }

    async fn touch(&self, session: Session) -> Result<Session, BackendError> {
        match session.touched(self.now) {
            Some(touched) => self.replace(session, touched).await,
            None => Ok(session),
        }
    }

    /// Writes a change of a session, unless another was faster: then that one counts.
    async fn replace(&self, before: Session, after: Session) -> Result<Session, BackendError> {
        match self
            .people
            .sessions
            .replace_session(before.version(), &after)
            .await?
        {
            Swap::Done => Ok(after),
            Swap::Conflict => Ok(before),
        }
    }

    /// Notes that a client has a part in the session, and is told when it ends.
    pub(crate) async fn join(&self, session: Session, client: &ClientId) -> Result<(), BackendError> {
        let store = &self.people.sessions;
        let mut known = Some(session);
        // A tab beside this one may be faster each time: a client that is not noted would not be told.
        for _try in 0..JOIN_TRIES {
            let Some(session) = known else { return Ok(()) };
            let Some(joined) = session.joined(client) else {
                return Ok(());
            };
            match store.replace_session(session.version(), &joined).await? {
                Swap::Done => return Ok(()),
                Swap::Conflict => known = store.session_by_sid(self.domain(), session.sid()).await?,
            }
        }
        Ok(())
    }

    /// A session for a login that was just finished, with a cookie that no browser had before. The session of the same
    /// person goes on in it; another's ends.
    pub(crate) async fn begin_session(
        &self,
        authenticated: &Authenticated,
        before: Option<SignedIn>,
    ) -> Result<(SignedIn, SessionCookie), BackendError> {
        let secrets = SessionSecrets {
            token: self.token()?,
            sid: Sid::from_octets(self.random()?),
        };
        let session = match before.map(|before| before.session) {
            Some(before) => match before.renew(&secrets.token, authenticated, self.now) {
                Some(renewed) => match self
                    .people
                    .sessions
                    .replace_session(before.version(), &renewed)
                    .await?
                {
                    Swap::Done => renewed,
                    Swap::Conflict => self.new_session(&secrets, authenticated).await?,
                },
                None => {
                    end_session(self.provider, self.people, &self.issuer, &before, self.now).await?;
                    self.new_session(&secrets, authenticated).await?
                }
            },
            None => self.new_session(&secrets, authenticated).await?,
        };
        self.record(&Record {
            action: Action::SignIn,
            user: Some(session.user_id().as_str()),
            client: None,
            target: Target::Session(session.sid().as_str().into()),
            refused: None,
        })?;
        let signed_in = SignedIn {
            person: Arc::new(authenticated.person().clone()),
            session,
        };
        Ok((signed_in, Self::session_cookie(&secrets.token)))
    }

    async fn new_session(
        &self,
        secrets: &SessionSecrets,
        authenticated: &Authenticated,
    ) -> Result<Session, BackendError> {
        self.make_room(authenticated.person().user.id()).await?;
        let limits = self.realm.config.sessions;
        let session = Session::begin(secrets, self.domain().clone(), authenticated, limits, self.now);
        let session = session.on_device(self.browser.user_agent.as_deref().unwrap_or_default());
        self.people.sessions.insert_session(&session).await?;
        Ok(session)
    }

    /// A person has as many sessions as their own page lists: one more ends the one that would end first by itself, so
    /// that a script that signs in each time fills nothing.
    async fn make_room(&self, user: &UserId) -> Result<(), BackendError> {
        let store = &self.people.sessions;
        let page = store
            .sessions_of(self.domain(), user, None, MAX_SESSIONS_PAGE)
            .await?;
        let oldest = page.iter().min_by_key(|session| session.expires_at().as_secs());
        let Some(oldest) = oldest.filter(|_| page.len() >= MAX_SESSIONS_PAGE) else {
            return Ok(());
        };
        end_session(self.provider, self.people, &self.issuer, oldest, self.now).await?;
        self.record(&Record {
            action: Action::EndSession,
            user: Some(user.as_str()),
            client: None,
            target: Target::Session(oldest.sid().as_str().into()),
            refused: Some(Reason::new(401, "too_many_sessions")),
        })
    }

    /// Ends the browser's session, and what ends with it, for the person who asked for it.
    pub(crate) async fn sign_out(&self, session: &Session) -> Result<(), BackendError> {
        end_session(self.provider, self.people, &self.issuer, session, self.now).await?;
        self.record(&Record {
            action: Action::EndSession,
            user: Some(session.user_id().as_str()),
            client: None,
            target: Target::Session(session.sid().as_str().into()),
            refused: None,
        })
    }
}

/// Whether an upstream provider vouched for the login.
pub(crate) fn is_upstream(session: &Session) -> bool {
    session
        .amr()
        .methods()
        .any(|method| method == AuthMethod::Upstream)
}

/// Ends a session: the clients that have a part in it are to be told, and refresh tokens that live with it die.
///
/// The notices come first: a session that is gone is told of, whatever fails after.
pub(crate) async fn end_session(
    provider: &Provider,
    people: &super::PeoplePorts,
    issuer: &IssuerState,
    session: &Session,
    now: UnixTime,
) -> Result<(), BackendError> {
    notices::queue(provider, people, issuer, session, now).await?;
    people.sessions.end_session(&session.id()).await?;
    let which = Ending::Session {
        domain: &issuer.domain,
        sid: session.sid(),
    };
    let ended = people.refresh.end(which, now).await?;
    issuer.add_ended(ended);
    Ok(())
}
