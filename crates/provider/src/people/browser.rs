//! What the edge tells of a browser, and what it is told to answer.

use super::broker::ProfileRefusal;
use super::view::View;
use crate::peer::Peer;
use sealstone_oauth_types::Secret;

/// The browser behind a request, as the edge sees it.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by the edge; each member is decided there"
)]
pub struct BrowserContext {
    /// The value of this domain's session cookie, as sent.
    pub session: Option<Secret>,
    /// The value of the browser cookie, as sent: what a sign-in is bound to. A browser without one is given one by
    /// [`BrowserAnswer::browser`]; one that sends a form without it is another browser, or takes no cookies.
    pub browser: Option<Secret>,
    /// `User-Agent`, as sent: shown to the person as the description of a session.
    pub user_agent: Option<String>,
    /// The address and the request's id. The certificate plays no part.
    pub peer: Peer,
}

/// What the browser is answered. Every answer is `no-store`; no redirect repeats a POST (303).
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "the edge writes all of it")]
pub struct BrowserAnswer {
    /// Page or redirect.
    pub content: BrowserContent,
    /// What becomes of the session cookie.
    pub session: SessionCookie,
    /// A value for the browser cookie, for a browser that had none. It lives as long as the browser is open.
    pub browser: Option<Secret>,
    /// The languages that the client asked for (`ui_locales`), best first: they go before `Accept-Language`.
    pub ui_locales: Vec<String>,
}

/// What becomes of the session cookie of the domain.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the edge does each")]
pub enum SessionCookie {
    /// It stays as it is.
    Keep,
    /// It gets this value: a session began. It lives as long as the browser is open; the session has its own limits.
    Set(Secret),
    /// It is removed.
    Clear,
}

/// Page or redirect.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "the edge writes each")]
pub enum BrowserContent {
    /// A page, with the status that [`View::status`] says.
    Page(Box<View>),
    /// On to a page of ours: 303 to the issuer's address with this behind it, such as `/interaction?id=…`.
    See(String),
    /// Away from us, to a checked address of the client or of the upstream provider: 303. Holds a code or an error: it
    /// is not logged.
    Leave(Secret),
    /// Outside of a broker's profile: 400, and this as JSON.
    Refusal(ProfileRefusal),
    /// Away from us by a form that the browser posts (`response_mode=form_post`): a page with one form, sent by itself
    /// or by its button.
    FormPost(FormPost),
}

/// An authorization response to post to the client (OAuth 2.0 Form Post Response Mode §2).
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "the edge writes all of it")]
pub struct FormPost {
    /// The client's redirect URI: the form's action.
    pub action: String,
    /// Its scheme and authority, for the `form-action` of the page.
    pub origin: String,
    /// The hidden fields, in order: names and values.
    pub fields: Vec<(&'static str, Secret)>,
}

impl BrowserAnswer {
    pub(crate) fn new(content: BrowserContent) -> Self {
        Self {
            content,
            session: SessionCookie::Keep,
            browser: None,
            ui_locales: Vec::new(),
        }
    }

    pub(crate) fn page(view: View) -> Self {
        Self::new(BrowserContent::Page(Box::new(view)))
    }

    pub(crate) fn see(path: String) -> Self {
        Self::new(BrowserContent::See(path))
    }

    pub(crate) fn with_session(self, session: SessionCookie) -> Self {
        Self { session, ..self }
    }
}
