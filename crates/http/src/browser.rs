//! What people's browsers send and are sent.

mod asset;
mod cookie;
mod lines;
mod origin;
mod page;
mod policy;
mod respond;

use std::ops::ControlFlow;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::ACCEPT_LANGUAGE;
use http::request::Parts;
use http::{HeaderMap, Method as HttpMethod};
use sealstone_oauth_types::{Form, RequestError};
use sealstone_pages::ErrorKind;
use sealstone_provider::people::{BrowserAnswer, BrowserContext, BrowserError};
use sealstone_provider::{BackendError, DomainId, Peer, RequestId};

use crate::caller::Caller;
use crate::deadline::{Elapsed, within};
use crate::edge::{Admitted, Edge};
use crate::form::{self, Fields, ReadError};
use crate::limit::Suspect;
use crate::route::BrowserEndpoint;
use origin::From;

/// A person's browser at one of our pages.
pub(crate) struct Visitor {
    endpoint: BrowserEndpoint,
    domain: DomainId,
    is_post: bool,
    /// The query as it came, or empty.
    query: String,
    /// What is wrong with the head of a POST.
    head: Result<(), RequestError>,
    from: From,
    languages: String,
    /// Whether the person wants to type a code on a page that otherwise loads itself again.
    typing: bool,
    context: BrowserContext,
}

/// What the person typed, to stand in its field again.
#[derive(Debug, Default)]
struct Typed {
    user_name: Option<String>,
    user_code: Option<String>,
}

impl Typed {
    fn in_form(form: Result<Form, RequestError>) -> Self {
        /// As much as the fields take.
        const MAX: usize = 255;
        let Ok(form) = form else { return Self::default() };
        let text = |name| form.get(name).filter(|text| text.len() <= MAX).map(str::to_owned);
        Self {
            user_name: text("user_name"),
            user_code: text("user_code"),
        }
    }
}

impl Visitor {
    fn request_id(&self) -> &str {
        self.context.peer.request_id.as_str()
    }
}

impl Edge {
    /// What the head of a browser's request tells.
    pub(crate) fn visitor(
        &self,
        endpoint: BrowserEndpoint,
        domain: DomainId,
        parts: &Parts,
        fields: &Fields<'_>,
        request_id: RequestId,
    ) -> ControlFlow<Response, Admitted> {
        let address = Caller::of(parts, &self.proxies).address;
        let is_post = parts.method == HttpMethod::POST;
        let issuer = self.provider.metadata(&domain);
        let issuer = issuer.as_ref().map_or("", |metadata| metadata.issuer.as_str());
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let visitor = Box::new(Visitor {
            endpoint,
            head: if is_post { fields.head(&parts.uri) } else { Ok(()) },
            from: From::of(&parts.headers, issuer),
            languages: header(&parts.headers),
            typing: !is_post && query.split('&').any(|parameter| parameter == page::TYPING),
            context: context(parts, &domain, address, request_id),
            domain,
            is_post,
            query,
        });
        if let Err(wait) = self.limits.request(address) {
            tracing::debug!(?address, "too many requests");
            return ControlFlow::Break(self.too_many_page(&visitor, wait));
        }
        ControlFlow::Continue(Admitted::Visitor(visitor))
    }

    /// Reads what was sent, has the provider answer, and writes that.
    pub(crate) async fn visited(&self, visitor: &Visitor, body: Body) -> Response {
        let body = match self.sent(visitor, body).await {
            Ok(body) => body,
            Err(refused) => return refused,
        };
        let encoded = if visitor.is_post {
            &*body
        } else {
            visitor.query.as_bytes()
        };
        let form = || parsed(visitor, encoded);
        let suspect = self.guesser(visitor, form);
        if let Err(wait) = self.limits.guess(suspect) {
            tracing::info!(address = ?visitor.context.peer.address, "too many failed guesses");
            return self.too_many_page(visitor, wait);
        }
        let (provider, domain, context) = (&self.provider, &visitor.domain, &visitor.context);
        let deadline = self.request_deadline;
        let answered = match visitor.endpoint {
            BrowserEndpoint::Authorize if visitor.head.is_err() => return self.malformed_page(visitor),
            BrowserEndpoint::Logout if visitor.head.is_err() => return self.malformed_page(visitor),
            BrowserEndpoint::Authorize => timed(deadline, provider.authorize(domain, encoded, context)).await,
            BrowserEndpoint::Logout => timed(deadline, provider.end_session(domain, encoded, context)).await,
            BrowserEndpoint::Interaction if visitor.is_post => {
                timed(deadline, provider.submit(domain, form(), context)).await
            }
            BrowserEndpoint::Interaction => {
                timed(deadline, provider.interaction(domain, form(), context)).await
            }
            BrowserEndpoint::Callback => timed(deadline, provider.callback(domain, form(), context)).await,
            BrowserEndpoint::Device => timed(deadline, provider.device_page(domain, form(), context)).await,
            BrowserEndpoint::Account => timed(deadline, provider.account(domain, context)).await,
            BrowserEndpoint::Assets => Err(BrowserError::UnknownIssuer),
        };
        match answered {
            Ok(answer) => {
                if respond::is_wrong_guess(&answer) {
                    self.limits.wrong_guess(suspect);
                }
                let is_form = visitor.is_post && visitor.endpoint == BrowserEndpoint::Interaction;
                let typed = if is_form {
                    Typed::in_form(form())
                } else {
                    Typed::default()
                };
                self.answer_page(visitor, answer, &typed)
            }
            Err(error) => self.failed_page(visitor, error),
        }
    }

    /// The body of a POST that may have come from where it came from; for a GET, nothing.
    async fn sent(&self, visitor: &Visitor, body: Body) -> Result<Bytes, Response> {
        if !visitor.is_post {
            return Ok(Bytes::new());
        }
        let is_ours = visitor.endpoint == BrowserEndpoint::Interaction;
        if is_ours && visitor.from != From::Ourselves {
            tracing::info!(
                request.id = visitor.request_id(),
                "a form of ours was sent from elsewhere"
            );
            return Err(self.fault_page(visitor, ErrorKind::Forged));
        }
        if visitor.head.is_err() {
            return Ok(Bytes::new());
        }
        let body = match form::octets(body, self.body_deadline).await {
            Ok(body) => body,
            Err(ReadError::TooSlow) => return Err(crate::answer::too_slow()),
            Err(ReadError::Request(_)) => return Err(self.malformed_page(visitor)),
        };
        match origin::as_query(&body) {
            Some(query) if visitor.from == From::Elsewhere => Err(self.come_again(visitor, query)),
            _ => Ok(body),
        }
    }

    /// Whoever tries codes of devices from one address (RFC 8628 §5.1). Guesses at a person's password and second factor
    /// are counted by whose they are, wherever they come from.
    fn guesser(
        &self,
        visitor: &Visitor,
        form: impl FnOnce() -> Result<Form, RequestError>,
    ) -> Option<Suspect> {
        if visitor.endpoint != BrowserEndpoint::Interaction && visitor.endpoint != BrowserEndpoint::Device {
            return None;
        }
        let form = form().ok()?;
        let names_code = form.get("user_code").is_some() || form.get("begin") == Some("device");
        if !names_code {
            return None;
        }
        let what = format!("user_code {}", visitor.domain.as_str());
        self.limits.suspect(visitor.context.peer.address, Some(&what))
    }
}

/// What is sent, as parameters.
fn parsed(visitor: &Visitor, encoded: &[u8]) -> Result<Form, RequestError> {
    visitor.head?;
    Form::parse(encoded).map_err(RequestError::Form)
}

/// The provider's futures are large: they lie in allocations of their own.
async fn timed(
    deadline: Duration,
    work: impl Future<Output = Result<BrowserAnswer, BrowserError>>,
) -> Result<BrowserAnswer, BrowserError> {
    let answered = within(deadline, Box::pin(work)).await;
    answered.unwrap_or_else(|Elapsed| Err(BrowserError::Backend(BackendError::Deadline)))
}

fn context(
    parts: &Parts,
    domain: &DomainId,
    address: Option<std::net::IpAddr>,
    request_id: RequestId,
) -> BrowserContext {
    BrowserContext {
        session: cookie::read(&parts.headers, &cookie::session_name(domain)),
        browser: cookie::read(&parts.headers, cookie::BROWSER),
        user_agent: form::user_agent(&parts.headers).map(String::from),
        peer: Peer {
            address,
            certificate: None,
            request_id,
        },
    }
}

/// `Accept-Language`, several as one list.
fn header(headers: &HeaderMap) -> String {
    let values = headers.get_all(ACCEPT_LANGUAGE).iter();
    let texts: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    texts.join(",")
}
