//! `oidcc-rp-initiated-logout-certification-test-plan` and
//! `oidcc-backchannel-rp-initiated-logout-certification-test-plan`.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use sealstone_jose::base64url;
use sealstone_provider::people::{LogoutSendError, LogoutSender};
use sealstone_testkit::{KeyKind, TestKey};
use serde_json::{Value, json};

use super::{BYE, ask, error_of, is_fault_page, pairs, request, tokens, verified, wait, world, world_of};
use crate::assertions::es256_with;
use crate::people::{Browser, PageForm, People, escaped};
use crate::support::{Answer, Ask, ISSUER};

async fn is_signed_in(browser: &mut Browser<'_>) -> bool {
    let answer = ask(browser, &request("query", "&prompt=none")).await;
    let location = answer.header("location").unwrap_or_default();
    !location.contains("error=login_required")
}

async fn logout(browser: &mut Browser<'_>, query: &str) -> Answer {
    let answer = browser.get(&format!("{ISSUER}/logout?{query}")).await;
    browser.follow(answer).await
}

/// Says yes, if the person is asked.
async fn agreed(browser: &mut Browser<'_>, page: Answer) -> Answer {
    if page.status != 200 || !page.text.contains("<form") {
        return page;
    }
    let answer = browser.post(&PageForm::of(&page).with(&[("do", "logout")])).await;
    browser.follow(answer).await
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_discovery_endpoint_verification() {
    let world = world().await;
    let metadata = world
        .send(Ask::get(&format!("{ISSUER}/.well-known/openid-configuration")))
        .await
        .json();
    let endpoint = metadata["end_session_endpoint"].as_str().unwrap();
    assert!(endpoint.starts_with("https://"));
}

#[tokio::test]
async fn oidcc_rp_initiated_logout() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let got = tokens(&world, &mut browser, "query", "").await;
    assert!(is_signed_in(&mut browser).await);
    let query = format!(
        "id_token_hint={}&post_logout_redirect_uri={}&state=logout+state",
        got.id_token,
        escaped(BYE)
    );
    let page = logout(&mut browser, &query).await;
    let answer = agreed(&mut browser, page).await;
    let (uri, query) = answer.header("location").unwrap().split_once('?').unwrap();
    assert_eq!(uri, BYE);
    assert_eq!(
        pairs(query).into_iter().collect::<Vec<_>>(),
        [("state".into(), "logout state".into())]
    );
    assert!(!is_signed_in(&mut browser).await);
}

/// Nothing of this is returned to, and a person is told or asked.
async fn is_not_returned_to(query: impl Fn(&str) -> String) {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let got = tokens(&world, &mut browser, "query", "").await;
    let page = logout(&mut browser, &query(&got.id_token)).await;
    assert_eq!(page.header("location"), None, "{page:?}");
    let answer = agreed(&mut browser, page).await;
    let location = answer.header("location").unwrap_or_default();
    assert!(!location.contains("example"), "{answer:?}");
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_bad_post_logout_redirect_uri() {
    let other = escaped("https://rp.example/other");
    is_not_returned_to(|hint| format!("id_token_hint={hint}&post_logout_redirect_uri={other}&state=x")).await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri() {
    let other = escaped("https://rp.example/bye?added=1");
    is_not_returned_to(|hint| format!("id_token_hint={hint}&post_logout_redirect_uri={other}&state=x")).await;
}

/// A hint that this issuer did not sign says nothing: at most the person is asked, and stays signed in until then.
async fn is_no_hint(forge: impl Fn(&str) -> String) {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let got = tokens(&world, &mut browser, "query", "").await;
    let query = format!(
        "id_token_hint={}&post_logout_redirect_uri={}",
        forge(&got.id_token),
        escaped(BYE)
    );
    let page = logout(&mut browser, &query).await;
    assert_eq!(page.header("location"), None, "{page:?}");
    assert!(is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_with_bad_id_token_hint_alg_none() {
    is_no_hint(|token| {
        let payload = token.split('.').nth(1).unwrap();
        format!(
            "{}.{payload}.",
            base64url::encode(r#"{"alg":"none","typ":"JWT"}"#)
        )
    })
    .await;
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_with_id_token_hint_by_another_signer() {
    let stranger = TestKey::generate(KeyKind::P256);
    is_no_hint(|token| {
        // Every octet is ours, the name of the key too, but for the signature: that is good under a key of somebody else.
        let mut parts = token.split('.').map(|part| base64url::decode(part).unwrap());
        let mut part = || String::from_utf8(parts.next().unwrap()).unwrap();
        let (header, payload) = (part(), part());
        assert!(header.contains("ES256"), "{header}");
        es256_with(&stranger, &header, &payload)
    })
    .await;
}

/// Whether a person is asked before they are signed out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    First,
    Nobody,
}

/// Whatever is left out: a person who agrees is signed out, and nothing breaks. Without a hint they are asked first, and
/// signed in until they agree.
async fn signs_out(asks: Asks, query: impl Fn(&str) -> String) -> Answer {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let got = tokens(&world, &mut browser, "query", "").await;
    let page = logout(&mut browser, &query(&got.id_token)).await;
    let is_asked = page.status == 200 && page.text.contains("value=\"logout\"");
    assert_eq!(is_asked, asks == Asks::First, "{page:?}");
    assert_eq!(is_signed_in(&mut browser).await, is_asked);
    let answer = agreed(&mut browser, page).await;
    assert!(matches!(answer.status.as_u16(), 200 | 302 | 303), "{answer:?}");
    assert!(!is_signed_in(&mut browser).await);
    answer
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_id_token_hint() {
    let query = format!("post_logout_redirect_uri={}&state=x&client_id=rp", escaped(BYE));
    let answer = signs_out(Asks::First, |_| query.clone()).await;
    assert_eq!(answer.header("location"), Some(format!("{BYE}?state=x").as_str()));
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_params() {
    let answer = signs_out(Asks::First, |_| String::new()).await;
    assert_eq!(answer.header("location"), None, "{answer:?}");
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_post_logout_redirect_uri() {
    let answer = signs_out(Asks::Nobody, |hint| format!("id_token_hint={hint}&state=x")).await;
    assert_eq!(answer.header("location"), None, "{answer:?}");
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_only_state() {
    let answer = signs_out(Asks::First, |_| "state=x".to_owned()).await;
    assert_eq!(answer.header("location"), None, "{answer:?}");
}

#[tokio::test]
async fn oidcc_rp_initiated_logout_no_state() {
    let bye = escaped(BYE);
    let answer = signs_out(Asks::Nobody, |hint| {
        format!("id_token_hint={hint}&post_logout_redirect_uri={bye}")
    })
    .await;
    assert_eq!(answer.header("location"), Some(BYE));
}

/// What was posted, and where.
#[derive(Default)]
struct Posted(Mutex<Vec<(String, String)>>);

#[async_trait]
impl LogoutSender for Posted {
    async fn send(&self, address: &str, logout_token: &str) -> Result<(), LogoutSendError> {
        self.0.lock().push((address.to_owned(), logout_token.to_owned()));
        Ok(())
    }
}

#[tokio::test]
async fn oidcc_backchannel_rp_initiated_logout_discovery_endpoint_verification() {
    let world = world().await;
    let metadata = world
        .send(Ask::get(&format!("{ISSUER}/.well-known/openid-configuration")))
        .await
        .json();
    for member in [
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
    ] {
        assert_eq!(metadata[member], true, "{member}");
    }
}

#[tokio::test]
async fn oidcc_backchannel_rp_initiated_logout() {
    let posted = Arc::new(Posted::default());
    let people = People {
        logout_sender: Arc::<Posted>::clone(&posted),
        ..People::default()
    };
    let world = world_of(people).await;
    let mut browser = Browser::new(&world);
    let got = tokens(&world, &mut browser, "query", "").await;
    wait(&world, 5);
    let query = format!(
        "id_token_hint={}&post_logout_redirect_uri={}",
        got.id_token,
        escaped(BYE)
    );
    let page = logout(&mut browser, &query).await;
    let answer = agreed(&mut browser, page).await;
    assert_eq!(answer.header("location"), Some(BYE), "{answer:?}");
    world.provider.send_logouts().await.unwrap();
    let posted = posted.0.lock().clone();
    let [(address, token)] = posted.as_slice() else {
        panic!("one client took part: {posted:?}");
    };
    assert_eq!(address, "https://rp.example/backchannel");
    let claims = verified(&world, token).await;
    for same in ["iss", "sub", "aud", "sid"] {
        assert_eq!(claims[same], got.claims[same], "{same}");
    }
    assert_eq!(
        claims["events"],
        json!({"http://schemas.openid.net/event/backchannel-logout": {}})
    );
    let now = world.now();
    let time = |name: &str| claims[name].as_u64().unwrap();
    assert!(time("iat") <= now && time("exp") > now && time("exp") <= time("iat") + 120);
    assert!(claims["jti"].is_string() && claims.get("nonce").is_none());
    let header: Value =
        serde_json::from_slice(&base64url::decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    assert_eq!(header["typ"], "logout+jwt");
    let answer = ask(&mut browser, &request("query", "&prompt=none")).await;
    assert_eq!(error_of(&answer, "query"), "login_required");
    // What this session's refresh token gave, ends with it; the client is told once.
    world.provider.send_logouts().await.unwrap();
    assert_eq!(posted.len(), 1);
    is_fault_page(&ask(&mut browser, "client_id=nobody").await);
}
