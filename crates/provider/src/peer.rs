use sealstone_grants::PresentedCertificate;
use std::net::IpAddr;

/// Who is at the other end of a request, as far as the edge knows.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by the edge; each member is decided there"
)]
pub struct Peer {
    /// The address of the socket, or the one that a trusted proxy named.
    pub address: Option<IpAddr>,
    /// The certificate whose key was proved on this connection.
    pub certificate: Option<PresentedCertificate>,
    /// The request's id, which the answer carries too: visible ASCII, made by the edge.
    pub request_id: String,
}
