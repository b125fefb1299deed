//! People at the pages.

use crate::people::{Browser, PageForm, People, register_app, request};
use crate::support::{Ask, ISSUER, World};

async fn world() -> World {
    let world = World::with_people(People::default()).await;
    register_app(&world).await;
    world
}

#[tokio::test]
async fn a_person_signs_in_allows_and_is_sent_back() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let answer = browser.authorize(&request("&state=s1")).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let location = answer.header("location").unwrap();
    assert!(location.starts_with("https://app.example/cb?"), "{location}");
    for part in [
        "code=",
        "state=s1",
        "iss=https%3A%2F%2Fid.example%2Fv4%2Foauth2%2Fdemo",
    ] {
        assert!(location.contains(part), "{location}");
    }
    let again = browser
        .get(&format!("{ISSUER}/authorize?{}", request("&prompt=none")))
        .await;
    let again = browser.follow(again).await;
    assert!(again.header("location").unwrap().contains("code="), "{again:?}");
}

#[tokio::test]
async fn pages_speak_the_language_of_the_request_and_else_of_the_browser() {
    let world = world().await;
    for (languages, more, want) in [
        ("en", "", "en"),
        ("de-AT,de;q=0.9,en;q=0.5", "", "de"),
        ("fr", "", "en"),
        ("en", "&ui_locales=fr+de", "de"),
        ("de", "&ui_locales=en", "en"),
        ("de", "&ui_locales=%22%3E%3Cscript%3E", "de"),
    ] {
        let mut browser = Browser::new(&world);
        browser.languages = languages;
        let page = browser
            .get(&format!("{ISSUER}/authorize?{}", request(more)))
            .await;
        assert!(
            page.text.contains(&format!("<html lang=\"{want}\">")),
            "{languages} {more}: {page:?}"
        );
        let wrong =
            PageForm::of(&page).with(&[("user_name", "alice"), ("password", "x"), ("do", "password")]);
        let page = browser.post(&wrong).await;
        let page = browser.follow(page).await;
        assert!(
            page.text.contains(&format!("<html lang=\"{want}\">")),
            "after a form: {languages} {more}"
        );
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_and_the_name_is_kept() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let page = browser.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
    let form = PageForm::of(&page).with(&[("user_name", "alice"), ("password", "wrong"), ("do", "password")]);
    let page = browser.post(&form).await;
    let page = browser.follow(page).await;
    assert!(
        page.text.contains("role=\"alert\"") && page.text.contains("value=\"alice\""),
        "{page:?}"
    );
    assert!(!page.text.contains("wrong\""), "the password is not repeated");
}

/// Whose login is too old is known, and proves only that it is still they; whoever must sign in anew may be another.
#[tokio::test]
async fn who_is_known_is_asked_for_the_password_alone() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    browser.authorize(&request("")).await;
    world.clock.advance(std::time::Duration::from_secs(60));
    let page = browser
        .get(&format!("{ISSUER}/authorize?{}", request("&max_age=30")))
        .await;
    assert!(page.text.contains("Confirm that it’s you"), "{page:?}");
    let form = PageForm::of(&page);
    assert!(
        form.fields
            .contains(&("user_name".to_owned(), "alice".to_owned())),
        "{form:?}"
    );
    let wrong = browser
        .post(&form.clone().with(&[("password", "x"), ("do", "password")]))
        .await;
    assert!(wrong.text.contains("Confirm that it’s you"), "{wrong:?}");
    let answer = browser.sign_in(&wrong).await;
    assert!(answer.header("location").unwrap().contains("code="), "{answer:?}");

    let page = browser
        .get(&format!("{ISSUER}/authorize?{}", request("&prompt=login")))
        .await;
    assert!(page.text.contains("id=\"user_name\"") && page.text.contains("value=\"alice\""));
    // What is typed into the field stands there again, whoever was expected.
    let typed = [("user_name", "somebody"), ("password", "x"), ("do", "password")];
    let page = browser.post(&PageForm::of(&page).with(&typed)).await;
    assert!(page.text.contains("value=\"somebody\""), "{page:?}");
}

#[tokio::test]
async fn what_another_site_posts_comes_again_as_a_link() {
    let world = world().await;
    for (endpoint, body) in [
        ("authorize", request("&state=a%20b")),
        ("logout", "client_id=app".to_owned()),
    ] {
        let ask = Ask::post(&format!("{ISSUER}/{endpoint}")).header("sec-fetch-site", "cross-site");
        let answer = world.send(ask.form(body.clone())).await;
        assert_eq!(answer.status, 303);
        assert_eq!(
            answer.header("location"),
            Some(&*format!("{ISSUER}/{endpoint}?{body}"))
        );
        assert_eq!(answer.header("set-cookie"), None);
    }
    let ask = Ask::post(&format!("{ISSUER}/authorize")).form(request("&state=s"));
    let page = world.send(ask).await;
    assert!(page.text.contains("name=\"password\""), "{page:?}");
}

#[tokio::test]
async fn files_of_pages_are_kept_by_version() {
    let world = world().await;
    let page = world
        .send(Ask::get(&format!("{ISSUER}/authorize?{}", request(""))))
        .await;
    let (_, rest) = page.text.split_once("rel=\"stylesheet\" href=\"").unwrap();
    let (address, _) = rest.split_once('"').unwrap();
    let style = world.send(Ask::get(address)).await;
    assert_eq!(style.status, 200);
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(
        style.header("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    assert!(style.text.contains("--accent"));
    let tag = style.header("etag").unwrap().to_owned();
    let (bare, _) = address.split_once('?').unwrap();
    let unversioned = world.send(Ask::get(bare)).await;
    assert_eq!(unversioned.header("cache-control"), Some("public, max-age=300"));
    let known = world.send(Ask::get(address).header("if-none-match", tag)).await;
    assert_eq!((known.status.as_u16(), known.text.len()), (304, 0));
    let head = world.send(Ask::new("HEAD", address)).await;
    assert_eq!((head.status.as_u16(), head.text.len()), (200, 0));
    for missing in [
        "assets/nothing.css",
        "assets/../token",
        "assets/",
        "assets/style.css/x",
        "assets/%2e%2e",
    ] {
        assert_eq!(
            world.send(Ask::get(&format!("{ISSUER}/{missing}"))).await.status,
            404,
            "{missing}"
        );
    }
}

#[tokio::test]
async fn without_people_there_is_none_of_it() {
    let world = World::new().await;
    for path in [
        "authorize",
        "interaction",
        "callback",
        "device",
        "logout",
        "account",
        "userinfo",
    ] {
        world
            .send(Ask::get(&format!("{ISSUER}/{path}")))
            .await
            .is_refused(404, "invalid_request");
    }
    let ask = Ask::post(&format!("{ISSUER}/device_authorization"))
        .basic("ci")
        .form("");
    world.send(ask).await.is_refused(404, "invalid_request");
    assert_eq!(
        world
            .send(Ask::get(&format!("{ISSUER}/assets/style.css")))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn other_methods_are_named() {
    let world = World::with_people(People::default()).await;
    for (path, method, allow) in [
        ("authorize", "PUT", "GET, POST"),
        ("authorize", "HEAD", "GET, POST"),
        ("interaction", "DELETE", "GET, POST"),
        ("callback", "POST", "GET"),
        ("device", "POST", "GET"),
        ("account", "POST", "GET"),
        ("logout", "PATCH", "GET, POST"),
        ("userinfo", "PUT", "GET, POST"),
        ("device_authorization", "GET", "POST"),
        ("assets/style.css", "POST", "GET, HEAD"),
    ] {
        let answer = world.send(Ask::new(method, &format!("{ISSUER}/{path}"))).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("allow")),
            (405, Some(allow)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn codes_of_devices_are_guessed_at_ten_times_from_one_address() {
    let world = world().await;
    let mut browser = Browser::new(&world);
    let mut statuses = Vec::new();
    for _ in 0..11 {
        let page = browser.get(&format!("{ISSUER}/device")).await;
        assert_eq!(page.status, 200, "looking costs nothing");
        let form = PageForm::of(&page).with(&[("user_code", "BCDF-GHJK"), ("do", "user_code")]);
        let answer = browser.post(&form).await;
        let answer = browser.follow(answer).await;
        if answer.status == 429 {
            assert!(
                answer.header("retry-after").is_some() && answer.text.contains("Too many"),
                "{answer:?}"
            );
        } else {
            assert!(
                answer.text.contains("No device waits with this code"),
                "{answer:?}"
            );
        }
        statuses.push(answer.status.as_u16());
    }
    assert_eq!((statuses[9], statuses[10]), (200, 429), "{statuses:?}");
    let link = browser.get(&format!("{ISSUER}/device?user_code=BCDF-GHJK")).await;
    assert_eq!(link.status, 429, "not by links either");
    let page = browser.get(&format!("{ISSUER}/authorize?{}", request(""))).await;
    let answer = browser.sign_in(&page).await;
    assert!(
        answer.text.contains("value=\"allow\""),
        "people sign in meanwhile: {answer:?}"
    );
}
