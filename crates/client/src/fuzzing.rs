//! What the fuzz targets `loopback_request`, `login_answer`, `kept_login` and `clouds_yaml` drive: the readers of outside
//! octets.

use sealstone_oauth_types::Secret;

use crate::{
    ClockSkew, CloudEdit, KeystoneToken, RefusedRequest, TokenSet, answer, cache, device, keystone, legacy,
    listener::{
        page::Page,
        request::{self, Step},
    },
    loopback, provider, websso,
};

/// Reads octets as a request to the loopback port. However they are cut, they read the same; only what holds the login's
/// own secret is its answer, and no page shows their markup.
pub fn loopback_request(octets: &[u8]) {
    let read = request::read(octets);
    if let Ok(Step::Whole(request)) = &read {
        for at in 0..octets.len() {
            let (start, _rest) = octets.split_at(at);
            match request::read(start) {
                Ok(Step::More) => {}
                Ok(Step::Whole(early)) => assert_eq!(early, *request, "cut at {at}"),
                Err(refused) => panic!("{refused:?} when cut at {at}"),
            }
        }
        let taken = loopback::fuzzing_judge(request);
        let holds = |what: &str| octets.windows(what.len()).any(|part| part == what.as_bytes());
        assert!(!taken || (holds("127.0.0.1:9") && holds("code")));
        if let Some(token) = websso::posted_token(&request.body) {
            assert!(token.expose().bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
    let text = String::from_utf8_lossy(octets);
    let page = Page::new(400, &text, &text).to_http();
    let page = String::from_utf8_lossy(&page);
    let (_head, body) = page.split_once("\r\n\r\n").unwrap_or_default();
    assert_eq!(body.matches('<').count(), 19, "{body}");
    let _page = Page::refused(RefusedRequest::Malformed).to_http();
}

/// Reads octets as each kind of answer that a login gets, and as each record that it leaves.
pub fn login_answer(octets: &[u8]) {
    let _metadata = provider::Metadata::read("https://id.example", octets);
    if let Ok(granted) = answer::read(octets) {
        assert!(
            granted
                .access_token
                .expose()
                .bytes()
                .all(|byte| byte.is_ascii_graphic())
        );
    }
    if let Some((code, uri)) = device::fuzzing_read(octets) {
        assert!(!code.chars().any(char::is_control) && !uri.contains(char::is_control));
    }
    keystone::fuzzing_read(octets);
    if let Ok(tokens) = TokenSet::from_record(octets) {
        assert_eq!(TokenSet::from_record(&tokens.to_record()), Ok(tokens));
    }
    if let Ok(token) = KeystoneToken::from_record(octets) {
        assert_eq!(KeystoneToken::from_record(&token.to_record()), Ok(token));
    }
    let now = rustls_pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_785_585_600));
    let text = String::from_utf8_lossy(octets);
    let _skew = ClockSkew::between(&text, now);
    let _redacted = format!("{:?}", Secret::from(&*text));
}

/// Reads octets as a file of the cache, plain and encrypted, and as what older plugins left. What is read is written as
/// it was.
pub fn kept_login(octets: &[u8]) {
    cache::fuzzing_read(octets);
    legacy::fuzzing_read(&String::from_utf8_lossy(octets));
}

/// Notes a login in octets as `clouds.yaml`. A second time changes nothing.
pub fn clouds_yaml(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let mut edit = CloudEdit::default();
    edit.settings
        .push(("auth_type".to_owned(), "v3websso".to_owned()));
    edit.auth.push(("client_id".to_owned(), "it's: #1".to_owned()));
    if let Ok(after) = edit.apply(&text, "prod") {
        assert_eq!(edit.apply(&after, "prod").ok().as_deref(), Some(after.as_str()));
    }
}
