#![doc = include_str!("../README.md")]

mod error;
mod hashing;
mod name;
mod registration;
mod source;
mod store;
mod user;

pub use error::{ChangeError, DirectoryStoreError, RegistrationFault};
pub use hashing::{HashingError, HashingPool, InlineHashing};
pub use name::UserName;
pub use registration::{MAX_PROJECTS, UserChange, UserRegistration};
pub use source::EmbeddedDirectory;
pub use store::{DirectoryStore, MAX_USERS_PAGE, UserInsertion, UserRemoval, UserReplacement};
pub use user::DirectoryUser;
