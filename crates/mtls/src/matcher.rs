//! `tls_client_auth`: which subject a client's certificate must have (RFC 8705 §2.1.2).

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

use crate::{ClientCertificate, DistinguishedName, MatcherError};

/// One of the five ways to name the subject of a client's certificate.
///
/// Each looks at its own kind of name and at no other: a DNS name is never taken for a URI, and the common name
/// never stands in for an alternative name. Printed and read by `serde` as an object with the one registered member,
/// as `{"tls_client_auth_san_dns": "ci.example"}`.
///
/// # Security
/// A match means nothing until the chain of the certificate was verified against authorities that may name this
/// subject.
///
/// # Examples
/// ```
/// # let pem = include_str!("../tests/vectors/rfc8705-a.pem");
/// use sealstone_mtls::{ClientCertificate, SubjectMatcher};
///
/// let matcher = SubjectMatcher::parse("tls_client_auth_subject_dn", "CN=mtls").unwrap();
/// assert!(matcher.matches(&ClientCertificate::from_pem(pem).unwrap()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the five members of RFC 8705 §2.1.2; ours match them in full"
)]
pub enum SubjectMatcher {
    /// The whole subject name, by [`DistinguishedName`]'s equality.
    SubjectDn(DistinguishedName),
    /// A DNS name, ASCII case aside. No wildcards, on either side.
    SanDns(String),
    /// A URI, octet for octet.
    SanUri(String),
    /// An address, by its octets: `::ffff:10.0.0.1` is not `10.0.0.1`.
    SanIp(IpAddr),
    /// A mailbox: the part before the last `@` exactly, the host ASCII case aside (RFC 5280 §7.5).
    SanEmail(String),
}

impl SubjectMatcher {
    /// The registered members, in the order of RFC 8705 §2.1.2.
    pub const MEMBERS: [&'static str; 5] = [
        "tls_client_auth_subject_dn",
        "tls_client_auth_san_dns",
        "tls_client_auth_san_uri",
        "tls_client_auth_san_ip",
        "tls_client_auth_san_email",
    ];

    /// Reads the value of the registered member `member`.
    ///
    /// # Errors
    /// [`MatcherError`], by member: a value that could never match, or that asks for a wildcard, is refused here
    /// and not met with silence later.
    pub fn parse(member: &str, value: &str) -> Result<Self, MatcherError> {
        match member {
            "tls_client_auth_subject_dn" => {
                let name = DistinguishedName::parse_rfc4514(value)?;
                if name.is_empty() {
                    Err(MatcherError::EmptySubjectDn)
                } else {
                    Ok(Self::SubjectDn(name))
                }
            }
            "tls_client_auth_san_dns" => {
                check_host(value).map_err(MatcherError::SanDns)?;
                Ok(Self::SanDns(value.to_owned()))
            }
            "tls_client_auth_san_uri" => {
                check_uri(value).map_err(MatcherError::SanUri)?;
                Ok(Self::SanUri(value.to_owned()))
            }
            "tls_client_auth_san_ip" => value.parse().map(Self::SanIp).map_err(|_| MatcherError::SanIp),
            "tls_client_auth_san_email" => {
                check_email(value).map_err(MatcherError::SanEmail)?;
                Ok(Self::SanEmail(value.to_owned()))
            }
            _ => Err(MatcherError::UnknownMember),
        }
    }

    /// The registered member this is the value of.
    #[must_use]
    pub const fn member(&self) -> &'static str {
        match self {
            Self::SubjectDn(_) => "tls_client_auth_subject_dn",
            Self::SanDns(_) => "tls_client_auth_san_dns",
            Self::SanUri(_) => "tls_client_auth_san_uri",
            Self::SanIp(_) => "tls_client_auth_san_ip",
            Self::SanEmail(_) => "tls_client_auth_san_email",
        }
    }

    /// Whether `certificate` names this subject.
    #[must_use]
    pub fn matches(&self, certificate: &ClientCertificate) -> bool {
        let names = certificate.subject_alt_names();
        match self {
            Self::SubjectDn(name) => !name.is_empty() && name == certificate.subject(),
            Self::SanDns(host) => {
                check_host(host).is_ok() && names.dns().iter().any(|name| name.eq_ignore_ascii_case(host))
            }
            Self::SanUri(uri) => names.uri().contains(uri),
            Self::SanIp(address) => names.ip().contains(address),
            Self::SanEmail(mailbox) => names.email().iter().any(|name| same_mailbox(name, mailbox)),
        }
    }
}

fn same_mailbox(one: &str, other: &str) -> bool {
    match (one.rsplit_once('@'), other.rsplit_once('@')) {
        (Some((local, host)), Some((other_local, other_host))) => {
            local == other_local && host.eq_ignore_ascii_case(other_host)
        }
        _ => false,
    }
}

/// One host name of letters, digits, hyphens and underscores, as it can stand in a `dNSName`.
fn check_host(host: &str) -> Result<(), &'static str> {
    if host.contains('*') {
        return Err("write the whole host name: wildcards are not matched");
    }
    if host.len() > 253 {
        return Err("a host name has at most 253 characters");
    }
    if !host.is_ascii() {
        return Err("write an internationalized name in its ASCII form (xn--…)");
    }
    let is_label = |label: &str| {
        matches!(label.len(), 1..=63)
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    if !host.split('.').all(is_label) {
        return Err("write one host name, as ci.example.com, without a final dot");
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err("this is an address: register tls_client_auth_san_ip");
    }
    Ok(())
}

fn check_uri(uri: &str) -> Result<(), &'static str> {
    if uri.len() > 2048 {
        return Err("a URI has at most 2048 characters");
    }
    if !uri.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Err("a URI has visible ASCII characters only");
    }
    let Some((scheme, rest)) = uri.split_once(':') else {
        return Err("write an absolute URI, as spiffe://example.com/ci");
    };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.'));
    if !is_scheme || rest.is_empty() {
        return Err("write an absolute URI, as spiffe://example.com/ci");
    }
    Ok(())
}

fn check_email(mailbox: &str) -> Result<(), &'static str> {
    if mailbox.len() > 320 || !mailbox.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Err("a mailbox has at most 320 visible ASCII characters");
    }
    match mailbox.rsplit_once('@') {
        Some((local, host)) if !local.is_empty() && !local.contains('@') => check_host(host),
        _ => Err("write one mailbox, as ci@example.com"),
    }
}

impl fmt::Display for SubjectMatcher {
    /// The registered value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubjectDn(name) => name.fmt(f),
            Self::SanDns(text) | Self::SanUri(text) | Self::SanEmail(text) => f.write_str(text),
            Self::SanIp(address) => address.fmt(f),
        }
    }
}

impl Serialize for SubjectMatcher {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.member(), &format_args!("{self}"))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for SubjectMatcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneMember;
        impl<'de> de::Visitor<'de> for OneMember {
            type Value = SubjectMatcher;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with exactly one tls_client_auth_* member")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let Some((member, value)) = map.next_entry::<String, String>()? else {
                    return Err(de::Error::custom("a tls_client_auth_* member is missing"));
                };
                if map.next_key::<de::IgnoredAny>()?.is_some() {
                    return Err(de::Error::custom(
                        "exactly one tls_client_auth_* member is allowed",
                    ));
                }
                SubjectMatcher::parse(&member, &value).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_map(OneMember)
    }
}
