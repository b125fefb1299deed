//! A moment in a record: whole seconds since 1970, for `#[serde(with = "sealstone_identity::unix_seconds")]`.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use serde::{Deserialize as _, Deserializer, Serializer};

/// Writes a moment as a number.
///
/// # Errors
/// What the serializer says.
pub fn serialize<S: Serializer>(moment: &UnixTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(moment.as_secs())
}

/// Reads a moment from a number.
///
/// # Errors
/// When there is no whole number that is not negative.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixTime, D::Error> {
    u64::deserialize(deserializer).map(|seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

/// The same for a moment that may be absent.
pub mod option {
    use super::{Deserializer, Duration, Serializer, UnixTime};
    use serde::Deserialize as _;

    /// Writes a number or null.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn serialize<S: Serializer>(moment: &Option<UnixTime>, serializer: S) -> Result<S::Ok, S::Error> {
        match moment {
            Some(moment) => serializer.serialize_some(&moment.as_secs()),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a number or null.
    ///
    /// # Errors
    /// When there is neither.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UnixTime>, D::Error> {
        let seconds = Option::<u64>::deserialize(deserializer)?;
        Ok(seconds.map(|seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds))))
    }
}
