/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No audience, or an empty one: a resource must know its own name.
    #[error("name at least one audience: a token without one of them is refused")]
    Audiences,
    /// No algorithm.
    #[error("allow at least one algorithm")]
    Algorithms,
    /// A realm with a character outside printable ASCII, or with `"` or `\`.
    #[error("the realm may hold printable ASCII without quotes and backslashes only")]
    Realm,
    /// Not an absolute `https` URL without a fragment and user information.
    #[error("{0} must be an absolute `https` URL")]
    Url(&'static str),
    /// A duration that is zero, or that contradicts another.
    #[error("{0}")]
    Freshness(&'static str),
    /// A network that is not written as `address` or `address/length`.
    #[error("not a network: write an address, or an address with a prefix length as in 10.0.0.0/8")]
    Network,
    /// A proxy that everybody on the machine could pass for, or that is known by nothing.
    #[error("{0}")]
    Proxy(&'static str),
    /// A header name that HTTP doesn't know.
    #[error("not a header name of letters, digits and hyphens")]
    HeaderName,
    /// Roots that can't be used.
    #[error("the trusted authorities cannot be used")]
    Roots(#[source] Box<dyn std::error::Error + Send + Sync>),
}
