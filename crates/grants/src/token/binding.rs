use crate::{Denial, PresentedCertificate};
use rustls_pki_types::UnixTime;
use sealstone_mtls::ClientCertificate;
use sealstone_registry::{Client, TokenBinding};

/// A client registered for bound tokens gets a bound token or none (RFC 8705 §3.4). One that is not gets an unbound
/// one even over mutual TLS: its resources would refuse what they can't check.
pub(crate) fn decide(
    client: &Client,
    presented: Option<PresentedCertificate>,
    now: UnixTime,
) -> Result<Option<ClientCertificate>, Denial> {
    match client.token_binding() {
        TokenBinding::Unbound => Ok(None),
        TokenBinding::CertificateRequired => required(presented, now).map(Some),
    }
}

/// The certificate to bind to, where nothing else will do.
pub(crate) fn required(
    presented: Option<PresentedCertificate>,
    now: UnixTime,
) -> Result<ClientCertificate, Denial> {
    let certificate = presented.ok_or(Denial::BindingImpossible)?.certificate;
    // A token ends with its certificate: in its last second it would be born dead.
    let lives = certificate.is_in_date(now) && now.as_secs() < certificate.not_after().as_secs();
    if lives {
        Ok(certificate)
    } else {
        Err(Denial::CertificateOutOfDate)
    }
}
