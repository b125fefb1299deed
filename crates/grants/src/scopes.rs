//! The scope tokens that the rules know by name.

pub use sealstone_registry::OPENSTACK_API_SCOPE as OPENSTACK_API;

/// An ID token, and the userinfo endpoint (OpenID Connect Core §3.1.2.1).
pub const OPENID: &str = "openid";
/// The names of the person (OpenID Connect Core §5.4).
pub const PROFILE: &str = "profile";
/// The person's address (OpenID Connect Core §5.4).
pub const EMAIL: &str = "email";
/// The person's groups.
pub const GROUPS: &str = "groups";
/// Refresh tokens that outlive the session (OpenID Connect Core §11).
pub const OFFLINE_ACCESS: &str = "offline_access";
