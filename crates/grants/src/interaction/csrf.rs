use hmac::{Hmac, KeyInit as _, Mac as _};
use sealstone_oauth_types::{OpaqueToken, Secret};
use sha2::Sha256;

/// What the browser's cookie is used for here, so that no other use of it gives the same octets.
const CSRF: &[u8] = b"sealstone anti-forgery token";

/// The anti-forgery token of an interaction's forms: it follows from the interaction's id and from the cookie of the
/// browser that began it. Whoever has not both can't make it, and it is good nowhere else.
#[must_use]
pub fn csrf_token(interaction: &OpaqueToken, browser: &OpaqueToken) -> OpaqueToken {
    let mut token = [0_u8; 32];
    // HMAC takes a key of any length: this never fails.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(browser.expose().as_bytes()) {
        mac.update(CSRF);
        mac.update(interaction.expose().as_bytes());
        token.copy_from_slice(&mac.finalize().into_bytes());
    }
    OpaqueToken::from_octets(token)
}

/// Whether what a form sent is that token. Takes as long for every wrong one.
#[must_use]
pub fn is_csrf_token(sent: &Secret, interaction: &OpaqueToken, browser: &OpaqueToken) -> bool {
    sent.ct_eq(&Secret::from(csrf_token(interaction, browser).expose()))
}
