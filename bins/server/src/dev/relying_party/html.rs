//! How the page looks.

use super::By;
use super::device::Asking;
use axum::response::{Html, IntoResponse as _, Response};
use http::{StatusCode, header};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// Nothing here runs a script or loads anything.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "\
:root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--text:#1b1f24;--muted:#57606a;--line:#d0d7de;--accent:#0b57a4;--on:#fff}\
@media (prefers-color-scheme:dark){:root{--page:#14171a;--card:#1e2226;--text:#e8eaed;--muted:#a2abb5;--line:#3a4149;--accent:#79b8ff;--on:#10151a}}\
*{box-sizing:border-box}\
body{margin:0;padding:2rem 1rem;background:var(--page);color:var(--text);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\
main{max-width:40rem;margin:0 auto;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:1rem}\
h1{margin:0 0 .5rem;font-size:1.5rem}p{margin:0 0 1rem}small,.hint{color:var(--muted);font-size:.875rem}a{color:var(--accent)}\
.pair{display:flex;flex-wrap:wrap;gap:.75rem;margin:1.5rem 0}\
.button{flex:1 1 14rem;padding:.7rem 1rem;border:1px solid var(--accent);border-radius:.6rem;background:var(--accent);color:var(--on);font-weight:600;text-align:center;text-decoration:none}\
.plain{background:none;color:var(--text);border-color:var(--line)}\
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}\
table{width:100%;border-collapse:collapse;margin:0 0 1.5rem;font-size:.9375rem}th,td{padding:.45rem 0;border-top:1px solid var(--line);text-align:left;vertical-align:top}th{padding-right:1.5rem;font-weight:400;color:var(--muted);white-space:nowrap}\
.code{display:block;margin:0 0 1rem;padding:.6rem;border-radius:.6rem;background:var(--page);font:600 1.75rem/1.5 ui-monospace,monospace;letter-spacing:.12em;text-align:center}\
svg{display:block;width:14rem;max-width:100%;height:auto;margin:0 auto 1rem;border-radius:.6rem}\
@media (max-width:30rem){body{padding:0;background:var(--card)}main{border:0;border-radius:0;padding:1.25rem}th,td{display:block}td{border:0;padding-top:0}}";

pub(super) const NOT_BEGUN: &str = "<p>This browser did not begin to sign in here.</p>\
    <p class=\"pair\"><a class=\"button\" href=\"/login\">Sign in</a></p>";

/// Whoever pressed "Don't allow", or cancelled.
pub(super) const DECLINED: &str = "<p>You did not let this client know who you are, so nobody is signed in here.</p>\
    <p class=\"pair\"><a class=\"button\" href=\"/login\">Sign in</a>\
    <a class=\"button plain\" href=\"/\">Back</a></p>";

/// What anybody sees first.
pub(super) fn signed_out(issuer: &str) -> String {
    format!(
        "<p>Nobody is signed in here.</p>\
         <p class=\"pair\"><a class=\"button\" href=\"/login\">Sign in with Sealstone</a>\
         <a class=\"button plain\" href=\"/device\">Sign in on another device</a></p>\
         <p class=\"hint\">The first goes the way of a web application, the second that of a program that has no browser. \
         What you have allowed is on <a href=\"{0}/account\">your account page</a>.</p>",
        escaped(issuer)
    )
}

/// Who is signed in, as the client was told.
pub(super) fn signed_in(claims: &Map<String, Value>, by: By, issuer: &str) -> String {
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
    let (how, leave) = match by {
        By::Browser => ("by ID token and userinfo", "Sign out"),
        By::Device => (
            "by userinfo, as a device that somebody connected",
            "Forget it here",
        ),
    };
    format!(
        "<p>This is what the client was told, {how}:</p><table>{rows}</table>\
         <p class=\"pair\"><a class=\"button\" href=\"/logout\">{leave}</a>\
         <a class=\"button plain\" href=\"{}/account\">Your account</a></p>",
        escaped(issuer)
    )
}

/// What a device shows while it waits.
pub(super) fn code(asking: &Asking) -> String {
    format!(
        "<p>Open <a href=\"{0}\" target=\"_blank\" rel=\"noreferrer\">{0}</a> in another browser, or in a private window \
         of this one, and type this code there:</p><strong class=\"code\">{1}</strong>\
         <p>A telephone that reaches that address can scan it instead:</p>{2}\
         <p class=\"hint\">Waiting. This page goes on by itself once you have confirmed. <a href=\"/\">Stop</a></p>",
        escaped(&asking.verification_uri),
        escaped(&asking.user_code),
        asking.picture,
    )
}

/// Nobody signed in.
pub(super) fn over(why: &'static str) -> String {
    format!(
        "<p>{why}</p><p class=\"pair\"><a class=\"button\" href=\"/device\">Ask for another code</a>\
         <a class=\"button plain\" href=\"/\">Back</a></p>"
    )
}

/// A whole page; one that waits loads itself anew after so many seconds.
pub(super) fn page(status: StatusCode, again_s: Option<u64>, body: &str) -> Response {
    let again = again_s.map_or_else(String::new, |seconds| {
        format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">")
    });
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">{again}<title>A client of the demo</title>\
         <style>{STYLE}</style></head><body><main><h1>A client of the demo</h1>{body}</main></body></html>"
    );
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, Html(html)).into_response()
}

pub(super) fn escaped(text: &str) -> String {
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
