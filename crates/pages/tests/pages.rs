//! What every page has to be, whatever it shows.

#[path = "pages/document.rs"]
mod document;
#[path = "pages/hostile.rs"]
mod hostile;
#[path = "pages/samples.rs"]
mod samples;

use document::Document;
use sealstone_pages::{Brand, Form, Page, Script, Setting, render};

/// Of a page with its stylesheet.
const LARGEST: usize = 15 * 1024;
/// What pages may name: nothing that runs, nothing that loads from elsewhere.
const ELEMENTS: &[&str] = &[
    "a", "b", "bdi", "body", "button", "code", "dd", "div", "dl", "dt", "ellipse", "fieldset", "footer",
    "form", "g", "h1", "h2", "head", "header", "html", "img", "input", "label", "legend", "li", "link",
    "main", "meta", "noscript", "ol", "p", "path", "picture", "script", "small", "source", "span", "strong",
    "svg", "time", "title", "ul",
];

fn form() -> Form {
    let hidden = |name: &str| (name.to_owned(), "A".repeat(43));
    Form {
        action: "/v4/oauth2/demo/interaction".to_owned(),
        hidden: vec![hidden("id"), hidden("csrf")],
    }
}

fn written(page: &Page, language: &str) -> String {
    let brand = Brand::plain();
    let form = form();
    let setting = Setting {
        brand: &brand,
        texts: brand.texts(&[language]),
        site: "Example Cloud",
        issuer_path: "/v4/oauth2/demo",
        form: &form,
    };
    render(page, &setting).unwrap().html
}

/// Every page in every language.
fn each(mut look: impl FnMut(&str, &Page, &str)) {
    for (name, page) in samples::samples() {
        for language in ["en", "de"] {
            look(&format!("{name} ({language})"), &page, &written(&page, language));
        }
    }
}

#[test]
fn every_page_is_small() {
    let style = Brand::plain().asset("style.css").unwrap().content().len();
    let script = Brand::plain().asset("passkey.js").unwrap().content().len();
    each(|name, _, html| {
        let loaded = if html.contains("passkey.js") { script } else { 0 };
        let size = html.len() + style + loaded;
        assert!(size < LARGEST, "{name}: {size}");
    });
}

#[test]
fn every_page_says_its_language_and_has_one_heading_and_a_title() {
    each(|name, _, html| {
        let document = Document::parse(html);
        let language = &name[name.len() - 3..name.len() - 1];
        assert_eq!(document.one("html").attribute("lang"), Some(language), "{name}");
        let heading = document.one("h1").text.trim().to_owned();
        assert!(!heading.is_empty(), "{name}");
        let title = &document.one("title").text;
        assert!(
            title.starts_with(&heading) && title.ends_with(" – Example Cloud"),
            "{name}: {title}"
        );
        document.one("main");
        assert!(
            document.all("h3").next().is_none(),
            "{name}: no level is left out"
        );
    });
}

#[test]
fn every_field_has_a_label_and_every_name_that_is_referred_to_exists() {
    each(|name, _, html| {
        let document = Document::parse(html);
        for input in document.all("input") {
            match input.attribute("type").unwrap() {
                "hidden" => continue,
                "radio" => assert!(input.within("label"), "{name}: {input:?}"),
                _ => {
                    let id = input
                        .attribute("id")
                        .unwrap_or_else(|| panic!("{name}: {input:?}"));
                    let labels = document
                        .all("label")
                        .filter(|label| label.attribute("for") == Some(id));
                    assert_eq!(labels.count(), 1, "{name}: {id}");
                    assert!(input.attribute("autocomplete").is_some(), "{name}: {id}");
                }
            }
        }
        for element in document.elements() {
            for attribute in ["aria-describedby", "aria-labelledby", "for"] {
                for id in element
                    .attribute(attribute)
                    .into_iter()
                    .flat_map(str::split_whitespace)
                {
                    assert_eq!(document.with_id(id), 1, "{name}: {id}");
                }
            }
            if element.name == "svg" || element.name == "img" {
                let silent =
                    element.attribute("aria-hidden") == Some("true") || element.attribute("alt").is_some();
                let named =
                    element.attribute("role") == Some("img") && element.attribute("aria-label").is_some();
                assert!(silent || named, "{name}: {element:?}");
            }
            if element.name == "button" {
                let named = !element.text.trim().is_empty() || element.attribute("aria-label").is_some();
                assert!(named, "{name}: {element:?}");
            }
        }
    });
}

#[test]
fn buttons_of_one_page_can_be_told_apart_by_their_names() {
    each(|name, _, html| {
        let document = Document::parse(html);
        let mut heard: Vec<String> = document
            .all("button")
            .map(|button| match button.attribute("aria-label") {
                Some(label) => label.to_owned(),
                None => button.text.trim().to_owned(),
            })
            .collect();
        let all = heard.len();
        heard.sort();
        heard.dedup();
        assert_eq!(heard.len(), all, "{name}: {heard:?}");
    });
}

#[test]
fn password_managers_find_their_fields() {
    let field = |page: &str, id: &str| {
        let (_, page) = samples::samples()
            .into_iter()
            .find(|(name, _)| name == page)
            .unwrap();
        let html = written(&page, "en");
        let document = Document::parse(&html);
        let input = document
            .all("input")
            .find(|input| input.attribute("name") == Some(id))
            .unwrap();
        input.attribute("autocomplete").unwrap().to_owned()
    };
    assert_eq!(field("login", "user_name"), "username");
    assert_eq!(field("login_again", "user_name"), "username");
    assert_eq!(field("login", "password"), "current-password");
    assert_eq!(field("code_totp", "code"), "one-time-code");
    assert_eq!(field("enrol_totp", "code"), "one-time-code");
    assert_eq!(field("device_code", "user_code"), "off");
}

#[test]
fn what_went_wrong_is_announced_and_tied_to_the_field() {
    each(|name, _, html| {
        let document = Document::parse(html);
        let trouble = document.all("p").find(|p| p.attribute("id") == Some("trouble"));
        let Some(trouble) = trouble else { return };
        assert_eq!(trouble.attribute("role"), Some("alert"), "{name}");
        let typed = document
            .all("input")
            .any(|input| matches!(input.attribute("type"), Some("text" | "password")));
        let invalid = document
            .all("input")
            .find(|input| input.attribute("aria-invalid") == Some("true"));
        assert_eq!(invalid.is_some(), typed, "{name}");
        if let Some(input) = invalid {
            let described = input.attribute("aria-describedby").unwrap();
            assert!(described.split(' ').any(|id| id == "trouble"), "{name}");
        }
    });
}

#[test]
fn every_form_is_posted_to_us_with_its_hidden_fields() {
    each(|name, page, html| {
        let document = Document::parse(html);
        for (index, element) in document.elements().enumerate() {
            if element.name != "form" {
                continue;
            }
            assert_eq!(element.attribute("method"), Some("post"), "{name}");
            if let Page::FormPost(post) = page {
                assert_eq!(element.attribute("action"), Some(&*post.action), "{name}");
                assert!(
                    !html.contains("csrf"),
                    "{name}: the application is told nothing of ours"
                );
                continue;
            }
            assert_eq!(
                element.attribute("action"),
                Some("/v4/oauth2/demo/interaction"),
                "{name}"
            );
            for hidden in ["id", "csrf"] {
                let inside = document.inside(index, "input");
                let fields = inside.filter(|input| input.attribute("name") == Some(hidden));
                assert_eq!(fields.count(), 1, "{name}: {hidden}");
            }
            let buttons: Vec<_> = document.inside(index, "button").collect();
            assert!(!buttons.is_empty(), "{name}: it works without a script");
            assert!(
                buttons
                    .iter()
                    .all(|button| button.attribute("name") == Some("do")),
                "{name}"
            );
        }
    });
}

#[test]
fn pages_hold_nothing_that_a_strict_policy_would_stop() {
    each(|name, page, html| {
        let document = Document::parse(html);
        for element in document.elements() {
            assert!(ELEMENTS.contains(&&*element.name), "{name}: {}", element.name);
            for (attribute, value) in &element.attributes {
                assert!(
                    !attribute.starts_with("on") && attribute != "style",
                    "{name}: {attribute}"
                );
                if matches!(&**attribute, "src" | "srcset" | "href") {
                    let own = value.starts_with("/v4/oauth2/demo/");
                    let app = value.starts_with("otpauth://totp/") && matches!(page, Page::EnrolTotp(_));
                    let followed = element.name == "a" && (app || value.starts_with("https://"));
                    assert!(own || followed, "{name}: {value}");
                }
            }
        }
        let inline: Vec<_> = document
            .all("script")
            .filter(|script| script.attribute("src").is_none())
            .collect();
        assert_eq!(
            inline.len(),
            usize::from(matches!(page, Page::FormPost(_))),
            "{name}"
        );
    });
}

#[test]
fn scripts_are_only_where_they_are_declared() {
    let brand = Brand::plain();
    let form = form();
    for (name, page) in samples::samples() {
        let setting = Setting {
            brand: &brand,
            texts: brand.texts(&[]),
            site: "Example Cloud",
            issuer_path: "/v4/oauth2/demo",
            form: &form,
        };
        let rendered = render(&page, &setting).unwrap();
        let found = match (
            rendered.html.contains("passkey.js"),
            rendered.html.contains("<script>"),
        ) {
            (false, false) => Script::None,
            (true, false) => Script::Passkey,
            (false, true) => Script::FormPost,
            (true, true) => panic!("{name}"),
        };
        assert_eq!(rendered.script, found, "{name}");
    }
}

#[test]
fn the_hash_is_of_the_one_script_in_a_page() {
    let (_, page) = samples::samples()
        .into_iter()
        .find(|(name, _)| name == "form_post")
        .unwrap();
    let html = written(&page, "en");
    let (_, rest) = html.split_once("<script>").unwrap();
    let (script, _) = rest.split_once("</script>").unwrap();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(script);
    let hash = base64_simd::STANDARD.encode_to_string(digest);
    assert_eq!(Script::FORM_POST_HASH, format!("'sha256-{hash}'"));
}

#[test]
fn a_page_that_waits_loads_itself_but_never_while_somebody_types() {
    let html = |name: &str| {
        let (_, page) = samples::samples()
            .into_iter()
            .find(|(sample, _)| sample == name)
            .unwrap();
        written(&page, "en")
    };
    let document = html("wait");
    let document = Document::parse(&document);
    let refresh = document
        .all("meta")
        .find(|meta| meta.attribute("http-equiv") == Some("refresh"))
        .unwrap();
    assert_eq!(
        refresh.attribute("content"),
        Some("3; url=/v4/oauth2/demo/interaction?id=AAAA")
    );
    assert!(
        document
            .all("input")
            .all(|input| input.attribute("type") == Some("hidden"))
    );
    assert!(!html("wait_typing").contains("http-equiv"));
}

#[test]
fn allowing_is_never_what_the_enter_key_presses_first_on_a_device_page() {
    let (_, page) = samples::samples()
        .into_iter()
        .find(|(name, _)| name == "device_confirm")
        .unwrap();
    let html = written(&page, "en");
    let document = Document::parse(&html);
    let first = document.all("button").next().unwrap();
    assert_eq!(first.attribute("value"), Some("deny"));
}
