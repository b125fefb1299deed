mod asset;
mod colour;
mod folder;

use std::path::Path;

pub use asset::Asset;
use colour::Scheme;
pub use folder::BrandError;

use crate::texts::Texts;

const STYLE: &str = include_str!("../assets/style.css");
const PASSKEY: &str = include_str!("../assets/passkey.js");
const ICON: &str = include_str!("../assets/icon.svg");

static ENGLISH: Texts = Texts::english();

/// How the pages of one domain look and what they say.
#[derive(Debug, Clone)]
pub struct Brand {
    name: Option<String>,
    links: Links,
    texts: Vec<Texts>,
    light: Scheme,
    dark: Scheme,
    extra_style: String,
    assets: Vec<Asset>,
}

/// Where the foot of each page leads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Links {
    pub(crate) support: Option<String>,
    pub(crate) privacy: Option<String>,
    pub(crate) imprint: Option<String>,
}

impl Brand {
    /// Ours: English and German, without a logo.
    #[must_use]
    pub fn plain() -> Self {
        let mut brand = Self {
            name: None,
            links: Links::default(),
            texts: vec![Texts::english(), Texts::german()],
            light: Scheme::LIGHT,
            dark: Scheme::DARK,
            extra_style: String::new(),
            assets: vec![
                Asset::new("passkey.js", "text/javascript; charset=utf-8", PASSKEY.into()),
                Asset::new("icon.svg", "image/svg+xml", ICON.into()),
            ],
        };
        brand.make_style();
        brand
    }

    /// What stands at the head of each page; else the domain's name does.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) const fn links(&self) -> &Links {
        &self.links
    }

    /// A file by its name in an address.
    #[must_use]
    pub fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.name() == name)
    }

    /// Every file.
    pub fn assets(&self) -> impl Iterator<Item = &Asset> {
        self.assets.iter()
    }

    pub(crate) fn logo(&self) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.name().starts_with("logo."))
    }

    pub(crate) fn dark_logo(&self) -> Option<&Asset> {
        self.assets
            .iter()
            .find(|asset| asset.name().starts_with("logo-dark."))
    }

    /// The languages, the first of them for whoever asks for none of them.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(Texts::language)
    }

    /// The texts for a person who prefers these languages.
    ///
    /// `wishes` are lists of language tags, the most important first: `ui_locales` (with blanks), then
    /// `Accept-Language` (with commas and weights). A tag fits a language that it begins with: `de-AT` is German.
    #[must_use]
    pub fn texts<'a>(&'a self, wishes: &[&str]) -> &'a Texts {
        let wanted = wishes.iter().flat_map(|wish| wanted(wish));
        let found = wanted.into_iter().find_map(|tag| {
            let fits = |texts: &&Texts| begins_with(tag, texts.language());
            self.texts.iter().find(fits)
        });
        found.or_else(|| self.texts.first()).unwrap_or(&ENGLISH)
    }

    /// The stylesheet of what the brand has become.
    fn make_style(&mut self) {
        let style = format!(
            ":root{{color-scheme:light dark;{}}}\n@media (prefers-color-scheme:dark){{:root{{{}}}}}\n{STYLE}{}",
            self.light.css(),
            self.dark.css(),
            self.extra_style,
        );
        self.put(Asset::new("style.css", "text/css; charset=utf-8", style.into()));
    }

    fn put(&mut self, asset: Asset) {
        self.assets.retain(|other| other.name() != asset.name());
        self.assets.push(asset);
    }
}

/// The tags of a wish, the most wanted first; those with a weight of zero are left out.
fn wanted(wish: &str) -> Vec<&str> {
    /// More than a person speaks.
    const MOST: usize = 16;
    let mut tags: Vec<(u32, &str)> = wish
        .split([',', ' '])
        .filter(|part| !part.is_empty())
        .take(MOST)
        .filter_map(|part| {
            let (tag, weight) = part
                .split_once(';')
                .map_or((part, None), |(tag, rest)| (tag, Some(rest)));
            let weight = weight.map_or(Some(1000), |rest| thousandths(rest.trim().strip_prefix("q=")?))?;
            (weight > 0).then_some((weight, tag.trim()))
        })
        .collect();
    tags.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    tags.into_iter().map(|(_, tag)| tag).collect()
}

/// A weight of `Accept-Language` (RFC 9110 §12.4.2).
fn thousandths(weight: &str) -> Option<u32> {
    let (whole, part) = weight.split_once('.').unwrap_or((weight, ""));
    if part.len() > 3 || !part.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    match whole {
        "1" => Some(1000),
        "0" => format!("{part:0<3}").parse().ok(),
        _ => None,
    }
}

fn begins_with(tag: &str, language: &str) -> bool {
    let head = tag.get(..language.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(language))
        && matches!(tag.as_bytes().get(language.len()), None | Some(b'-'))
}

/// The brand of every domain.
#[derive(Debug, Clone)]
pub struct Brands {
    default: Brand,
    domains: Vec<(String, Brand)>,
}

impl Brands {
    /// [`Brand::plain`] for everybody.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            default: Brand::plain(),
            domains: Vec::new(),
        }
    }

    /// From a folder: `default/` for every domain, and one named as a domain's id for what is different there.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn load(folder: &Path) -> Result<Self, BrandError> {
        let mut domains = folder::domains(folder)?;
        let default = match domains.iter().position(|name| name == folder::DEFAULT) {
            Some(index) => folder::read(Brand::plain(), &folder.join(domains.remove(index)))?,
            None => Brand::plain(),
        };
        let domains = domains
            .into_iter()
            .map(|name| Ok((name.clone(), folder::read(default.clone(), &folder.join(name))?)))
            .collect::<Result<_, BrandError>>()?;
        Ok(Self { default, domains })
    }

    /// The brand of the domain of this id.
    #[must_use]
    pub fn of(&self, domain: &str) -> &Brand {
        self.domains
            .iter()
            .find(|(name, _)| name == domain)
            .map_or(&self.default, |(_, brand)| brand)
    }
}

#[cfg(test)]
mod tests;
