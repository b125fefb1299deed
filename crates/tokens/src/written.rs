//! Claims written member by member: the text that `serde_json` makes of them, at a part of its cost, since one is made
//! for every token. `serde_json` still writes what is rare.

use serde::Serialize;
use serde::ser::{Error as _, SerializeMap};
use std::io::Write as _;

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

    /// `name` is one of ours: nothing in it needs an escape.
    fn name(&mut self, name: &str) {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        push_text(self.0, text);
    }

    pub(crate) fn optional_text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    pub(crate) fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        // Writing into memory does not fail.
        let _written = write!(self.0, "{number}");
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

/// Text as a JSON string (RFC 8259 §7). The look for octets to escape has no branch, so that it runs many at a time.
fn push_text(json: &mut Vec<u8>, text: &str) {
    let needs_escape = text.bytes().fold(false, |found, byte| {
        found | (byte < 0x20) | (byte == b'"') | (byte == b'\\')
    });
    if needs_escape {
        // Text is always JSON, and writing into memory does not fail.
        let _written = serde_json::to_writer(json, text);
        return;
    }
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
}
