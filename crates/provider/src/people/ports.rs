//! What the flows of people ask of the world, beside [`Ports`](crate::Ports).

use std::fmt;

/// Everything that the flows of people ask of the world.
#[derive(Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever composes a provider decides on each port"
)]
pub struct PeoplePorts {}

impl fmt::Debug for PeoplePorts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PeoplePorts").finish_non_exhaustive()
    }
}
