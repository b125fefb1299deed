//! RFC 4514 §2: from a name to text.

use std::fmt::{self, Write};

use super::{Attribute, attributes, value::Value};

pub(super) fn name(rdns: &[Vec<Attribute>], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // RFC 4514 §2.1: the last RDN of the DER comes first.
    for (at, rdn) in rdns.iter().rev().enumerate() {
        if at > 0 {
            f.write_char(',')?;
        }
        for (at, attribute) in rdn.iter().enumerate() {
            if at > 0 {
                f.write_char('+')?;
            }
            print_attribute(attribute, f)?;
        }
    }
    Ok(())
}

fn print_attribute(attribute: &Attribute, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match (attributes::name_of(attribute.kind), &attribute.value) {
        (Some(name), Value::Text(text)) => {
            write!(f, "{name}=")?;
            escaped(text, f)
        }
        (Some(name), value @ Value::Der(_)) => write!(f, "{name}=#{}", hex(&value.to_der())),
        // RFC 4514 §2.4: beside a dotted-decimal type, the hexadecimal form.
        (None, value) => write!(f, "{}=#{}", attribute.kind, hex(&value.to_der())),
    }
}

fn escaped(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let last = text.char_indices().next_back().map(|(at, _)| at);
    for (at, character) in text.char_indices() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(f, "\\{character}")?,
            ' ' if at == 0 || Some(at) == last => f.write_str("\\ ")?,
            '#' if at == 0 => f.write_str("\\#")?,
            control if control.is_control() => {
                let mut octets = [0; 4];
                for octet in control.encode_utf8(&mut octets).bytes() {
                    write!(f, "\\{octet:02X}")?;
                }
            }
            plain => f.write_char(plain)?,
        }
    }
    Ok(())
}

/// Lower-case hexadecimal, two digits an octet.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().fold(
        String::with_capacity(octets.len().saturating_mul(2)),
        |mut text, octet| {
            for digit in [octet >> 4, octet & 15] {
                text.extend(char::from_digit(u32::from(digit), 16));
            }
            text
        },
    )
}
