//! `POST /v3/OS-OAUTH2/token` at a real Keystone and here, side by side: CPU time of the servers for each token.
//!
//! CPU time and not rate, for it says the same on a machine that does other things too. Every request has a connection
//! of its own; TLS is in our figure, and not in Keystone's, before which stands nginx.
//!
//! ```sh
//! cargo build --release --bins
//! SEALSTONED=target/release/sealstoned SEALSTONE=target/release/sealstone \
//!     cargo bench --package sealstone-interop --bench os_oauth2
//! ```

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a bench that can't measure stops"
)]

use std::fs;
use std::path::Path;

use sealstone_interop::{Https, KeystoneLab, LabFront, ServeServer, ServeSetup};
use sealstone_testkit::{KeyKind, TestKey, pem};

/// Enough for the clock's ticks of 10 ms; Keystone needs many of them for each token.
const AT_KEYSTONE: u32 = 60;
const HERE: u32 = 600;
const TICK_MS: f64 = 10.0;
const GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// Processes whose CPU time is added up.
struct Processes(Vec<u32>);

impl Processes {
    /// A process and its children.
    fn of(master: u32) -> Self {
        let children = fs::read_dir("/proc").expect("/proc").filter_map(|entry| {
            let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            (field(id, 1)? == u64::from(master)).then_some(id)
        });
        Self(std::iter::once(master).chain(children).collect())
    }

    /// The one whose command line has this.
    fn with(argument: &Path) -> Self {
        let text = argument.to_string_lossy().into_owned();
        let found = fs::read_dir("/proc").expect("/proc").filter_map(|entry| {
            let id: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let line = fs::read(format!("/proc/{id}/cmdline")).ok()?;
            String::from_utf8_lossy(&line).contains(&text).then_some(id)
        });
        Self(found.collect())
    }

    /// CPU time so far, in milliseconds.
    fn spent(&self) -> f64 {
        let ticks = |id: &u32| Some(field(*id, 11)?.saturating_add(field(*id, 12)?));
        let sum: u64 = self.0.iter().filter_map(ticks).sum();
        f64::from(u32::try_from(sum).expect("a short run")) * TICK_MS
    }
}

/// A number of `/proc/PID/stat`, counted from behind the name.
fn field(id: u32, index: usize) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    text.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(index)?
        .parse()
        .ok()
}

/// What each process spends for one token.
fn measured(count: u32, keystone: &Processes, ours: Option<&Processes>, ask: impl Fn()) -> [f64; 2] {
    for _ in 0..count / 10 {
        ask();
    }
    let before = [keystone.spent(), ours.map_or(0.0, Processes::spent)];
    for _ in 0..count {
        ask();
    }
    let after = [keystone.spent(), ours.map_or(0.0, Processes::spent)];
    [0, 1].map(|index| (after[index] - before[index]) / f64::from(count))
}

fn token(https: &Https, url: &str, form: &[(&str, &str)]) {
    let answer = https.post(url, &[], form).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.json()["access_token"].is_string());
}

fn server(lab: &KeystoneLab) -> ServeServer {
    let mut setup = ServeSetup::new();
    setup.set("keystone", "url", &format!("'{}'", lab.url()));
    // The harness waits for the line that says where it serves.
    setup.set("log", "level", "'info'");
    let key = TestKey::generate(KeyKind::P256);
    setup.write_private("keystone-jws.pem", &key.pkcs8_pem());
    setup.set("keystone.mint", "private_key_file", "'keystone-jws.pem'");
    lab.trust_jws_key("bench-os-oauth2", &pem("PUBLIC KEY", &key.spki_der()));
    let machine = lab.machine(&["member"]);
    let arguments = [
        "--subject-dn",
        "CN=ci",
        "--scope",
        "openstack:api",
        "--openstack-user",
        &machine.user_id,
        "--openstack-project",
        &machine.project_id,
        "--dangerous-without-keystone-check",
    ];
    let _made = setup.register("ci", &arguments);
    setup.start()
}

#[expect(clippy::print_stdout, reason = "the figures")]
fn main() {
    let lab = KeystoneLab::shared_jws();
    let machine = lab.machine(&["member"]);
    let server = server(lab);
    let keystone = Processes::of(lab.process(1));
    let ours = Processes::with(&server.setup().path("sealstoned.toml"));
    assert_eq!(ours.0.len(), 1, "one server");
    let [public, mutual] = server.ports();
    let [by_secret, by_certificate] =
        [public, mutual].map(|port| format!("https://localhost:{port}/v3/OS-OAUTH2/token"));
    let there = format!("{}/OS-OAUTH2/token", lab.tls(LabFront::Nginx));
    let seed = lab.seed();
    let front = Https::trusting(&seed.ca_pem());
    let id = machine.credential_id.as_str();
    let secret = [
        GRANT,
        ("client_id", id),
        ("client_secret", &machine.credential_secret),
    ];

    println!("POST /v3/OS-OAUTH2/token, CPU ms for a token        Keystone       here");
    let bot = front.clone().with_certificate(&seed.certificate("ci-bot"));
    let form = [GRANT, ("client_id", seed.user("ci-bot").id.as_str())];
    let [theirs, _] = measured(AT_KEYSTONE, &keystone, None, || token(&bot, &there, &form));
    let holder = server.holder(&server.setup().ca().client("ci"));
    let [asked, here] = measured(HERE, &keystone, Some(&ours), || {
        token(&holder, &by_certificate, &[GRANT, ("client_id", "ci")]);
    });
    println!("by certificate, at Keystone                       {theirs:>10.3}          -");
    println!("by certificate, made here                         {asked:>10.3} {here:>10.3}");
    println!("  {:.0} times less in all", theirs / (asked + here).max(0.001));

    let [theirs, _] = measured(AT_KEYSTONE, &keystone, None, || token(&front, &there, &secret));
    let [asked, here] = measured(AT_KEYSTONE, &keystone, Some(&ours), || {
        token(&server.https(), &by_secret, &secret);
    });
    println!("by secret, at Keystone                            {theirs:>10.3}          -");
    println!("by secret, passed on                              {asked:>10.3} {here:>10.3}");
    lab.distrust_jws_key("bench-os-oauth2");
}
