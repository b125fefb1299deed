//! `sealstone keystone ...` before a real Keystone.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: what it cannot read has failed"
)]

mod check;
mod inventory;
mod migrate;
mod way;

use std::process::{Command, Output};

use sealstone_interop::{KeystoneLab, LabMachine, ServeSetup, built};
use sealstone_testkit::{KeyKind, TestKey, pem};
use serde_json::Value;

/// A server beside this Keystone, with an account of its own there and a key that this Keystone believes.
pub(crate) fn beside(lab: &KeystoneLab, name: &str) -> ServeSetup {
    let mut setup = ServeSetup::new();
    setup.set("keystone", "url", &format!("'{}'", lab.url()));
    serve_as(&mut setup, &lab.machine(&["service"]));
    let key = mint_key(&mut setup);
    lab.trust_jws_key(name, &key);
    setup
}

pub(crate) fn serve_as(setup: &mut ServeSetup, account: &LabMachine) {
    setup.write_private("service-secret", &account.credential_secret);
    let id = format!("'{}'", account.credential_id);
    setup.set("keystone.service", "application_credential_id", &id);
    let file = "'service-secret'";
    setup.set("keystone.service", "application_credential_secret_file", file);
}

/// A new key to mint with; its public half in PEM.
pub(crate) fn mint_key(setup: &mut ServeSetup) -> String {
    let key = TestKey::generate(KeyKind::P256);
    setup.write_private("mint.pem", &key.pkcs8_pem());
    setup.set("keystone.mint", "private_key_file", "'mint.pem'");
    pem("PUBLIC KEY", &key.spki_der())
}

/// The variables of the administrator of the whole cloud.
pub(crate) fn administrator(lab: &KeystoneLab) -> Vec<(&str, &str)> {
    let own = lab
        .environment()
        .iter()
        .filter(|(name, _)| name.starts_with("OS_"));
    let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
    own.chain([("OS_SYSTEM_SCOPE", "all")]).collect()
}

/// `sealstone`, without a server.
pub(crate) fn program() -> Command {
    let build = ["--package", "sealstone-cli", "--bin", "sealstone"];
    Command::new(built("SEALSTONE", &build, "sealstone"))
}

/// What went to standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
pub(crate) fn data(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| unreachable!("{output:?}"))
}

/// Long after the test, as Keystone writes it.
pub(crate) fn soon() -> &'static str {
    "2099-01-01T00:00:00.000000Z"
}
