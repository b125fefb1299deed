//! Where this server itself posts to: so it must not be talked into calling what only it can reach.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use sealstone_oauth_types::{RedirectUri, RedirectUriKind};

/// Names that lead to this machine or stay within one network (RFC 6761, RFC 6762, RFC 8375, and what clouds use).
const LOCAL_NAMES: [&str; 6] = [
    "localhost",
    "local",
    "internal",
    "intranet",
    "home.arpa",
    "localdomain",
];

/// Where a logout token is posted to (OpenID Connect Back-Channel Logout §2.2): an `https` URL on a host that the
/// server may call on a stranger's word.
///
/// The host is a name with a period, or an address that is routed publicly; not loopback, private, link-local, shared,
/// reserved, nor an IPv4 address of these in an IPv6 one. A name may still lead to such an address: in a cloud of one's
/// own it often does, and who registers clients is trusted with it.
///
/// # Examples
/// ```
/// use sealstone_registry::BackchannelLogoutUri;
///
/// let uri = BackchannelLogoutUri::parse("https://app.example/logout").ok_or("refused")?;
/// assert_eq!(uri.as_str(), "https://app.example/logout");
/// for wrong in ["http://app.example/logout", "https://127.0.0.1:22", "https://[::ffff:10.0.0.1]/", "https://redis/"] {
///     assert!(BackchannelLogoutUri::parse(wrong).is_none());
/// }
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BackchannelLogoutUri(Arc<str>);

impl BackchannelLogoutUri {
    /// Parses a URL; `None` if it is none that may be called.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uri = RedirectUri::parse(text).ok()?;
        let authority = uri.origin().strip_prefix("https://")?;
        let fits = uri.kind() == RedirectUriKind::Https && is_public_host(host_of(authority));
        fits.then(|| Self(Arc::from(text)))
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BackchannelLogoutUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BackchannelLogoutUri({:?})", &*self.0)
    }
}

impl fmt::Display for BackchannelLogoutUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// An authority without its port.
pub(crate) fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    }
}

fn is_public_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(is_public_v6);
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return is_public_v4(address);
    }
    let lower = host.to_ascii_lowercase();
    let is_local = |name: &str| {
        lower
            .strip_suffix(name)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    // A last label that begins with a digit is some old spelling of an address: `127.1`, `0x7f.1`.
    let last = lower.rsplit('.').next().unwrap_or_default();
    lower.contains('.')
        && last.starts_with(|c: char| c.is_ascii_alphabetic())
        && !LOCAL_NAMES.into_iter().any(is_local)
}

/// Whether an address is routed publicly (the registries of RFC 6890).
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 240..=255, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !special && !address.is_multicast()
}

/// Only global unicast (`2000::/3`), and of that nothing that wraps an IPv4 address or documents.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_global_unicast = first & 0xe000 == 0x2000;
    let is_special = matches!(
        (first, second),
        (0x2001, 0..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0..=0x0fff)
    );
    is_global_unicast && !is_special && !matches!(IpAddr::V6(address).to_canonical(), IpAddr::V4(_))
}

#[cfg(test)]
mod tests {
    use super::BackchannelLogoutUri;

    #[test]
    fn n10_what_only_this_server_reaches_is_refused() {
        for good in [
            "https://app.example/logout",
            "https://app.example:8443/logout?tenant=1",
            "https://8.8.8.8/logout",
            "https://[2a00:1450::1]:8443/",
            "https://localhost.example.com/",
            "https://notlocal.example/",
        ] {
            assert!(BackchannelLogoutUri::parse(good).is_some(), "{good}");
        }
        for wrong in [
            "",
            "/logout",
            "http://127.0.0.1:22",
            "http://app.example/logout",
            "HTTPS://app.example/logout",
            "ftp://app.example/",
            "com.example.app:/logout",
            "https://app.example/logout#x",
            "https://user@app.example/logout",
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://0.0.0.0/",
            "https://10.0.0.1/",
            "https://100.64.0.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://172.16.0.1/",
            "https://172.31.255.255/",
            "https://192.168.1.1:8443/",
            "https://198.18.0.1/",
            "https://203.0.113.7/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://[::]/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::ffff:8.8.8.8]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2001:db8::1]/",
            "https://[2002:7f00:1::1]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://[ff02::1]/",
            "https://localhost/",
            "https://LOCALHOST:8443/",
            "https://app.localhost/",
            "https://printer.local/",
            "https://metadata.google.internal/",
            "https://redis/",
            "https://localhost./",
            "https://app.example /",
            "https://app.example\\@10.0.0.1/",
        ] {
            assert!(BackchannelLogoutUri::parse(wrong).is_none(), "{wrong}");
        }
    }
}
