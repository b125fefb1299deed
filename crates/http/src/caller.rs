use std::net::IpAddr;

use http::request::Parts;
use sealstone_tls::PeerAddr;

use crate::TrustedProxy;

/// The other end of a request: where it is, and whether a proxy stands in between.
#[derive(Debug)]
pub(crate) struct Caller<'a> {
    /// The client's address: that of the socket, or the one that a trusted proxy appended.
    pub(crate) address: Option<IpAddr>,
    /// The proxy that this connection belongs to.
    pub(crate) proxy: Option<&'a TrustedProxy>,
}

impl<'a> Caller<'a> {
    pub(crate) fn of(parts: &Parts, proxies: &'a [TrustedProxy]) -> Self {
        let socket = parts
            .extensions
            .get::<PeerAddr>()
            .map(|peer| peer.0.ip().to_canonical());
        let proxy = socket.and_then(|socket| proxies.iter().find(|proxy| proxy.sent(socket, &parts.headers)));
        let named = proxy.and_then(|proxy| proxy.client_address(&parts.headers));
        Self {
            address: named.or(socket),
            proxy,
        }
    }
}
