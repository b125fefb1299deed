use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::colour::{SchemeChanges, Unreadable};
use super::{Asset, Brand};
use crate::texts::{TextError, Texts};

/// The folder of what all domains share.
pub(super) const DEFAULT: &str = "default";
/// A logo is loaded with every page.
const MAX_LOGO: usize = 65_536;
/// With it a page stays small: ours has 6 KiB.
const MAX_STYLE: usize = 8_192;
/// Far more than all texts together.
const MAX_TEXTS: usize = 131_072;
/// What stands at the head of a page has to fit there.
const MAX_NAME: usize = 80;
/// Of a link in the foot.
const MAX_LINK: usize = 512;

const LOGOS: [(&str, &str); 6] = [
    ("logo.svg", "image/svg+xml"),
    ("logo.png", "image/png"),
    ("logo.webp", "image/webp"),
    ("logo-dark.svg", "image/svg+xml"),
    ("logo-dark.png", "image/png"),
    ("logo-dark.webp", "image/webp"),
];

/// Why a folder of pages cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct BrandError {
    path: PathBuf,
    #[source]
    fault: Fault,
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Read(io::Error),
    #[error("larger than {0} octets")]
    TooLarge(usize),
    #[error("is not UTF-8")]
    NotText,
    #[error(transparent)]
    Toml(Box<toml::de::Error>),
    #[error("the text `{0}`: {1}")]
    Text(String, TextError),
    #[error("the colours of `{0}`: {1}")]
    Colours(&'static str, Unreadable),
    #[error("`{0}` must be a link that begins with https:// or mailto:, of at most {MAX_LINK} octets")]
    Link(&'static str),
    #[error("`name` has 1 to {MAX_NAME} characters, none of them for control")]
    Name,
    #[error("`language` must be one of the languages here: English, German, or one with a file of texts")]
    Language,
    #[error("must not load anything: no `@import`, no `url(`")]
    Loads,
    #[error("is not a file that pages are made of; see docs/guides/branding.md")]
    Unknown,
}

/// `brand.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BrandFile {
    name: Option<String>,
    language: Option<String>,
    support: Option<String>,
    privacy: Option<String>,
    imprint: Option<String>,
    light: SchemeChanges,
    dark: SchemeChanges,
}

/// The folders in a folder.
pub(super) fn domains(folder: &Path) -> Result<Vec<String>, BrandError> {
    let fault = |error| at(folder, Fault::Read(error));
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|_name| at(&entry.path(), Fault::NotText))?;
        if name.starts_with('.') {
            continue;
        }
        if !entry.path().is_dir() {
            return Err(at(&entry.path(), Fault::Unknown));
        }
        names.push(name);
    }
    names.sort();
    Ok(names)
}

/// What a folder changes of a brand.
pub(super) fn read(mut brand: Brand, folder: &Path) -> Result<Brand, BrandError> {
    let mut language = None;
    for (name, path) in files(folder)? {
        match name.as_str() {
            "brand.toml" => language = settings(&mut brand, &path)?,
            "style.css" => brand.extra_style = style(&path)?,
            other => match (
                LOGOS.iter().find(|(logo, _)| *logo == other),
                other.strip_suffix(".toml"),
            ) {
                (Some((logo, content_type)), _) => {
                    let content = limited(&path, MAX_LOGO)?;
                    replace_logo(&mut brand, Asset::new(logo, content_type, content));
                }
                (None, Some(tag)) if is_language(tag) => texts(&mut brand, tag, &path)?,
                _ => return Err(at(&path, Fault::Unknown)),
            },
        }
    }
    if let Some(language) = language {
        let first = brand.texts.iter().position(|texts| texts.language() == language);
        let first = first.ok_or_else(|| at(&folder.join("brand.toml"), Fault::Language))?;
        let texts = brand.texts.remove(first);
        brand.texts.insert(0, texts);
    }
    brand.make_style();
    Ok(brand)
}

fn files(folder: &Path) -> Result<Vec<(String, PathBuf)>, BrandError> {
    let fault = |error| at(folder, Fault::Read(error));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| at(&path, Fault::NotText))?.to_owned();
        if !name.starts_with('.') {
            files.push((name, path));
        }
    }
    files.sort();
    Ok(files)
}

/// The language that it puts first.
fn settings(brand: &mut Brand, path: &Path) -> Result<Option<String>, BrandError> {
    let file: BrandFile = toml_of(path)?;
    if let Some(name) = file.name {
        let length = name.chars().count();
        if name.trim().is_empty() || length > MAX_NAME || name.contains(char::is_control) {
            return Err(at(path, Fault::Name));
        }
        brand.name = Some(name);
    }
    for (name, link, place) in [
        ("support", file.support, &mut brand.links.support),
        ("privacy", file.privacy, &mut brand.links.privacy),
        ("imprint", file.imprint, &mut brand.links.imprint),
    ] {
        if let Some(link) = link {
            let known = link.starts_with("https://") || link.starts_with("mailto:");
            let plain = link.bytes().all(|octet| octet.is_ascii_graphic());
            if !known || !plain || link.len() > MAX_LINK {
                return Err(at(path, Fault::Link(name)));
            }
            *place = Some(link);
        }
    }
    brand.light = brand.light.clone().with(&file.light);
    brand.dark = brand.dark.clone().with(&file.dark);
    for (name, scheme) in [("light", &brand.light), ("dark", &brand.dark)] {
        if let Some(unreadable) = scheme.unreadable() {
            return Err(at(path, Fault::Colours(name, unreadable)));
        }
    }
    Ok(file.language)
}

fn style(path: &Path) -> Result<String, BrandError> {
    let style = text_of(path, MAX_STYLE)?;
    let plain = style.to_ascii_lowercase().replace(char::is_whitespace, "");
    // The browser would refuse it anyway; a backslash could hide it from this look.
    if plain.contains("@import") || plain.contains("url(") || plain.contains('\\') {
        return Err(at(path, Fault::Loads));
    }
    Ok(style)
}

/// A logo for light backgrounds, or for dark ones, takes the place of the one before.
fn replace_logo(brand: &mut Brand, logo: Asset) {
    let stem = |name: &'static str| name.split_once('.').map(|(stem, _)| stem);
    let same = |other: &Asset| stem(other.name()) == stem(logo.name());
    brand.assets.retain(|other| !same(other));
    brand.put(logo);
}

fn texts(brand: &mut Brand, tag: &str, path: &Path) -> Result<(), BrandError> {
    let changes: std::collections::BTreeMap<String, String> = toml_of(path)?;
    let index = brand.texts.iter().position(|texts| texts.language() == tag);
    let mut texts = match index {
        Some(index) => brand.texts.remove(index),
        None => Texts::untranslated(tag),
    };
    for (key, text) in changes {
        texts
            .replace(&key, text)
            .map_err(|fault| at(path, Fault::Text(key, fault)))?;
    }
    brand.texts.insert(index.unwrap_or(brand.texts.len()), texts);
    Ok(())
}

/// A language, perhaps with a script or a region: `fr`, `pt-BR`, `zh-Hant`.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default();
    matches!(language.len(), 2 | 3)
        && language.bytes().all(|octet| octet.is_ascii_lowercase())
        && parts.clone().count() <= 2
        && parts.all(|part| {
            (2..=8).contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_alphanumeric())
        })
}

fn toml_of<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, BrandError> {
    let text = text_of(path, MAX_TEXTS)?;
    toml::from_str(&text).map_err(|error| at(path, Fault::Toml(Box::new(error))))
}

fn text_of(path: &Path, limit: usize) -> Result<String, BrandError> {
    String::from_utf8(limited(path, limit)?).map_err(|_octets| at(path, Fault::NotText))
}

fn limited(path: &Path, limit: usize) -> Result<Vec<u8>, BrandError> {
    let content = fs::read(path).map_err(|error| at(path, Fault::Read(error)))?;
    if content.len() > limit {
        return Err(at(path, Fault::TooLarge(limit)));
    }
    Ok(content)
}

fn at(path: &Path, fault: Fault) -> BrandError {
    BrandError {
        path: path.to_owned(),
        fault,
    }
}
