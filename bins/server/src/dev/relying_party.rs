//! A page that people can sign in to: what a client of this server sees, in its smallest form. Plain HTTP on loopback.

use super::DevFile;
use super::clients::RelyingParty;
use anyhow::Context as _;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;
use sealstone_login::{PendingUpstream, UpstreamAsk, UpstreamCallback, UpstreamLogin as _, UpstreamSecrets};
use sealstone_oauth_types::OpaqueToken;
use sealstone_upstream::{ClientAuthentication, UpstreamConfig, UpstreamProvider};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Browsers that are remembered; who comes after them begins anew.
const MOST_BROWSERS: usize = 256;
const COOKIE: &str = "relying-party";
/// Nothing here runs a script or loads anything.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'";

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
    issuer: String,
    addresses: RelyingParty,
    browsers: Mutex<BTreeMap<String, Browser>>,
}

/// What is known of one browser.
enum Browser {
    Underway(PendingUpstream),
    SignedIn(Map<String, Value>),
}

/// The pages of the relying party.
pub(super) fn router(file: &DevFile, addresses: RelyingParty) -> anyhow::Result<Router> {
    let web = file.clients.iter().find(|client| client.client_id == "web");
    let secret = web.and_then(|client| client.client_secret.clone());
    let secret = Zeroizing::new(secret.context("the demo client web is missing")?);
    let config = UpstreamConfig::new(&file.issuer, "web", ClientAuthentication::Basic(secret))?
        .with_authorities(&fs::read(&file.ca)?)?;
    let party = Party {
        provider: UpstreamProvider::new(config)?,
        issuer: file.issuer.clone(),
        addresses,
        browsers: Mutex::default(),
    };
    Ok(Router::new()
        .route("/", get(home))
        .route("/login", get(login))
        .route("/callback", get(callback))
        .route("/logout", get(logout))
        .with_state(Arc::new(party)))
}

async fn home(State(party): State<Arc<Party>>, headers: HeaderMap) -> Response {
    let browsers = party.browsers.lock();
    let known = cookie(&headers).and_then(|cookie| browsers.get(&cookie));
    match known {
        Some(Browser::SignedIn(claims)) => page(StatusCode::OK, &signed_in(claims)),
        Some(Browser::Underway(_)) | None => page(
            StatusCode::OK,
            "<p>Nobody is signed in here.</p><p><a href=\"/login\">Sign in with Sealstone</a></p>",
        ),
    }
}

async fn login(State(party): State<Arc<Party>>) -> Response {
    match begin(&party).await {
        Ok((cookie, url)) => {
            let cookie = format!("{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Lax");
            ([(header::SET_COOKIE, cookie)], Redirect::to(&url)).into_response()
        }
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
    let cookie = draw()?.expose().to_owned();
    let mut browsers = party.browsers.lock();
    if browsers.len() >= MOST_BROWSERS {
        browsers.clear();
    }
    browsers.insert(cookie.clone(), Browser::Underway(sent.pending));
    Ok((cookie, sent.url))
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
        return page(
            StatusCode::BAD_REQUEST,
            "<p>This browser did not begin to sign in here.</p><p><a href=\"/login\">Sign in</a></p>",
        );
    };
    let answer = UpstreamCallback {
        code: answer.code.as_deref(),
        state: answer.state.as_deref(),
        iss: answer.iss.as_deref(),
        error: answer.error.as_deref(),
    };
    match party.provider.finish(&pending, &answer).await {
        Ok(identity) => {
            let known = Browser::SignedIn(identity.claims);
            party.browsers.lock().insert(cookie, known);
            Redirect::to("/").into_response()
        }
        Err(error) => failed(&error.into()),
    }
}

async fn logout(State(party): State<Arc<Party>>, headers: HeaderMap) -> Response {
    if let Some(cookie) = cookie(&headers) {
        party.browsers.lock().remove(&cookie);
    }
    let to = url::form_urlencoded::byte_serialize(party.addresses.signed_out.as_bytes()).collect::<String>();
    let url = format!(
        "{}/logout?client_id=web&post_logout_redirect_uri={to}",
        party.issuer
    );
    Redirect::to(&url).into_response()
}

fn signed_in(claims: &Map<String, Value>) -> String {
    let mut rows = String::new();
    for (name, value) in claims {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // Writing into memory does not fail.
        let _written = write!(
            rows,
            "<tr><th>{}</th><td>{}</td></tr>",
            escaped(name),
            escaped(&value)
        );
    }
    format!(
        "<p>This is what the client was told, by ID token and userinfo:</p><table>{rows}</table>\
         <p><a href=\"/logout\">Sign out</a></p>"
    )
}

fn failed(error: &anyhow::Error) -> Response {
    let text = format!(
        "<p>Signing in failed: {}</p><p><a href=\"/\">Back</a></p>",
        escaped(&crate::whole(error))
    );
    page(StatusCode::BAD_GATEWAY, &text)
}

fn page(status: StatusCode, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>A client of the demo</title>\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}}\
         th{{text-align:left;padding-right:1.5rem;vertical-align:top}}td{{overflow-wrap:anywhere}}</style>\
         <h1>A client of the demo</h1>{body}</html>"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, Html(html)).into_response()
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get(header::COOKIE)?.to_str().ok()?;
    let mut pairs = all.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value.to_owned())
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

fn draw() -> anyhow::Result<OpaqueToken> {
    let mut octets = Zeroizing::new([0_u8; 32]);
    aws_lc_rs::rand::fill(&mut *octets)
        .ok()
        .context("the system's random source failed")?;
    Ok(OpaqueToken::from_octets(*octets))
}
