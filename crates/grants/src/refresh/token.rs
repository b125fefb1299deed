use super::FamilyKey;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sealstone_oauth_types::{OpaqueToken, TokenHash, ValueError};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// The octets of a refresh token that name its family: 80 bits, so that two families never share them.
const SELECTOR: usize = 10;

/// What a child is derived for, so that no other use of the key gives the same octets.
const CHILD: &[u8] = b"sealstone refresh token child";

/// A family, by the hash of the part that its tokens share: it may be shown and logged, and no token follows from it.
///
/// A refresh token's first 80 bits stay the same through all rotations and the other 176 change, so that the use of any
/// token that ever was of the family is seen, however old it is. Both are random, and known only to who holds a token of
/// the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FamilyId(TokenHash);

impl FamilyId {
    /// The family that this token is of, if it is a refresh token at all.
    #[must_use]
    pub fn of(token: &OpaqueToken) -> Self {
        let octets = octets(token);
        let selector = octets.get(..SELECTOR).unwrap_or_default();
        Self(TokenHash::from_octets(Sha256::digest(selector).into()))
    }

    /// The id that a store kept.
    #[must_use]
    pub const fn from_octets(octets: [u8; 32]) -> Self {
        Self(TokenHash::from_octets(octets))
    }

    /// The octets, for a store.
    #[must_use]
    pub const fn as_octets(&self) -> &[u8; 32] {
        self.0.as_octets()
    }

    /// The id that `Display` wrote: 43 characters of base64url.
    ///
    /// # Errors
    /// [`ValueError::TokenHash`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        TokenHash::parse(text).map(Self)
    }
}

impl fmt::Display for FamilyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The token that follows `parent`: always the same one, and unknown to who has only the parent or only the store.
pub(super) fn child(parent: &OpaqueToken, key: &FamilyKey) -> OpaqueToken {
    let parent = octets(parent);
    let mut child = Zeroizing::new([0_u8; 32]);
    // HMAC takes a key of any length: this never fails.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.octets()) {
        mac.update(CHILD);
        mac.update(parent.as_slice());
        child.copy_from_slice(&mac.finalize().into_bytes());
    }
    for (own, shared) in child.iter_mut().zip(parent.iter()).take(SELECTOR) {
        *own = *shared;
    }
    OpaqueToken::from_octets(*child)
}

/// What the text of a token encodes. A token has 32 octets by its construction.
fn octets(token: &OpaqueToken) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(
        base64_simd::URL_SAFE_NO_PAD
            .decode_to_vec(token.expose())
            .unwrap_or_default(),
    )
}
