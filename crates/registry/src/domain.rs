//! A domain: one Keystone domain, one issuer.

use sealstone_identity::DomainId;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{error::RegistrationError, name};

/// A domain in which clients are registered; it has an issuer and a key ring of its own.
///
/// # Examples
/// ```
/// # use sealstone_identity::DomainId;
/// # use sealstone_registry::Domain;
/// let demo = Domain::new(DomainId::parse("demo")?, "Demonstration", true)?;
/// assert!(demo.is_enabled() && demo.name() == "Demonstration");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Domain {
    id: DomainId,
    name: String,
    enabled: bool,
}

impl Domain {
    /// A domain by id, with a name for people to read.
    ///
    /// # Errors
    /// [`RegistrationError::Name`] for a name that is empty, above 128 characters, padded by white space, or holds
    /// control or direction characters.
    pub fn new(id: DomainId, name: &str, enabled: bool) -> Result<Self, RegistrationError> {
        name::check(name).map_err(RegistrationError::from_name)?;
        Ok(Self {
            id,
            name: name.to_owned(),
            enabled,
        })
    }

    /// The id, the last segment of the issuer's path.
    #[must_use]
    pub const fn id(&self) -> &DomainId {
        &self.id
    }

    /// The name, for people; it decides nothing.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the issuer of this domain answers. A disabled domain issues nothing and its tokens are inactive.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// The same domain, switched on or off.
    #[must_use]
    pub fn with_enabled(self, enabled: bool) -> Self {
        Self { enabled, ..self }
    }
}

impl<'de> Deserialize<'de> for Domain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wire {
            id: DomainId,
            name: String,
            enabled: bool,
        }
        let wire = Wire::deserialize(deserializer)?;
        Self::new(wire.id, &wire.name, wire.enabled).map_err(D::Error::custom)
    }
}
