use std::fmt;
use std::ops::Range;

use memchr::memchr;
use zeroize::Zeroizing;

/// The parameter that may come more than once (RFC 8707 §2).
const REPEATABLE: &str = "resource";

/// A body of `application/x-www-form-urlencoded`, decoded strictly.
///
/// What another parser might read differently is refused: a bad percent triplet, bytes that are not UTF-8, a NUL,
/// raw bytes outside printable ASCII, and a repeated name (RFC 6749 §3.2), except `resource` (RFC 8707 §2). An
/// empty value counts as absent. At most 64 KiB and 64 parameters; two allocations whatever the body holds.
/// The decoded text is overwritten when dropped: it holds secrets.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::Form;
///
/// let form = Form::parse(b"grant_type=client_credentials&scope=a+b&state=")?;
/// assert_eq!(form.get("scope"), Some("a b"));
/// assert_eq!(form.get("state"), None);
/// assert!(Form::parse(b"scope=a&scope=a").is_err());
/// # Ok::<(), sealstone_oauth_types::FormError>(())
/// ```
pub struct Form {
    text: Zeroizing<String>,
    parameters: Vec<Parameter>,
    /// A bit for each length that a name has: most of what is looked for is not there.
    lengths: u64,
}

/// Room for a token request with two authentications' worth of parameters.
const TYPICAL_PARAMETERS: usize = 8;

struct Parameter {
    name: Range<usize>,
    value: Range<usize>,
}

/// Why a body is not a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// More than 64 KiB.
    #[error("the body is larger than 65536 bytes")]
    TooLarge,
    /// More than 64 parameters.
    #[error("the body has more than 64 parameters")]
    TooManyParameters,
    /// A name twice (RFC 6749 §3.2).
    #[error("a parameter is repeated")]
    Repeated,
    /// A bad percent triplet, a NUL, raw bytes outside printable ASCII, or text that is not UTF-8.
    #[error("the body is not well-formed application/x-www-form-urlencoded")]
    Encoding,
}

impl Form {
    /// The largest body, in bytes: 16 times the largest request that a client has a reason to send.
    pub const MAX_LENGTH: usize = 64 * 1024;
    /// The most parameters: the comparisons for repeated names stay under 2,100.
    pub const MAX_PARAMETERS: usize = 64;

    /// Parses a body.
    ///
    /// # Errors
    /// The [`FormError`] of the first fault.
    pub fn parse(body: &[u8]) -> Result<Self, FormError> {
        if body.len() > Self::MAX_LENGTH {
            return Err(FormError::TooLarge);
        }
        let mut form = if all_plain(body) {
            Self::plain(body)?
        } else {
            Self::decoded(body)?
        };
        let lengths = form.parameters.iter().map(|parameter| bit(parameter.name.len()));
        form.lengths = lengths.fold(0, |lengths, length| lengths | length);
        if form.has_repeated_name() {
            Err(FormError::Repeated)
        } else {
            Ok(form)
        }
    }

    /// A body without escapes, as most are: its text is the body itself.
    fn plain(body: &[u8]) -> Result<Self, FormError> {
        let text = str::from_utf8(body).map_err(|_| FormError::Encoding)?;
        let mut parameters = Vec::with_capacity(TYPICAL_PARAMETERS);
        let mut start: usize = 0;
        while let Some(rest) = body.get(start..).filter(|rest| !rest.is_empty()) {
            let length = memchr(b'&', rest).unwrap_or(rest.len());
            let end = start.saturating_add(length);
            if length > 0 {
                if parameters.len() >= Self::MAX_PARAMETERS {
                    return Err(FormError::TooManyParameters);
                }
                let equals = rest.get(..length).and_then(|pair| memchr(b'=', pair));
                let name_end = equals.map_or(end, |equals| start.saturating_add(equals));
                let value = equals.map_or(end, |_equals| name_end.saturating_add(1));
                parameters.push(Parameter {
                    name: start..name_end,
                    value: value..end,
                });
            }
            start = end.saturating_add(1);
        }
        Ok(Self {
            text: Zeroizing::new(text.to_owned()),
            parameters,
            lengths: 0,
        })
    }

    fn decoded(body: &[u8]) -> Result<Self, FormError> {
        // Each part is followed by a NUL, which no part can hold: so no multi-byte character spans two parts.
        let mut text = Zeroizing::new(Vec::with_capacity(body.len().saturating_add(16)));
        let mut parameters = Vec::with_capacity(TYPICAL_PARAMETERS);
        for pair in body.split(|octet| *octet == b'&').filter(|pair| !pair.is_empty()) {
            if parameters.len() >= Self::MAX_PARAMETERS {
                return Err(FormError::TooManyParameters);
            }
            let mut halves = pair.splitn(2, |octet| *octet == b'=');
            let name = decode_into(halves.next().unwrap_or_default(), &mut text)?;
            let value = decode_into(halves.next().unwrap_or_default(), &mut text)?;
            parameters.push(Parameter { name, value });
        }
        let text = String::from_utf8(std::mem::take(&mut *text)).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            FormError::Encoding
        })?;
        Ok(Self {
            text: Zeroizing::new(text),
            parameters,
            lengths: 0,
        })
    }

    /// The value of a parameter; `None` if it is absent or empty. For `resource`, the first.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// The names of all parameters, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.parameters.iter();
        names.filter_map(|parameter| self.text.get(parameter.name.clone()))
    }

    /// Every value of a parameter that is not empty. Only `resource` can have more than one.
    pub fn get_all(&self, name: &str) -> impl Iterator<Item = &str> {
        let parameters = match self.lengths & bit(name.len()) {
            0 => &[],
            _ => self.parameters.as_slice(),
        };
        parameters
            .iter()
            .filter(move |parameter| parameter.name.len() == name.len())
            .filter(move |parameter| self.octets(&parameter.name) == name.as_bytes())
            .filter_map(|parameter| self.text.get(parameter.value.clone()))
            .filter(|value| !value.is_empty())
    }

    /// A part as octets: names are compared many times, and need not be looked at as text.
    fn octets(&self, range: &Range<usize>) -> &[u8] {
        self.text.as_bytes().get(range.clone()).unwrap_or_default()
    }

    fn has_repeated_name(&self) -> bool {
        let mut rest = self.parameters.iter();
        while let Some(first) = rest.next() {
            let name = self.octets(&first.name);
            let repeats = |other: &Parameter| self.octets(&other.name) == name;
            if rest.clone().any(repeats) && name != REPEATABLE.as_bytes() {
                return true;
            }
        }
        false
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Form({} parameters)", self.parameters.len())
    }
}

/// Whether a `Content-Type` value names `application/x-www-form-urlencoded`, in whatever case (RFC 9110 §8.3.1).
///
/// A `charset` must be UTF-8; other parameters say nothing about a form and are passed over.
///
/// # Examples
/// ```
/// use sealstone_oauth_types::form_content_type;
///
/// assert!(form_content_type("Application/X-WWW-Form-Urlencoded; charset=UTF-8"));
/// assert!(!form_content_type("application/json"));
/// ```
#[must_use]
pub fn form_content_type(value: &str) -> bool {
    const FORM: &str = "application/x-www-form-urlencoded";
    if value == FORM || value.eq_ignore_ascii_case(FORM) {
        return true;
    }
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    if !essence.eq_ignore_ascii_case(FORM) {
        return false;
    }
    parts
        .filter(|part| !part.is_empty())
        .all(|part| match part.split_once('=') {
            Some((name, value)) => {
                let value = value
                    .strip_prefix('"')
                    .and_then(|v| v.strip_suffix('"'))
                    .unwrap_or(value);
                !name.eq_ignore_ascii_case("charset") || value.eq_ignore_ascii_case("utf-8")
            }
            None => false,
        })
}

/// Appends a decoded part and a NUL; the range is that of the part. UTF-8 is the caller's to check.
fn decode_into(part: &[u8], out: &mut Vec<u8>) -> Result<Range<usize>, FormError> {
    let start = out.len();
    decode(part, out)?;
    let end = out.len();
    out.push(0);
    Ok(start..end)
}

/// Decodes `+` and percent triplets once; refuses a NUL and whatever a form does not send unencoded.
pub(crate) fn decode(part: &[u8], out: &mut Vec<u8>) -> Result<(), FormError> {
    if all_plain(part) {
        out.extend_from_slice(part);
        return Ok(());
    }
    let mut rest = part;
    loop {
        let plain = rest
            .iter()
            .position(|byte| !is_plain(*byte))
            .unwrap_or(rest.len());
        let (run, tail) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
        out.extend_from_slice(run);
        rest = match tail {
            [] => return Ok(()),
            [b'+', rest @ ..] => {
                out.push(b' ');
                rest
            }
            [b'%', high, low, rest @ ..] => {
                let high = hex_digit(*high).ok_or(FormError::Encoding)?;
                let low = hex_digit(*low).ok_or(FormError::Encoding)?;
                match high << 4 | low {
                    0 => return Err(FormError::Encoding),
                    decoded => out.push(decoded),
                }
                rest
            }
            [_, ..] => return Err(FormError::Encoding),
        };
    }
}

/// Whether there is nothing to decode, as mostly. Without a branch, so that many octets are looked at at a time.
fn all_plain(octets: &[u8]) -> bool {
    octets.iter().fold(true, |plain, octet| plain & is_plain(*octet))
}

/// What a form sends as it is: printable ASCII but for the two escapes.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'+' && byte != b'%'
}

/// That of a length; a name of 64 octets and more has all of them.
const fn bit(length: usize) -> u64 {
    match length {
        0..64 => 1 << length,
        _ => u64::MAX,
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => byte.checked_sub(b'0'),
        b'a'..=b'f' => byte.checked_sub(b'a' - 10),
        b'A'..=b'F' => byte.checked_sub(b'A' - 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
