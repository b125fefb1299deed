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
    Unknown,
}

/// What an endpoint takes, and what it does with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// A form, by POST.
    Form(FormEndpoint),
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
    pub(crate) const ALL: [Self; 8] = [
        Self::Token,
        Self::Introspection,
        Self::Revocation,
        Self::Jwks,
        Self::RevocationDocument,
        Self::OpenidMetadata,
        Self::OauthMetadata,
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
            Self::Unknown => return None,
        })
    }

    /// The route under a base path; `None` for what has no route of its own.
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
            Self::Unknown => return None,
        })
    }
}

/// Where RFC 8414 §3.1 puts an issuer's metadata: before the issuer's own path.
const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";

/// What stands before the domain in every issuer's path.
const ISSUERS: &str = "/v4/oauth2/";

/// The domain's segment of a path that a route matched, as written: an escaped one names no domain.
pub(crate) fn domain_segment<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    let path = path.strip_prefix(OAUTH_METADATA).unwrap_or(path);
    path.strip_prefix(base)?.strip_prefix(ISSUERS)?.split('/').next()
}
