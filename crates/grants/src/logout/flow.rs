use super::redirect;
use crate::interaction::{LogoutPurpose, SignedIn};
use sealstone_identity::DomainId;
use sealstone_oauth_types::{ClientId, EndSessionError, EndSessionRequest, RedirectUri, Secret, State};
use sealstone_registry::Client;
use std::sync::Arc;

/// Somebody asks to sign out; whether they may, without asking the person, is not known.
#[derive(Debug)]
pub struct NeedsHint {
    request: EndSessionRequest,
}

/// What is known of an `id_token_hint` at a sign-out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the rules decide on each")]
pub enum LogoutHint {
    /// There is none.
    None,
    /// An ID token that this issuer signed, in date or not.
    Of {
        /// The client that it was given to.
        client_id: ClientId,
        /// Its `sub`.
        subject: String,
    },
    /// Anything else: another signer, `alg` none, no ID token at all.
    NotBelieved,
}

impl NeedsHint {
    /// Begins with the request. One that can't be read is one without parameters: whoever wants to sign out is asked,
    /// and goes nowhere.
    #[must_use]
    pub fn new(request: Result<EndSessionRequest, EndSessionError>) -> Self {
        Self {
            request: request.unwrap_or_default(),
        }
    }

    /// The hint to verify, if there is one.
    #[must_use]
    pub const fn id_token_hint(&self) -> Option<&Secret> {
        self.request.id_token_hint.as_ref()
    }

    /// Goes on with what is known of the hint.
    #[must_use]
    pub fn with_hint(self, hint: LogoutHint) -> NeedsClient {
        let named = self.request.client_id.clone();
        let (client_id, trust) = match hint {
            LogoutHint::None => (named, Trust::AskThePerson),
            // A hint that is not what it seems spoils the rest of the request.
            LogoutHint::NotBelieved => (None, Trust::AskThePerson),
            LogoutHint::Of { client_id, .. } if named.as_ref().is_some_and(|named| *named != client_id) => {
                (None, Trust::AskThePerson)
            }
            LogoutHint::Of { client_id, subject } => (Some(client_id), Trust::Hint { subject }),
        };
        NeedsClient {
            request: self.request,
            client_id,
            trust,
        }
    }
}

/// What speaks for the request.
#[derive(Debug)]
enum Trust {
    AskThePerson,
    Hint { subject: String },
}

/// The client that asks has not been looked up.
#[derive(Debug)]
pub struct NeedsClient {
    request: EndSessionRequest,
    client_id: Option<ClientId>,
    trust: Trust,
}

impl NeedsClient {
    /// The client to look up, if one is named.
    #[must_use]
    pub const fn client_id(&self) -> Option<&ClientId> {
        self.client_id.as_ref()
    }

    /// Goes on with what the registry said, at the issuer of `domain`.
    #[must_use]
    pub fn with_client(self, client: Option<Arc<Client>>, domain: &DomainId) -> LogoutAsked {
        let client = client.filter(|client| client.domain() == domain && client.is_enabled());
        let asked = self.request.post_logout_redirect_uri.as_ref();
        let redirect_uri = redirect::check(client.as_deref(), asked);
        let trust = if client.is_some() {
            self.trust
        } else {
            Trust::AskThePerson
        };
        LogoutAsked {
            state: self.request.state.filter(|_| redirect_uri.is_some()),
            redirect_uri,
            client,
            trust,
        }
    }
}

/// All is known but who is signed in.
#[derive(Debug)]
pub struct LogoutAsked {
    client: Option<Arc<Client>>,
    redirect_uri: Option<RedirectUri>,
    state: Option<State>,
    trust: Trust,
}

/// What is due next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the driver does each")]
pub enum LogoutNext {
    /// The person says whether to sign out: kept as [`Purpose::Logout`](crate::interaction::Purpose::Logout).
    Ask(Box<LogoutPurpose>),
    /// The session ends now; then the browser goes there, or a page says that the person is signed out.
    End(Option<AfterLogout>),
    /// Nobody is signed in. The browser goes there, or a page says so.
    NobodySignedIn(Option<AfterLogout>),
}

/// Where the browser goes after a sign-out: registered, and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AfterLogout {
    redirect_uri: RedirectUri,
    state: Option<State>,
}

impl LogoutAsked {
    /// The client that asks, if it is known.
    #[must_use]
    pub const fn client(&self) -> Option<&Arc<Client>> {
        self.client.as_ref()
    }

    /// Decides. `signed_in` has the subject by which the [client](Self::client) knows the person.
    ///
    /// A hint about the person who is signed in speaks for them; one about anybody else speaks for nobody, and then
    /// nothing is redirected. Without a hint the person speaks.
    #[must_use]
    pub fn decide(self, signed_in: Option<SignedIn<'_>>) -> LogoutNext {
        let after = self.redirect_uri.clone().map(|redirect_uri| AfterLogout {
            redirect_uri,
            state: self.state.clone(),
        });
        let client_id = self.client.as_ref().map(|client| client.id().clone());
        match (&self.trust, signed_in) {
            (Trust::Hint { .. }, None) => LogoutNext::NobodySignedIn(after),
            (Trust::AskThePerson, None) => LogoutNext::NobodySignedIn(None),
            (Trust::Hint { subject }, Some(signed_in)) if subject == signed_in.subject => {
                LogoutNext::End(after)
            }
            (Trust::Hint { .. }, Some(_)) => LogoutNext::Ask(Box::new(LogoutPurpose {
                client_id,
                redirect_uri: None,
                state: None,
            })),
            (Trust::AskThePerson, Some(_)) => LogoutNext::Ask(Box::new(LogoutPurpose {
                client_id,
                redirect_uri: self.redirect_uri,
                state: self.state,
            })),
        }
    }
}

impl AfterLogout {
    /// Where the browser goes once the person said yes.
    #[must_use]
    pub fn of(purpose: &LogoutPurpose) -> Option<Self> {
        purpose.redirect_uri.clone().map(|redirect_uri| Self {
            redirect_uri,
            state: purpose.state.clone(),
        })
    }

    /// The address, with `state` as it came.
    #[must_use]
    pub fn url(&self) -> String {
        let state = self.state.as_ref().map(|state| ("state", state.as_str()));
        self.redirect_uri.with_parameters(state.as_slice())
    }
}
