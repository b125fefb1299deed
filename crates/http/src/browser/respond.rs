//! From the provider's answer to a response.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use sealstone_pages::{ErrorKind, ErrorPage, Form, FormPostPage, Page, Setting, render};
use sealstone_provider::TokenError;
use sealstone_provider::people::{
    BrowserAnswer, BrowserContent, BrowserError, Fault, PageErrorKind, SessionCookie, View,
};

use super::{Typed, Visitor, cookie, page, policy};
use crate::answer;
use crate::edge::Edge;
use crate::route::{BrowserEndpoint, issuer_path};

/// What stands at the head of pages where nothing else does.
const SITE: &str = "Sealstone";

impl Edge {
    /// The provider's answer, with its cookies.
    pub(super) fn answer_page(&self, visitor: &Visitor, answer: BrowserAnswer, typed: &Typed) -> Response {
        let issuer_path = issuer_path(&self.base_path, visitor.domain.as_str());
        let wishes = [answer.ui_locales.join(" "), visitor.languages.clone()];
        let mut response = match answer.content {
            BrowserContent::Page(view) => {
                let status = StatusCode::from_u16(view.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let (page, form) = page::of(*view, &issuer_path, visitor.typing, typed);
                self.written(visitor, status, &page, &form, &wishes)
            }
            BrowserContent::See(path) => see_other(&format!("{issuer_path}{path}")),
            BrowserContent::Leave(address) => see_other(address.expose()),
            BrowserContent::FormPost(post) => {
                let fields = post.fields.into_iter();
                let page = Page::FormPost(FormPostPage {
                    action: post.action,
                    fields: fields
                        .map(|(name, value)| (name.to_owned(), value.expose().to_owned()))
                        .collect(),
                });
                self.written(visitor, StatusCode::OK, &page, &Form::default(), &wishes)
            }
            BrowserContent::Refusal(refusal) => answer::outside_profile(refusal),
        };
        let cookies = [
            session(&visitor.domain, answer.session),
            answer
                .browser
                .and_then(|value| cookie::set(cookie::BROWSER, &value)),
        ];
        for cookie in cookies.into_iter().flatten() {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    /// A request that a person can do nothing about.
    pub(super) fn failed_page(&self, visitor: &Visitor, error: BrowserError) -> Response {
        let error = match error {
            BrowserError::UnknownIssuer => return self.fault_page(visitor, ErrorKind::NotFound),
            BrowserError::Backend(error) => TokenError::Backend(error),
        };
        answer::log(&error, visitor.request_id());
        let unavailable = error.code().status() == StatusCode::SERVICE_UNAVAILABLE.as_u16();
        let kind = if unavailable {
            ErrorKind::Unavailable
        } else {
            ErrorKind::Server
        };
        let response = self.fault_page(visitor, kind);
        match error.retry_after() {
            Some(wait) => answer::retry_after(response, wait),
            None if unavailable => answer::retry_after(response, answer::OUTAGE),
            None => response,
        }
    }

    pub(super) fn too_many_page(&self, visitor: &Visitor, wait: Duration) -> Response {
        answer::retry_after(self.fault_page(visitor, ErrorKind::TooMany), wait)
    }

    /// What was sent can't be read.
    pub(super) fn malformed_page(&self, visitor: &Visitor) -> Response {
        self.fault_page(visitor, ErrorKind::Request)
    }

    /// The same request as a GET: what another site posts comes without our cookies, what it links to with them.
    pub(super) fn come_again(&self, visitor: &Visitor, query: &str) -> Response {
        let is_logout = visitor.endpoint == BrowserEndpoint::Logout;
        let path = if is_logout { "logout" } else { "authorize" };
        let issuer_path = issuer_path(&self.base_path, visitor.domain.as_str());
        see_other(&format!("{issuer_path}/{path}?{query}"))
    }

    /// A page that tells of a fault found here.
    pub(crate) fn fault_page(&self, visitor: &Visitor, kind: ErrorKind) -> Response {
        let page = Page::Error(ErrorPage {
            kind,
            client: None,
            code: None,
            description: None,
            request_id: visitor.request_id().to_owned(),
        });
        let wishes = [String::new(), visitor.languages.clone()];
        self.written(visitor, status(kind), &page, &Form::default(), &wishes)
    }

    fn written(
        &self,
        visitor: &Visitor,
        status: StatusCode,
        page: &Page,
        form: &Form,
        wishes: &[String; 2],
    ) -> Response {
        let brand = self.brands.of(visitor.domain.as_str());
        let [first, second] = wishes;
        let setting = Setting {
            brand,
            texts: brand.texts(&[first, second]),
            site: self.provider.service_name(&visitor.domain).unwrap_or(SITE),
            issuer_path: &issuer_path(&self.base_path, visitor.domain.as_str()),
            form,
        };
        match render(page, &setting) {
            Ok(rendered) => {
                let mut response = Response::new(Body::from(rendered.html));
                *response.status_mut() = status;
                policy::page(response.headers_mut(), page, rendered.script);
                response
            }
            Err(error) => {
                tracing::error!(request.id = visitor.request_id(), %error, "a page could not be written");
                answer::fault(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

/// Whether somebody was wrong about the code of a device.
pub(super) fn is_wrong_guess(answer: &BrowserAnswer) -> bool {
    let BrowserContent::Page(view) = &answer.content else {
        return false;
    };
    if let View::DeviceEnter(view) = &**view {
        view.fault == Some(Fault::UnknownUserCode)
    } else if let View::Error(error) = &**view {
        error.kind == PageErrorKind::Expired
    } else {
        false
    }
}

fn session(domain: &sealstone_provider::DomainId, change: SessionCookie) -> Option<HeaderValue> {
    let name = cookie::session_name(domain);
    match change {
        SessionCookie::Keep => None,
        SessionCookie::Set(value) => cookie::set(&name, &value),
        SessionCookie::Clear => cookie::clear(&name),
    }
}

/// 303: the browser goes on by GET and repeats no form (RFC 9700 §4.12).
fn see_other(address: &str) -> Response {
    let Ok(mut location) = HeaderValue::from_str(address) else {
        tracing::error!("a redirect to an address that no header can hold");
        return answer::fault(StatusCode::INTERNAL_SERVER_ERROR);
    };
    location.set_sensitive(true);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    policy::private(headers);
    headers.insert(LOCATION, location);
    response
}

const fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Request | ErrorKind::Expired | ErrorKind::NoCookie => StatusCode::BAD_REQUEST,
        ErrorKind::NotAllowed | ErrorKind::Forged => StatusCode::FORBIDDEN,
        ErrorKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Upstream => StatusCode::BAD_GATEWAY,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Server => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
    }
}
