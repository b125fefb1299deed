use crate::ids::{SpanId, TraceId, is_lower_hex};

/// The length of version 00, and the least of a later one (§3.2.1).
const LENGTH: usize = 55;
/// A later version may append fields; what is longer than this is no header of anybody's who means well.
const MAX_LENGTH: usize = 256;

/// A `traceparent` header: which trace a request belongs to, and which span it was sent by (W3C Trace Context §3.2).
///
/// # Examples
/// ```
/// use sealstone_telemetry::TraceParent;
///
/// let parent = TraceParent::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")?;
/// assert_eq!(parent.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
/// assert!(parent.is_sampled);
/// # Ok::<(), sealstone_telemetry::ParentError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the header has these fields")]
pub struct TraceParent {
    /// The trace.
    pub trace: TraceId,
    /// The caller's span.
    pub span: SpanId,
    /// Whether the caller says that it records the trace. A wish, no more.
    pub is_sampled: bool,
}

/// The header is not one: it is ignored, and the request begins a trace of its own (§4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParentError;

impl std::fmt::Display for ParentError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("no traceparent of W3C Trace Context")
    }
}

impl std::error::Error for ParentError {}

impl TraceParent {
    /// Reads the header's value: version 00 exactly, a later version's first four fields.
    ///
    /// # Errors
    /// [`ParentError`] for anything else: upper case, zero ids, version `ff`, version 00 with more than four fields,
    /// more than 256 octets, octets that are not ASCII.
    pub fn parse(text: &str) -> Result<Self, ParentError> {
        Self::read(text).ok_or(ParentError)
    }

    fn read(text: &str) -> Option<Self> {
        let known = text.get(..LENGTH)?;
        let rest = text.get(LENGTH..)?;
        let mut fields = known.split('-');
        let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let two = |field: &str| field.len() == 2 && is_lower_hex(field);
        if fields.next().is_some()
            || !two(version)
            || !two(flags)
            || text.len() > MAX_LENGTH
            || !text.is_ascii()
        {
            return None;
        }
        let is_whole = match version {
            "00" => rest.is_empty(),
            "ff" => false,
            _later => rest.is_empty() || rest.starts_with('-'),
        };
        let flags = u8::from_str_radix(flags, 16).ok()?;
        let read = Self {
            trace: TraceId::parse(trace)?,
            span: SpanId::parse(span)?,
            is_sampled: flags & 1 == 1,
        };
        is_whole.then_some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn what_is_a_traceparent_and_what_is_not() {
        let zeros = "0".repeat(32);
        let long = format!("01-{TRACE}-{SPAN}-01-{}", "a".repeat(400));
        let cases = [
            ("sampled", format!("00-{TRACE}-{SPAN}-01"), Some(true)),
            ("not sampled", format!("00-{TRACE}-{SPAN}-00"), Some(false)),
            (
                "flags that are not known",
                format!("00-{TRACE}-{SPAN}-fe"),
                Some(false),
            ),
            ("a later version", format!("cc-{TRACE}-{SPAN}-01"), Some(true)),
            (
                "a later version with more",
                format!("cc-{TRACE}-{SPAN}-01-what"),
                Some(true),
            ),
            ("version 00 with more", format!("00-{TRACE}-{SPAN}-01-what"), None),
            (
                "a later version, run together",
                format!("cc-{TRACE}-{SPAN}-01what"),
                None,
            ),
            (
                "a later version with what no header holds",
                format!("cc-{TRACE}-{SPAN}-01-\u{e9}"),
                None,
            ),
            ("version ff", format!("ff-{TRACE}-{SPAN}-01"), None),
            ("too long", long, None),
            (
                "upper case",
                format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
                None,
            ),
            ("no trace", format!("00-{zeros}-{SPAN}-01"), None),
            ("no span", format!("00-{TRACE}-{}-01", &zeros[..16]), None),
            ("a sign", format!("00-+{}-{SPAN}-01", &TRACE[1..]), None),
            ("flags in upper case", format!("00-{TRACE}-{SPAN}-0A"), None),
            ("a field moved", format!("00-{TRACE}{SPAN}--01"), None),
            ("a space before", format!(" 00-{TRACE}-{SPAN}-01"), None),
            (
                "two in one",
                format!("00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01"),
                None,
            ),
            ("no ASCII", format!("00-{TRACE}-{SPAN}-ßß"), None),
            (
                "no digits",
                "00-zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz-zzzzzzzzzzzzzzzz-zz".to_owned(),
                None,
            ),
            ("short", format!("00-{TRACE}-{SPAN}-0"), None),
            ("a line", format!("00-{TRACE}-{SPAN}-01\r\nx: y"), None),
            ("empty", String::new(), None),
        ];
        for (name, text, sampled) in cases {
            let read = TraceParent::parse(&text);
            assert_eq!(read.ok().map(|read| read.is_sampled), sampled, "{name}: {text}");
            if let Ok(read) = read {
                assert_eq!(
                    (read.trace.to_string(), read.span.to_string()),
                    (TRACE.into(), SPAN.into())
                );
            }
        }
    }
}
