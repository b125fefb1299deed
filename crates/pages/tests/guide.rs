//! Holds `docs/guides/branding.md` and `docs/reference/page-texts.md` to the code.

use std::fs;
use std::path::Path;

use sealstone_pages::{Brands, ErrorKind, ErrorPage, Form, Page, Setting, Texts, render};

fn document(name: &str) -> String {
    fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../docs")
            .join(name),
    )
    .unwrap()
}

/// The fences with a path behind their language.
fn files(document: &str) -> Vec<(&str, &str)> {
    let fences = document.split("\n```").skip(1).step_by(2);
    fences
        .filter_map(|fence| {
            let (head, content) = fence.split_once('\n')?;
            let (_, path) = head.split_once(' ')?;
            Some((path, content))
        })
        .collect()
}

#[test]
fn the_files_of_the_guide_make_a_brand() {
    let guide = document("guides/branding.md");
    let files = files(&guide);
    assert_eq!(files.len(), 4);
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let brands = Brands::load(folder.path()).unwrap();
    let brand = brands.of("demo");
    assert_eq!(brand.languages().collect::<Vec<_>>(), ["de", "en", "fr"]);
    let style = String::from_utf8(brand.asset("style.css").unwrap().content().to_vec()).unwrap();
    for part in [
        "--accent:#7a1f5c",
        "--accent:#e6a8d0",
        "text-transform: uppercase",
    ] {
        assert!(style.contains(part), "{part}");
    }
    let page = Page::Error(ErrorPage {
        kind: ErrorKind::Expired,
        client: None,
        code: None,
        description: None,
        request_id: "r-1".to_owned(),
    });
    let setting = Setting {
        brand,
        texts: brand.texts(&["fr"]),
        site: "Sealstone",
        issuer_path: "/v4/oauth2/demo",
        form: &Form::default(),
    };
    let html = render(&page, &setting).unwrap().html;
    for part in [
        "<html lang=\"fr\">",
        "Example Cloud</title>",
        "href=\"https://help.example.org/\"",
        "href=\"https://example.org/privacy\"",
        "This page has expired",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn every_text_is_listed() {
    let reference = document("reference/page-texts.md");
    let listed: Vec<&str> = reference.lines().filter(|line| line.starts_with("| `")).collect();
    let (english, german) = (Texts::english(), Texts::german());
    let texts = english.entries().zip(german.entries());
    let rows: Vec<String> = texts
        .map(|((key, one), (_, other))| format!("| `{key}` | {one} | {other} |"))
        .collect();
    assert_eq!(listed, rows);
}

#[test]
fn the_guide_names_every_colour() {
    let guide = document("guides/branding.md");
    for colour in [
        "page",
        "card",
        "text",
        "muted",
        "accent",
        "on_accent",
        "line",
        "hair",
        "danger",
        "warn",
        "good",
    ] {
        assert!(guide.contains(&format!("`{colour}`")), "{colour}");
    }
}
