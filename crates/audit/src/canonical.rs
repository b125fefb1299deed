//! The JSON Canonicalization Scheme (RFC 8785): one JSON value, one sequence of octets.

use serde_json::{Number, Value};

/// How many levels of arrays and objects are written: a value that was read by `serde_json` has at most 128.
pub const DEEPEST: usize = 128;

/// The value in its canonical form (RFC 8785): members sorted by their names' UTF-16 code units, no white space, the
/// shortest strings and numbers.
///
/// `None` for what has none: nested deeper than [`DEEPEST`], or an integer beyond 2^53, which some readers would change
/// (RFC 8785 §3.2.2.3 leaves it to texts).
///
/// ```
/// let value: serde_json::Value = serde_json::from_str(r#"{"b": 1.50, "a": [1e21, "\u20ac"]}"#)?;
/// assert_eq!(sealstone_audit::canonical(&value).as_deref(), Some(r#"{"a":[1e+21,"€"],"b":1.5}"#.as_bytes()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use]
pub fn canonical(value: &Value) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(512);
    write(&mut out, value, 0)?;
    Some(out)
}

fn write(out: &mut Vec<u8>, value: &Value, depth: usize) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    let deeper = depth.saturating_add(1);
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(self::number(number)?.as_bytes()),
        Value::String(text) => push_text(out, text),
        Value::Array(values) => {
            let mut before = b'[';
            for value in values {
                out.push(before);
                write(out, value, deeper)?;
                before = b',';
            }
            if values.is_empty() {
                out.push(b'[');
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            let mut before = b'{';
            for (name, value) in &members {
                out.push(before);
                push_text(out, name);
                out.push(b':');
                write(out, value, deeper)?;
                before = b',';
            }
            if members.is_empty() {
                out.push(b'{');
            }
            out.push(b'}');
        }
    }
    Some(())
}

/// Text as a canonical JSON string (RFC 8785 §3.2.2.2).
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    if needs_escape(text.as_bytes()) {
        // Its escapes are those of the scheme: two characters where there are such, else `\u00` and small digits.
        // Text is always JSON, and writing into memory does not fail.
        let _written = serde_json::to_writer(out, text);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Whether any octet is a control character, a quote or a backslash. Sixteen are looked at at once, and the last sixteen
/// once more instead of one by one.
pub(crate) fn needs_escape(text: &[u8]) -> bool {
    let any = |octets: &[u8]| {
        octets.iter().fold(false, |found, octet| {
            found | (*octet < 0x20) | (*octet == b'"') | (*octet == b'\\')
        })
    };
    let (whole, _rest) = text.as_chunks::<16>();
    let found = whole.iter().fold(false, |found, octets| found | any(octets));
    match text.last_chunk::<16>() {
        Some(last) => found | any(last),
        None => any(text),
    }
}

/// The largest integer up to which every integer is a number of IEEE 754.
const LARGEST: u64 = 1 << 53;

/// As ECMAScript prints a number (ECMA-262, `Number::toString`), RFC 8785 §3.2.2.3.
fn number(number: &Number) -> Option<String> {
    if let Some(natural) = number.as_u64() {
        return (natural <= LARGEST).then(|| natural.to_string());
    }
    if let Some(integer) = number.as_i64() {
        return (integer.unsigned_abs() <= LARGEST).then(|| integer.to_string());
    }
    float(number.as_f64()?)
}

/// The shortest digits that lead back to the number, of two the even one, are what `serde_json` prints (Rust's own `{:e}`
/// takes the odd one at times); here is where the point goes.
pub(crate) fn float(number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    if number == 0.0 {
        return Some("0".to_owned());
    }
    let printed = serde_json::to_string(&number.abs()).ok()?;
    let (mantissa, exponent) = printed.split_once('e').unwrap_or((&printed, "0"));
    let (whole, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{rest}");
    let leading = digits.len().checked_sub(digits.trim_start_matches('0').len())?;
    let digits = digits.trim_matches('0');
    // Digits before the point.
    let point = exponent
        .parse::<i32>()
        .ok()?
        .checked_add(i32::try_from(whole.len()).ok()?)?
        .checked_sub(i32::try_from(leading).ok()?)?;
    let count = i32::try_from(digits.len()).ok()?;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let sign = if number < 0.0 { "-" } else { "" };
    let text = if count <= point && point <= 21 {
        format!("{digits}{}", zeros(point.checked_sub(count)?))
    } else if 0 < point && point <= 21 {
        let (whole, rest) = digits.split_at_checked(usize::try_from(point).ok()?)?;
        format!("{whole}.{rest}")
    } else if -6 < point && point <= 0 {
        format!("0.{}{digits}", zeros(point.checked_neg()?))
    } else {
        let (first, rest) = digits.split_at_checked(1)?;
        let dot = if rest.is_empty() { "" } else { "." };
        let exponent = point.checked_sub(1)?;
        format!("{first}{dot}{rest}e{exponent:+}")
    };
    Some(format!("{sign}{text}"))
}

#[cfg(test)]
mod tests;
