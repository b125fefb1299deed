//! A URL's parts, as far as they are needed here.

use http::Uri;

/// Where a URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) is_https: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    pub(super) fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let is_https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            is_https,
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(if is_https { 443 } else { 80 }),
        })
    }

    /// Every address of the name; none if it has none.
    pub(super) async fn resolve(&self) -> Vec<std::net::SocketAddr> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        found.map(Iterator::collect).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn hosts_and_ports() {
        let of = |url| Address::of(url).map(|found| (found.is_https, found.host, found.port));
        assert_eq!(of("https://id.example/x"), Some((true, "id.example".into(), 443)));
        assert_eq!(of("http://[::1]:8"), Some((false, "::1".into(), 8)));
        assert_eq!(of("myapp:/callback"), None);
        assert_eq!(of("nothing"), None);
    }
}
