//! `Client-Cert`: one byte sequence of RFC 8941 §3.3.5.

use crate::{BindingError, ClientCertificate};

pub(super) fn parse(text: &str) -> Result<ClientCertificate, BindingError> {
    let Some((base64, after)) = text.strip_prefix(':').and_then(|rest| rest.split_once(':')) else {
        return Err(BindingError::Header("a byte sequence between colons is due"));
    };
    if after.trim_start_matches([' ', '\t']).starts_with(',') {
        return Err(BindingError::Repeated);
    }
    if after.starts_with(';') {
        return Err(BindingError::Header("parameters are not allowed"));
    }
    if !after.is_empty() {
        return Err(BindingError::Header("text after the byte sequence"));
    }
    let der = base64_simd::STANDARD
        .decode_to_vec(base64)
        .map_err(|_| BindingError::Header("the byte sequence is not base64"))?;
    ClientCertificate::from_der(&der)
}
