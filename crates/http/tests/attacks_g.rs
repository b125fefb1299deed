//! G and N: what is done to people through their browsers.

use crate::document::Document;
use crate::people::{Browser, PageForm, People, register_app, request};
use crate::support::{Answer, Ask, ISSUER, World};

const MARKUP: &str = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";

async fn world() -> World {
    let world = World::with_people(People::default()).await;
    register_app(&world).await;
    world
}

/// Every page that can be reached without a form, good and bad.
fn addresses() -> Vec<String> {
    [
        format!("authorize?{}", request("")),
        format!("authorize?{}", request("&response_mode=form_post&prompt=none")),
        "authorize".to_owned(),
        "authorize?client_id=nobody".to_owned(),
        "interaction".to_owned(),
        "interaction?id=x".to_owned(),
        "callback?state=x&code=y".to_owned(),
        "device".to_owned(),
        "device?user_code=BCDF-GHJK".to_owned(),
        "logout".to_owned(),
        "account".to_owned(),
    ]
    .map(|path| format!("{ISSUER}/{path}"))
    .into()
}

/// Scripts that stand in a page, or come from elsewhere.
fn strange_scripts(text: &str) -> usize {
    let document = Document::parse(text);
    let ours = |address: &str| address.starts_with(ISSUER) && address.contains("/assets/passkey.js?");
    let scripts = document.all("script");
    scripts
        .filter(|script| !script.attribute("src").is_some_and(ours))
        .count()
}

#[track_caller]
fn is_private(answer: &Answer) {
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    assert_eq!(
        answer.header("referrer-policy"),
        Some("no-referrer"),
        "{answer:?}"
    );
    assert_eq!(
        answer.header("x-content-type-options"),
        Some("nosniff"),
        "{answer:?}"
    );
}

/// What keeps a page out of frames, and scripts and strangers out of the page.
#[track_caller]
fn is_guarded(answer: &Answer) {
    is_private(answer);
    assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8"),
        "{answer:?}"
    );
    let policy = answer.header("content-security-policy").unwrap();
    for part in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "style-src 'self'",
    ] {
        assert!(policy.split("; ").any(|one| one == part), "{part}: {policy}");
    }
    for weak in ["unsafe", "*", "data:", "http:", "https:"] {
        assert!(!policy.contains(weak), "{weak}: {policy}");
    }
}

#[tokio::test]
async fn g22_form_post_escapes_state_and_runs_one_script_by_its_hash() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let answer = browser
        .authorize(&request(&format!("&response_mode=form_post&state={MARKUP}")))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    is_guarded(&answer);
    let document = Document::parse(&answer.text);
    let value = |name: &str| {
        let input = document
            .all("input")
            .find(|input| input.attribute("name") == Some(name));
        input
            .unwrap_or_else(|| panic!("no {name}: {answer:?}"))
            .attribute("value")
            .unwrap()
            .to_owned()
    };
    assert_eq!(value("state"), "\"><script>alert(1)</script>");
    assert_eq!(value("iss"), "https://id.example/v4/oauth2/demo");
    assert_eq!(value("code").len(), 43);
    assert_eq!(
        document.one("form").attribute("action"),
        Some("https://app.example/cb")
    );
    assert_eq!(document.all("script").count(), 1);
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'sha256-"), "{policy}");
}

#[tokio::test]
async fn g32_hints_with_markup_are_shown_as_they_are() {
    let world = world().await;
    for parameter in [
        "login_hint",
        "ui_locales",
        "nonce",
        "state",
        "acr_values",
        "display",
    ] {
        let mut browser = Browser::new(&world);
        let page = browser
            .get(&format!(
                "{ISSUER}/authorize?{}",
                request(&format!("&{parameter}={MARKUP}"))
            ))
            .await;
        let page = browser.follow(page).await;
        if page.status == 200 {
            assert_eq!(strange_scripts(&page.text), 0, "{parameter}");
            assert_eq!(Document::parse(&page.text).all("img").count(), 0, "{parameter}");
        } else {
            assert!(
                !page.header("location").unwrap_or_default().contains('<'),
                "{parameter}: {page:?}"
            );
        }
    }
    let page = Browser::new(&world)
        .get(&format!(
            "{ISSUER}/authorize?{}",
            request(&format!("&login_hint={MARKUP}"))
        ))
        .await;
    let document = Document::parse(&page.text);
    let field = document
        .all("input")
        .find(|input| input.attribute("name") == Some("user_name"))
        .unwrap();
    assert_eq!(field.attribute("value"), Some("\"><script>alert(1)</script>"));
}

#[tokio::test]
async fn g33_no_page_is_put_into_a_frame() {
    let world = world().await;
    for address in addresses() {
        let mut browser = Browser::new(&world);
        let answer = browser.get(&address).await;
        let answer = browser.follow(answer).await;
        if answer.header("location").is_none() {
            is_guarded(&answer);
        }
    }
    let mut browser = Browser::new(&world);
    let page = browser.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
    let consent = browser.sign_in(&page).await;
    assert!(consent.text.contains("value=\"allow\""), "{consent:?}");
    is_guarded(&consent);
}

#[tokio::test]
async fn g34_a_sign_in_form_counts_only_with_the_token_of_its_browser() {
    let world = world().await;
    let mut victim = Browser::new(&world);
    let page = victim.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
    let filled = [
        ("user_name", "alice"),
        ("password", crate::people::PASSWORD),
        ("do", "password"),
    ];
    let own = PageForm::of(&page).with(&filled);
    let mut attacker = Browser::new(&world);
    let theirs = attacker.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
    let theirs = PageForm::of(&theirs).with(&filled);
    let stale = {
        let mut before = Browser::new(&world);
        let page = before.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
        PageForm::of(&page).with(&filled)
    };
    for (name, form) in [
        ("no token", own.clone().without("anti_forgery")),
        (
            "empty token",
            own.clone().without("anti_forgery").with(&[("anti_forgery", "")]),
        ),
        ("a token of another browser", theirs),
        ("a token of before", stale),
    ] {
        let answer = victim.post(&form).await;
        assert!([400, 403].contains(&answer.status.as_u16()), "{name}: {answer:?}");
        is_guarded(&answer);
        assert!(
            !victim.cookies.keys().any(|cookie| cookie.contains("session")),
            "{name}"
        );
    }
    let answer = victim.post(&own).await;
    assert_eq!(answer.status, 303, "{answer:?}");
}

#[tokio::test]
async fn g35_a_form_of_ours_that_another_origin_sends_is_refused() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let page = browser.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
    let consent = browser.sign_in(&page).await;
    let form = PageForm::of(&consent).with(&[("do", "allow")]);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "https://id.example.evil.example"),
        ("origin", "http://id.example"),
    ] {
        let ask = Ask::post(&form.action).header(name, value).form(form.encoded());
        let answer = browser.send(ask).await;
        assert_eq!(answer.status, 403, "{name}: {value}: {answer:?}");
        is_guarded(&answer);
    }
    let forged = form
        .clone()
        .without("anti_forgery")
        .with(&[("anti_forgery", &"A".repeat(43))]);
    let answer = browser.post(&forged).await;
    assert!([400, 403].contains(&answer.status.as_u16()), "{answer:?}");
    let answer = browser.post(&form).await;
    let answer = browser.follow(answer).await;
    assert!(answer.header("location").unwrap().contains("code="), "{answer:?}");
}

#[tokio::test]
async fn g36_who_signs_in_gets_another_session_id() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let planted = "A".repeat(43);
    browser
        .cookies
        .insert("__Host-session-demo".to_owned(), planted.clone());
    let page = browser.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
    browser.sign_in(&page).await;
    assert_ne!(browser.cookies["__Host-session-demo"], planted);
}

#[tokio::test]
async fn g37_cookies_are_of_this_host_over_tls_for_no_script() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let page = browser.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
    let form = PageForm::of(&page).with(&[
        ("user_name", "alice"),
        ("password", crate::people::PASSWORD),
        ("do", "password"),
    ]);
    let signed_in = browser.post(&form).await;
    let mut names = Vec::new();
    for answer in [&page, &signed_in] {
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (pair, attributes) = cookie.split_once("; ").unwrap();
            assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Lax", "{cookie}");
            names.push(pair.split_once('=').unwrap().0.to_owned());
        }
    }
    names.sort();
    assert_eq!(names, ["__Host-browser", "__Host-session-demo"]);
}

#[tokio::test]
async fn g38_no_redirect_repeats_a_form() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let page = browser.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
    let form = PageForm::of(&page).with(&[
        ("user_name", "alice"),
        ("password", crate::people::PASSWORD),
        ("do", "password"),
    ]);
    let mut answer = browser.post(&form).await;
    let mut redirects = 0;
    while let Some(location) = answer.header("location").map(str::to_owned) {
        assert_eq!(answer.status, 303, "{answer:?}");
        is_private(&answer);
        redirects += 1;
        answer = browser.get(&location).await;
    }
    assert!(redirects > 0);
    let answer = browser
        .post(&PageForm::of(&answer).with(&[("do", "allow")]))
        .await;
    assert_eq!(answer.status, 303, "{answer:?}");
    is_private(&answer);
}

#[tokio::test]
async fn g39_pages_name_no_other_host_and_send_no_referrer() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let page = browser
        .get(&format!("{ISSUER}/authorize?{}", request("&state=secret")))
        .await;
    let consent = browser.sign_in(&page).await;
    for answer in [&page, &consent] {
        is_private(answer);
        let document = Document::parse(&answer.text);
        for element in document.elements() {
            for name in ["src", "srcset", "action"] {
                let address = element.attribute(name);
                assert!(
                    address.is_none_or(|address| address.starts_with(ISSUER)),
                    "{element:?}"
                );
            }
            let loads = element.name == "link";
            assert!(
                !loads || element.attribute("href").unwrap().starts_with(ISSUER),
                "{element:?}"
            );
        }
    }
}

#[tokio::test]
async fn g40_nothing_of_ours_stands_in_a_fragment() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let page = browser
        .get(&format!("{ISSUER}/authorize?{}", request("&state=s")))
        .await;
    let consent = browser.sign_in(&page).await;
    let answer = browser
        .post(&PageForm::of(&consent).with(&[("do", "allow")]))
        .await;
    for answer in [&page, &consent, &answer] {
        assert!(
            !answer.header("location").unwrap_or_default().contains('#'),
            "{answer:?}"
        );
        assert!(
            !answer.text.contains("href=\"#") && !answer.text.contains("code="),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn g41_no_parameter_says_where_to_go_next() {
    let world = world().await;
    for target in [
        "//evil.example",
        "/%5Cevil.example",
        "https:evil.example",
        "https://evil.example/",
        "%2F%2Fevil",
    ] {
        for name in [
            "return_to",
            "next",
            "redirect",
            "post_logout_redirect_uri",
            "target_link_uri",
        ] {
            for address in addresses() {
                let mark = if address.contains('?') { '&' } else { '?' };
                let mut browser = Browser::new(&world);
                let answer = browser.get(&format!("{address}{mark}{name}={target}")).await;
                let answer = browser.follow(answer).await;
                let location = answer.header("location").unwrap_or_default();
                assert!(
                    location.is_empty() || location.starts_with("https://app.example/cb"),
                    "{address} {name}: {answer:?}"
                );
                let document = (!answer.text.is_empty()).then(|| Document::parse(&answer.text));
                let mut links = document
                    .iter()
                    .flat_map(Document::elements)
                    .filter_map(|e| e.attribute("href"));
                assert!(links.all(|link| !link.contains("evil")), "{address} {name}");
            }
        }
    }
}

#[tokio::test]
async fn g42_error_pages_repeat_nothing_that_was_sent() {
    let world = world().await;
    for path in [
        "authorize",
        "interaction",
        "callback",
        "device",
        "logout",
        "account",
    ] {
        for name in [
            "error_description",
            "error",
            "client_id",
            "redirect_uri",
            "id",
            "state",
            "response_type",
        ] {
            let answer = Browser::new(&world)
                .get(&format!("{ISSUER}/{path}?{name}=%3Cscript%3Ezebra"))
                .await;
            if answer.status.is_client_error() {
                assert!(!answer.text.contains("zebra"), "{path} {name}: {answer:?}");
            } else if answer.status == 200 {
                assert_eq!(strange_scripts(&answer.text), 0, "{path} {name}");
            }
        }
    }
}

#[tokio::test]
async fn n09_state_of_a_logout_comes_back_encoded() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    browser.authorize(&request("")).await;
    let query =
        format!("client_id=app&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fout&state={MARKUP}");
    let page = browser.get(&format!("{ISSUER}/logout?{query}")).await;
    let page = browser.follow(page).await;
    assert_eq!(page.status, 200, "{page:?}");
    let document = Document::parse(&page.text);
    assert_eq!(document.all("script").count(), 0);
    let answer = browser.post(&PageForm::of(&page).with(&[("do", "logout")])).await;
    let answer = browser.follow(answer).await;
    if let Some(location) = answer.header("location") {
        assert!(location.starts_with("https://app.example/out?"), "{location}");
        assert!(!location.contains(['<', '>', '"']), "{location}");
        assert!(location.contains("state=%22%3E%3Cscript%3E"), "{location}");
    } else {
        assert_eq!(
            Document::parse(&answer.text).all("script").count(),
            0,
            "{answer:?}"
        );
    }
    assert!(!browser.cookies.contains_key("__Host-session-demo"), "{answer:?}");
}

/// A missing cookie has several causes, and the person knows which: each is named, and what to do.
#[tokio::test]
async fn a_page_without_its_cookie_says_what_may_be_the_matter() {
    for (languages, causes) in [
        (
            "en",
            [
                "another browser",
                "private window",
                "closed in between",
                "cookies are blocked",
            ],
        ),
        (
            "de",
            [
                "anderen Browser",
                "privaten Fenster",
                "zwischendurch geschlossen",
                "Cookies blockiert",
            ],
        ),
    ] {
        let world = world().await;
        let mut browser = Browser::new(&world);
        browser.languages = languages;
        let page = browser.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
        browser.cookies.clear();
        let form = PageForm::of(&page).with(&[("user_name", "alice"), ("password", "x"), ("do", "password")]);
        let answer = browser.post(&form).await;
        assert_eq!(answer.status, 400);
        for cause in causes {
            assert!(answer.text.contains(cause), "{languages}: {cause}: {answer:?}");
        }
        // A link that was copied into another browser is told the same.
        let mut other = Browser::new(&world);
        other.languages = languages;
        let copied = other.get(&format!("{ISSUER}/interaction?id=abc")).await;
        assert_eq!(copied.status, 400);
        assert!(copied.text.contains(causes[0]), "{copied:?}");
    }
}
