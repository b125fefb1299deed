//! What is under way in a browser: opened from what a page sent, kept, and taken.
//!
//! Nothing is written before somebody has proved anything: until then the page carries what was asked for, and it is
//! read and checked anew with each form. From the first proof on it is an [`Interaction`] in the store, bound to the
//! browser by its cookie.

use super::browser::BrowserAnswer;
use super::view::{PageErrorKind, PageForm};
use super::visit::{Step, Stop, Visit};
use rustls_pki_types::UnixTime;
use sealstone_grants::interaction::{
    INTERACTION_LIFETIME, Interaction, InteractionInsertion, InteractionSwap, Purpose, csrf_token,
};
use sealstone_identity::DomainId;
use sealstone_login::LoginProgress;
use sealstone_oauth_types::{ClientId, Form, OpaqueToken, Secret, TokenHash};
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// The hidden fields of every form.
const INTERACTION: &str = "interaction";
const BEGIN: &str = "begin";
const WITH: &str = "with";
const ANTI_FORGERY: &str = "anti_forgery";

/// What is under way, and where it is kept.
#[derive(Clone)]
pub(crate) struct Underway {
    pub(crate) interaction: Interaction,
    pub(crate) place: Place,
    /// Whether something happened that is not kept.
    pub(crate) changed: bool,
}

/// Where something under way is kept.
#[derive(Clone)]
pub(crate) enum Place {
    /// On the page alone: what it takes to make it again.
    Page(Draft),
    /// In the store, by this id.
    Store(OpaqueToken),
}

/// What a page carries of something that nobody has proved anything for.
#[derive(Clone)]
pub(crate) enum Draft {
    /// The authorization request, as it came.
    Authorize(String),
    /// The code of a device, as it was typed.
    Device(String),
    /// The person's own page.
    Account,
    /// The request to sign out, as it came.
    Logout(String),
}

impl Draft {
    fn fields(&self) -> (&'static str, &str) {
        match self {
            Self::Authorize(query) => ("authorize", query),
            Self::Device(code) => ("device", code),
            Self::Account => ("account", ""),
            Self::Logout(query) => ("logout", query),
        }
    }

    /// Stands for the id that it does not have.
    fn handle(&self, domain: &DomainId) -> OpaqueToken {
        let (begin, with) = self.fields();
        let mut hash = Sha256::new();
        for part in [domain.as_str(), begin, with] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        OpaqueToken::from_octets(hash.finalize().into())
    }

    fn of(begin: &str, with: &str) -> Option<Self> {
        match begin {
            "authorize" => Some(Self::Authorize(with.to_owned())),
            "device" => Some(Self::Device(with.to_owned())),
            "account" => Some(Self::Account),
            "logout" => Some(Self::Logout(with.to_owned())),
            _ => None,
        }
    }
}

/// What a form says that it goes on with.
pub(crate) enum Sent {
    Draft(Draft),
    Stored(Box<Underway>),
}

impl Underway {
    /// Something new, not kept anywhere.
    pub(crate) fn new(visit: &Visit<'_>, purpose: Purpose, draft: Draft) -> Self {
        let end = visit.now.as_secs().saturating_add(INTERACTION_LIFETIME.as_secs());
        Self {
            interaction: Interaction {
                // Of no id: it gets one when it is kept.
                id: TokenHash::from_octets([0; 32]),
                domain: visit.domain().clone(),
                browser: visit.cookie.hash(),
                created_at: visit.now,
                expires_at: UnixTime::since_unix_epoch(Duration::from_secs(end)),
                version: 0,
                purpose,
                person: None,
                login: LoginProgress::default(),
                logged_in: None,
                stepped_up: None,
                selected: None,
                given: None,
            },
            place: Place::Page(draft),
            changed: false,
        }
    }

    /// What its next form sends back.
    pub(crate) fn form(&self, visit: &Visit<'_>) -> PageForm {
        let mut hidden = match &self.place {
            Place::Page(draft) => {
                let (begin, with) = draft.fields();
                vec![(BEGIN, Secret::from(begin)), (WITH, Secret::from(with))]
            }
            Place::Store(id) => vec![(INTERACTION, Secret::from(id.expose()))],
        };
        hidden.push((ANTI_FORGERY, visit.anti_forgery(&self.place)));
        PageForm {
            action: "/interaction",
            hidden,
        }
    }

    /// The client that it is for.
    pub(crate) fn client(&self) -> Option<&ClientId> {
        match &self.interaction.purpose {
            Purpose::Authorize(request) => Some(&request.client_id),
            Purpose::Device { .. } | Purpose::Account | Purpose::Logout(_) => None,
        }
    }

    /// Its id, once it is kept.
    pub(crate) fn id(&self) -> Option<OpaqueToken> {
        match &self.place {
            Place::Page(_) => None,
            Place::Store(id) => Some(id.clone()),
        }
    }

    /// Where its page is, once it is kept.
    pub(crate) fn path(&self) -> String {
        match &self.place {
            Place::Page(_) => "/interaction".to_owned(),
            Place::Store(id) => format!("/interaction?id={}", id.expose()),
        }
    }

    pub(crate) fn see(&self) -> BrowserAnswer {
        BrowserAnswer::see(self.path())
    }
}

impl Visit<'_> {
    /// The anti-forgery token of a form: nobody else's page knows it.
    pub(crate) fn anti_forgery(&self, place: &Place) -> Secret {
        let handle = match place {
            Place::Store(id) => id.clone(),
            Place::Page(draft) => draft.handle(self.domain()),
        };
        Secret::from(csrf_token(&handle, &self.cookie).expose())
    }

    fn is_ours(&self, form: &Form, place: &Place) -> bool {
        let sent = Secret::from(form.get(ANTI_FORGERY).unwrap_or_default());
        self.anti_forgery(place).ct_eq(&sent)
    }

    /// What a form goes on with. Stops at a page for a form that is not this browser's, or of something that is over.
    pub(crate) async fn sent(&self, form: &Form) -> Step<Sent> {
        if self.is_new_browser {
            return Err(self.stop(PageErrorKind::NoCookie));
        }
        let expired = || self.stop(PageErrorKind::Expired);
        if let Some(id) = form.get(INTERACTION) {
            let underway = self.stored(id).await?;
            return if self.is_ours(form, &underway.place) {
                Ok(Sent::Stored(Box::new(underway)))
            } else {
                Err(expired())
            };
        }
        let (begin, with) = (form.get(BEGIN), form.get(WITH).unwrap_or_default());
        let draft = begin
            .and_then(|begin| Draft::of(begin, with))
            .ok_or_else(expired)?;
        if self.is_ours(form, &Place::Page(draft.clone())) {
            Ok(Sent::Draft(draft))
        } else {
            Err(expired())
        }
    }

    /// The kept interaction of this browser with this id.
    pub(crate) async fn stored(&self, id: &str) -> Step<Underway> {
        let expired = || self.stop(PageErrorKind::Expired);
        if self.is_new_browser {
            return Err(self.stop(PageErrorKind::NoCookie));
        }
        let id = OpaqueToken::parse(id).map_err(|_malformed| expired())?;
        let found = self.people.interactions.interaction(&id.hash()).await?;
        let interaction = found.ok_or_else(expired)?;
        let is_ours = interaction.domain == *self.domain() && interaction.browser == self.cookie.hash();
        if !is_ours || interaction.is_expired(self.now) {
            return Err(expired());
        }
        Ok(Underway {
            interaction: *interaction,
            place: Place::Store(id),
            changed: false,
        })
    }

    /// Writes down how far it came. Of two requests at once one is written; the other sees what came of that.
    pub(crate) async fn keep(&self, underway: &mut Underway) -> Step<()> {
        let expected = underway.interaction.version;
        underway.changed = false;
        underway.interaction.version = expected.saturating_add(1);
        if let Some(person) = underway.interaction.login.person() {
            underway.interaction.person = Some(person.user.id().clone());
        }
        match &underway.place {
            Place::Store(_) => {
                let store = &self.people.interactions;
                match store.replace_interaction(expected, &underway.interaction).await? {
                    InteractionSwap::Replaced => Ok(()),
                    InteractionSwap::Changed => Err(Stop::Answer(Box::new(underway.see()))),
                }
            }
            Place::Page(_) => {
                let id = self.token()?;
                underway.interaction.id = id.hash();
                let insertion = self
                    .people
                    .interactions
                    .insert_interaction(underway.interaction.clone())
                    .await?;
                if insertion == InteractionInsertion::Full {
                    return Err(self.stop(PageErrorKind::Unavailable));
                }
                underway.place = Place::Store(id);
                Ok(())
            }
        }
    }

    /// Ends it: of two answers to one page, one goes on.
    pub(crate) async fn take(&self, underway: &Underway) -> Step<()> {
        let Place::Store(id) = &underway.place else {
            return Ok(());
        };
        let version = underway.interaction.version;
        if self
            .people
            .interactions
            .take_interaction(&id.hash(), version)
            .await?
        {
            Ok(())
        } else {
            Err(self.stop(PageErrorKind::Expired))
        }
    }
}
