#![doc = include_str!("../README.md")]
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "only tests call this crate: one that cannot make its certificate has failed, and says where"
)]

mod authenticator;
mod authority;
mod certificate;
mod clock;
mod crl;
mod der;
mod http;
mod identity;
mod key;
mod name;
mod pem;
mod postgres;
mod secrecy;
mod seeded;
mod soft_hsm;

pub use authenticator::{Lie, MadeOf, SoftAuthenticator};
pub use authority::{CaSpec, TestCa};
pub use certificate::{CertificateSpec, ExtendedKeyUsage, TestCertificate};
pub use clock::{ManualClock, START, unix_time};
pub use crl::{CrlSpec, TestCrl};
pub use http::{FakeHttp, HttpAsk, HttpReply};
pub use identity::{Asked, FakeIdentity, IdentityFault, machine_authority};
pub use key::{KeyKind, TestKey};
pub use name::{Attribute, TextType};
pub use pem::{base64url, escaped, pem, sha256};
pub use postgres::PostgresCluster;
pub use secrecy::{
    TEST_LOGS, keep_secret, keep_secret_of, keep_secrets_of_form, keep_secrets_of_json, written_down,
};
pub use seeded::SeededBytes;
pub use soft_hsm::SoftHsm;
