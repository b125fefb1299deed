//! Whom a receiver must be.

use crate::receiver::DeliveryError;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, crypto::aws_lc_rs};
use std::sync::Arc;

/// Trusts these authorities (PEM), and presents a certificate (chain and key, PEM) if there is one.
///
/// # Errors
/// [`DeliveryError::Settings`]: no authority, no key, a key of another certificate.
pub fn client_tls(
    authorities: &[u8],
    own: Option<(&[u8], &[u8])>,
) -> Result<Arc<ClientConfig>, DeliveryError> {
    let roots = sealstone_https::authorities(authorities).map_err(DeliveryError::settings)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(DeliveryError::settings)?
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
            let key = PrivateKeyDer::from_pem_slice(key).map_err(DeliveryError::settings)?;
            builder
                .with_client_auth_cert(chain.map_err(DeliveryError::settings)?, key)
                .map_err(DeliveryError::settings)?
        }
    };
    Ok(Arc::new(config))
}

/// The name or address that a certificate must have.
///
/// # Errors
/// [`DeliveryError::Settings`] for what is neither.
pub fn server_name(name: &str) -> Result<ServerName<'static>, DeliveryError> {
    let name = name.trim_matches(['[', ']']).to_owned();
    ServerName::try_from(name).map_err(DeliveryError::settings)
}
