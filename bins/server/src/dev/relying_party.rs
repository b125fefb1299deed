//! A page that people can sign in to: what a client of this server sees, in its smallest form. Plain HTTP on loopback.
//!
//! It signs in by itself, as a program on a server does, or as a device without a browser of its own.

mod device;
mod html;

use super::DevFile;
use super::clients::RelyingParty;
use anyhow::Context as _;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use device::{Asking, Device, Waiting};
use html::{escaped, page};
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;
use sealstone_login::{
    PendingUpstream, UpstreamAsk, UpstreamCallback, UpstreamError, UpstreamLogin as _, UpstreamRefusal,
    UpstreamSecrets,
};
use sealstone_oauth_types::OpaqueToken;
use sealstone_upstream::{ClientAuthentication, UpstreamConfig, UpstreamProvider};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Browsers that are remembered; who comes after them begins anew.
const MOST_BROWSERS: usize = 256;
const COOKIE: &str = "relying-party";

impl RelyingParty {
    /// Where it waits, if it listens here.
    pub(super) fn at(address: SocketAddr) -> Self {
        Self {
            callback: format!("http://{address}/callback"),
            signed_out: format!("http://{address}/"),
        }
    }
}

struct Party {
    provider: UpstreamProvider,
    device: Device,
    issuer: String,
    addresses: RelyingParty,
    browsers: Mutex<BTreeMap<String, Browser>>,
}

/// What is known of one browser.
enum Browser {
    Underway(PendingUpstream),
    Asking(Asking),
    SignedIn { claims: Map<String, Value>, by: By },
}

/// How somebody signed in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// In this browser.
    Browser,
    /// In another, for this page as a device.
    Device,
}

/// The pages of the relying party.
pub(super) fn router(file: &DevFile, addresses: RelyingParty) -> anyhow::Result<Router> {
    let web = file.clients.iter().find(|client| client.client_id == "web");
    let secret = web.and_then(|client| client.client_secret.clone());
    let secret = Zeroizing::new(secret.context("the demo client web is missing")?);
    let ca = fs::read(&file.ca)?;
    let config = UpstreamConfig::new(&file.issuer, "web", ClientAuthentication::Basic(secret))?
        .with_authorities(&ca)?;
    let party = Party {
        provider: UpstreamProvider::new(config)?,
        device: Device::new(&file.issuer, &ca)?,
        issuer: file.issuer.clone(),
        addresses,
        browsers: Mutex::default(),
    };
    Ok(Router::new()
        .route("/", get(home))
        .route("/login", get(login))
        .route("/callback", get(callback))
        .route("/logout", get(logout))
        .route("/device", get(ask_as_device))
        .route("/device/wait", get(wait_as_device))
        .with_state(Arc::new(party)))
}

async fn home(State(party): State<Arc<Party>>, headers: HeaderMap) -> Response {
    let browsers = party.browsers.lock();
    let known = cookie(&headers).and_then(|cookie| browsers.get(&cookie));
    let body = match known {
        Some(Browser::SignedIn { claims, by }) => html::signed_in(claims, *by, &party.issuer),
        Some(Browser::Underway(_) | Browser::Asking(_)) | None => html::signed_out(&party.issuer),
    };
    page(StatusCode::OK, None, &body)
}

async fn login(State(party): State<Arc<Party>>) -> Response {
    match begin(&party).await {
        Ok((cookie, url)) => sent(&cookie, &url),
        Err(error) => failed(&error),
    }
}

async fn begin(party: &Party) -> anyhow::Result<(String, String)> {
    let ask = UpstreamAsk {
        redirect_uri: party.addresses.callback.clone(),
        prompt: None,
        max_age: None,
        login_hint: None,
        acr_values: Vec::new(),
        ui_locales: Vec::new(),
    };
    let secrets = UpstreamSecrets {
        state: draw()?,
        nonce: draw()?,
        verifier: draw()?,
    };
    let sent = party.provider.begin(&ask, secrets).await?;
    let cookie = party.remember(Browser::Underway(sent.pending))?;
    Ok((cookie, sent.url))
}

impl Party {
    /// Remembers a new browser; what its cookie is.
    fn remember(&self, browser: Browser) -> anyhow::Result<String> {
        let cookie = draw()?.expose().to_owned();
        let mut browsers = self.browsers.lock();
        if browsers.len() >= MOST_BROWSERS {
            browsers.clear();
        }
        browsers.insert(cookie.clone(), browser);
        Ok(cookie)
    }
}

/// On to another page, with a cookie.
fn sent(cookie: &str, url: &str) -> Response {
    let cookie = format!("{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Lax");
    ([(header::SET_COOKIE, cookie)], Redirect::to(url)).into_response()
}

/// This page as a device: it asks for a code, to be typed elsewhere (RFC 8628 §3.1).
async fn ask_as_device(State(party): State<Arc<Party>>) -> Response {
    let asking = party.device.ask().await;
    match asking.and_then(|asking| party.remember(Browser::Asking(asking))) {
        Ok(cookie) => sent(&cookie, "/device/wait"),
        Err(error) => failed(&error),
    }
}

/// Shows the code, and asks whether somebody has typed it (RFC 8628 §3.4), each time that the page loads itself anew.
async fn wait_as_device(State(party): State<Arc<Party>>, headers: HeaderMap) -> Response {
    let cookie = cookie(&headers).unwrap_or_default();
    let asking = match party.browsers.lock().get(&cookie) {
        Some(Browser::Asking(asking)) => asking.clone(),
        Some(Browser::SignedIn { .. }) => return Redirect::to("/").into_response(),
        Some(Browser::Underway(_)) | None => return Redirect::to("/device").into_response(),
    };
    let next = match party.device.poll(&asking).await {
        Ok(Waiting::SignedIn(claims)) => Browser::SignedIn {
            claims,
            by: By::Device,
        },
        Ok(Waiting::Longer(asking)) => {
            let shown = page(StatusCode::OK, Some(asking.interval_s), &html::code(&asking));
            party.browsers.lock().insert(cookie, Browser::Asking(asking));
            return shown;
        }
        Ok(Waiting::Over(why)) => {
            party.browsers.lock().remove(&cookie);
            return page(StatusCode::OK, None, &html::over(why));
        }
        Err(error) => return failed(&error),
    };
    party.browsers.lock().insert(cookie, next);
    Redirect::to("/").into_response()
}

/// What the browser brings back (RFC 6749 §4.1.2, RFC 9207).
#[derive(Deserialize)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

async fn callback(
    State(party): State<Arc<Party>>,
    Query(answer): Query<Answer>,
    headers: HeaderMap,
) -> Response {
    let cookie = cookie(&headers).unwrap_or_default();
    let Some(Browser::Underway(pending)) = party.browsers.lock().remove(&cookie) else {
        return page(StatusCode::BAD_REQUEST, None, html::NOT_BEGUN);
    };
    let answer = UpstreamCallback {
        code: answer.code.as_deref(),
        state: answer.state.as_deref(),
        iss: answer.iss.as_deref(),
        error: answer.error.as_deref(),
    };
    match party.provider.finish(&pending, &answer).await {
        Ok(identity) => {
            let known = Browser::SignedIn {
                claims: identity.claims,
                by: By::Browser,
            };
            party.browsers.lock().insert(cookie, known);
            Redirect::to("/").into_response()
        }
        Err(UpstreamError::Refused(UpstreamRefusal::Declined)) => page(StatusCode::OK, None, html::DECLINED),
        Err(error) => failed(&error.into()),
    }
}

async fn logout(State(party): State<Arc<Party>>, headers: HeaderMap) -> Response {
    let known = cookie(&headers).and_then(|cookie| party.browsers.lock().remove(&cookie));
    if let Some(Browser::SignedIn { by: By::Device, .. }) = known {
        // The browser that approved this device goes on with its own session.
        return Redirect::to("/").into_response();
    }
    let to = url::form_urlencoded::byte_serialize(party.addresses.signed_out.as_bytes()).collect::<String>();
    let url = format!(
        "{}/logout?client_id=web&post_logout_redirect_uri={to}",
        party.issuer
    );
    Redirect::to(&url).into_response()
}

fn failed(error: &anyhow::Error) -> Response {
    let text = format!(
        "<p>Signing in failed: {}</p><p><a href=\"/\">Back</a></p>",
        escaped(&crate::whole(error))
    );
    page(StatusCode::BAD_GATEWAY, None, &text)
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get(header::COOKIE)?.to_str().ok()?;
    let mut pairs = all.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value.to_owned())
}

fn draw() -> anyhow::Result<OpaqueToken> {
    let mut octets = Zeroizing::new([0_u8; 32]);
    aws_lc_rs::rand::fill(&mut *octets)
        .ok()
        .context("the system's random source failed")?;
    Ok(OpaqueToken::from_octets(*octets))
}
