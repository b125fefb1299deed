use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ValueError;

/// One scope token (RFC 6749 §3.3): visible ASCII without `"` and `\`, at most 256 bytes.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::ScopeToken;
///
/// assert!(ScopeToken::parse("openstack:api").is_ok());
/// assert!(ScopeToken::parse("two words").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeToken(Box<str>);

impl ScopeToken {
    /// The longest scope token, in bytes.
    pub const MAX_LENGTH: usize = 256;

    /// Parses one scope token.
    ///
    /// # Errors
    /// [`ValueError::Scope`] if it is empty, too long or holds another character.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        if is_token(text) {
            Ok(Self(Box::from(text)))
        } else {
            Err(ValueError::Scope)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScopeToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A set of scope tokens in the order in which they came, each once (RFC 6749 §3.3).
///
/// At most 64 tokens and 4096 bytes. Two sets are equal if they hold the same tokens, in whatever order.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::ScopeSet;
///
/// let asked = ScopeSet::parse("read write read")?;
/// assert_eq!(asked.to_string(), "read write");
/// assert!(asked.is_subset_of(&ScopeSet::parse("write read admin")?));
/// # Ok::<(), sealstone_oauth_types::ValueError>(())
/// ```
#[derive(Clone, Default)]
pub struct ScopeSet {
    /// The tokens, one space between them: the form on the wire.
    text: String,
    count: usize,
}

impl ScopeSet {
    /// The most tokens in a set: the comparisons between two sets stay under 4,096.
    pub const MAX_TOKENS: usize = 64;
    /// The most bytes of a set as text.
    pub const MAX_LENGTH: usize = 4096;

    /// The set without a token.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            text: String::new(),
            count: 0,
        }
    }

    /// Parses tokens with one space between them; a repeated token counts once. The empty text is the empty set.
    ///
    /// # Errors
    /// [`ValueError::Scope`] for an illegal character, a space too many, or above the limits.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        if text.len() > Self::MAX_LENGTH {
            return Err(ValueError::Scope);
        }
        if text.is_empty() {
            return Ok(Self::empty());
        }
        // Mostly there is one, and no set to look it up in.
        if is_token(text) {
            return Ok(Self {
                text: text.to_owned(),
                count: 1,
            });
        }
        let mut set = Self {
            text: String::with_capacity(text.len()),
            count: 0,
        };
        for (index, token) in text.split(' ').enumerate() {
            if index >= Self::MAX_TOKENS || !is_token(token) {
                return Err(ValueError::Scope);
            }
            set.push(token);
        }
        Ok(set)
    }

    /// Adds one token; says whether it was new.
    ///
    /// # Errors
    /// [`ValueError::Scope`] if the set is full.
    pub fn insert(&mut self, token: &ScopeToken) -> Result<bool, ValueError> {
        let length = self.text.len().saturating_add(token.0.len()).saturating_add(1);
        if self.contains(&token.0) {
            return Ok(false);
        }
        if self.len() >= Self::MAX_TOKENS || length > Self::MAX_LENGTH {
            return Err(ValueError::Scope);
        }
        Ok(self.push(&token.0))
    }

    /// Whether there is no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How many tokens there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether `token` is in the set.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        match self.count {
            0 => false,
            1 => self.text == token,
            _ => self.iter().any(|own| own == token),
        }
    }

    /// The tokens, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.split(' ').filter(|token| !token.is_empty())
    }

    /// Whether every token of this set is in `other`.
    #[must_use]
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.text == other.text
            || match self.count {
                1 => other.contains(&self.text),
                _ => self.iter().all(|token| other.contains(token)),
            }
    }

    /// The tokens that both sets hold, in the order of this one.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::empty();
        for token in self.iter().filter(|token| other.contains(token)) {
            both.push(token);
        }
        both
    }

    /// The form on the wire: one space between the tokens.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn push(&mut self, token: &str) -> bool {
        if self.contains(token) {
            return false;
        }
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(token);
        self.count = self.count.saturating_add(1);
        true
    }
}

impl PartialEq for ScopeSet {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text || (self.len() == other.len() && self.is_subset_of(other))
    }
}

impl Eq for ScopeSet {}

impl fmt::Display for ScopeSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ScopeSet({:?})", self.text)
    }
}

impl std::str::FromStr for ScopeSet {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !text.is_empty() && text.len() <= ScopeToken::MAX_LENGTH && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::{ScopeSet, ScopeToken};

    #[test]
    fn f20_duplicates_collapse_and_illegal_characters_are_refused() {
        assert_eq!(ScopeSet::parse("a b a c b").unwrap().as_str(), "a b c");
        let many = (0..65).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
        let long = "a ".repeat(32_768);
        for wrong in [
            " ", " a", "a ", "a  b", "a\tb", "a\"b", "a\\b", "a\0", "a\nb", "\u{7f}", "é", "a\u{a0}b", &many,
            &long,
        ] {
            assert!(ScopeSet::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(ScopeSet::parse(&"x".repeat(257)).is_err());
    }

    #[test]
    fn set_operations() {
        let set = ScopeSet::parse("b a").unwrap();
        assert_eq!(set, ScopeSet::parse("a b").unwrap());
        assert_ne!(set, ScopeSet::parse("a").unwrap());
        assert_ne!(set, ScopeSet::parse("a c").unwrap());
        assert!(!set.contains("") && !set.contains("a b") && !set.contains("A"));
        assert!(ScopeSet::empty().is_subset_of(&set) && !set.is_subset_of(&ScopeSet::empty()));
        assert_eq!(set.intersection(&ScopeSet::parse("c a").unwrap()).as_str(), "a");
        assert_eq!(ScopeSet::parse("").unwrap(), ScopeSet::empty());
        assert_eq!(ScopeSet::empty().len(), 0);
    }

    #[test]
    fn insert_is_bounded() {
        let mut set = ScopeSet::empty();
        for number in 0..64 {
            assert_eq!(
                set.insert(&ScopeToken::parse(&number.to_string()).unwrap()),
                Ok(true)
            );
        }
        assert_eq!(set.insert(&ScopeToken::parse("0").unwrap()), Ok(false));
        assert!(set.insert(&ScopeToken::parse("64").unwrap()).is_err());
    }
}
