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

    /// An id of these octets, up to the limit or to the first that may not be in one.
    #[must_use]
    pub fn of(text: impl IntoIterator<Item = u8>) -> Self {
        let mut id = Self {
            octets: [0; Self::MAX_LENGTH],
            length: 0,
        };
        let text = text.into_iter().take_while(u8::is_ascii_graphic);
        for (place, octet) in id.octets.iter_mut().zip(text) {
            *place = octet;
            id.length = id.length.saturating_add(1);
        }
        id
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let octets = self.octets.get(..usize::from(self.length)).unwrap_or_default();
        str::from_utf8(octets).unwrap_or_default()
    }
}

impl From<&str> for RequestId {
    fn from(text: &str) -> Self {
        Self::of(text.bytes())
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
