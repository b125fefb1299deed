//! The `cnf` claim: which key or certificate a token's sender must prove (RFC 7800, RFC 8705 §3.1).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

use crate::{BindingError, CertificateThumbprint, ClientCertificate};

/// The `cnf` member of a token or of an introspection answer.
///
/// # Examples
/// ```
/// # let pem = include_str!("../tests/vectors/rfc8705-a.pem");
/// use sealstone_mtls::{BindingError, ClientCertificate, Confirmation};
///
/// let certificate = ClientCertificate::from_pem(pem)?;
/// let cnf = Confirmation::bind(&certificate);
/// assert_eq!(cnf.check(Some(&certificate.thumbprint())), Ok(()));
/// assert_eq!(cnf.check(None), Err(BindingError::CertificateMissing));
/// # Ok::<(), BindingError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// `x5t#S256`: the certificate that must be presented (RFC 8705 §3.1).
    pub x5t_s256: Option<CertificateThumbprint>,
    /// `jkt`: thumbprint of a key that a proof of RFC 9449 must be made with. A certificate does not prove it.
    pub jkt: Option<String>,
    /// Whether there were members that this crate does not know. They count: what is not understood is not held.
    pub other: bool,
}

impl Confirmation {
    /// Binds a token to the certificate that asked for it.
    ///
    /// # Security
    /// The certificate must come from a handshake (or a trusted proxy) that proved its key.
    #[must_use]
    pub fn bind(certificate: &ClientCertificate) -> Self {
        Self::of_thumbprint(certificate.thumbprint())
    }

    /// Binds a token to a certificate known by its thumbprint only.
    #[must_use]
    pub const fn of_thumbprint(thumbprint: CertificateThumbprint) -> Self {
        Self {
            x5t_s256: Some(thumbprint),
            jkt: None,
            other: false,
        }
    }

    /// Whether the sender, who presented `presented`, holds everything this confirmation names.
    ///
    /// # Errors
    /// [`BindingError::UnsupportedConfirmation`] with `jkt` or an unknown member, whatever else holds (RFC 7800
    /// §3.1); [`BindingError::EmptyConfirmation`] with none at all; [`BindingError::CertificateMissing`] and
    /// [`BindingError::CertificateMismatch`] for `x5t#S256`.
    pub fn check(&self, presented: Option<&CertificateThumbprint>) -> Result<(), BindingError> {
        if self.jkt.is_some() || self.other {
            return Err(BindingError::UnsupportedConfirmation);
        }
        let Some(bound) = &self.x5t_s256 else {
            return Err(BindingError::EmptyConfirmation);
        };
        match presented {
            None => Err(BindingError::CertificateMissing),
            Some(presented) if presented == bound => Ok(()),
            Some(_) => Err(BindingError::CertificateMismatch),
        }
    }
}

impl Serialize for Confirmation {
    /// Fails when unknown members were read: printing the rest would weaken the binding.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.other {
            return Err(serde::ser::Error::custom(
                "a confirmation with unknown members cannot be repeated",
            ));
        }
        let members = usize::from(self.x5t_s256.is_some()).saturating_add(usize::from(self.jkt.is_some()));
        let mut map = serializer.serialize_map(Some(members))?;
        if let Some(thumbprint) = &self.x5t_s256 {
            map.serialize_entry("x5t#S256", thumbprint)?;
        }
        if let Some(jkt) = &self.jkt {
            map.serialize_entry("jkt", jkt)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Confirmation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> de::Visitor<'de> for Members {
            type Value = Confirmation;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a cnf object (RFC 7800)")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut cnf = Confirmation::default();
                while let Some(name) = map.next_key::<String>()? {
                    let repeated = match name.as_str() {
                        "x5t#S256" => cnf.x5t_s256.replace(map.next_value()?).is_some(),
                        "jkt" => cnf.jkt.replace(map.next_value()?).is_some(),
                        _ => {
                            map.next_value::<de::IgnoredAny>()?;
                            cnf.other = true;
                            false
                        }
                    };
                    if repeated {
                        return Err(de::Error::custom("a cnf member stands twice"));
                    }
                }
                Ok(cnf)
            }
        }
        deserializer.deserialize_map(Members)
    }
}
