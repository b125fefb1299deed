//! Certificates in headers: from which peers, in which form.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use http::{HeaderMap, HeaderName, HeaderValue, header::CONNECTION};
use sealstone_mtls::{BindingError, ClientCertificate, ForwardedCertificate};
use sealstone_oauth_types::Secret;
use subtle::ConstantTimeEq;

use crate::ConfigError;

/// A range of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
///
/// An IPv4 address inside IPv6 (`::ffff:10.0.0.1`) is the IPv4 address, on both sides of a comparison.
///
/// # Examples
/// ```
/// use sealstone_resource::Network;
///
/// let network: Network = "10.1.0.0/16".parse()?;
/// assert!(network.contains("10.1.2.3".parse()?));
/// assert!(!network.contains("10.2.0.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Whether `address` lies in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX
                    .checked_shl(32_u32.saturating_sub(self.prefix))
                    .unwrap_or(0);
                (own.to_bits() ^ other.to_bits()) & mask == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX
                    .checked_shl(128_u32.saturating_sub(self.prefix))
                    .unwrap_or(0);
                (own.to_bits() ^ other.to_bits()) & mask == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// Whether any address of the machine itself lies in the range.
    fn touches_loopback(&self) -> bool {
        let whole = Self {
            address: Ipv4Addr::new(127, 0, 0, 0).into(),
            prefix: 8,
        };
        self.contains(Ipv4Addr::LOCALHOST.into())
            || self.contains(Ipv6Addr::LOCALHOST.into())
            || whole.contains(self.address)
    }
}

impl FromStr for Network {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ConfigError::Network)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u32 = match prefix {
            None => longest,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| ConfigError::Network)?
            }
            Some(_) => return Err(ConfigError::Network),
        };
        if prefix > longest {
            return Err(ConfigError::Network);
        }
        // `::ffff:10.0.0.0/104` and `10.0.0.0/8` are one range.
        Ok(match address.to_canonical() {
            IpAddr::V4(v4) if address.is_ipv6() && prefix >= 96 => Self {
                address: v4.into(),
                prefix: prefix.saturating_sub(96),
            },
            IpAddr::V4(_) | IpAddr::V6(_) => Self { address, prefix },
        })
    }
}

/// A proxy that terminates TLS and hands the client's certificate over in a header.
///
/// # Security
/// The header is believed from peers of its networks only, by the address of the socket: no `X-Forwarded-For` and
/// no `Forwarded` counts. The proxy must remove the header from what its clients send, and must have verified that
/// the client holds the certificate's key. On a loopback address every user of the machine can connect, so a
/// network that holds one needs [`with_shared_secret`](Self::with_shared_secret). A Unix socket has no address and
/// is never believed.
///
/// # Examples
/// ```
/// use sealstone_resource::{ForwardedCertificate, ForwardedHeader, Secret, TrustedProxy};
///
/// let header = ForwardedCertificate::new(ForwardedHeader::Rfc9440);
/// let remote = TrustedProxy::new(header.clone(), ["10.0.0.7".parse()?])?;
/// let secret = Secret::from(String::from("32 octets that only both of them know"));
/// let sidecar = TrustedProxy::with_shared_secret(header, ["127.0.0.1".parse()?], "x-proxy-secret", secret)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TrustedProxy {
    header: ForwardedCertificate,
    networks: Vec<Network>,
    secret: Option<(HeaderName, Secret)>,
}

impl TrustedProxy {
    /// A proxy on its own machines.
    ///
    /// # Errors
    /// [`ConfigError::Proxy`] without a network, or with one that holds a loopback address.
    pub fn new(
        header: ForwardedCertificate,
        networks: impl IntoIterator<Item = Network>,
    ) -> Result<Self, ConfigError> {
        let networks: Vec<Network> = networks.into_iter().collect();
        if networks.iter().any(Network::touches_loopback) {
            return Err(ConfigError::Proxy(
                "every user of this machine can connect from a loopback address: configure a shared secret too",
            ));
        }
        Self::build(header, networks, None)
    }

    /// A proxy that also sends `secret`, of at least 16 octets, in the header `name`; for loopback addresses.
    ///
    /// # Errors
    /// [`ConfigError::Proxy`] without a network or with a shorter secret; [`ConfigError::HeaderName`].
    pub fn with_shared_secret(
        header: ForwardedCertificate,
        networks: impl IntoIterator<Item = Network>,
        name: &str,
        secret: Secret,
    ) -> Result<Self, ConfigError> {
        if secret.expose().len() < 16 {
            return Err(ConfigError::Proxy("a shared secret has at least 16 octets"));
        }
        if name.contains('_') {
            return Err(ConfigError::HeaderName);
        }
        let name = HeaderName::try_from(name).map_err(|_| ConfigError::HeaderName)?;
        Self::build(header, networks.into_iter().collect(), Some((name, secret)))
    }

    fn build(
        header: ForwardedCertificate,
        networks: Vec<Network>,
        secret: Option<(HeaderName, Secret)>,
    ) -> Result<Self, ConfigError> {
        if networks.is_empty() {
            return Err(ConfigError::Proxy("name the networks of the proxy"));
        }
        Ok(Self {
            header,
            networks,
            secret,
        })
    }

    /// Whether the peer of this request is the proxy.
    pub(crate) fn sent(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        self.networks.iter().any(|network| network.contains(peer))
            && match &self.secret {
                None => true,
                Some((name, secret)) => {
                    let mut values = headers.get_all(name).iter();
                    match (values.next(), values.next()) {
                        (Some(value), None) => value.as_bytes().ct_eq(secret.expose().as_bytes()).into(),
                        _ => false,
                    }
                }
            }
    }

    /// The certificate that the proxy hands over; none if it names the header hop-by-hop (RFC 9110 §7.6.1).
    pub(crate) fn certificate(&self, headers: &HeaderMap) -> Result<Option<ClientCertificate>, BindingError> {
        let names = [Some(self.header.name()), self.header.verify_name()];
        if names
            .into_iter()
            .flatten()
            .any(|name| is_hop_by_hop(headers, name))
        {
            return Ok(None);
        }
        let verify = self.header.verify_name().map(|name| values(headers, name));
        self.header
            .parse(&values(headers, self.header.name()), &verify.unwrap_or_default())
    }
}

fn values<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h [u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
}

fn is_hop_by_hop(headers: &HeaderMap, name: &str) -> bool {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sealstone_mtls::ForwardedHeader;

    #[test]
    fn networks_are_read_strictly_and_compared_by_prefix() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.0/104", "10.3.0.1", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db8::1", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ];
        for (network, address, want) in cases {
            let network: Network = network.parse().unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                want,
                "{network:?} {address}"
            );
        }
        for wrong in [
            "",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0/8",
            "::/129",
            "a/8",
            "10.0.0.0/8/8",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn e21_a_loopback_proxy_needs_a_secret() {
        let header = || ForwardedCertificate::new(ForwardedHeader::Rfc9440);
        assert!(TrustedProxy::new(header(), ["10.0.0.7".parse().unwrap()]).is_ok());
        for open in [
            "127.0.0.1",
            "127.0.0.0/8",
            "127.9.9.9",
            "::1",
            "0.0.0.0/0",
            "::/0",
            "::ffff:127.0.0.1",
        ] {
            assert!(
                TrustedProxy::new(header(), [open.parse().unwrap()]).is_err(),
                "{open}"
            );
            let secret = Secret::from(String::from("sixteen octets !"));
            let proxy =
                TrustedProxy::with_shared_secret(header(), [open.parse().unwrap()], "x-secret", secret);
            assert!(proxy.is_ok(), "{open}");
        }
        let short = Secret::from(String::from("short"));
        assert!(TrustedProxy::with_shared_secret(header(), ["::1".parse().unwrap()], "x-s", short).is_err());
        assert!(TrustedProxy::new(header(), []).is_err());
    }
}
