//! Traefik's `X-Forwarded-Tls-Client-Cert`: base64 of the DER, labels and line ends removed, the chain after commas.

use crate::{BindingError, ClientCertificate, pem};

/// As many as a TLS stack sends: the certificate and a chain of nine.
const MAX_CERTIFICATES: usize = 10;

pub(super) fn parse(text: &str) -> Result<ClientCertificate, BindingError> {
    let text = pem::unescape(text)?;
    if text.matches(',').count() >= MAX_CERTIFICATES {
        return Err(BindingError::Header("more than 10 certificates"));
    }
    let mut certificates = text.split(',').map(|base64| {
        let der = base64_simd::STANDARD
            .decode_to_vec(base64)
            .map_err(|_| BindingError::Header("base64 without labels is due"))?;
        ClientCertificate::from_der(&der)
    });
    let leaf = certificates
        .next()
        .unwrap_or(Err(BindingError::Header("empty")))?;
    for authority in certificates {
        authority?;
    }
    Ok(leaf)
}
