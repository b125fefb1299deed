use std::fs;
use std::path::Path;

use super::{Brand, Brands};

#[test]
fn languages_are_chosen_by_wish_and_weight() {
    let brand = Brand::plain();
    for (wishes, want) in [
        (&[][..], "en"),
        (&[""], "en"),
        (&["de"], "de"),
        (&["de-AT"], "de"),
        (&["DE-at"], "de"),
        (&["deu"], "en"),
        (&["fr"], "en"),
        (&["fr de"], "de"),
        (&["fr-CA,fr;q=0.9,de;q=0.8,en;q=0.7"], "de"),
        (&["en;q=0.5, de;q=0.6"], "de"),
        (&["de;q=0, en;q=0.1"], "en"),
        (&["de;q=0"], "en"),
        (&["de;q=2, en"], "en"),
        (&["de;q=0.1234"], "en"),
        (&["de;level=1"], "en"),
        (&["*"], "en"),
        (&["\u{e4}\u{f6},de"], "de"),
        // `ui_locales` goes before `Accept-Language`.
        (&["en", "de"], "en"),
        (&["fr", "de"], "de"),
        (&["", "de,en"], "de"),
        (&["x,".repeat(16).as_str(), "de"], "de"),
    ] {
        assert_eq!(brand.texts(wishes).language(), want, "{wishes:?}");
    }
    let many = format!("{}de", "x,".repeat(16));
    assert_eq!(
        brand.texts(&[&many]).language(),
        "en",
        "no more than sixteen are read"
    );
}

#[test]
fn a_stylesheet_has_both_schemes_and_another_address_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "demo/brand.toml", "[light]\naccent = \"#7a1f5c\"");
    write(folder.path(), "demo/style.css", "main{border-radius:0}");
    let brands = Brands::load(folder.path()).unwrap();
    let (plain, branded) = (Brand::plain(), brands.of("demo"));
    let style =
        |brand: &Brand| String::from_utf8(brand.asset("style.css").unwrap().content().to_vec()).unwrap();
    assert!(
        style(&plain).contains("--accent:#1d4f91") && style(&plain).contains("prefers-color-scheme:dark")
    );
    assert!(style(branded).contains("--accent:#7a1f5c") && style(branded).ends_with("main{border-radius:0}"));
    assert_ne!(
        plain.asset("style.css").unwrap().version(),
        branded.asset("style.css").unwrap().version()
    );
    assert!(!style(&plain).contains("url("));
}

#[test]
fn a_domain_starts_from_what_all_share() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "default/brand.toml",
        "name = \"All\"\nsupport = \"https://help.example\"\nlanguage = \"de\"",
    );
    write(folder.path(), "default/fr.toml", "login_title = \"Connexion\"");
    write(folder.path(), "default/logo.svg", "<svg/>");
    write(folder.path(), "demo/brand.toml", "name = \"Demo\"");
    write(folder.path(), "demo/de.toml", "login_title = \"Hereinspaziert\"");
    write(folder.path(), "demo/logo.png", "png");
    let brands = Brands::load(folder.path()).unwrap();
    let (all, demo) = (brands.of("other"), brands.of("demo"));
    assert_eq!((all.name(), demo.name()), (Some("All"), Some("Demo")));
    assert_eq!(demo.links().support.as_deref(), Some("https://help.example"));
    assert_eq!(demo.languages().collect::<Vec<_>>(), ["de", "en", "fr"]);
    assert_eq!(demo.texts(&["fr"]).login_title, "Connexion");
    assert_eq!(
        demo.texts(&["fr"]).password,
        "Password",
        "what is missing is in English"
    );
    assert_eq!(demo.texts(&[]).login_title, "Hereinspaziert");
    assert_eq!(all.texts(&[]).login_title, "Anmelden");
    assert_eq!(all.logo().unwrap().name(), "logo.svg");
    assert_eq!(
        demo.logo().unwrap().name(),
        "logo.png",
        "one logo takes the other's place"
    );
    assert!(demo.asset("logo.svg").is_none());
}

#[test]
fn a_folder_is_refused_whole_with_the_file_and_the_reason() {
    for (file, content, reason) in [
        ("demo/brand.toml", "nam = \"x\"", "unknown field"),
        ("demo/brand.toml", "name = \"\"", "`name` has 1 to 80"),
        ("demo/brand.toml", "name = \"a\\u0007\"", "`name` has 1 to 80"),
        (
            "demo/brand.toml",
            "support = \"javascript:alert(1)\"",
            "`support` must be a link",
        ),
        (
            "demo/brand.toml",
            "privacy = \"http://x\"",
            "`privacy` must be a link",
        ),
        (
            "demo/brand.toml",
            "imprint = \"https://x y\"",
            "`imprint` must be a link",
        ),
        ("demo/brand.toml", "language = \"fr\"", "`language` must be one"),
        ("demo/brand.toml", "[light]\naccent = \"red\"", "hexadecimal"),
        ("demo/brand.toml", "[light]\nacent = \"#000000\"", "unknown field"),
        (
            "demo/brand.toml",
            "[light]\naccent = \"#ffee88\"",
            "contrast of 1.",
        ),
        (
            "demo/brand.toml",
            "[dark]\ntext = \"#202020\"",
            "the colours of `dark`",
        ),
        ("demo/style.css", "@import 'x.css';", "must not load"),
        ("demo/style.css", "b{background:URL (https://x)}", "must not load"),
        (
            "demo/style.css",
            "b{background:\\75rl(https://x)}",
            "must not load",
        ),
        ("demo/de.toml", "nothing = \"x\"", "there is no such text"),
        ("demo/de.toml", "login_title = \"\"", "is empty"),
        (
            "demo/de.toml",
            "login_title = \"{name}\"",
            "`{name}` is not filled in",
        ),
        ("demo/de.toml", "login_title = 7", "invalid type"),
        ("demo/DE.toml", "", "is not a file that pages are made of"),
        ("demo/login.html", "", "is not a file that pages are made of"),
        ("demo/logo.gif", "", "is not a file that pages are made of"),
        ("brand.toml", "", "is not a file that pages are made of"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), file, content);
        let error = Brands::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains(reason), "{file} {content}: {error}");
        assert!(error.contains(file.rsplit('/').next().unwrap()), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "demo/style.css", &"a".repeat(8_193));
    assert!(
        Brands::load(folder.path())
            .unwrap_err()
            .to_string()
            .contains("larger than 8192")
    );
    write(folder.path(), "demo/style.css", "");
    write(folder.path(), "demo/logo.png", &"a".repeat(65_537));
    assert!(
        Brands::load(folder.path())
            .unwrap_err()
            .to_string()
            .contains("larger than 65536")
    );
    assert!(Brands::load(&folder.path().join("nowhere")).is_err());
}

fn write(folder: &Path, file: &str, content: &str) {
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}
