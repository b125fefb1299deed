//! The two thumbprints of a certificate, named apart because they never agree.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{BindingError, pem};

/// `x5t#S256`: SHA-256 over the DER of a certificate (RFC 8705 §3.1).
///
/// Printed and read as 43 characters of base64url without padding. Compared in constant time.
///
/// # Examples
/// ```
/// use sealstone_mtls::CertificateThumbprint;
///
/// let printed = CertificateThumbprint::of_der(b"any octets: nothing is parsed").to_string();
/// assert_eq!(printed.len(), 43);
/// assert_eq!(CertificateThumbprint::parse(&printed)?.to_string(), printed);
/// # Ok::<(), sealstone_mtls::BindingError>(())
/// ```
#[derive(Clone, Copy, Eq, PartialOrd, Ord)]
pub struct CertificateThumbprint([u8; 32]);

impl CertificateThumbprint {
    /// Characters of the printed form.
    pub const TEXT_LENGTH: usize = 43;

    /// Hashes `der` without parsing it: the cheapest way from a handshake to a comparison.
    #[must_use]
    pub fn of_der(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// Takes the 32 octets of a thumbprint that was computed or stored elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the form of RFC 8705 §3.1 and no other: no padding, no hexadecimal, no standard base64.
    ///
    /// # Errors
    /// [`BindingError::Thumbprint`] for anything but 43 canonical characters of base64url.
    pub fn parse(text: &str) -> Result<Self, BindingError> {
        if text.len() != Self::TEXT_LENGTH {
            return Err(BindingError::Thumbprint);
        }
        let octets = base64_simd::URL_SAFE_NO_PAD
            .decode_to_vec(text)
            .map_err(|_| BindingError::Thumbprint)?;
        let this = Self(octets.try_into().map_err(|_| BindingError::Thumbprint)?);
        // The last character carries two unused bits: only one spelling is this thumbprint.
        if this.to_string() == text {
            Ok(this)
        } else {
            Err(BindingError::Thumbprint)
        }
    }

    /// The 32 octets.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The printed form, in the caller's room.
    ///
    /// ```
    /// # use sealstone_mtls::CertificateThumbprint;
    /// let thumbprint = CertificateThumbprint::of_der(b"a certificate");
    /// let mut room = [0; CertificateThumbprint::TEXT_LENGTH];
    /// assert_eq!(thumbprint.encode(&mut room), thumbprint.to_string());
    /// ```
    pub fn encode<'t>(&self, room: &'t mut [u8; Self::TEXT_LENGTH]) -> &'t str {
        base64_simd::URL_SAFE_NO_PAD.encode_as_str(&self.0, base64_simd::Out::from_slice(room))
    }
}

impl PartialEq for CertificateThumbprint {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for CertificateThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.encode(&mut [0; Self::TEXT_LENGTH]))
    }
}

impl fmt::Debug for CertificateThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateThumbprint({self})")
    }
}

impl Serialize for CertificateThumbprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CertificateThumbprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = CertificateThumbprint;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a certificate thumbprint: 43 characters of base64url")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                CertificateThumbprint::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Keystone's own, older thumbprint: base64url **with** padding of SHA-256 over the **PEM text**.
///
/// The text is the one Python's `ssl.DER_cert_to_PEM_cert` writes: lines of 64 columns and a final newline. It
/// stands in the `oauth2_credential` of Keystone tokens, is read by `keystonemiddleware`'s `oauth2_mtls_token`, and
/// is never an `x5t#S256`: it has 44 characters, the last of them `=`.
#[derive(Clone, Copy, Eq)]
pub struct KeystoneThumbprint([u8; 32]);

impl KeystoneThumbprint {
    /// Writes `der` as PEM and hashes that text. Nothing is parsed.
    #[must_use]
    pub fn of_der(der: &[u8]) -> Self {
        Self(Sha256::digest(pem::encode(der)).into())
    }
}

impl PartialEq for KeystoneThumbprint {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for KeystoneThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0_u8; 44];
        f.write_str(base64_simd::URL_SAFE.encode_as_str(&self.0, base64_simd::Out::from_slice(&mut text)))
    }
}

impl fmt::Debug for KeystoneThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeystoneThumbprint({self})")
    }
}
