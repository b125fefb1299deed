//! A Keystone on loopback, a clock, and documents to answer with.

mod calls;
mod documents;
mod fake;
mod log;

pub(crate) use calls::calls;
pub(crate) use documents::{credential_token, iso, project_token, token};
pub(crate) use fake::{FakeKeystone, Reply, Seen};
pub(crate) use log::Log;

use std::{sync::Arc, time::Duration};

use sealstone_identity::{ApplicationCredentialId, ProjectId, UserId};
use sealstone_keystone::{
    Authentication, Fault, IssuedToken, KeystoneClient, KeystoneConfig, KeystoneError, Login, Secret, Token,
    UserKey,
};
use sealstone_testkit::ManualClock;

/// What must be seen in no log and no error.
pub(crate) const PASSWORD: &str = "correct-horse-battery-staple";
pub(crate) const TOKEN: &str = "gAAAAABtokenthatopensdoors";

pub(crate) fn clock() -> ManualClock {
    ManualClock::default()
}

/// A configuration for the fake, on the test's clock.
pub(crate) fn config(fake: &FakeKeystone, clock: &ManualClock) -> KeystoneConfig {
    let clock = clock.clone();
    KeystoneConfig::new(&fake.url())
        .unwrap()
        .with_clock(move || clock.now())
}

pub(crate) fn client(fake: &FakeKeystone, clock: &ManualClock) -> KeystoneClient {
    KeystoneClient::new(&config(fake, clock)).unwrap()
}

pub(crate) fn user_id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

pub(crate) fn project_id(text: &str) -> ProjectId {
    ProjectId::parse(text).unwrap()
}

pub(crate) fn credential_id(text: &str) -> ApplicationCredentialId {
    ApplicationCredentialId::parse(text).unwrap()
}

/// A login by the password of user `u1`.
pub(crate) fn by_password() -> Authentication {
    Authentication::password(UserKey::Id(user_id("u1")), Secret::from(PASSWORD))
}

/// A login by the application credential `ac1`.
pub(crate) fn by_credential() -> Authentication {
    Authentication::application_credential(credential_id("ac1"), Secret::from(PASSWORD))
}

pub(crate) fn a_token() -> Token {
    Token::parse(TOKEN).unwrap()
}

pub(crate) fn complete(login: Result<Login, KeystoneError>) -> IssuedToken {
    match login.unwrap() {
        Login::Complete(issued) => issued,
        Login::Incomplete(receipt) => panic!("{receipt:?}"),
    }
}

/// The fault of an answer that is not believed.
pub(crate) fn fault<T: std::fmt::Debug>(outcome: Result<T, KeystoneError>) -> Fault {
    match outcome {
        Err(KeystoneError::Malformed { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

/// Everything that an error could show.
pub(crate) fn shown(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error:?}");
    let mut next = Some(error);
    while let Some(error) = next {
        text.push_str(&format!(" / {error}"));
        next = error.source();
    }
    text
}

/// A fake that answers everything so.
pub(crate) async fn always(reply: impl Fn() -> Reply + Send + Sync + 'static) -> FakeKeystone {
    FakeKeystone::start(Arc::new(move |_seen: &Seen| reply())).await
}

/// Long enough for a busy machine, short enough for a person.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
