//! RFC 4514 §3: from text to a name.

use const_oid::ObjectIdentifier;

use super::{Attribute, DistinguishedName, attributes, rdn_of, value::Value};
use crate::NameError;

pub(super) fn name(text: &str) -> Result<DistinguishedName, NameError> {
    let mut rdns = Vec::new();
    let mut input = Input { text, at: 0 };
    if text.is_empty() {
        return Ok(DistinguishedName { rdns });
    }
    let mut rdn = Vec::new();
    loop {
        rdn.push(attribute(&mut input)?);
        match input.next() {
            Some('+') => {}
            Some(',') => rdns.extend(rdn_of(std::mem::take(&mut rdn))),
            Some(_) => return Err(input.before("write , or + between attributes")),
            None => break,
        }
    }
    rdns.extend(rdn_of(rdn));
    rdns.reverse();
    Ok(DistinguishedName { rdns })
}

/// What is left of the text, and where it stands.
struct Input<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Input<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at = self.at.saturating_add(next.len_utf8());
        Some(next)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.next();
        }
        found
    }

    /// Takes the longest run of characters that satisfy `wanted`.
    fn run(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|character| !wanted(character)).unwrap_or(rest.len());
        self.at = self.at.saturating_add(end);
        rest.get(..end).unwrap_or_default()
    }

    /// Two hexadecimal digits as one octet.
    fn hex_pair(&mut self) -> Option<u8> {
        let pair = self.rest().get(..2)?;
        let octet = pair
            .bytes()
            .all(|digit| digit.is_ascii_hexdigit())
            .then(|| u8::from_str_radix(pair, 16))?;
        self.at = self.at.saturating_add(2);
        octet.ok()
    }

    const fn here(&self, reason: &'static str) -> NameError {
        NameError::Text { at: self.at, reason }
    }

    const fn before(&self, reason: &'static str) -> NameError {
        NameError::Text {
            at: self.at.saturating_sub(1),
            reason,
        }
    }
}

fn attribute(input: &mut Input<'_>) -> Result<Attribute, NameError> {
    let kind = attribute_type(input)?;
    if !input.eat('=') {
        return Err(input.here("write = after the attribute type, without spaces"));
    }
    let value = match input.peek() {
        Some('#') => hex_value(input)?,
        Some('"') => quoted(input)?,
        _ => string(input)?,
    };
    Ok(Attribute { kind, value })
}

fn attribute_type(input: &mut Input<'_>) -> Result<ObjectIdentifier, NameError> {
    let start = input.at;
    let error = |reason| NameError::Text { at: start, reason };
    if input.peek() == Some(' ') {
        return Err(error(
            "no space before an attribute type (`openssl -nameopt RFC2253` prints none)",
        ));
    }
    let text = input.run(|character| character.is_ascii_alphanumeric() || matches!(character, '.' | '-'));
    if text.is_empty() {
        return Err(error("write an attribute type, as CN or 2.5.4.3"));
    }
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        let canonical = |oid: &ObjectIdentifier| oid.to_string() == text;
        return ObjectIdentifier::new(text)
            .ok()
            .filter(canonical)
            .ok_or_else(|| error("not an object identifier in dotted decimal"));
    }
    attributes::kind_of(text).ok_or_else(|| error("unknown attribute type: write its object identifier"))
}

/// `#` and the hexadecimal digits of one DER value.
fn hex_value(input: &mut Input<'_>) -> Result<Value, NameError> {
    let start = input.at;
    input.next();
    let mut der = Vec::new();
    while let Some(octet) = input.hex_pair() {
        der.push(octet);
    }
    Value::from_der(&der).ok_or(NameError::Text {
        at: start,
        reason: "after # the hexadecimal digits of one DER value are due",
    })
}

/// A value in double quotes (RFC 2253 §4): everything but a quote and a backslash stands for itself.
fn quoted(input: &mut Input<'_>) -> Result<Value, NameError> {
    let start = input.at;
    input.next();
    let mut octets = Vec::new();
    loop {
        match input.next() {
            Some('"') => return text(octets, start),
            Some('\\') => escape(input, &mut octets)?,
            Some('\0') => return Err(input.before(r"write a NUL character as \00")),
            Some(plain) => octets.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes()),
            None => return Err(input.here("the closing double quote is missing")),
        }
    }
}

fn string(input: &mut Input<'_>) -> Result<Value, NameError> {
    let start = input.at;
    if input.peek() == Some(' ') {
        return Err(input.here(r"write a leading space as \20, or none"));
    }
    let mut octets = Vec::new();
    let mut ends_in_space = false;
    while let Some(character) = input.peek() {
        match character {
            ',' | '+' => break,
            '"' | ';' | '<' | '>' | '\0' => {
                return Err(input.here("write a backslash before this character"));
            }
            _ => {}
        }
        input.next();
        ends_in_space = character == ' ';
        if character == '\\' {
            escape(input, &mut octets)?;
        } else {
            octets.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    if ends_in_space {
        return Err(input.before(r"write a trailing space as \20, or none"));
    }
    text(octets, start)
}

/// What follows a backslash: a special character, or the hexadecimal digits of one octet.
fn escape(input: &mut Input<'_>, octets: &mut Vec<u8>) -> Result<(), NameError> {
    if let Some(octet) = input.hex_pair() {
        octets.push(octet);
        return Ok(());
    }
    match input.peek() {
        Some(special @ ('"' | '+' | ',' | ';' | '<' | '>' | ' ' | '#' | '=' | '\\')) => {
            input.next();
            octets.extend_from_slice(special.encode_utf8(&mut [0; 4]).as_bytes());
            Ok(())
        }
        _ => Err(input.here("after a backslash, a special character or two hexadecimal digits are due")),
    }
}

fn text(octets: Vec<u8>, start: usize) -> Result<Value, NameError> {
    String::from_utf8(octets)
        .map(Value::Text)
        .map_err(|_| NameError::Text {
            at: start,
            reason: "the escaped octets are not UTF-8",
        })
}
