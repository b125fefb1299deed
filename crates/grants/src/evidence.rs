use sealstone_mtls::ClientCertificate;

/// What the TLS stack found about the chain above a client's certificate (RFC 5280 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a chain was verified or it was not")]
pub enum ChainVerdict {
    /// It leads to a trusted CA, for client authentication, in date, and nothing in it is revoked.
    Verified,
    /// It does not, or nobody looked: the reason's stable word, in snake case, for the audit trail only.
    NotVerified(&'static str),
}

impl ChainVerdict {
    /// Nobody looked: there is no authority to trust.
    pub const NOT_JUDGED: Self = Self::NotVerified("not_judged");
}

/// A certificate whose private key the TLS peer has proved to hold.
///
/// # Security
/// Made only from a finished handshake, or from the header of a configured proxy that terminated one.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by the edge; both members are always known there"
)]
pub struct PresentedCertificate {
    /// The leaf.
    pub certificate: ClientCertificate,
    /// What is known of the chain above it.
    pub chain: ChainVerdict,
}
