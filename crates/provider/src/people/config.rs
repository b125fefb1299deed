use sealstone_login::{FactorKind, LoginPolicy, SessionLimits};
use sealstone_oauth_types::GrantType;

/// The rules by which people of a domain sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever composes a provider decides on each"
)]
pub struct PeopleConfig {
    /// What a login takes.
    pub policy: LoginPolicy,
    /// How long sessions last.
    pub sessions: SessionLimits,
    /// What authenticator apps and passkey dialogues call this service.
    pub service_name: String,
    /// The upstream provider's name on the login page. Without a password or passkey to ask for there is no such page:
    /// the browser goes there at once.
    pub upstream_name: String,
    /// How strict the endpoints are beyond the standards.
    pub profile: Profile,
}

/// How strict the domain's endpoints are beyond the standards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the edge answers each in its own way")]
pub enum Profile {
    /// What the standards ask for.
    #[default]
    Standard,
    /// A broker's: codes with PKCE alone, redirect URIs compared whole, and what is outside of that refused where it was
    /// asked, as `{"error":"invalid_profile_usage","description":…,"feature":…}`. Its tokens have `roles`, `tenant`,
    /// `principal_type` and `assurance`.
    Broker,
}

impl PeopleConfig {
    /// Name and password, with a second factor of whoever set one up.
    #[must_use]
    pub fn password(service_name: &str) -> Self {
        Self {
            policy: LoginPolicy::password(),
            sessions: SessionLimits::default(),
            service_name: service_name.to_owned(),
            upstream_name: String::new(),
            profile: Profile::Standard,
        }
    }

    /// Whether clients have this grant of a person here. A device has no redirect URI and no challenge: a broker, which
    /// knows codes with PKCE alone, has no devices.
    pub(crate) fn offers(&self, grant: GrantType) -> bool {
        self.profile == Profile::Standard || grant != GrantType::DeviceCode
    }

    /// The same where browsers have no passkeys. What needs one can't be reached there.
    pub(crate) fn without_passkeys(&self) -> Self {
        let mut without = self.clone();
        without.policy.first.passkey = false;
        without.policy.kinds.retain(|kind| *kind != FactorKind::Passkey);
        without
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_passkeys_the_other_ways_stay() {
        let config = PeopleConfig::password("Example");
        let without = config.without_passkeys();
        assert!(!without.policy.first.passkey && without.policy.first.password);
        assert_eq!(without.policy.kinds, [FactorKind::Totp, FactorKind::Recovery]);
        let first = without.policy.first;
        assert_eq!(
            (first.upstream, without.sessions),
            (config.policy.first.upstream, config.sessions)
        );
    }
}
