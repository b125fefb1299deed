use super::RefreshFamily;
use crate::GrantDenial;
use sealstone_mtls::{CertificateThumbprint, ClientCertificate};

/// The family of a public client is bound to the certificate of its first request (RFC 8705 §4). A client that
/// authenticates proves itself, and may renew its certificate.
pub(super) fn check(
    family: &RefreshFamily,
    presented: Option<&ClientCertificate>,
) -> Result<(), GrantDenial> {
    let Some(bound_to) = &family.bound_to else {
        return Ok(());
    };
    let is_same = presented.is_some_and(|presented| thumbprint(presented) == *bound_to);
    if is_same {
        Ok(())
    } else {
        Err(GrantDenial::OtherBinding)
    }
}

pub(crate) fn thumbprint(certificate: &ClientCertificate) -> CertificateThumbprint {
    CertificateThumbprint::of_der(certificate.der())
}
