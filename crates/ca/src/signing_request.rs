//! Certification requests: what is sent to an authority that is not ours.

use std::fmt;

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair, PublicKeyData};
use zeroize::Zeroizing;

use crate::{
    CaError, CertificateInfo, RenewKey,
    authority::{EXTENDED_KEY_USAGE, SUBJECT_ALT_NAME, to_pem},
    splice,
};

/// A certification request (RFC 2986), signed by the key that it is for. `Debug` does not show the key.
#[derive(Clone)]
#[non_exhaustive]
pub struct SigningRequest {
    /// The request's DER.
    pub der: Vec<u8>,
    /// The request as one PEM block, `CERTIFICATE REQUEST`.
    pub pem: String,
    /// The private key, PKCS #8 in PEM. Zeroized on drop.
    pub private_key_pem: Zeroizing<String>,
}

impl SigningRequest {
    /// Asks for a successor of `certificate`: the same subject, octet for octet, the same alternative names and the same
    /// usages, as RFC 7030 §4.2.2 wants it.
    ///
    /// # Errors
    /// [`CaError::PrivateKey`] and [`CaError::KeyMismatch`] for a key to keep that is none, or not the certificate's;
    /// [`CaError::Make`].
    ///
    /// # Examples
    /// ```
    /// use rustls_pki_types::UnixTime;
    /// use sealstone_ca::{CertificateInfo, CertificateRequest, KeyKind, RenewKey, SigningRequest, Subject};
    ///
    /// let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_790_000_000));
    /// let machine = CertificateRequest::client(Subject::parse("CN=machine,DC=example,DC=org")?);
    /// let old = CertificateInfo::parse(&sealstone_ca::self_signed_client(&machine, now)?.certificate_der)?;
    /// let request = SigningRequest::renewing(&old, RenewKey::New(KeyKind::P256))?;
    /// assert!(request.pem.starts_with("-----BEGIN CERTIFICATE REQUEST-----"));
    /// # Ok::<(), sealstone_ca::CaError>(())
    /// ```
    pub fn renewing(certificate: &CertificateInfo, key: RenewKey<'_>) -> Result<Self, CaError> {
        let key = match key {
            RenewKey::New(kind) => kind.generate()?,
            RenewKey::Same(pem) => {
                let key = KeyPair::from_pem(pem).map_err(|_| CaError::PrivateKey)?;
                if key.subject_public_key_info() != certificate.spki_der {
                    return Err(CaError::KeyMismatch);
                }
                key
            }
        };
        let mut params = CertificateParams::new(Vec::new()).map_err(CaError::make)?;
        params.distinguished_name = DistinguishedName::new();
        for oid in [SUBJECT_ALT_NAME, EXTENDED_KEY_USAGE] {
            if let Some((_, critical, content)) = certificate.extension(oid) {
                let arcs: Vec<u64> = oid.split('.').filter_map(|arc| arc.parse().ok()).collect();
                let mut extension = CustomExtension::from_oid_content(&arcs, content.clone());
                extension.set_criticality(*critical);
                params.custom_extensions.push(extension);
            }
        }
        let made = params.serialize_request(&key).map_err(CaError::make)?;
        let names = [(splice::REQUEST_SUBJECT, certificate.subject_der.as_slice())];
        let der = splice::resign(made.der(), &names, &key)?;
        Ok(Self {
            pem: to_pem("CERTIFICATE REQUEST", &der)?,
            der,
            private_key_pem: Zeroizing::new(key.serialize_pem()),
        })
    }
}

impl fmt::Debug for SigningRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningRequest")
            .field("octets", &self.der.len())
            .finish_non_exhaustive()
    }
}
