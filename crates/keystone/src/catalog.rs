use serde::Deserialize;

use crate::Label;

/// The services of a cloud, as Keystone lists them.
///
/// # Security
/// Nothing of this crate ever calls an address in it: whoever may write the catalog would decide where credentials are
/// sent. Compare an address with your own configuration before you call it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(transparent)]
pub struct Catalog {
    services: Vec<Service>,
}

impl Catalog {
    /// The services, as they came.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The addresses of this type of service at this interface, in any region.
    pub fn urls<'a>(&'a self, service_type: &'a str, interface: &'a str) -> impl Iterator<Item = &'a Label> {
        self.services
            .iter()
            .filter(move |service| service.service_type.as_str() == service_type)
            .flat_map(|service| &service.endpoints)
            .filter(move |endpoint| endpoint.interface.as_str() == interface)
            .map(|endpoint| &endpoint.url)
    }
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Service {
    /// Its type: `compute`.
    #[serde(rename = "type")]
    pub service_type: Label,
    /// Its name: `nova`.
    pub name: Option<Label>,
    /// Where it is.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
}

/// One address of a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Endpoint {
    /// `public`, `internal` or `admin`.
    pub interface: Label,
    /// The region, if there are several.
    pub region_id: Option<Label>,
    /// The address: any text that somebody wrote there.
    pub url: Label,
}
