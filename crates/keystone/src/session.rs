//! Calls in the name of one token, which is renewed when it must be.

pub(crate) mod document;

use std::{collections::BTreeSet, fmt, time::Duration};

use http::{Method, StatusCode};
use rustls_pki_types::UnixTime;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::{
    Authentication, Fault, KeystoneClient, KeystoneError, KeystoneRefusal, Login, Token,
    client::{Answer, Call, MAX_PAGE},
    error::Operation,
    moment,
};

/// A token is renewed this long before its end, so that no call begins with one that ends on the way.
const MARGIN: Duration = Duration::from_secs(60);
/// After a refused login the next one waits: accounts are locked after a few wrong passwords.
const REFUSAL_PAUSE: Duration = Duration::from_secs(30);
/// Pages of one list: with the smallest page that anybody configures (100 items) as many items as are read anyhow.
const MAX_PAGES: usize = 2_000;
/// Items of one list: a cloud with more users has more than one identity backend.
const MAX_ITEMS: usize = 200_000;

/// Calls in the name of one login or one token.
///
/// With a login, the token is got when it is first needed, renewed a minute before its end, and once more when Keystone
/// does not take it any longer: never twice for one call, and not within 30 s of a refused login.
///
/// # Examples
/// ```no_run
/// # use sealstone_keystone::{Authentication, KeystoneClient, KeystoneConfig, KeystoneSession, Secret, UserFilter};
/// # use sealstone_identity::ApplicationCredentialId;
/// # async fn example(keystone: KeystoneClient) -> Result<(), Box<dyn std::error::Error>> {
/// let id = ApplicationCredentialId::parse("96ac0e80280047d980fc8c62728b49d2")?;
/// let login = Authentication::application_credential(id, Secret::from("…"));
/// let session = KeystoneSession::login(keystone, login);
/// for user in session.users(&UserFilter::default()).await? {
///     println!("{} {}", user.id, user.name);
/// }
/// # Ok(())
/// # }
/// ```
pub struct KeystoneSession {
    client: KeystoneClient,
    source: Source,
    state: Mutex<State>,
}

enum Source {
    Login(Box<Authentication>),
    Token(Token),
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    refused: Option<(UnixTime, KeystoneRefusal)>,
}

struct Held {
    token: Token,
    renew_at: UnixTime,
}

impl KeystoneSession {
    /// In the name of whoever logs in so.
    #[must_use]
    pub fn login(client: KeystoneClient, authentication: Authentication) -> Self {
        Self {
            client,
            source: Source::Login(Box::new(authentication)),
            state: Mutex::default(),
        }
    }

    /// In the name of this token, which is not renewed.
    #[must_use]
    pub fn with_token(client: KeystoneClient, token: Token) -> Self {
        Self {
            client,
            source: Source::Token(token),
            state: Mutex::default(),
        }
    }

    /// The client that calls.
    #[must_use]
    pub const fn client(&self) -> &KeystoneClient {
        &self.client
    }

    /// The token in use, or a new one.
    ///
    /// # Errors
    /// [`KeystoneError`] of the login. [`KeystoneRefusal::Unauthenticated`] also for a login that wants more factors.
    pub async fn token(&self) -> Result<Token, KeystoneError> {
        self.other_token(None).await
    }

    /// The token in use, unless it is the one that was just refused.
    async fn other_token(&self, refused: Option<&Token>) -> Result<Token, KeystoneError> {
        let authentication = match &self.source {
            Source::Token(token) => return Ok(token.clone()),
            Source::Login(authentication) => authentication,
        };
        let mut state = self.state.lock().await;
        let now = self.client.now();
        if let Some(held) = &state.held {
            let is_refused = refused.is_some_and(|refused| refused.expose() == held.token.expose());
            if now < held.renew_at && !is_refused {
                return Ok(held.token.clone());
            }
        }
        state.held = None;
        if let Some((then, refusal)) = state.refused
            && moment::since(then, now).is_some_and(|passed| passed < REFUSAL_PAUSE)
        {
            return Err(refused_login(refusal));
        }
        state.refused = None;
        match self.client.authenticate(authentication).await {
            Ok(Login::Complete(issued)) => {
                let lifetime = moment::since(now, issued.ends_at).unwrap_or_default();
                let margin = MARGIN.min(lifetime.checked_div(2).unwrap_or_default());
                state.held = Some(Held {
                    token: issued.token.clone(),
                    renew_at: moment::before(issued.ends_at, margin),
                });
                Ok(issued.token)
            }
            Ok(Login::Incomplete(_receipt)) => {
                state.refused = Some((now, KeystoneRefusal::Unauthenticated));
                Err(refused_login(KeystoneRefusal::Unauthenticated))
            }
            Err(error) => {
                state.refused = error.refusal().map(|refusal| (now, refusal));
                Err(error)
            }
        }
    }

    async fn perform(&self, request: &Request) -> Result<Answer, KeystoneError> {
        let token = self.token().await?;
        let first = self.client.call(request.call(&token)).await;
        let unauthenticated =
            matches!(&first, Err(error) if error.refusal() == Some(KeystoneRefusal::Unauthenticated));
        if !unauthenticated || matches!(self.source, Source::Token(_)) {
            return first;
        }
        let token = self.other_token(Some(&token)).await?;
        self.client.call(request.call(&token)).await
    }

    /// One thing: the member `member` of the answer.
    pub(crate) async fn one<T: DeserializeOwned>(
        &self,
        operation: Operation,
        path: String,
        member: &'static str,
    ) -> Result<T, KeystoneError> {
        let request = Request::new(operation, Method::GET, path);
        let answer = self.perform(&request).await?;
        answer.expect(StatusCode::OK)?;
        document::member(&answer, member)
    }

    /// What a change answers: the member `member`.
    pub(crate) async fn change<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        change: Change,
        member: &'static str,
        body: &B,
    ) -> Result<T, KeystoneError> {
        let mut request = Request::new(change.operation, change.method, change.path);
        request.body =
            Some(document::body(member, body).map_err(|_unwritable| unwritable(change.operation))?);
        let answer = self.perform(&request).await?;
        answer.expect(change.status)?;
        document::member(&answer, member)
    }

    /// A change that answers nothing.
    pub(crate) async fn bare(
        &self,
        operation: Operation,
        method: Method,
        path: String,
    ) -> Result<(), KeystoneError> {
        let answer = self.perform(&Request::new(operation, method, path)).await?;
        answer.expect(StatusCode::NO_CONTENT)
    }

    /// Whether there is such a thing (`HEAD`).
    pub(crate) async fn holds(&self, operation: Operation, path: String) -> Result<bool, KeystoneError> {
        match self.perform(&Request::new(operation, Method::HEAD, path)).await {
            Ok(answer) if answer.status() == StatusCode::OK => Ok(true),
            Ok(answer) => answer.expect(StatusCode::NO_CONTENT).map(|()| true),
            Err(error) if error.refusal() == Some(KeystoneRefusal::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Every page of a list: the items of the member `member`.
    ///
    /// The address of the next page is never believed: only its query is taken, for the path that was asked.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        operation: Operation,
        path: &str,
        query: &Query,
        member: &'static str,
    ) -> Result<Vec<T>, KeystoneError> {
        let mut items = Vec::new();
        let mut asked = BTreeSet::new();
        let mut next = Some(query.to_string());
        while let Some(query) = next {
            let mut request = Request::new(operation, Method::GET, format!("{path}{query}"));
            request.limit = Some(MAX_PAGE);
            let answer = self.perform(&request).await?;
            answer.expect(StatusCode::OK)?;
            if !asked.insert(query) || asked.len() > MAX_PAGES {
                return Err(answer.malformed(Fault::Pages));
            }
            let page = document::page::<T>(&answer, member)?;
            items.extend(page.items);
            if items.len() > MAX_ITEMS {
                let (what, limit) = (member, MAX_ITEMS);
                return Err(answer.malformed(Fault::TooMany { what, limit }));
            }
            if page.truncated {
                return Err(answer.malformed(Fault::Truncated));
            }
            next = match page.next {
                Some(link) => Some(document::query_of(&link).ok_or_else(|| answer.malformed(Fault::Pages))?),
                None => None,
            };
        }
        Ok(items)
    }
}

impl fmt::Debug for KeystoneSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeystoneSession")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

const fn refused_login(refusal: KeystoneRefusal) -> KeystoneError {
    KeystoneError::Refused {
        operation: "to authenticate",
        refusal,
        request_id: None,
    }
}

const fn unwritable(operation: Operation) -> KeystoneError {
    KeystoneError::Refused {
        operation,
        refusal: KeystoneRefusal::BadRequest,
        request_id: None,
    }
}

/// A call that can be made again with another token.
struct Request {
    operation: Operation,
    method: Method,
    path: String,
    limit: Option<usize>,
    body: Option<Zeroizing<Vec<u8>>>,
}

impl Request {
    const fn new(operation: Operation, method: Method, path: String) -> Self {
        Self {
            operation,
            method,
            path,
            limit: None,
            body: None,
        }
    }

    fn call<'a>(&self, token: &'a Token) -> Call<'a> {
        let mut call = Call::new(self.operation, self.method.clone(), self.path.clone()).token(token);
        if let Some(limit) = self.limit {
            call = call.limit(limit);
        }
        match &self.body {
            Some(body) => call.body(body.clone()),
            None => call,
        }
    }
}

/// A change, and the status that it is answered with.
pub(crate) struct Change {
    operation: Operation,
    method: Method,
    path: String,
    status: StatusCode,
}

impl Change {
    pub(crate) const fn create(operation: Operation, path: String) -> Self {
        Self {
            operation,
            method: Method::POST,
            path,
            status: StatusCode::CREATED,
        }
    }

    pub(crate) const fn update(operation: Operation, path: String) -> Self {
        Self {
            operation,
            method: Method::PATCH,
            path,
            status: StatusCode::OK,
        }
    }
}

/// The query of a list, percent-encoded.
#[derive(Default)]
pub(crate) struct Query(String);

impl Query {
    /// With this parameter, if it has a value.
    pub(crate) fn with(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.0.push(if self.0.is_empty() { '?' } else { '&' });
            self.0.push_str(name);
            self.0.push('=');
            self.0.extend(percent_encoding::utf8_percent_encode(
                value,
                percent_encoding::NON_ALPHANUMERIC,
            ));
        }
        self
    }
}

impl fmt::Display for Query {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
