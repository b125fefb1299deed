//! Base64url without padding (RFC 4648 §5, RFC 7515 §2): one text for each octet string, and no other.

use base64_simd::{Out, URL_SAFE_NO_PAD};

use crate::JoseError;

/// Writes `octets` in base64url without padding.
#[must_use]
pub fn encode(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode_to_string(octets)
}

/// Writes `octets` in base64url without padding into `room`, which has place for all of it.
///
/// ```
/// let mut room = [0; 22];
/// assert_eq!(sealstone_jose::base64url::encode_into([7; 16], &mut room), "BwcHBwcHBwcHBwcHBwcHBw");
/// ```
pub fn encode_into<const OCTETS: usize, const ROOM: usize>(
    octets: [u8; OCTETS],
    room: &mut [u8; ROOM],
) -> &str {
    const { assert!(ROOM >= OCTETS.div_ceil(3) * 4 - (3 - OCTETS % 3) % 3) };
    URL_SAFE_NO_PAD.encode_as_str(&octets, Out::from_slice(room))
}

/// Appends `octets` in base64url without padding to `text`.
pub fn encode_to(octets: impl AsRef<[u8]>, text: &mut String) {
    URL_SAFE_NO_PAD.encode_append(octets, text);
}

/// Reads base64url without padding.
///
/// # Errors
/// [`JoseError::Base64`] for padding, white space, `+`, `/`, any other octet, an impossible length, and unused
/// bits that are not zero.
pub fn decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, JoseError> {
    URL_SAFE_NO_PAD
        .decode_to_vec(text)
        .map_err(|_error| JoseError::Base64)
}
