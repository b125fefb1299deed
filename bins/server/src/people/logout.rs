//! Tells clients that a session ended (OpenID Connect Back-Channel Logout §2.5).

use anyhow::Context as _;
use async_trait::async_trait;
use sealstone_http::IpNetwork;
use sealstone_https::{HttpsClient, Settings, authorities};
use sealstone_provider::people::{LogoutSendError, LogoutSender};
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

/// Where Debian and its kin keep the authorities of the web.
const AUTHORITIES_OF_THE_SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";
/// A client that does not take a notice of 2 KiB in this time is told later.
const DEADLINE: Duration = Duration::from_secs(5);
const CONNECT_DEADLINE: Duration = Duration::from_secs(2);

/// Sends logout tokens over HTTPS, to public addresses and to those of the configuration.
#[derive(Clone)]
pub(super) struct Sender {
    client: Option<HttpsClient>,
}

impl Sender {
    /// Trusts the authorities of this file, or those of the system; without either nobody can be told.
    pub(super) fn new(ca_file: Option<&Path>, admitted: Vec<IpNetwork>) -> anyhow::Result<Self> {
        let path = ca_file.unwrap_or_else(|| Path::new(AUTHORITIES_OF_THE_SYSTEM));
        if ca_file.is_none() && !path.exists() {
            return Ok(Self { client: None });
        }
        let at_fault = || format!("logout.ca_file: {}", path.display());
        let roots = authorities(&fs::read(path).with_context(at_fault)?).with_context(at_fault)?;
        let settings = Settings::trusting(roots)?
            .with_connect_deadline(CONNECT_DEADLINE)
            .with_addresses(move |address| {
                is_public(address) || admitted.iter().any(|network| network.contains(address))
            });
        Ok(Self {
            client: Some(HttpsClient::new(settings)),
        })
    }
}

#[async_trait]
impl LogoutSender for Sender {
    async fn send(&self, address: &str, logout_token: &str) -> Result<(), LogoutSendError> {
        let client = self.client.as_ref();
        let client = client
            .ok_or_else(|| LogoutSendError::new("there are no authorities to trust: set logout.ca_file"))?;
        // A JWT in compact form: letters, digits, `-`, `_` and dots need no escape in a form.
        let request = http::Request::post(address)
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("logout_token={logout_token}").into())
            .map_err(LogoutSendError::new)?;
        let answer = client
            .deliver(request, DEADLINE)
            .await
            .map_err(LogoutSendError::new)?;
        match answer.status().as_u16() {
            200 | 204 => Ok(()),
            status => Err(LogoutSendError::new(format!("it answered {status}"))),
        }
    }
}

/// An address that anybody could reach: what a client registers leads to no machine inside, unless the operator says so.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, third, _] = v4.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            // RFC 6890 §2.2.2, RFC 2544: protocols' own, and laboratories.
            let is_special = matches!((first, second, third), (192, 0, 0) | (198, 18 | 19, _));
            let is_reserved = first == 0 || first >= 240;
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_documentation()
                || is_shared
                || is_special
                || is_reserved)
        }
        IpAddr::V6(v6) => {
            let [first, ..] = v6.segments();
            // Global unicast is 2000::/3 (RFC 4291 §2.4); of it, 2001:db8::/32 is for documents, and 2002::/16 hides an
            // IPv4 address.
            let is_global = (0x2000..0x4000).contains(&first);
            let is_document = v6.segments().starts_with(&[0x2001, 0xdb8]);
            is_global && !is_document && first != 0x2002
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn n10_only_public_addresses_are_told_unasked() {
        for (address, public) in [
            ("93.184.216.34", true),
            ("2606:2800:220:1::1", true),
            ("127.0.0.1", false),
            ("10.0.0.1", false),
            ("172.16.3.4", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("192.0.0.170", false),
            ("198.19.0.1", false),
            ("198.20.0.1", true),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("2002:7f00:1::", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }
}
