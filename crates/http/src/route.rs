/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Token,
    Introspection,
    Revocation,
    Jwks,
    RevocationDocument,
    OpenidMetadata,
    OauthMetadata,
    /// Keystone's own token endpoint, where there is a Keystone.
    OsOauth2,
    Unknown,
}

/// What an endpoint takes, and what it does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// A form, by POST.
    Form(FormEndpoint),
    /// A form, by POST, that is of no issuer.
    Keystone,
    /// Nothing, by GET or HEAD.
    Document(Document),
}

/// What clients authenticate at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormEndpoint {
    Token,
    Introspection,
    Revocation,
}

/// What anybody may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Document {
    Jwks,
    Revocations,
    Metadata,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 9] = [
        Self::Token,
        Self::Introspection,
        Self::Revocation,
        Self::Jwks,
        Self::RevocationDocument,
        Self::OpenidMetadata,
        Self::OauthMetadata,
        Self::OsOauth2,
        Self::Unknown,
    ];

    /// The name in logs and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Introspection => "introspection",
            Self::Revocation => "revocation",
            Self::Jwks => "jwks",
            Self::RevocationDocument => "revocation_document",
            Self::OpenidMetadata => "openid_metadata",
            Self::OauthMetadata => "oauth_metadata",
            Self::OsOauth2 => "os_oauth2",
            Self::Unknown => "unknown",
        }
    }

    /// `None` for a path that names nothing.
    pub(crate) const fn method(self) -> Option<Method> {
        Some(match self {
            Self::Token => Method::Form(FormEndpoint::Token),
            Self::Introspection => Method::Form(FormEndpoint::Introspection),
            Self::Revocation => Method::Form(FormEndpoint::Revocation),
            Self::Jwks => Method::Document(Document::Jwks),
            Self::RevocationDocument => Method::Document(Document::Revocations),
            Self::OpenidMetadata | Self::OauthMetadata => Method::Document(Document::Metadata),
            Self::OsOauth2 => Method::Keystone,
            Self::Unknown => return None,
        })
    }

    /// The endpoint of this name after an issuer's path.
    fn of_issuer(name: &str) -> Option<Self> {
        Some(match name {
            "token" => Self::Token,
            "introspect" => Self::Introspection,
            "revoke" => Self::Revocation,
            "jwks" => Self::Jwks,
            "jwks/revocation" => Self::RevocationDocument,
            ".well-known/openid-configuration" => Self::OpenidMetadata,
            _ => return None,
        })
    }

    /// The path under a base path, as it is documented; `None` for what has none of its own.
    #[cfg(test)]
    pub(crate) fn path(self, base: &str) -> Option<String> {
        let issuer = format!("{base}{ISSUERS}{{domain_id}}");
        Some(match self {
            Self::Token => format!("{issuer}/token"),
            Self::Introspection => format!("{issuer}/introspect"),
            Self::Revocation => format!("{issuer}/revoke"),
            Self::Jwks => format!("{issuer}/jwks"),
            Self::RevocationDocument => format!("{issuer}/jwks/revocation"),
            Self::OpenidMetadata => format!("{issuer}/.well-known/openid-configuration"),
            Self::OauthMetadata => format!("{OAUTH_METADATA}{issuer}"),
            Self::OsOauth2 => format!("{base}{OS_OAUTH2}"),
            Self::Unknown => return None,
        })
    }
}

/// Where RFC 8414 §3.1 puts an issuer's metadata: before the issuer's own path.
const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";

/// Where Keystone has its own token endpoint.
const OS_OAUTH2: &str = "/v3/OS-OAUTH2/token";

/// What stands before the domain in every issuer's path.
const ISSUERS: &str = "/v4/oauth2/";

/// What a path names under a base path, and the domain in it as written: an escaped one names no domain.
///
/// A path is compared octet by octet: a slash more, an escape or another case is another path.
pub(crate) fn named<'a>(path: &'a str, base: &str) -> (Endpoint, Option<&'a str>) {
    if let Some(rest) = path.strip_prefix(OAUTH_METADATA) {
        let domain = under_issuers(rest, base).filter(|domain| !domain.contains('/'));
        return match domain {
            Some(_) => (Endpoint::OauthMetadata, domain),
            None => (Endpoint::Unknown, None),
        };
    }
    if path.strip_prefix(base) == Some(OS_OAUTH2) {
        return (Endpoint::OsOauth2, None);
    }
    let Some((domain, endpoint)) = under_issuers(path, base).and_then(|rest| rest.split_once('/')) else {
        return (Endpoint::Unknown, None);
    };
    match Endpoint::of_issuer(endpoint) {
        Some(endpoint) => (endpoint, Some(domain)),
        None => (Endpoint::Unknown, None),
    }
}

fn under_issuers<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    path.strip_prefix(base)?.strip_prefix(ISSUERS)
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, named};

    #[test]
    fn every_endpoint_is_found_where_it_is_documented() {
        for base in ["", "/identity"] {
            for endpoint in Endpoint::ALL {
                let Some(path) = endpoint.path(base) else { continue };
                let path = path.replace("{domain_id}", "demo");
                let domain = (endpoint != Endpoint::OsOauth2).then_some("demo");
                assert_eq!(named(&path, base), (endpoint, domain), "{path}");
                for other in [
                    format!("{path}/"),
                    format!("/{path}"),
                    format!("{path}/x"),
                    path.to_uppercase(),
                    path.replace("v4", "v%34").replace("v3", "v%33"),
                    path.replace("demo/", "demo//"),
                    path.replace("demo", "a/b"),
                    path.replacen('/', "/../", 1),
                    format!("/other{path}"),
                ] {
                    if other != path {
                        assert_eq!(named(&other, base), (Endpoint::Unknown, None), "{other}");
                    }
                }
            }
        }
        assert_eq!(
            named("/v4/oauth2/demo/token", "/identity"),
            (Endpoint::Unknown, None)
        );
        for nothing in ["", "/", "/v4/oauth2", "/v4/oauth2/", "/v4/oauth2/demo", "*"] {
            assert_eq!(named(nothing, ""), (Endpoint::Unknown, None), "{nothing}");
        }
    }
}
