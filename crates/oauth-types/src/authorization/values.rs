use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::AuthorizationError;
use crate::name::wire_names;

/// What comes back from the authorization endpoint. Only the code: tokens in a URL are seen by too many
/// (RFC 9700 §2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "the endpoint handles each")]
pub enum ResponseType {
    /// An authorization code (RFC 6749 §4.1).
    #[default]
    Code,
}

wire_names!(ResponseType { Code => "code" });

/// How an answer of the authorization endpoint travels. `fragment` is for tokens, which never travel here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "the endpoint handles each")]
pub enum ResponseMode {
    /// In the query of a redirect.
    #[default]
    Query,
    /// In a form that the browser posts (OAuth 2.0 Form Post Response Mode).
    FormPost,
}

wire_names!(ResponseMode {
    Query => "query",
    FormPost => "form_post",
});

/// Which page the client asks for, or none (OpenID Connect Core §3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the endpoint handles each")]
pub enum Prompt {
    /// No page at all.
    None,
    /// The person signs in again.
    Login,
    /// The person is asked for consent again.
    Consent,
    /// The person chooses an account.
    SelectAccount,
}

wire_names!(Prompt {
    None => "none",
    Login => "login",
    Consent => "consent",
    SelectAccount => "select_account",
});

/// The values of `prompt`, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PromptSet {
    /// No page may be shown. Never together with another.
    pub none: bool,
    /// The person signs in again.
    pub login: bool,
    /// The person is asked for consent again.
    pub consent: bool,
    /// The person chooses an account.
    pub select_account: bool,
}

impl PromptSet {
    /// Parses values with one space between them.
    ///
    /// # Errors
    /// [`AuthorizationError::Prompt`] for an unknown value, and for `none` beside another.
    pub fn parse(text: &str) -> Result<Self, AuthorizationError> {
        let mut set = Self::default();
        for value in text.split(' ') {
            match Prompt::parse(value).ok_or(AuthorizationError::Prompt)? {
                Prompt::None => set.none = true,
                Prompt::Login => set.login = true,
                Prompt::Consent => set.consent = true,
                Prompt::SelectAccount => set.select_account = true,
            }
        }
        if set.none && (set.login || set.consent || set.select_account) {
            return Err(AuthorizationError::Prompt);
        }
        Ok(set)
    }

    /// The values, in declaration order.
    pub fn iter(self) -> impl Iterator<Item = Prompt> {
        [
            (self.none, Prompt::None),
            (self.login, Prompt::Login),
            (self.consent, Prompt::Consent),
            (self.select_account, Prompt::SelectAccount),
        ]
        .into_iter()
        .filter_map(|(held, prompt)| held.then_some(prompt))
    }
}

impl Serialize for PromptSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for PromptSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names: Vec<Prompt> = Deserialize::deserialize(deserializer)?;
        let text: Vec<&str> = names.into_iter().map(Prompt::as_str).collect();
        if text.is_empty() {
            return Ok(Self::default());
        }
        Self::parse(&text.join(" ")).map_err(de::Error::custom)
    }
}

/// The size of page that the client asks for (OpenID Connect Core §3.1.2.1). The pages fit every size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(clippy::exhaustive_enums, reason = "the values are the specification's")]
pub enum Display {
    /// A whole page.
    #[default]
    Page,
    /// A small window.
    Popup,
    /// A touch screen.
    Touch,
    /// A feature phone.
    Wap,
}

wire_names!(Display {
    Page => "page",
    Popup => "popup",
    Touch => "touch",
    Wap => "wap",
});

/// How long ago the person may have signed in, in whole seconds; 0 means now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MaxAge(u32);

impl MaxAge {
    /// This many seconds.
    #[must_use]
    pub const fn from_seconds(seconds: u32) -> Self {
        Self(seconds)
    }

    /// Parses decimal digits; `None` for anything else, and above 136 years.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            text.parse().ok().map(Self)
        } else {
            None
        }
    }

    /// The number of seconds.
    #[must_use]
    pub const fn as_seconds(self) -> u32 {
        self.0
    }

    /// The span.
    #[must_use]
    pub fn as_duration(self) -> Duration {
        Duration::from_secs(u64::from(self.0))
    }
}

macro_rules! bounded_text {
    ($(#[$attribute:meta])* $type:ident, $limit:literal, $(#[$limit_doc:meta])*) => {
        $(#[$attribute])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Box<str>);

        impl $type {
            $(#[$limit_doc])*
            pub const MAX_LENGTH: usize = $limit;

            /// The value of a parameter; `None` if it is empty, too long or holds control characters.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let fits = !text.is_empty() && text.len() <= Self::MAX_LENGTH && !text.chars().any(char::is_control);
                fits.then(|| Self(Box::from(text)))
            }

            /// The text, as it came.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($type), "({} bytes)"), self.0.len())
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| de::Error::custom(concat!("no ", stringify!($type))))
            }
        }
    };
}

bounded_text! {
    /// What the client gets back as it sent it (RFC 6749 §4.1.1). Never shown, never cut.
    State, 2048,
    /// The longest state, in bytes: percent-encoded three times as long it still fits the 8 KiB that proxies allow.
}

bounded_text! {
    /// What ties an ID token to a request (OpenID Connect Core §3.1.2.1).
    Nonce, 512,
    /// The longest nonce, in bytes: it is kept with the code and goes into the ID token.
}

bounded_text! {
    /// What the client believes the person to type as name (OpenID Connect Core §3.1.2.1). Nothing vouches for it.
    LoginHint, 256,
    /// The longest hint, in bytes: the longest name and address that anybody types.
}

/// An authentication class (OpenID Connect Core §2, `acr`): visible ASCII, at most 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acr(Box<str>);

impl Acr {
    /// The longest value, in bytes.
    pub const MAX_LENGTH: usize = 128;
    /// The most values in a list: four times as many as there are classes.
    pub const MAX_VALUES: usize = 16;

    /// Parses one value; `None` if it is empty, too long or holds another character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty()
            && text.len() <= Self::MAX_LENGTH
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(Box::from(text)))
    }

    /// Parses values with one space between them, each kept once.
    ///
    /// # Errors
    /// [`AuthorizationError::AcrValues`] for a malformed value, and above the limit.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, AuthorizationError> {
        let mut values = Vec::new();
        for (index, value) in text.split(' ').enumerate() {
            let value = Self::parse(value).filter(|_| index < Self::MAX_VALUES);
            let value = value.ok_or(AuthorizationError::AcrValues)?;
            if !values.contains(&value) {
                values.push(value);
            }
        }
        Ok(values)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Acr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for Acr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Acr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("no authentication class"))
    }
}

/// The person's languages, best liked first (OpenID Connect Core §3.1.2.1, BCP 47). What is no language tag is passed
/// over, and so is everything behind the eighth.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UiLocales(Vec<Box<str>>);

impl UiLocales {
    /// The most languages kept.
    pub const MAX_TAGS: usize = 8;
    /// The longest tag, in bytes (RFC 5646 §4.4.1).
    pub const MAX_TAG_LENGTH: usize = 35;

    /// Reads tags parted by spaces.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let is_tag = |tag: &&str| {
            tag.len() <= Self::MAX_TAG_LENGTH
                && tag.split('-').all(|part| {
                    (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
                })
        };
        Self(
            text.split(' ')
                .filter(is_tag)
                .take(Self::MAX_TAGS)
                .map(Box::from)
                .collect(),
        )
    }

    /// The tags, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|tag| &**tag)
    }

    /// Whether none was named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
