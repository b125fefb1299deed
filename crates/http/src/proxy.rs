use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use sealstone_mtls::ForwardedCertificate;
use sealstone_oauth_types::Secret;

use crate::IpNetwork;

/// How a proxy shows that a connection is its own.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "configuration lists every form")]
pub enum ProxyAccess {
    /// By the address of its socket alone.
    Address,
    /// By its address and a secret of at least 32 bytes in a header that it sets on every request.
    SharedSecret {
        /// The header's name; letters, digits and hyphens.
        header: String,
        /// The secret.
        secret: Secret,
    },
}

/// A proxy that terminates TLS in front of us and is believed in what it says of the client.
///
/// # Security
/// Trust is decided on the socket's peer, never on a header. The proxy must remove the configured headers from what
/// its clients send. A loopback address needs [`ProxyAccess::SharedSecret`]: every local user has it.
///
/// # Examples
/// ```
/// use sealstone_http::{ProxyAccess, TrustedProxy};
/// use sealstone_mtls::{ForwardedCertificate, ForwardedHeader};
///
/// let proxy = TrustedProxy::new(vec!["192.0.2.8".parse()?], ProxyAccess::Address)?
///     .with_certificate(ForwardedCertificate::new(ForwardedHeader::Rfc9440))
///     .with_forwarded_for();
/// assert!(TrustedProxy::new(vec!["127.0.0.1".parse()?], ProxyAccess::Address).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TrustedProxy {
    networks: Vec<IpNetwork>,
    secret: Option<(HeaderName, Secret)>,
    certificate: Option<ForwardedCertificate>,
    reads_forwarded_for: bool,
}

/// Why a proxy can't be trusted as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// No address range.
    #[error("a trusted proxy needs at least one address range")]
    NoNetwork,
    /// A loopback address without a shared secret.
    #[error("every local user has a loopback address: give the proxy a shared secret")]
    LoopbackNeedsSecret,
    /// A secret of fewer than 32 bytes.
    #[error("a shared secret has at least 32 bytes")]
    WeakSecret,
    /// Not a header name of letters, digits and hyphens.
    #[error("a header name has 1 to 64 letters, digits and hyphens")]
    HeaderName,
}

impl TrustedProxy {
    /// A proxy at one of these addresses, believed in nothing yet.
    ///
    /// # Errors
    /// [`ProxyError`] if the configuration would let strangers in.
    pub fn new(networks: Vec<IpNetwork>, access: ProxyAccess) -> Result<Self, ProxyError> {
        if networks.is_empty() {
            return Err(ProxyError::NoNetwork);
        }
        let secret = match access {
            ProxyAccess::Address if networks.iter().any(IpNetwork::includes_loopback) => {
                return Err(ProxyError::LoopbackNeedsSecret);
            }
            ProxyAccess::Address => None,
            ProxyAccess::SharedSecret { header, secret } => {
                if secret.expose().len() < 32 {
                    return Err(ProxyError::WeakSecret);
                }
                Some((header_name(&header)?, secret))
            }
        };
        Ok(Self {
            networks,
            secret,
            certificate: None,
            reads_forwarded_for: false,
        })
    }

    /// Believes this proxy's certificate header. Its own TLS certificate then counts for no client.
    #[must_use]
    pub fn with_certificate(mut self, form: ForwardedCertificate) -> Self {
        self.certificate = Some(form);
        self
    }

    /// Takes the last address of `X-Forwarded-For` as the client's, for limits and audit.
    #[must_use]
    pub const fn with_forwarded_for(mut self) -> Self {
        self.reads_forwarded_for = true;
        self
    }

    pub(crate) fn certificate(&self) -> Option<&ForwardedCertificate> {
        self.certificate.as_ref()
    }

    /// Whether a request on a connection from `socket` is this proxy's.
    pub(crate) fn sent(&self, socket: IpAddr, headers: &HeaderMap) -> bool {
        if !self.networks.iter().any(|network| network.contains(socket)) {
            return false;
        }
        let Some((name, secret)) = &self.secret else {
            return true;
        };
        let mut values = headers.get_all(name).iter();
        match (values.next().map(|value| value.to_str()), values.next()) {
            (Some(Ok(value)), None) => secret.ct_eq(&Secret::from(value)),
            _ => false,
        }
    }

    /// The client's address as this proxy appended it; what the client wrote before it is not read.
    pub(crate) fn client_address(&self, headers: &HeaderMap) -> Option<IpAddr> {
        if !self.reads_forwarded_for {
            return None;
        }
        let last = headers
            .get_all("x-forwarded-for")
            .iter()
            .next_back()?
            .to_str()
            .ok()?;
        let last = last.rsplit(',').next()?.trim();
        last.parse().ok().map(|address: IpAddr| address.to_canonical())
    }
}

fn header_name(name: &str) -> Result<HeaderName, ProxyError> {
    let fine = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !fine {
        return Err(ProxyError::HeaderName);
    }
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| ProxyError::HeaderName)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use sealstone_oauth_types::Secret;

    use super::{ProxyAccess, ProxyError, TrustedProxy};

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn shared(secret: &str) -> ProxyAccess {
        ProxyAccess::SharedSecret {
            header: "X-Proxy-Secret".into(),
            secret: Secret::from(secret),
        }
    }

    fn proxy(network: &str, access: ProxyAccess) -> Result<TrustedProxy, ProxyError> {
        TrustedProxy::new(vec![network.parse().unwrap()], access)
    }

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, http::HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn e21_loopback_needs_a_secret() {
        for network in ["127.0.0.1", "127.0.0.0/8", "::1", "0.0.0.0/0"] {
            assert_eq!(
                proxy(network, ProxyAccess::Address).unwrap_err(),
                ProxyError::LoopbackNeedsSecret
            );
            assert!(proxy(network, shared(SECRET)).is_ok());
        }
        assert_eq!(
            proxy("127.0.0.1", shared("short")).unwrap_err(),
            ProxyError::WeakSecret
        );
        assert_eq!(
            TrustedProxy::new(vec![], shared(SECRET)).unwrap_err(),
            ProxyError::NoNetwork
        );
        let odd = ProxyAccess::SharedSecret {
            header: "x_proxy".into(),
            secret: Secret::from(SECRET),
        };
        assert_eq!(proxy("127.0.0.1", odd).unwrap_err(), ProxyError::HeaderName);
        let proxy = proxy("127.0.0.1", shared(SECRET)).unwrap();
        let local = "127.0.0.1".parse().unwrap();
        assert!(proxy.sent(local, &headers(&[("x-proxy-secret", SECRET)])));
        for lines in [
            &[][..],
            &[("x-proxy-secret", "0123456789abcdef0123456789abcdeF")],
            &[("x-proxy-secret", "")],
            &[("x-proxy-secret", SECRET), ("x-proxy-secret", SECRET)],
            &[("x_proxy_secret", SECRET)],
        ] {
            assert!(!proxy.sent(local, &headers(lines)), "{lines:?}");
        }
        assert!(!proxy.sent(
            "192.0.2.1".parse().unwrap(),
            &headers(&[("x-proxy-secret", SECRET)])
        ));
    }

    #[test]
    fn e20_only_the_address_that_the_proxy_appended() {
        let proxy = proxy("192.0.2.8", ProxyAccess::Address).unwrap();
        let read =
            |proxy: &TrustedProxy, lines| proxy.client_address(&headers(lines)).map(|ip| ip.to_string());
        assert_eq!(read(&proxy, &[("x-forwarded-for", "203.0.113.7")]), None);
        let proxy = proxy.with_forwarded_for();
        for (lines, want) in [
            (&[][..], None),
            (&[("x-forwarded-for", "203.0.113.7")], Some("203.0.113.7")),
            (
                &[("x-forwarded-for", "127.0.0.1, 203.0.113.7")],
                Some("203.0.113.7"),
            ),
            (
                &[
                    ("x-forwarded-for", "127.0.0.1"),
                    ("x-forwarded-for", "203.0.113.7"),
                ],
                Some("203.0.113.7"),
            ),
            (&[("x-forwarded-for", "::ffff:203.0.113.7")], Some("203.0.113.7")),
            (&[("x-forwarded-for", "203.0.113.7, unknown")], None),
            (&[("x-forwarded-for", "203.0.113.7,")], None),
            (&[("forwarded", "for=203.0.113.7")], None),
        ] {
            assert_eq!(read(&proxy, lines).as_deref(), want, "{lines:?}");
        }
    }
}
