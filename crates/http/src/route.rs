use sealstone_provider::people::AbsentEndpoint;

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
    DeviceAuthorization,
    Userinfo,
    Authorize,
    Interaction,
    Callback,
    Device,
    Logout,
    Account,
    Assets,
    /// Whether the process answers, where applications look for that.
    Health,
    /// Where clients register themselves; what a broker's profile leaves out.
    Registration,
    /// What a client registered, for itself.
    Registered,
    Clients,
    Client,
    ClientSecret,
    ClientEnabled,
    ClientDisabled,
    InitialTokens,
    InitialToken,
    Keys,
    KeyRevocation,
    KeyConfirmation,
    /// What a broker's profile leaves out.
    PushedRequest,
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
    /// An access token, by GET or POST.
    Userinfo,
    /// What a person's browser sends.
    Browser(BrowserEndpoint),
    /// Nothing, by GET or HEAD; the answer is always the same.
    Health,
    /// Anything: it is refused in a broker's own words.
    Absent(AbsentEndpoint),
    /// JSON, of who administers clients or keys, or of a client about itself.
    Administration(AdminEndpoint),
}

/// Where clients and keys are administered, and clients register themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdminEndpoint {
    Register,
    Registered,
    Clients,
    Client,
    Secret,
    Enable,
    Disable,
    InitialTokens,
    InitialToken,
    Keys,
    KeyRevocation,
    KeyConfirmation,
}

impl AdminEndpoint {
    /// As of the `Allow` header.
    pub(crate) const fn methods(self) -> &'static str {
        match self {
            Self::Register
            | Self::Secret
            | Self::Enable
            | Self::Disable
            | Self::KeyRevocation
            | Self::KeyConfirmation => "POST",
            Self::Registered | Self::Client => "GET, PUT, DELETE",
            Self::Clients | Self::InitialTokens | Self::Keys => "GET, POST",
            Self::InitialToken => "DELETE",
        }
    }

    /// Whether a client comes here about itself.
    pub(crate) const fn is_of_clients(self) -> bool {
        matches!(self, Self::Register | Self::Registered)
    }
}

/// What clients authenticate at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormEndpoint {
    Token,
    Introspection,
    Revocation,
    DeviceAuthorization,
}

/// Where people are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BrowserEndpoint {
    Authorize,
    Interaction,
    Callback,
    Device,
    Logout,
    Account,
    Assets,
}

impl BrowserEndpoint {
    /// As of the `Allow` header.
    pub(crate) const fn methods(self) -> &'static str {
        match self {
            Self::Authorize | Self::Interaction | Self::Logout => "GET, POST",
            Self::Callback | Self::Device | Self::Account => "GET",
            Self::Assets => "GET, HEAD",
        }
    }
}

/// What anybody may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Document {
    Jwks,
    Revocations,
    Metadata,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 32] = [
        Self::Token,
        Self::Introspection,
        Self::Revocation,
        Self::Jwks,
        Self::RevocationDocument,
        Self::OpenidMetadata,
        Self::OauthMetadata,
        Self::OsOauth2,
        Self::DeviceAuthorization,
        Self::Userinfo,
        Self::Authorize,
        Self::Interaction,
        Self::Callback,
        Self::Device,
        Self::Logout,
        Self::Account,
        Self::Assets,
        Self::Health,
        Self::Registration,
        Self::Registered,
        Self::Clients,
        Self::Client,
        Self::ClientSecret,
        Self::ClientEnabled,
        Self::ClientDisabled,
        Self::InitialTokens,
        Self::InitialToken,
        Self::Keys,
        Self::KeyRevocation,
        Self::KeyConfirmation,
        Self::PushedRequest,
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
            Self::DeviceAuthorization => "device_authorization",
            Self::Userinfo => "userinfo",
            Self::Authorize => "authorize",
            Self::Interaction => "interaction",
            Self::Callback => "callback",
            Self::Device => "device",
            Self::Logout => "logout",
            Self::Account => "account",
            Self::Assets => "assets",
            Self::Health => "health",
            Self::Registration => "registration",
            Self::Registered => "client_configuration",
            Self::Clients => "clients",
            Self::Client => "client",
            Self::ClientSecret => "client_secret",
            Self::ClientEnabled => "client_enable",
            Self::ClientDisabled => "client_disable",
            Self::InitialTokens => "initial_access_tokens",
            Self::InitialToken => "initial_access_token",
            Self::Keys => "keys",
            Self::KeyRevocation => "key_revoke",
            Self::KeyConfirmation => "key_confirm",
            Self::PushedRequest => "pushed_request",
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
            Self::DeviceAuthorization => Method::Form(FormEndpoint::DeviceAuthorization),
            Self::Userinfo => Method::Userinfo,
            Self::Authorize => Method::Browser(BrowserEndpoint::Authorize),
            Self::Interaction => Method::Browser(BrowserEndpoint::Interaction),
            Self::Callback => Method::Browser(BrowserEndpoint::Callback),
            Self::Device => Method::Browser(BrowserEndpoint::Device),
            Self::Logout => Method::Browser(BrowserEndpoint::Logout),
            Self::Account => Method::Browser(BrowserEndpoint::Account),
            Self::Assets => Method::Browser(BrowserEndpoint::Assets),
            Self::Health => Method::Health,
            Self::Registration => Method::Administration(AdminEndpoint::Register),
            Self::Registered => Method::Administration(AdminEndpoint::Registered),
            Self::Clients => Method::Administration(AdminEndpoint::Clients),
            Self::Client => Method::Administration(AdminEndpoint::Client),
            Self::ClientSecret => Method::Administration(AdminEndpoint::Secret),
            Self::ClientEnabled => Method::Administration(AdminEndpoint::Enable),
            Self::ClientDisabled => Method::Administration(AdminEndpoint::Disable),
            Self::InitialTokens => Method::Administration(AdminEndpoint::InitialTokens),
            Self::InitialToken => Method::Administration(AdminEndpoint::InitialToken),
            Self::Keys => Method::Administration(AdminEndpoint::Keys),
            Self::KeyRevocation => Method::Administration(AdminEndpoint::KeyRevocation),
            Self::KeyConfirmation => Method::Administration(AdminEndpoint::KeyConfirmation),
            Self::PushedRequest => Method::Absent(AbsentEndpoint::PushedRequest),
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
            "device_authorization" => Self::DeviceAuthorization,
            "userinfo" => Self::Userinfo,
            "authorize" => Self::Authorize,
            "interaction" => Self::Interaction,
            "callback" => Self::Callback,
            "device" => Self::Device,
            "logout" => Self::Logout,
            "account" => Self::Account,
            "healthz" => Self::Health,
            "register" => Self::Registration,
            "clients" => Self::Clients,
            "initial-access-tokens" => Self::InitialTokens,
            "keys" => Self::Keys,
            "par" => Self::PushedRequest,
            other => {
                let asset = asset(other).map(|_name| Self::Assets);
                return asset.or_else(|| Some(administered(other)?.0));
            }
        })
    }

    /// The path under a base path, as it is documented; `None` for what has none of its own.
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
            Self::DeviceAuthorization => format!("{issuer}/device_authorization"),
            Self::Userinfo => format!("{issuer}/userinfo"),
            Self::Authorize => format!("{issuer}/authorize"),
            Self::Interaction => format!("{issuer}/interaction"),
            Self::Callback => format!("{issuer}/callback"),
            Self::Device => format!("{issuer}/device"),
            Self::Logout => format!("{issuer}/logout"),
            Self::Account => format!("{issuer}/account"),
            Self::Assets => format!("{issuer}/assets/{{name}}"),
            Self::Health => format!("{issuer}/healthz"),
            Self::Registration => format!("{issuer}/register"),
            Self::Registered => format!("{issuer}/register/{{client_id}}"),
            Self::Clients => format!("{issuer}/clients"),
            Self::Client => format!("{issuer}/clients/{{client_id}}"),
            Self::ClientSecret => format!("{issuer}/clients/{{client_id}}/secret"),
            Self::ClientEnabled => format!("{issuer}/clients/{{client_id}}/enable"),
            Self::ClientDisabled => format!("{issuer}/clients/{{client_id}}/disable"),
            Self::InitialTokens => format!("{issuer}/initial-access-tokens"),
            Self::InitialToken => format!("{issuer}/initial-access-tokens/{{id}}"),
            Self::Keys => format!("{issuer}/keys"),
            Self::KeyRevocation => format!("{issuer}/keys/{{kid}}/revoke"),
            Self::KeyConfirmation => format!("{issuer}/keys/{{kid}}/confirm"),
            Self::PushedRequest => format!("{issuer}/par"),
            Self::Unknown => return None,
        })
    }
}

/// The name of a file that pages load, in what follows an issuer's path.
fn asset(rest: &str) -> Option<&str> {
    let name = rest.strip_prefix(ASSETS)?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// The name of a file that pages load, in a path of [`Endpoint::Assets`].
pub(crate) fn asset_name<'a>(path: &'a str, base: &str) -> Option<&'a str> {
    let (_, rest) = under_issuers(path, base)?.split_once('/')?;
    asset(rest)
}

/// What is administered in what follows an issuer's path, with its name as written.
fn administered(rest: &str) -> Option<(Endpoint, &str)> {
    let (place, name) = rest.split_once('/')?;
    let (name, action) = match name.split_once('/') {
        Some((name, action)) => (name, Some(action)),
        None => (name, None),
    };
    let endpoint = match (place, action) {
        ("register", None) => Endpoint::Registered,
        ("clients", None) => Endpoint::Client,
        ("clients", Some("secret")) => Endpoint::ClientSecret,
        ("clients", Some("enable")) => Endpoint::ClientEnabled,
        ("clients", Some("disable")) => Endpoint::ClientDisabled,
        ("initial-access-tokens", None) => Endpoint::InitialToken,
        ("keys", Some("revoke")) => Endpoint::KeyRevocation,
        ("keys", Some("confirm")) => Endpoint::KeyConfirmation,
        _ => return None,
    };
    (!name.is_empty()).then_some((endpoint, name))
}

/// The name of what is administered, in a path of its endpoint; empty in those that name nothing.
pub(crate) fn administered_name<'a>(path: &'a str, base: &str) -> &'a str {
    let rest = under_issuers(path, base).and_then(|rest| rest.split_once('/'));
    let named = rest.and_then(|(_, rest)| administered(rest));
    named.map_or("", |(_, name)| name)
}

/// The path of a domain's issuer.
pub(crate) fn issuer_path(base: &str, domain: &str) -> String {
    format!("{base}{ISSUERS}{domain}")
}

/// What stands before a file's name under an issuer.
const ASSETS: &str = "assets/";

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
                    path.replace("assets/", "assets//"),
                    format!("/{path}"),
                    format!("{path}/x/y"),
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
