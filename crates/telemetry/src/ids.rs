use std::fmt;

/// A trace's id: 16 octets, not all zero (W3C Trace Context §3.2.2.3). `Display` is the 32 lower-case digits of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(u128);

/// A span's id: 8 octets, not all zero (§3.2.2.4). `Display` is the 16 lower-case digits of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId(u64);

impl TraceId {
    /// Stands in where there is no entropy: such a trace is not sampled.
    pub(crate) const ANY: Self = Self(1);

    /// `None` for zero, which stands for no trace.
    #[must_use]
    pub const fn new(octets: [u8; 16]) -> Option<Self> {
        match u128::from_be_bytes(octets) {
            0 => None,
            id => Some(Self(id)),
        }
    }

    /// As a number.
    #[must_use]
    pub const fn number(self) -> u128 {
        self.0
    }

    /// 32 lower-case hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let id = (text.len() == 32 && is_lower_hex(text)).then(|| u128::from_str_radix(text, 16).ok())??;
        (id != 0).then_some(Self(id))
    }
}

impl SpanId {
    /// `None` for zero, which stands for no span.
    #[must_use]
    pub const fn new(octets: [u8; 8]) -> Option<Self> {
        match u64::from_be_bytes(octets) {
            0 => None,
            id => Some(Self(id)),
        }
    }

    /// As a number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// 16 lower-case hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let id = (text.len() == 16 && is_lower_hex(text)).then(|| u64::from_str_radix(text, 16).ok())??;
        (id != 0).then_some(Self(id))
    }
}

pub(crate) fn is_lower_hex(text: &str) -> bool {
    text.bytes()
        .all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}
