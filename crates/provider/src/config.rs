use sealstone_identity::DomainId;
use sealstone_keyring::{KeyEncryptionKey, RotationPolicy};
use sealstone_oauth_types::Issuer;
use sealstone_registry::Pepper;
use std::fmt;

/// Where the server is reached from outside: `https`, a host, a port and a path if need be, no slash at the end.
///
/// Every issuer and every endpoint's address begins with it. It is configured, never taken from a request.
///
/// ```
/// # use sealstone_identity::DomainId;
/// # use sealstone_provider::BaseUrl;
/// let base = BaseUrl::parse("https://id.example")?;
/// assert_eq!(base.issuer(&DomainId::parse("demo")?)?.as_str(), "https://id.example/v4/oauth2/demo");
/// assert!(BaseUrl::parse("http://id.example").is_err());
/// assert!(BaseUrl::parse("https://id.example/").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

/// Why a text is not a base address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "use an absolute https address without user, query, fragment and final slash, like https://id.example.org"
)]
pub struct BaseUrlError;

impl BaseUrl {
    /// Parses the address, which is kept as written.
    ///
    /// # Errors
    /// [`BaseUrlError`] when it could not begin an issuer's address.
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        Issuer::parse(text)
            .map(|_issuer| Self(text.to_owned()))
            .map_err(|_malformed| BaseUrlError)
    }

    /// The issuer of a domain: `{base}/v4/oauth2/{domain_id}`.
    ///
    /// # Errors
    /// [`BaseUrlError`] when the whole is longer than an issuer may be.
    pub fn issuer(&self, domain: &DomainId) -> Result<Issuer, BaseUrlError> {
        Issuer::parse(&format!("{self}/v4/oauth2/{domain}")).map_err(|_too_long| BaseUrlError)
    }

    /// The origin of the pages, as browsers write it: the address without its path, and without the usual port.
    #[must_use]
    pub(crate) fn origin(&self) -> String {
        let host = self.0.strip_prefix("https://").unwrap_or(&self.0);
        let host = host.split('/').next().unwrap_or(host);
        let host = host.strip_suffix(":443").unwrap_or(host);
        format!("https://{host}")
    }

    /// The address as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What the provider is told once.
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever composes a provider decides on each"
)]
pub struct ProviderConfig {
    /// Where clients reach it.
    pub base: BaseUrl,
    /// Where clients with certificates reach it: `mtls_endpoint_aliases` (RFC 8705 §5). Absent where there is no
    /// listener for them; the methods that need a certificate are then not advertised.
    pub mtls_base: Option<BaseUrl>,
    /// How signing keys rotate, for every issuer.
    pub rotation: RotationPolicy,
    /// The key under which client secrets are hashed.
    pub pepper: Pepper,
    /// The key under which signing keys are stored.
    pub key_encryption_key: KeyEncryptionKey,
}

impl fmt::Debug for ProviderConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ProviderConfig")
            .field("base", &self.base)
            .field("mtls_base", &self.mtls_base)
            .finish_non_exhaustive()
    }
}
