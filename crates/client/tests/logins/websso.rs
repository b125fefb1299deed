use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use sealstone_client::{
    Keystone, KeystoneError, KeystoneToken, LOGIN_DEADLINE, LoginError, RefusedRequest, WebSso, WebSsoOptions,
};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::{
    keystone::document,
    support::{Fake, Said, TestClock, context, raw, said, status},
};

const SHOW: &str = "GET /v3/auth/tokens";

struct Waiting {
    fake: Fake,
    port: u16,
    told: Arc<Mutex<Vec<RefusedRequest>>>,
    ended: JoinHandle<Result<KeystoneToken, LoginError>>,
}

async fn waiting(options: WebSsoOptions) -> Waiting {
    let fake = Fake::start().await;
    fake.says(SHOW, said(200, &document(&json!({}))));
    let keystone = Keystone::new(&context(&TestClock::new()), &fake.base, None).unwrap();
    let login = WebSso::bind(&keystone, &options.with_port(0)).await.unwrap();
    let (address, query) = login.url().split_once('?').unwrap();
    let path = "/v3/auth/OS-FEDERATION/identity_providers/sealstone/protocols/openid/websso";
    assert_eq!(address, format!("{}{path}", fake.base));
    let origin = crate::support::fields(query)["origin"].clone();
    let port = origin.strip_prefix("http://localhost:").unwrap();
    let port = port.strip_suffix("/auth/websso/").unwrap().parse().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let wait = login.wait(LOGIN_DEADLINE, move |refused| {
        telling.lock().unwrap().push(refused)
    });
    Waiting {
        fake,
        port,
        told,
        ended: tokio::spawn(wait),
    }
}

fn options() -> WebSsoOptions {
    WebSsoOptions::new("sealstone", "openid")
}

impl Waiting {
    /// Posts the form as Chromium posts Keystone's page, with these headers in place of its own; an empty value leaves
    /// one out.
    async fn post(&self, body: &str, headers: &[(&str, &str)]) -> String {
        let mut all = vec![
            ("Host".to_owned(), format!("localhost:{}", self.port)),
            ("Origin".to_owned(), self.fake.base.clone()),
            (
                "Content-Type".to_owned(),
                "application/x-www-form-urlencoded".to_owned(),
            ),
            ("Sec-Fetch-Site".to_owned(), "cross-site".to_owned()),
            ("Sec-Fetch-Mode".to_owned(), "navigate".to_owned()),
            ("Sec-Fetch-Dest".to_owned(), "document".to_owned()),
        ];
        for (name, value) in headers {
            all.retain(|(own, _)| own != name);
            if !value.is_empty() {
                all.push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        let headers: String = all
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let length = body.len();
        let request =
            format!("POST /auth/websso/ HTTP/1.1\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        raw(&format!("127.0.0.1:{}", self.port), request.as_bytes()).await
    }

    fn told(&self) -> Vec<RefusedRequest> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

#[tokio::test]
async fn r09_the_form_of_keystone_is_taken_once_and_not_shown() {
    let waiting = waiting(options().with_username("alice")).await;
    let page = waiting.post("token=gAAAAA-b_c", &[]).await;
    assert!(
        status(&page) == 200 && page.contains("You are logged in as alice"),
        "{page}"
    );
    let token = waiting.ended.await.unwrap().unwrap();
    assert_eq!(
        (token.token().expose(), token.user().name.as_str()),
        ("gAAAAA-b_c", "alice")
    );
    assert_eq!(token.scope(), None);
    let asked = &waiting.fake.asked(SHOW)[0];
    assert_eq!(
        (
            asked.headers["x-auth-token"].as_str(),
            asked.headers["x-subject-token"].as_str()
        ),
        ("gAAAAA-b_c", "gAAAAA-b_c")
    );
    assert!(page.contains("cache-control: no-store") && page.contains("form-action 'none'"));
    assert!(!page.contains("gAAAAA") && !page.contains("<script"), "{page}");
    let again = format!(
        "POST /auth/websso/ HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
        waiting.port
    );
    assert_eq!(
        raw(&format!("127.0.0.1:{}", waiting.port), again.as_bytes()).await,
        ""
    );
}

#[tokio::test]
async fn r08_r09_forms_that_are_not_keystones_are_refused() {
    use RefusedRequest as Refused;
    let waiting = waiting(options()).await;
    let base = waiting.fake.base.clone();
    let other_port = format!("{base}1");
    let evil_host = format!("evil.example:{}", waiting.port);
    let cases: &[(&[(&str, &str)], Refused)] = &[
        (&[("Origin", "https://evil.example")], Refused::Origin),
        (&[("Origin", "null")], Refused::Origin),
        (&[("Origin", &other_port)], Refused::Origin),
        (&[("Origin", "https://127.0.0.1")], Refused::Origin),
        // A browser that leaves it out although it tells the rest.
        (&[("Origin", "")], Refused::Origin),
        (&[("Sec-Fetch-Mode", "cors")], Refused::Fetch),
        (&[("Sec-Fetch-Dest", "iframe")], Refused::Fetch),
        (&[("Sec-Fetch-Site", "none")], Refused::Fetch),
        (&[("Content-Type", "text/plain")], Refused::ContentType),
        (
            &[("Content-Type", "multipart/form-data; boundary=x")],
            Refused::ContentType,
        ),
        (&[("Content-Type", "")], Refused::ContentType),
        (&[("Host", &evil_host)], Refused::Host),
        (&[("Host", "localhost")], Refused::Host),
        (&[("Host", "")], Refused::Host),
    ];
    for (headers, want) in cases {
        let page = waiting.post("token=stolen", headers).await;
        assert_eq!(
            (status(&page), waiting.told()),
            (want.status(), vec![*want]),
            "{headers:?}"
        );
    }
    for body in [
        "",
        "token=",
        "tok=abc",
        "token=a&token=b",
        "token=a%0d%0ab",
        "token=%zz",
        "token=a b",
    ] {
        let page = waiting.post(body, &[]).await;
        assert_eq!(
            (status(&page), waiting.told()),
            (400, vec![Refused::Parameters]),
            "{body}"
        );
    }
    let long = format!("token={}", "a".repeat(20_000));
    assert_eq!(status(&waiting.post(&long, &[]).await), 400);
    let address = format!("127.0.0.1:{}", waiting.port);
    let host = format!("Host: localhost:{}\r\n\r\n", waiting.port);
    for (request, want) in [
        ("GET /auth/websso/ HTTP/1.1\r\n", 405),
        ("GET /favicon.ico HTTP/1.1\r\n", 404),
        ("POST /auth/websso HTTP/1.1\r\n", 404),
        ("POST /auth/websso/?x HTTP/1.1\r\n", 404),
    ] {
        let page = raw(&address, format!("{request}{host}").as_bytes()).await;
        assert_eq!(status(&page), want, "{request}");
    }
    assert!(
        waiting.fake.asked(SHOW).is_empty(),
        "nothing of it came to Keystone"
    );
    waiting.post("token=right", &[]).await;
    assert_eq!(waiting.ended.await.unwrap().unwrap().token().expose(), "right");
}

/// A program that is no browser says nothing of fetches and origins: it is somebody who pastes.
#[tokio::test]
async fn a_form_without_a_browser_is_taken() {
    let waiting = waiting(options()).await;
    let none = ["Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"].map(|name| (name, ""));
    assert_eq!(status(&waiting.post("token=right", &none).await), 200);
    waiting.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn tokens_of_others_are_not_ours() {
    let waiting = waiting(options().with_username("bob")).await;
    let page = waiting.post("token=alices", &[]).await;
    assert_eq!((status(&page), waiting.told()), (403, vec![RefusedRequest::User]));
    assert!(page.contains("another user"), "{page}");
    waiting.fake.says(SHOW, Said(404, Vec::new(), String::new()));
    let page = waiting.post("token=unknown", &[]).await;
    assert_eq!(
        (status(&page), waiting.told()),
        (400, vec![RefusedRequest::Token])
    );
    let bob = json!({"user": {"id": "u2", "name": "bob", "domain": {"id": null, "name": null}}});
    waiting.fake.says(SHOW, said(200, &document(&bob)));
    waiting.post("token=bobs", &[]).await;
    assert_eq!(waiting.ended.await.unwrap().unwrap().user().name, "bob");
}

#[tokio::test]
async fn guesses_have_an_end_and_so_has_a_keystone_that_is_down() {
    let guessing = waiting(options()).await;
    guessing.fake.says(SHOW, Said(404, Vec::new(), String::new()));
    let mut refused = 0;
    while !guessing.ended.is_finished() && refused < 100 {
        guessing.post("token=guess", &[]).await;
        refused += 1;
        tokio::task::yield_now().await;
    }
    assert!(refused <= 12, "{refused}");
    assert!(matches!(
        guessing.ended.await.unwrap(),
        Err(LoginError::Denied(None))
    ));

    let down = waiting(options()).await;
    down.fake.says(SHOW, Said(503, Vec::new(), String::new()));
    let page = down.post("token=right", &[]).await;
    assert!(page.contains("Not logged in"), "{page}");
    let error = down.ended.await.unwrap().unwrap_err();
    assert!(
        matches!(error, LoginError::Keystone(KeystoneError::Call(_))),
        "{error}"
    );
}

#[tokio::test]
async fn the_one_port_is_free_or_its_name_is_told() {
    let fake = Fake::start().await;
    let keystone = Keystone::new(&context(&TestClock::new()), &fake.base, None).unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let error = WebSso::bind(&keystone, &options().with_port(port))
        .await
        .unwrap_err();
    assert!(
        matches!(error, LoginError::PortTaken(taken) if taken == port),
        "{error}"
    );
    let login = WebSso::bind(&keystone, &options().with_port(0)).await.unwrap();
    let error = login
        .wait(Duration::from_millis(20), |_refused| {})
        .await
        .unwrap_err();
    assert!(matches!(error, LoginError::Deadline(_)), "{error}");
    for (provider, protocol) in [("", "openid"), ("sealstone", "../x"), ("a/b", "openid")] {
        let options = WebSsoOptions::new(provider, protocol).with_port(0);
        let error = WebSso::bind(&keystone, &options).await.unwrap_err();
        assert!(
            matches!(error, LoginError::Keystone(KeystoneError::Address(_))),
            "{error}"
        );
    }
}
