use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use std::fmt;

/// Makes the subjects by which one sector's clients know people, and by which no other sector's do
/// (OpenID Connect Core §8.1).
///
/// The same person has the same subject in a sector for as long as the key stays; nobody without the key can tell
/// whether two subjects are one person, nor who. With the key a subject opens again, so that a token tells its issuer
/// whom it is of: the user's id is encrypted under a nonce that follows from what is encrypted.
///
/// ```
/// use sealstone_tokens::PairwiseSubjects;
///
/// let subjects = PairwiseSubjects::new(&[7; 32])?; // 32 secret octets
/// let here = subjects.subject("grafana.example", "u1")?;
/// assert_eq!(here, subjects.subject("grafana.example", "u1")?);
/// assert_ne!(here, subjects.subject("harbor.example", "u1")?);
/// assert_eq!(subjects.user_id("grafana.example", &here).as_deref(), Some("u1"));
/// assert_eq!(subjects.user_id("harbor.example", &here), None);
/// # Ok::<(), sealstone_tokens::PairwiseError>(())
/// ```
pub struct PairwiseSubjects {
    nonces: hmac::Key,
    key: LessSafeKey,
}

/// The cryptographic library refused to work.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a pairwise subject can't be made")]
pub struct PairwiseError;

impl PairwiseSubjects {
    /// Subjects under a key of 256 secret bits, which must never change.
    ///
    /// # Errors
    /// [`PairwiseError`] when the cryptographic library refuses.
    pub fn new(secret: &[u8; 32]) -> Result<Self, PairwiseError> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = |purpose: &[u8]| hmac::sign(&root, purpose);
        let key = derived(b"sealstone pairwise subject: encryption");
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_unspecified| PairwiseError)?;
        let nonces = derived(b"sealstone pairwise subject: nonce");
        Ok(Self {
            nonces: hmac::Key::new(hmac::HMAC_SHA256, nonces.as_ref()),
            key: LessSafeKey::new(key),
        })
    }

    /// The subject of a user in a sector: up to 123 characters of base64url (OpenID Connect Core §2 allows 255).
    ///
    /// # Errors
    /// [`PairwiseError`] when the cryptographic library refuses.
    pub fn subject(&self, sector: &str, user_id: &str) -> Result<String, PairwiseError> {
        let nonce = self.nonce(sector, user_id);
        let mut text = user_id.as_bytes().to_vec();
        let place = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(place, Aad::from(sector.as_bytes()), &mut text)
            .map_err(|_unspecified| PairwiseError)?;
        Ok(sealstone_jose::base64url::encode(
            [nonce.as_slice(), &text].concat(),
        ))
    }

    /// Whose subject it is in this sector. `None` for what is no subject of ours there.
    #[must_use]
    pub fn user_id(&self, sector: &str, subject: &str) -> Option<String> {
        let octets = sealstone_jose::base64url::decode(subject).ok()?;
        let (nonce, sealed) = octets.split_at_checked(NONCE_LEN)?;
        let nonce: [u8; NONCE_LEN] = nonce.try_into().ok()?;
        let mut text = sealed.to_vec();
        let opened = self
            .key
            .open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(sector.as_bytes()),
                &mut text,
            )
            .ok()?;
        let user_id = str::from_utf8(opened).ok()?;
        // There is one subject for one user: another nonce is nobody's.
        (self.nonce(sector, user_id) == nonce).then(|| user_id.to_owned())
    }

    /// Follows from what is encrypted: two users, or two sectors, meet in it once in 2^96 pairs.
    fn nonce(&self, sector: &str, user_id: &str) -> [u8; NONCE_LEN] {
        let mut context = hmac::Context::with_key(&self.nonces);
        // A host name holds no NUL, so no two pairs give the same octets.
        context.update(sector.as_bytes());
        context.update(b"\0");
        context.update(user_id.as_bytes());
        let mut nonce = [0_u8; NONCE_LEN];
        for (place, octet) in nonce.iter_mut().zip(context.sign().as_ref()) {
            *place = *octet;
        }
        nonce
    }
}

impl fmt::Debug for PairwiseSubjects {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PairwiseSubjects([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::PairwiseSubjects;

    #[test]
    fn only_a_whole_subject_of_the_sector_opens() {
        let subjects = PairwiseSubjects::new(&[1; 32]).unwrap();
        let long = "0123456789abcdef".repeat(4);
        let subject = subjects.subject("a.example", &long).unwrap();
        assert_eq!(subject.len(), 123);
        assert_eq!(subjects.user_id("a.example", &subject).unwrap(), long);
        for place in 0..subject.len() {
            let mut other = subject.clone().into_bytes();
            other[place] = if other[place] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(subjects.user_id("a.example", &other), None, "{place}");
        }
        let foreign = PairwiseSubjects::new(&[2; 32]).unwrap();
        for wrong in ["", "u1", &subject[..122], &format!("{subject}A")] {
            assert_eq!(subjects.user_id("a.example", wrong), None, "{wrong}");
        }
        assert_eq!(foreign.user_id("a.example", &subject), None);
        assert_eq!(subjects.user_id("b.example", &subject), None);
    }
}
