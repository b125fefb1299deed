//! What can be wrong with a certificate, a name, a matcher or a binding.

/// Why a certificate, a forwarded certificate or a confirmation was refused.
///
/// No variant holds what was sent: the text of each is safe in a log and in an `error_description`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindingError {
    /// Longer than this crate reads; the limit in octets.
    #[error("the certificate is longer than {0} octets")]
    TooLarge(usize),
    /// Not one DER certificate with nothing after it (RFC 5280 §4.1, X.690 §10).
    #[error("not a DER certificate: {0}")]
    Der(&'static str),
    /// Not exactly one `CERTIFICATE` block (RFC 7468 §5).
    #[error("not a PEM certificate: {0}")]
    Pem(&'static str),
    /// Not percent-encoded exactly once.
    #[error("not a url-encoded PEM certificate: {0}")]
    Escape(&'static str),
    /// A forwarded header that its form does not allow.
    #[error("malformed forwarded certificate: {0}")]
    Header(&'static str),
    /// The proxy sent several certificate headers, or a list in one (RFC 9440 §2.2).
    #[error("more than one forwarded certificate")]
    Repeated,
    /// A name for a certificate header that no configuration may use.
    #[error("unusable header name: {0}")]
    HeaderName(&'static str),
    /// Not 43 characters of base64url without padding (RFC 8705 §3.1).
    #[error("not a certificate thumbprint: 43 characters of base64url without padding are due")]
    Thumbprint,
    /// The token is bound to a certificate and none was presented (RFC 8705 §3).
    #[error("the token is bound to a certificate, and none was presented")]
    CertificateMissing,
    /// The token is bound to another certificate (RFC 8705 §3).
    #[error("the token is bound to another certificate")]
    CertificateMismatch,
    /// `cnf` has a member that a certificate cannot prove (RFC 7800 §3.1).
    #[error("the token is bound by a confirmation method that a certificate does not prove")]
    UnsupportedConfirmation,
    /// `cnf` is there and names nothing.
    #[error("the confirmation is empty")]
    EmptyConfirmation,
    /// A set of self-signed keys that is empty, too long or contradicts itself (RFC 8705 §2.2.2).
    #[error("unusable self-signed keys: {0}")]
    SelfSignedKeys(&'static str),
}

/// Why a distinguished name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Longer than this crate reads; the limit in octets.
    #[error("the name is longer than {0} octets")]
    TooLarge(usize),
    /// Not a DER `Name` (RFC 5280 §4.1.2.4).
    #[error("not a DER name")]
    Der,
    /// Not RFC 4514 text; `at` is the octet where it goes wrong.
    #[error("not an RFC 4514 name, at octet {at}: {reason}")]
    Text {
        /// Offset in octets, from zero.
        at: usize,
        /// What is wrong there, and what to write instead.
        reason: &'static str,
    },
}

/// Why a `tls_client_auth_*` value was refused (RFC 8705 §2.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MatcherError {
    /// Not one of the five members of RFC 8705 §2.1.2.
    #[error("not a tls_client_auth_* member of RFC 8705")]
    UnknownMember,
    /// `tls_client_auth_subject_dn` is not an RFC 4514 name.
    #[error("tls_client_auth_subject_dn: {0}")]
    SubjectDn(#[from] NameError),
    /// `tls_client_auth_subject_dn` is the empty name, which says nothing about anybody.
    #[error("tls_client_auth_subject_dn: the empty name identifies nobody")]
    EmptySubjectDn,
    /// `tls_client_auth_san_dns` is not one host name.
    #[error("tls_client_auth_san_dns: {0}")]
    SanDns(&'static str),
    /// `tls_client_auth_san_uri` is not one absolute URI.
    #[error("tls_client_auth_san_uri: {0}")]
    SanUri(&'static str),
    /// `tls_client_auth_san_ip` is not an address.
    #[error("tls_client_auth_san_ip: write an IPv4 address in dotted decimal, or an IPv6 address (RFC 5952)")]
    SanIp,
    /// `tls_client_auth_san_email` is not one mailbox.
    #[error("tls_client_auth_san_email: {0}")]
    SanEmail(&'static str),
}
