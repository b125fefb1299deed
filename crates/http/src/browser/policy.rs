//! The headers of every page.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, PRAGMA, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use sealstone_pages::{Page, Script};

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const DENY: HeaderValue = HeaderValue::from_static("DENY");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCES: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
/// Nothing but passkeys.
const FEATURES: HeaderValue = HeaderValue::from_static(
    "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
);

/// Whatever is sent to a browser is kept nowhere and tells nobody where it came from (RFC 9700 §4.2).
pub(super) fn private(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(PRAGMA, NO_CACHE);
    headers.insert(REFERRER_POLICY, NO_REFERRER);
}

/// A page: nothing runs, nothing is loaded from elsewhere, nobody puts it into a frame (RFC 9700 §4.16).
pub(super) fn page(headers: &mut HeaderMap, page: &Page, script: Script) {
    private(headers);
    headers.insert(CONTENT_TYPE, HTML);
    headers.insert(X_FRAME_OPTIONS, DENY);
    headers.insert(OPENER, SAME_ORIGIN);
    headers.insert(RESOURCES, SAME_ORIGIN);
    headers.insert(PERMISSIONS, FEATURES);
    let script = match script {
        Script::None => "",
        Script::Passkey => "; script-src 'self'",
        Script::FormPost => FORM_POST,
    };
    let policy = format!("{COMMON}{script}{}", forms(page));
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
}

const COMMON: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'";
const FORM_POST: &str = "; script-src 'sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE='";

/// Where forms may go. Browsers hold `form-action` against each redirect that follows a form, too: a page from which a
/// person gets to the application, or on to another provider, can't name all places to which those send them on.
const fn forms(page: &Page) -> &'static str {
    match page {
        Page::DeviceDone(_) | Page::LoggedOut(_) | Page::Error(_) => "; form-action 'none'",
        Page::Login(_)
        | Page::SelectAccount(_)
        | Page::Code(_)
        | Page::Wait(_)
        | Page::Enrol(_)
        | Page::EnrolTotp(_)
        | Page::EnrolPasskey(_)
        | Page::RecoveryCodes(_)
        | Page::Consent(_)
        | Page::DeviceCode(_)
        | Page::DeviceConfirm(_)
        | Page::Account(_)
        | Page::Logout(_)
        | Page::FormPost(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{FORM_POST, Script};

    #[test]
    fn the_policy_names_the_hash_of_the_one_script() {
        assert_eq!(FORM_POST, format!("; script-src {}", Script::FORM_POST_HASH));
    }
}
