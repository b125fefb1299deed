use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::hmac;
use base64_simd::URL_SAFE;
use zeroize::Zeroizing;

use super::Iv;
use super::envelope::TAG;
use crate::{DecodeError, IssueError, KeyError, hex};

/// One key of a Fernet repository: 16 octets that sign and 16 that encrypt, prepared once.
///
/// `Debug` shows the fingerprint alone.
pub struct FernetKey {
    octets: Zeroizing<[u8; 32]>,
    tag: hmac::Key,
    encrypting: PaddedBlockEncryptingKey,
    decrypting: PaddedBlockDecryptingKey,
}

impl FernetKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`KeyError::Backend`] if the operating system gives no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let mut octets = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(octets.as_mut_slice()).map_err(|_error| KeyError::Backend)?;
        Self::new(octets)
    }

    /// Reads the content of a key's file: 44 characters of base64url with padding, and a line feed at most.
    ///
    /// # Errors
    /// [`KeyError::Fernet`] for everything else. Keystone skips what is no base64 and takes the rest, so that a
    /// damaged file becomes another key; here it is refused.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let octets = URL_SAFE.decode_to_vec(text).map_err(|_error| KeyError::Fernet)?;
        let octets = Zeroizing::new(octets);
        let octets: [u8; 32] = octets.as_slice().try_into().map_err(|_error| KeyError::Fernet)?;
        Self::new(Zeroizing::new(octets))
    }

    fn new(octets: Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        let (tag, cipher) = octets.split_at(16);
        let cipher = || UnboundCipherKey::new(&AES_128, cipher);
        let encrypting = cipher().and_then(PaddedBlockEncryptingKey::cbc_pkcs7);
        let decrypting = cipher().and_then(PaddedBlockDecryptingKey::cbc_pkcs7);
        Ok(Self {
            tag: hmac::Key::new(hmac::HMAC_SHA256, tag),
            encrypting: encrypting.map_err(|_error| KeyError::Backend)?,
            decrypting: decrypting.map_err(|_error| KeyError::Backend)?,
            octets,
        })
    }

    /// The content of the key's file.
    ///
    /// # Security
    /// For a file that only its owner reads. The copy is overwritten when dropped.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE.encode_to_string(self.octets.as_slice()))
    }

    /// The first 16 octets of a SHA-256 over the key, in hexadecimal: the same on every node that holds it, and no
    /// help to whoever wants the key.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut digest = Context::new(&SHA256);
        digest.update(b"sealstone fernet key fingerprint\0");
        digest.update(self.octets.as_slice());
        let digest = digest.finish();
        hex::encode(digest.as_ref().get(..16).unwrap_or_default())
    }

    /// Is `tag` the tag over `message`? Compared in constant time.
    #[inline]
    pub(super) fn proves(&self, message: &[u8], tag: &[u8]) -> bool {
        self.tag(message)
            .is_ok_and(|own| aws_lc_rs::constant_time::verify_slices_are_equal(&own, tag).is_ok())
    }

    /// 16 octets that nobody can foresee who lacks the key, the same for the same octets. No tag is made over what begins
    /// with this label: tokens begin with 0x80.
    pub(super) fn derive_iv(&self, octets: &[u8]) -> Iv {
        let mut context = hmac::Context::with_key(&self.tag);
        context.update(b"sealstone fernet initialization vector\0");
        context.update(octets);
        let tag = context.sign();
        Iv::new(tag.as_ref().first_chunk::<16>().copied().unwrap_or_default())
    }

    /// Written where it is used: `hmac::sign` moves its context and its longest tag about, which takes a tenth of the time.
    #[inline]
    pub(super) fn tag(&self, message: &[u8]) -> Result<[u8; TAG], IssueError> {
        let mut tag = [0; TAG];
        hmac::sign_to_buffer(&self.tag, message, &mut tag).map_err(|_error| IssueError::Backend)?;
        Ok(tag)
    }

    /// Encrypts what stands in `octets` from `start` on, in place, padding added.
    pub(super) fn encrypt(&self, iv: &Iv, octets: &mut Vec<u8>, start: usize) -> Result<(), IssueError> {
        let context = EncryptionContext::Iv128(iv.octets().into());
        let done = self
            .encrypting
            .less_safe_encrypt(&mut Tail { octets, start }, context);
        done.map(|_context| ()).map_err(|_error| IssueError::Backend)
    }

    /// Decrypts `octets` in place, padding checked and taken off.
    pub(super) fn decrypt<'a>(&self, iv: [u8; 16], octets: &'a mut [u8]) -> Result<&'a [u8], DecodeError> {
        let context = DecryptionContext::Iv128((&iv).into());
        let plain = self.decrypting.decrypt(octets, context);
        plain.map(|plain| &*plain).map_err(|_error| DecodeError::Form)
    }
}

impl PartialEq for FernetKey {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.octets.as_slice(), other.octets.as_slice())
            .is_ok()
    }
}

impl Eq for FernetKey {}

impl std::fmt::Debug for FernetKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FernetKey")
            .field("fingerprint", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

/// The octets from `start` on, which may grow.
struct Tail<'a> {
    octets: &'a mut Vec<u8>,
    start: usize,
}

impl AsMut<[u8]> for Tail<'_> {
    fn as_mut(&mut self) -> &mut [u8] {
        self.octets.get_mut(self.start..).unwrap_or_default()
    }
}

impl<'a> Extend<&'a u8> for Tail<'_> {
    fn extend<I: IntoIterator<Item = &'a u8>>(&mut self, more: I) {
        self.octets.extend(more);
    }
}
