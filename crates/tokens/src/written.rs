//! Claims written member by member: the text that `serde_json` makes of them, at a part of its cost, since one is made
//! for every token. `serde_json` still writes what is rare.

use serde::Serialize;
use serde::ser::{Error as _, SerializeMap};

/// A JSON object that is being written; its last brace is missing until [`Written::close`].
pub(crate) struct Written<'a>(&'a mut Vec<u8>);

impl<'a> Written<'a> {
    /// Begins an object behind what is there.
    pub(crate) fn open(json: &'a mut Vec<u8>) -> Self {
        json.push(b'{');
        Self(json)
    }

    pub(crate) fn close(self) {
        self.0.push(b'}');
    }

    /// `name` is one of ours: nothing in it needs an escape. Inlined, so that its length is known where it is written.
    #[inline(always)]
    fn name(&mut self, name: &str) {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    #[inline(always)]
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        push_text(self.0, text);
    }

    #[inline(always)]
    pub(crate) fn optional_text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// A text of a type that can't hold anything to escape.
    #[inline(always)]
    pub(crate) fn plain_text(&mut self, name: &str, text: &str) {
        self.name(name);
        debug_assert!(!needs_escape(text.as_bytes()), "{name}");
        self.0.reserve(text.len().saturating_add(2));
        self.0.push(b'"');
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'"');
    }

    pub(crate) fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        // A number is always JSON, and writing into memory does not fail.
        let _written = serde_json::to_writer(&mut *self.0, &number);
    }

    /// One number under two names, made once.
    pub(crate) fn number_twice(&mut self, names: [&str; 2], number: u64) {
        let [first, second] = names;
        self.name(first);
        let start = self.0.len();
        // As above.
        let _written = serde_json::to_writer(&mut *self.0, &number);
        let end = self.0.len();
        self.name(second);
        self.0.extend_from_within(start..end);
    }

    pub(crate) fn texts<'t>(&mut self, name: &str, texts: impl Iterator<Item = &'t str>) {
        self.name(name);
        self.0.push(b'[');
        for (at, text) in texts.enumerate() {
            if at > 0 {
                self.0.push(b',');
            }
            push_text(self.0, text);
        }
        self.0.push(b']');
    }

    pub(crate) fn object(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut Written<'_>) -> Result<(), serde_json::Error>,
    ) -> Result<(), serde_json::Error> {
        self.name(name);
        let mut object = Written::open(self.0);
        write(&mut object)?;
        object.close();
        Ok(())
    }

    /// What is JSON already.
    pub(crate) fn written(&mut self, name: &str, json: &str) {
        self.name(name);
        self.0.extend_from_slice(json.as_bytes());
    }

    /// Anything else, by `serde_json`.
    pub(crate) fn value(
        &mut self,
        name: &str,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), serde_json::Error> {
        self.name(name);
        serde_json::to_writer(&mut *self.0, value)
    }
}

/// For what writes itself into any object.
impl SerializeMap for Written<'_> {
    type Ok = ();
    type Error = serde_json::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), serde_json::Error> {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        let start = self.0.len();
        serde_json::to_writer(&mut *self.0, key)?;
        if self.0.get(start) != Some(&b'"') {
            return Err(serde_json::Error::custom("a name must be a text"));
        }
        self.0.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), serde_json::Error> {
        serde_json::to_writer(&mut *self.0, value)
    }

    fn end(self) -> Result<(), serde_json::Error> {
        self.close();
        Ok(())
    }
}

/// Text as a JSON string (RFC 8259 §7).
fn push_text(json: &mut Vec<u8>, text: &str) {
    if needs_escape(text.as_bytes()) {
        // Text is always JSON, and writing into memory does not fail.
        let _written = serde_json::to_writer(json, text);
        return;
    }
    json.reserve(text.len().saturating_add(2));
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
}

/// Whether any octet is a control character, a quote or a backslash. Texts are short: eight octets are looked at at once,
/// and the last eight once more instead of one by one.
fn needs_escape(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    let found = words.iter().fold(0, |found, word| found | escaped(*word));
    let tail = match text.last_chunk::<8>() {
        _ if rest.is_empty() => 0,
        Some(last) => escaped(*last),
        None => {
            let mut word = [b' '; 8];
            for (place, octet) in word.iter_mut().zip(rest) {
                *place = *octet;
            }
            escaped(word)
        }
    };
    found | tail != 0
}

/// Not zero exactly if one of the octets must be escaped: subtracting sets an octet's high bit if it is below what is
/// subtracted, and for octets that have it already the mask drops it.
const fn escaped(octets: [u8; 8]) -> u64 {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    const CONTROL: u64 = u64::from_ne_bytes([0x20; 8]);
    const QUOTE: u64 = u64::from_ne_bytes([b'"'; 8]);
    const BACKSLASH: u64 = u64::from_ne_bytes([b'\\'; 8]);
    let word = u64::from_ne_bytes(octets);
    let below = word.wrapping_sub(CONTROL);
    let quote = (word ^ QUOTE).wrapping_sub(EACH);
    let backslash = (word ^ BACKSLASH).wrapping_sub(EACH);
    (below | quote | backslash) & !word & HIGH
}

#[cfg(test)]
mod tests {
    use super::{Written, needs_escape};

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 1, 9, 10, 99, 100, 1_767_322_984, u64::MAX - 1, u64::MAX] {
            let mut json = Vec::new();
            let mut object = Written::open(&mut json);
            object.number("n", number);
            object.number_twice(["a", "b"], number);
            object.close();
            let want = format!("{{\"n\":{number},\"a\":{number},\"b\":{number}}}");
            assert_eq!(String::from_utf8(json).unwrap(), want);
        }
    }

    /// Wherever it stands, beside whatever, and in texts of every length.
    #[test]
    fn exactly_what_json_escapes_is_found() {
        for length in 0..=33 {
            for filler in [b'a', b'~', b' ', b'!', 0x7f, 0x80, 0xff] {
                assert!(!needs_escape(&vec![filler; length]), "{length} {filler}");
                for place in 0..length {
                    for octet in 0..=u8::MAX {
                        let mut text = vec![filler; length];
                        text[place] = octet;
                        let want = octet < 0x20 || octet == b'"' || octet == b'\\';
                        assert_eq!(needs_escape(&text), want, "{length} {filler} {place} {octet}");
                    }
                }
            }
        }
    }
}
