use sealstone_grants::PresentedCertificate;
use std::fmt;
use std::net::IpAddr;

/// Who is at the other end of a request, as far as the edge knows.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by the edge; each member is decided there"
)]
pub struct Peer {
    /// The address of the socket, or the one that a trusted proxy named.
    pub address: Option<IpAddr>,
    /// The certificate whose key was proved on this connection.
    pub certificate: Option<PresentedCertificate>,
    /// The request's id, which the answer carries too.
    pub request_id: RequestId,
}

/// What a request is called in the log, in the audit trail and in its answer: visible ASCII, 64 octets at most.
///
/// It lies where it is, since every request has one.
///
/// ```
/// # use sealstone_provider::RequestId;
/// assert_eq!(RequestId::from("req-7").as_str(), "req-7");
/// assert_eq!(RequestId::from("a\nb").as_str(), "a");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    octets: [u8; Self::MAX_LENGTH],
    length: u8,
}

impl RequestId {
    /// The most octets.
    pub const MAX_LENGTH: usize = 64;

    /// An id of these two parts, up to the limit or to the first octet that may not be in one.
    #[must_use]
    pub fn of_parts(first: &[u8], second: &[u8]) -> Self {
        let mut octets = [0; Self::MAX_LENGTH];
        let (place, rest) = octets.split_at_mut(first.len().min(Self::MAX_LENGTH));
        copy(place, first);
        copy(rest, second);
        let length = first.len().saturating_add(second.len()).min(Self::MAX_LENGTH);
        let written = octets.get(..length).unwrap_or_default();
        // Without a branch, since nearly all of them are.
        let all = written
            .iter()
            .fold(true, |all, octet| all & octet.is_ascii_graphic());
        let length = if all {
            length
        } else {
            let end = written.iter().position(|octet| !octet.is_ascii_graphic());
            end.unwrap_or(length)
        };
        Self {
            octets,
            length: u8::try_from(length).unwrap_or(0),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The octets of the text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// As much as there is place for.
fn copy(place: &mut [u8], octets: &[u8]) {
    let length = place.len().min(octets.len());
    if let (Some(place), Some(octets)) = (place.get_mut(..length), octets.get(..length)) {
        place.copy_from_slice(octets);
    }
}

impl From<&str> for RequestId {
    fn from(text: &str) -> Self {
        Self::of_parts(text.as_bytes(), &[])
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RequestId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::RequestId;

    #[test]
    fn an_id_ends_at_what_may_not_be_in_one() {
        let long = "a".repeat(70);
        for (first, second, want) in [
            ("", "", ""),
            ("process-", "1f", "process-1f"),
            ("a\r\nb", "c", "a"),
            ("a", " b", "a"),
            ("\u{e9}", "b", ""),
            (&long, "b", &long[..64]),
            (&long[..63], "bc", &format!("{}b", &long[..63])),
            ("", &long, &long[..64]),
        ] {
            let id = RequestId::of_parts(first.as_bytes(), second.as_bytes());
            assert_eq!(id.as_str(), want, "{first:?} {second:?}");
        }
    }
}
