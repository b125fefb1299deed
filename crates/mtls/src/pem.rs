//! One `CERTIFICATE` block and nothing else (RFC 7468), and the same block percent-encoded once.

use std::borrow::Cow;

use crate::BindingError;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// How the lines of a block are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// By line ends, as RFC 7468 has it.
    Ends,
    /// By runs of spaces or tabs: what is left of line ends in a header field of Apache.
    Blanks,
}

/// Decodes exactly one block. `text` may end with one line end (or with blanks, where blanks divide the lines).
pub(crate) fn decode(text: &str, lines: Lines) -> Result<Vec<u8>, BindingError> {
    if text.contains('\0') {
        return Err(BindingError::Pem("a NUL character"));
    }
    let Some(rest) = text.strip_prefix(BEGIN) else {
        return Err(BindingError::Pem(
            "the text must begin with -----BEGIN CERTIFICATE-----",
        ));
    };
    let Some((body, after)) = rest.split_once(END) else {
        return Err(BindingError::Pem(
            "the text must end with -----END CERTIFICATE-----",
        ));
    };
    let clean_end = match lines {
        Lines::Ends => matches!(after, "" | "\n" | "\r\n"),
        Lines::Blanks => after.bytes().all(is_blank),
    };
    if !clean_end {
        return Err(BindingError::Pem("text after the certificate"));
    }
    if body.contains("-----") {
        return Err(BindingError::Pem("more than one block"));
    }
    let base64 = match lines {
        Lines::Ends => joined_lines(body)?,
        Lines::Blanks => joined_words(body)?,
    };
    base64_simd::STANDARD
        .decode_to_vec(base64)
        .map_err(|_| BindingError::Pem("the body is not base64"))
}

fn joined_lines(body: &str) -> Result<String, BindingError> {
    let malformed = BindingError::Pem("each label must stand on a line of its own");
    let body = body
        .strip_prefix("\r\n")
        .or_else(|| body.strip_prefix('\n'))
        .ok_or(malformed)?;
    let body = body.strip_suffix('\n').ok_or(malformed)?;
    let body = body.strip_suffix('\r').unwrap_or(body);
    let mut joined = String::with_capacity(body.len());
    for line in body.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            return Err(BindingError::Pem("an empty line"));
        }
        joined.push_str(line);
    }
    Ok(joined)
}

fn joined_words(body: &str) -> Result<String, BindingError> {
    if !(body.starts_with([' ', '\t']) && body.ends_with([' ', '\t'])) {
        return Err(BindingError::Pem("each label must be set apart by a space"));
    }
    Ok(body.split([' ', '\t']).collect())
}

const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Decodes percent-encoding exactly once. `+` stays `+`: it is a character of base64, not a space.
pub(crate) fn unescape(text: &str) -> Result<Cow<'_, str>, BindingError> {
    let octets = text.as_bytes();
    for (at, _) in text.match_indices('%') {
        let hex = octets.iter().skip(at).skip(1).take(2);
        if hex.clone().count() != 2 || !hex.into_iter().all(u8::is_ascii_hexdigit) {
            return Err(BindingError::Escape(
                "a percent sign without two hexadecimal digits",
            ));
        }
    }
    let plain = percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| BindingError::Escape("the decoded text is not UTF-8"))?;
    if plain.contains('%') {
        return Err(BindingError::Escape("encoded more than once"));
    }
    if plain.contains('\0') {
        return Err(BindingError::Escape("a NUL character"));
    }
    Ok(plain)
}

/// Writes one block: lines of 64 columns and a final newline, as Python's `ssl.DER_cert_to_PEM_cert` does.
pub(crate) fn encode(der: &[u8]) -> String {
    let mut text = String::from(BEGIN);
    text.push('\n');
    // 48 octets fill a line of 64 characters.
    for line in der.chunks(48) {
        base64_simd::STANDARD.encode_append(line, &mut text);
        text.push('\n');
    }
    text.push_str(END);
    text.push('\n');
    text
}
