#![doc = include_str!("../README.md")]

mod administrators;
mod error;
mod home;
mod kek;
mod key;
mod maintain;
mod policy;
mod request;
mod ring;
mod rotation;
mod sealed;
mod secret;
mod store;
mod time;

pub use administrators::{Administrators, AdministratorsError, KeyStatement};
pub use error::{KeyRingError, SealError};
pub use home::{HomeFigures, HomeKey, KeyHome, KeyHomeError, KeyReference, SIGNATURE_TIMES};
pub use kek::{KeyEncryptionKey, UnwrapKey};
pub use key::{KeyState, RingKey};
pub use maintain::{MaintainError, Maintained, change, follow, maintain, rewrap};
pub use policy::{PolicyError, RotationPolicy, RotationSettings};
pub use request::{CONFIRM_WITHIN, Confirmation, KeyRequest, KeyRequestStore, Requested};
pub use ring::{KeyRing, PublishedKeys};
pub use rotation::{Rotation, RotationChange};
pub use sealed::StoredRing;
pub use secret::{SecretError, SecretPlace, SecretPurpose};
pub use store::{KeyStore, KeyStoreError, Replaced};
