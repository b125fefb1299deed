use std::{fmt, sync::Arc, time::Duration};

use sealstone_jose::Algorithm;
use thiserror::Error;

use crate::{HomeFigures, KeyHome};

/// The wishes a [`RotationPolicy`] is made from. Spans count in whole seconds.
///
/// The default rotates one ES256 key every 30 days, publishes each key an hour before it signs, and serves tokens
/// of up to an hour to verifiers that cache the key set for 300 s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationSettings {
    /// The algorithms that each have an active key; the first is the one used when nobody asks for another.
    pub algorithms: Vec<Algorithm>,
    /// For how long a verifier may keep the key set (`Cache-Control: max-age` of the JWKS).
    pub verifier_cache: Duration,
    /// For how long a key is in the key set before it signs.
    pub publish_lead: Duration,
    /// For how long a key signs.
    pub active_lifetime: Duration,
    /// For how long a key stays in the key set after it stopped signing, and a revoked one on the revocation list.
    pub retire_lifetime: Duration,
    /// The longest lifetime of a token that a key of this ring may sign.
    pub longest_token: Duration,
    /// By how much a verifier's clock may be behind and still accept an expired token.
    pub leeway: Duration,
}

impl Default for RotationSettings {
    fn default() -> Self {
        Self {
            algorithms: vec![Algorithm::Es256],
            verifier_cache: Duration::from_secs(300),
            publish_lead: Duration::from_secs(3600),
            active_lifetime: Duration::from_secs(30 * 24 * 3600),
            retire_lifetime: Duration::from_secs(2 * 3600),
            longest_token: Duration::from_secs(3600),
            leeway: Duration::from_secs(60),
        }
    }
}

/// When keys are published, sign, retire and go: valid by construction.
///
/// What holds for every policy, `MARGIN` being [`RotationPolicy::MARGIN`]:
/// - `publish_lead >= verifier_cache + MARGIN`: no verifier meets a key that it could not have fetched;
/// - `retire_lifetime >= longest_token + leeway + verifier_cache + MARGIN`: no verifier loses the key of a living
///   token;
/// - `active_lifetime > publish_lead`: at most one successor waits;
/// - the key set stays at 32 keys or fewer, whatever the spans.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use sealstone_keyring::{PolicyError, RotationPolicy, RotationSettings};
///
/// let hasty = RotationSettings { publish_lead: Duration::from_secs(10), ..RotationSettings::default() };
/// assert!(matches!(RotationPolicy::new(hasty), Err(PolicyError::LeadTooShort { .. })));
/// assert!(RotationPolicy::new(RotationSettings::default()).is_ok());
/// ```
#[derive(Clone)]
pub struct RotationPolicy {
    settings: RotationSettings,
    home: Option<Arc<dyn KeyHome>>,
}

impl RotationPolicy {
    /// What nodes may disagree on the time, and what a change may take to reach every node.
    pub const MARGIN: Duration = Duration::from_secs(60);
    /// No span may be longer: a key for more than ten years is a mistake in a unit.
    pub const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

    /// How many keys the planned rotations may have in the key set: verifiers bound what they read.
    const MOST_KEYS: u64 = 32;

    /// Checks the settings against each other.
    ///
    /// # Errors
    /// [`PolicyError`]: which setting cannot hold, and the least value that can.
    pub fn new(settings: RotationSettings) -> Result<Self, PolicyError> {
        let s = &settings;
        if s.algorithms.is_empty() {
            return Err(PolicyError::NoAlgorithm);
        }
        for (place, algorithm) in s.algorithms.iter().enumerate() {
            if s.algorithms.iter().take(place).any(|other| other == algorithm) {
                return Err(PolicyError::AlgorithmTwice(*algorithm));
            }
        }
        for (name, value) in [
            ("verifier_cache", s.verifier_cache),
            ("publish_lead", s.publish_lead),
            ("active_lifetime", s.active_lifetime),
            ("retire_lifetime", s.retire_lifetime),
            ("longest_token", s.longest_token),
            ("leeway", s.leeway),
        ] {
            if value > Self::LONGEST {
                return Err(PolicyError::TooLong {
                    name,
                    limit_s: Self::LONGEST.as_secs(),
                });
            }
        }
        if s.longest_token.as_secs() == 0 {
            return Err(PolicyError::NoTokenLifetime);
        }
        let least = s.verifier_cache.saturating_add(Self::MARGIN);
        if s.publish_lead < least {
            return Err(PolicyError::LeadTooShort {
                given_s: s.publish_lead.as_secs(),
                least_s: least.as_secs(),
            });
        }
        let least = s.longest_token.saturating_add(s.leeway).saturating_add(least);
        if s.retire_lifetime < least {
            return Err(PolicyError::RetiredTooSoon {
                given_s: s.retire_lifetime.as_secs(),
                least_s: least.as_secs(),
            });
        }
        if s.active_lifetime.as_secs() <= s.publish_lead.as_secs() {
            return Err(PolicyError::ActiveTooShort {
                given_s: s.active_lifetime.as_secs(),
                lead_s: s.publish_lead.as_secs(),
            });
        }
        let overlapping = s
            .retire_lifetime
            .as_secs()
            .div_ceil(s.active_lifetime.as_secs().max(1));
        let count = u64::try_from(s.algorithms.len()).unwrap_or(u64::MAX);
        if count.saturating_mul(overlapping.saturating_add(2)) > Self::MOST_KEYS {
            return Err(PolicyError::TooManyKeys {
                limit: Self::MOST_KEYS,
            });
        }
        Ok(Self { settings, home: None })
    }

    /// The same, where new keys are made by `home` and stay there. Keys that are in rings already sign on until their
    /// time is over.
    #[must_use]
    pub fn with_home(mut self, home: Arc<dyn KeyHome>) -> Self {
        self.home = Some(home);
        self
    }

    /// Where new keys are made; `None` for the rings themselves.
    /// How signing goes where new keys are made, if that is elsewhere and counts.
    #[must_use]
    pub fn home_figures(&self) -> Option<HomeFigures> {
        self.home.as_ref()?.figures()
    }

    pub(crate) fn home(&self) -> Option<&dyn KeyHome> {
        self.home.as_deref()
    }

    /// The algorithms of the ring, the usual one first. Never empty.
    #[must_use]
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.settings.algorithms
    }

    /// For how long a verifier may keep the key set.
    #[must_use]
    pub const fn verifier_cache(&self) -> Duration {
        self.settings.verifier_cache
    }

    /// For how long a key is published before it signs.
    #[must_use]
    pub const fn publish_lead(&self) -> Duration {
        self.settings.publish_lead
    }

    /// For how long a key signs.
    #[must_use]
    pub const fn active_lifetime(&self) -> Duration {
        self.settings.active_lifetime
    }

    /// For how long a key is published after it stopped signing.
    #[must_use]
    pub const fn retire_lifetime(&self) -> Duration {
        self.settings.retire_lifetime
    }

    /// The longest token lifetime these spans were made for: what mints tokens must not exceed it.
    #[must_use]
    pub const fn longest_token(&self) -> Duration {
        self.settings.longest_token
    }

    /// The age at which an active key's successor is published: `active_lifetime - publish_lead`.
    pub(crate) const fn successor_age(&self) -> Duration {
        self.settings
            .active_lifetime
            .saturating_sub(self.settings.publish_lead)
    }
}

/// The settings; and the same home, or none.
impl PartialEq for RotationPolicy {
    fn eq(&self, other: &Self) -> bool {
        let homes = match (&self.home, &other.home) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        homes && self.settings == other.settings
    }
}

impl Eq for RotationPolicy {}

impl fmt::Debug for RotationPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotationPolicy")
            .field("settings", &self.settings)
            .field("home", &self.home)
            .finish()
    }
}

impl TryFrom<RotationSettings> for RotationPolicy {
    type Error = PolicyError;

    fn try_from(settings: RotationSettings) -> Result<Self, PolicyError> {
        Self::new(settings)
    }
}

/// Settings that no safe rotation can follow. Names are those of [`RotationSettings`], spans are seconds.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyError {
    /// The list of algorithms is empty.
    #[error("no signing algorithm: name at least one, for example ES256")]
    NoAlgorithm,
    /// The list of algorithms repeats one.
    #[error("the signing algorithm {} is listed twice: list it once", .0.as_str())]
    AlgorithmTwice(Algorithm),
    /// Tokens cannot live for zero seconds.
    #[error("longest_token is zero: give the longest lifetime of the tokens to be signed")]
    NoTokenLifetime,
    /// A span above [`RotationPolicy::LONGEST`].
    #[error("{name} is above {limit_s} s: check its unit, it counts seconds")]
    TooLong {
        /// Which setting.
        name: &'static str,
        /// The most it may be.
        limit_s: u64,
    },
    /// A verifier could meet the new key before it can have fetched it.
    #[error("publish_lead is {given_s} s, but verifiers cache the key set: give {least_s} s or more")]
    LeadTooShort {
        /// As given.
        given_s: u64,
        /// The least that is safe.
        least_s: u64,
    },
    /// A verifier could lose the key of a living token.
    #[error("retire_lifetime is {given_s} s, but tokens live on after their key: give {least_s} s or more")]
    RetiredTooSoon {
        /// As given.
        given_s: u64,
        /// The least that is safe.
        least_s: u64,
    },
    /// The successor would be published before the key itself signs.
    #[error("active_lifetime is {given_s} s: it must be longer than publish_lead ({lead_s} s)")]
    ActiveTooShort {
        /// As given.
        given_s: u64,
        /// The lead it must exceed.
        lead_s: u64,
    },
    /// Keys retire slower than new ones come.
    #[error(
        "the key set would hold more than {limit} keys: lengthen active_lifetime or shorten retire_lifetime"
    )]
    TooManyKeys {
        /// The most it may hold.
        limit: u64,
    },
}
