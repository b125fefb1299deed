use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses: `192.0.2.0/24`, `2001:db8::/32`, or one address.
///
/// An IPv4 address that a dual-stack socket reports as `::ffff:192.0.2.1` is the IPv4 address.
///
/// # Examples
/// ```
/// use sealstone_http::IpNetwork;
///
/// let network: IpNetwork = "192.0.2.0/24".parse()?;
/// assert!(network.contains("192.0.2.7".parse().unwrap()));
/// assert!(!network.contains("192.0.3.7".parse().unwrap()));
/// # Ok::<(), sealstone_http::NetworkError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpNetwork {
    address: IpAddr,
    prefix: u8,
}

/// A text that is no range of addresses, or has bits set behind its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a network is an address, or an address without host bits and a prefix length: 192.0.2.0/24")]
pub struct NetworkError;

impl IpNetwork {
    /// Whether the address lies in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                same_prefix(own.to_bits().into(), other.to_bits().into(), 32, self.prefix)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                same_prefix(own.to_bits(), other.to_bits(), 128, self.prefix)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// Whether a loopback address lies in the range.
    #[must_use]
    pub fn includes_loopback(&self) -> bool {
        match self.address {
            IpAddr::V4(address) => address.is_loopback() || self.contains([127, 0, 0, 1].into()),
            IpAddr::V6(_) => self.contains([0, 0, 0, 0, 0, 0, 0, 1].into()),
        }
    }
}

impl FromStr for IpNetwork {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.len() <= 3 && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse::<u8>().map_err(|_| NetworkError)?
            }
            Some(_) => return Err(NetworkError),
        };
        let host_bits = match address {
            IpAddr::V4(v4) => {
                !same_prefix(v4.to_bits().into(), mask(v4.to_bits().into(), 32, prefix), 32, 32)
            }
            IpAddr::V6(v6) => v6.to_bits() != mask(v6.to_bits(), 128, prefix),
        };
        if prefix > width || host_bits || address != address.to_canonical() {
            return Err(NetworkError);
        }
        Ok(Self { address, prefix })
    }
}

fn mask(bits: u128, width: u8, prefix: u8) -> u128 {
    let host = u32::from(width.saturating_sub(prefix));
    bits.checked_shr(host)
        .and_then(|network| network.checked_shl(host))
        .unwrap_or(0)
}

fn same_prefix(one: u128, other: u128, width: u8, prefix: u8) -> bool {
    mask(one, width, prefix) == mask(other, width, prefix)
}

#[cfg(test)]
mod tests {
    use super::IpNetwork;

    fn contains(network: &str, address: &str) -> bool {
        network
            .parse::<IpNetwork>()
            .unwrap()
            .contains(address.parse().unwrap())
    }

    #[test]
    fn ranges() {
        assert!(contains("192.0.2.0/24", "192.0.2.255"));
        assert!(contains("192.0.2.0/24", "::ffff:192.0.2.1"));
        assert!(contains("192.0.2.1", "192.0.2.1"));
        assert!(contains("0.0.0.0/0", "203.0.113.9"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(contains("2001:db8::/33", "2001:db8:7fff::1"));
        for (network, address) in [
            ("192.0.2.0/24", "192.0.3.0"),
            ("192.0.2.1", "192.0.2.2"),
            ("192.0.2.0/31", "192.0.2.2"),
            ("0.0.0.0/0", "::1"),
            ("::/0", "::ffff:192.0.2.1"),
            ("2001:db8::/33", "2001:db8:8000::1"),
            ("::1", "127.0.0.1"),
        ] {
            assert!(!contains(network, address), "{network} {address}");
        }
    }

    #[test]
    fn refused_texts() {
        for text in [
            "",
            "/",
            "192.0.2.0/",
            "192.0.2.0/33",
            "192.0.2.1/24",
            "::/129",
            "2001:db8::1/64",
            "192.0.2.0/+8",
            "192.0.2.0/024x",
            "192.0.2/24",
            "host",
            "192.0.2.0/24 ",
            "::ffff:192.0.2.0/120",
            "1::/-1",
        ] {
            assert!(text.parse::<IpNetwork>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn loopback() {
        for (network, want) in [
            ("127.0.0.1", true),
            ("127.0.0.0/8", true),
            ("0.0.0.0/0", true),
            ("127.0.0.2", true),
            ("::1", true),
            ("::/0", true),
            ("10.0.0.0/8", false),
            ("fd00::/8", false),
        ] {
            assert_eq!(
                network.parse::<IpNetwork>().unwrap().includes_loopback(),
                want,
                "{network}"
            );
        }
    }
}
