//! What was acknowledged survives `kill -9` at any moment.
//!
//! This test starts itself as a child that writes as fast as it can and prints a line for each acknowledged change;
//! it kills the child after some number of lines, on the same file again and again, and then looks for every change
//! of every line.
#![cfg(all(unix, feature = "sqlite"))]

mod people;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use rustls_pki_types::UnixTime;
use sealstone_grants::assertion::{AssertionStore, AssertionUse, UsedAssertion};
use sealstone_identity::DomainId;
use sealstone_keyring::{KeyStore, Replaced, StoredRing};
use sealstone_oauth_types::{ClientId, TokenId};
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, ClientStore, Domain, DomainStore, Insertion, Pepper,
    Replacement, SecretSet,
};
use sealstone_storage::SqlStore;
use sealstone_tokens::{RevocationStore, RevokedToken};
use tokio::task::JoinSet;

const ROUNDS: usize = 24;
const WRITERS: usize = 8;
/// Names the database to the child.
const MARKER: &str = "SEALSTONE_TEST_KILL9_DATABASE";

fn at(secs: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(secs))
}

fn domain() -> DomainId {
    DomainId::parse("demo").unwrap()
}

fn secret(fill: u8) -> ClientSecretText {
    ClientSecretText::from_random([fill; 32])
}

fn pepper() -> Pepper {
    Pepper::from_bytes([7; 32])
}

fn token(id: &str) -> RevokedToken {
    RevokedToken {
        token_id: TokenId::parse(id).unwrap(),
        expires_at: at(9_999_999_999),
    }
}

fn assertion(id: &str) -> UsedAssertion {
    UsedAssertion {
        client_id: ClientId::parse("ci").unwrap(),
        id: id.to_owned(),
        forget_at: at(9_999_999_999),
    }
}

/// One line for one acknowledged change, in one write.
fn acknowledge(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("ack {line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// The child: registers clients, rotates their secrets, replaces rings, revokes tokens, uses assertions, and lets people
/// live, until it is killed.
#[test]
#[ignore = "the other test starts this one as a child process"]
fn child() {
    let Some(path) = std::env::var_os(MARKER) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = SqlStore::open(Path::new(&path)).await.unwrap();
        let demo = Domain::new(domain(), "Demo", true).unwrap();
        let _ = store.insert_domain(demo).await.unwrap();
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            writers.spawn(write(store.clone(), writer));
        }
        writers.join_all().await;
    });
}

async fn write(store: SqlStore, writer: usize) {
    let ring_of = format!("ring-{writer}");
    let mut generation = store.load(&ring_of).await.unwrap().map(|ring| ring.generation);
    for number in 0_u64.. {
        let id = format!("c-{}-{writer}-{number}", std::process::id());
        let secrets = SecretSet::new(secret(1).hash(&pepper()), None);
        let client = ClientRegistration::default()
            .into_client(domain(), ClientId::parse(&id).unwrap(), Some(secrets), at(1_000))
            .unwrap();
        assert_eq!(store.insert(client.clone()).await.unwrap(), Insertion::Inserted);
        acknowledge(&format!("client {id} 1"));

        let rotated = client
            .with_rotated_secret(secret(2).hash(&pepper()), None, Duration::ZERO, at(1_000))
            .unwrap();
        assert_eq!(
            ClientStore::replace(&store, 1, rotated).await.unwrap(),
            Replacement::Replaced
        );
        acknowledge(&format!("client {id} 2"));

        let next = generation.unwrap_or(0) + 1;
        let ring = StoredRing {
            generation: next,
            json: format!("{{\"generation\":{next}}}"),
        };
        assert_eq!(
            KeyStore::replace(&store, &ring_of, generation, &ring)
                .await
                .unwrap(),
            Replaced::Done
        );
        acknowledge(&format!("ring {ring_of} {next}"));
        generation = Some(next);

        store.revoke(&domain(), &token(&id)).await.unwrap();
        acknowledge(&format!("token {id} 1"));

        assert_eq!(
            store.use_once(&assertion(&id)).await.unwrap(),
            AssertionUse::First
        );
        acknowledge(&format!("assertion {id} 1"));

        people::live(&store, &id).await;
    }
}

struct Writing {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

/// A child of a test that fails does not write on.
impl Drop for Writing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Writing {
    fn start(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
            .env(MARKER, path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads `count` acknowledgements, kills the child, and reads those that it had still written.
    fn kill_after(mut self, count: usize) -> Vec<String> {
        let mut acknowledged = Vec::new();
        let mut killed = false;
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            acknowledged.extend(line.split_once("ack ").map(|(_, change)| change.to_owned()));
            if acknowledged.len() >= count && !killed {
                self.child.kill().unwrap();
                killed = true;
            }
        }
        assert!(
            killed,
            "the child ended by itself after {} changes",
            acknowledged.len()
        );
        acknowledged
    }
}

/// The last acknowledged number of each thing.
fn last(acknowledged: &[String]) -> BTreeMap<(String, String), u64> {
    let mut last = BTreeMap::new();
    for line in acknowledged {
        let words: Vec<&str> = line.split(' ').collect();
        let [kind, id, number] = words[..] else {
            panic!("odd line: {line}")
        };
        let number: u64 = number.parse().unwrap();
        let known = last.entry((kind.to_owned(), id.to_owned())).or_insert(number);
        *known = number.max(*known);
    }
    last
}

async fn check(path: &Path, acknowledged: &[String]) {
    let store = SqlStore::open(path).await.unwrap();
    store.check_integrity().await.unwrap();
    let revoked = store.revoked(&domain(), at(0)).await.unwrap();
    for ((kind, id), number) in last(acknowledged) {
        match kind.as_str() {
            "client" => {
                let client = store.client(&ClientId::parse(&id).unwrap()).await.unwrap();
                check_client(&client.unwrap_or_else(|| panic!("client {id} is lost")), number);
            }
            "ring" => {
                let ring = store
                    .load(&id)
                    .await
                    .unwrap()
                    .unwrap_or_else(|| panic!("{id} is lost"));
                assert!(ring.generation >= number, "{id}: generation {number} is lost");
                assert_eq!(ring.json, format!("{{\"generation\":{}}}", ring.generation));
            }
            "assertion" => {
                let used = store.use_once(&assertion(&id)).await.unwrap();
                assert_eq!(used, AssertionUse::Again, "the use of {id} is lost");
            }
            "token" => assert!(revoked.contains(&token(&id)), "the revocation of {id} is lost"),
            other => people::check(&store, other, &id, number).await,
        }
    }
    store.close().await;
}

fn check_client(client: &Client, version: u64) {
    assert!(
        client.version() >= version,
        "{}: version {version} is lost",
        client.id().as_str()
    );
    let set = client.auth().secrets().unwrap();
    let good = |fill| set.verify(&pepper(), secret(fill).secret(), at(2_000));
    let rotated = client.version() == 2;
    assert_eq!(
        (good(1), good(2)),
        (!rotated, rotated),
        "{}: the wrong secret is good",
        client.id().as_str()
    );
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("test.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        // 1, 8, 15, ... : in the midst of the first group, of a later one, between two.
        let count = 1 + round * 9 + round * round % 5;
        acknowledged.extend(Writing::start(&path).kill_after(count));
        if round % 6 == 0 {
            runtime.block_on(check(&path, &acknowledged));
        }
    }
    runtime.block_on(check(&path, &acknowledged));
    runtime.block_on(async {
        let store = SqlStore::open(&path).await.unwrap();
        for ((kind, id), _) in last(&acknowledged) {
            if kind == "code" {
                people::exchange_again(&store, &id).await;
            }
        }
    });
    assert!(
        acknowledged.len() >= ROUNDS * 20,
        "{} changes",
        acknowledged.len()
    );
}
