use aws_lc_rs::hmac;
use std::fmt;

/// Makes the subjects by which one sector's clients know people, and by which no other sector's do
/// (OpenID Connect Core §8.1).
///
/// The same person has the same subject in a sector for as long as the key stays; nobody without the key can tell
/// whether two subjects are one person.
///
/// ```
/// use sealstone_tokens::PairwiseSubjects;
///
/// let subjects = PairwiseSubjects::new(&[7; 32]); // 32 secret octets
/// let here = subjects.subject("grafana.example", "u1");
/// assert_eq!(here, subjects.subject("grafana.example", "u1"));
/// assert_ne!(here, subjects.subject("harbor.example", "u1"));
/// assert_eq!(here.len(), 43);
/// ```
pub struct PairwiseSubjects {
    key: hmac::Key,
}

impl PairwiseSubjects {
    /// Subjects under a key of 256 secret bits, which must never change.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
        }
    }

    /// The subject of a user in a sector: 43 characters of base64url.
    #[must_use]
    pub fn subject(&self, sector: &str, user_id: &str) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"sealstone pairwise subject\0");
        // A host name holds no NUL, so no two pairs give the same octets.
        context.update(sector.as_bytes());
        context.update(b"\0");
        context.update(user_id.as_bytes());
        sealstone_jose::base64url::encode(context.sign())
    }
}

impl fmt::Debug for PairwiseSubjects {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PairwiseSubjects([redacted])")
    }
}
