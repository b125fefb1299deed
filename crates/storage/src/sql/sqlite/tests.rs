mod people;
mod plans;

use std::{error::Error, fs, path::PathBuf, time::Duration};

use rustls_pki_types::UnixTime;
use sealstone_identity::DomainId;
use sealstone_keyring::{KeyStore, StoredRing};
use sealstone_oauth_types::ClientId;
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, ClientStore, Domain, DomainStore, Insertion, Pepper,
    SecretSet, StoreError,
};
use sqlx::{Connection as _, Executor, SqliteConnection};
use tempfile::TempDir;

use super::{writer::Pending, *};
use crate::{
    CachedClients,
    sql::{
        Database, Migrations, SqlErrorKind, SqlStore,
        change::{Change, Outcome},
    },
};

fn id(id: &str) -> ClientId {
    ClientId::parse(id).unwrap()
}

fn demo() -> Domain {
    Domain::new(DomainId::parse("demo").unwrap(), "Demo", true).unwrap()
}

fn client(name: &str) -> Client {
    let hash = ClientSecretText::from_random([1; 32]).hash(&Pepper::from_bytes([7; 32]));
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_000));
    let secrets = Some(SecretSet::new(hash, None));
    ClientRegistration::default()
        .into_client(demo().id().clone(), id(name), secrets, now)
        .unwrap()
}

/// A folder with a database of one domain and one client, closed.
async fn prepared() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let store = SqlStore::open(&path).await.unwrap();
    assert_eq!(store.insert_domain(demo()).await.unwrap(), Insertion::Inserted);
    assert_eq!(store.insert(client("one")).await.unwrap(), Insertion::Inserted);
    store.close().await;
    (folder, path)
}

async fn connect(path: &Path) -> SqliteConnection {
    options(path).connect().await.unwrap()
}

fn insertion(name: &str) -> Change {
    let client = client(name);
    Change::InsertClient {
        id: name.to_owned(),
        domain: "demo".to_owned(),
        version: 1,
        record: client.to_record().unwrap(),
    }
}

type Answer = oneshot::Receiver<Result<Outcome, Arc<Failure>>>;

fn job(change: Change) -> (Box<dyn Pending>, Answer) {
    let (job, answer) = Job::new(change);
    (job, answer)
}

/// The file, with everything SQLite put beside it.
fn files(folder: &TempDir) -> Vec<PathBuf> {
    fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

#[tokio::test]
async fn what_was_stored_is_there_after_closing_and_after_dropping() {
    let (_folder, path) = prepared().await;
    let store = SqlStore::open(&path).await.unwrap();
    assert_eq!(*store.client(&id("one")).await.unwrap().unwrap(), client("one"));
    assert_eq!(store.insert(client("two")).await.unwrap(), Insertion::Inserted);
    drop(store);
    let store = SqlStore::open_current(&path).await.unwrap();
    assert!(store.client(&id("two")).await.unwrap().is_some());
    store.check_integrity().await.unwrap();
}

/// What `kill -9` cannot show: that a commit waits for the disk.
#[tokio::test]
async fn every_connection_is_durable_and_holds_references() {
    let (_folder, path) = prepared().await;
    let mut connection = connect(&path).await;
    for (pragma, want) in [
        ("PRAGMA journal_mode", "wal"),
        ("PRAGMA synchronous", "2"),
        ("PRAGMA foreign_keys", "1"),
        ("PRAGMA busy_timeout", "5000"),
        ("PRAGMA trusted_schema", "0"),
        ("PRAGMA cache_size", "-512"),
    ] {
        let row = connection.fetch_one(pragma).await.unwrap();
        let value = row
            .try_get::<String, _>(0)
            .or_else(|_| row.try_get::<i64, _>(0).map(|n| n.to_string()));
        assert_eq!(value.unwrap(), want, "{pragma}");
    }
    let orphaned = connection.execute("DELETE FROM domains").await.unwrap_err();
    assert!(orphaned.to_string().contains("FOREIGN KEY"), "{orphaned}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_may_make_the_database_at_once() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let mut openers = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let path = path.clone();
            openers.spawn(async move { SqlStore::open(&path).await.map(|_| ()) });
        }
        for outcome in openers.join_all().await {
            outcome.unwrap();
        }
    }
}

#[tokio::test]
async fn a_backup_made_while_the_store_is_open_is_whole() {
    let (folder, path) = prepared().await;
    let store = SqlStore::open(&path).await.unwrap();
    assert_eq!(store.insert(client("two")).await.unwrap(), Insertion::Inserted);
    let backup = folder.path().join("backup.db");
    let into = sqlx::query("VACUUM INTO ?1").bind(backup.to_str().unwrap());
    into.execute(&mut connect(&path).await).await.unwrap();
    let restored = SqlStore::open_current(&backup).await.unwrap();
    assert!(restored.client(&id("one")).await.unwrap().is_some());
    assert!(restored.client(&id("two")).await.unwrap().is_some());
    restored.check_integrity().await.unwrap();
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let (_folder, path) = prepared().await;
    let store = SqlStore::open(&path).await.unwrap();
    store.close().await;
    store.close().await;
    for error in [
        store.client(&id("one")).await.unwrap_err(),
        store.insert(client("two")).await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Unavailable { .. }));
        assert!(
            error
                .source()
                .unwrap()
                .to_string()
                .contains("the store is closed"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_warm_read_touches_no_database() {
    let (_folder, path) = prepared().await;
    let store = SqlStore::open(&path).await.unwrap();
    let cached = CachedClients::new(Arc::new(store.clone()), store.client_changes(), 100);
    assert!(cached.client(&id("one")).await.unwrap().is_some());
    store.close().await;
    assert!(cached.client(&id("one")).await.unwrap().is_some());
    assert!(cached.client(&id("two")).await.is_err());
}

#[tokio::test]
async fn only_changes_of_clients_make_cached_clients_old() {
    let (_folder, path) = prepared().await;
    let store = SqlStore::open(&path).await.unwrap();
    let (clients, rings, all) = (store.client_changes(), store.key_ring_changes(), store.changes());
    let before = (*clients.borrow(), *rings.borrow(), *all.borrow());
    let ring = StoredRing {
        generation: 1,
        json: "{}".to_owned(),
    };
    KeyStore::replace(&store, "demo", None, &ring).await.unwrap();
    assert_eq!(
        (*clients.borrow(), *rings.borrow(), *all.borrow()),
        (before.0, before.1 + 1, before.2 + 1)
    );
    // What changes nothing is announced to nobody.
    assert_eq!(store.insert(client("one")).await.unwrap(), Insertion::Exists);
    assert_eq!(*all.borrow(), before.2 + 1);
    assert_eq!(store.insert(client("two")).await.unwrap(), Insertion::Inserted);
    assert_eq!(*clients.borrow(), before.0 + 1);
}

/// Also what somebody does by hand counts.
#[tokio::test]
async fn a_change_by_hand_is_announced_and_a_damaged_record_is_refused() {
    let (_folder, path) = prepared().await;
    let store = SqlStore::open(&path).await.unwrap();
    let cached = CachedClients::new(Arc::new(store.clone()), store.client_changes(), 100);
    assert!(cached.client(&id("one")).await.unwrap().is_some());
    let mut changes = store.client_changes();
    let mut hand = connect(&path).await;
    hand.execute("UPDATE clients SET record = replace(record, '\"enabled\":true', '\"enabled\":1')")
        .await
        .unwrap();
    changes.changed().await.unwrap();
    let error = cached.client(&id("one")).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Corrupt { what, .. } if what == "client one"),
        "{error:?}"
    );
    hand.execute("UPDATE clients SET record = replace(record, '\"enabled\":1', '\"enabled\":false')")
        .await
        .unwrap();
    changes.changed().await.unwrap();
    assert!(!cached.client(&id("one")).await.unwrap().unwrap().is_enabled());
    hand.execute("UPDATE clients SET client_id = 'two'")
        .await
        .unwrap();
    assert!(
        matches!(store.client(&id("two")).await, Err(StoreError::Corrupt { .. })),
        "a record under another id"
    );
}

#[tokio::test]
async fn a_change_that_fails_spoils_no_other_of_its_group() {
    let (_folder, path) = prepared().await;
    let mut hand = connect(&path).await;
    let raise = "CREATE TRIGGER refuse BEFORE INSERT ON clients WHEN NEW.client_id LIKE 'bad%'
                 BEGIN SELECT RAISE(ABORT, 'refused on purpose'); END";
    hand.execute(raise).await.unwrap();
    let group = [
        insertion("good-1"),
        insertion("bad-1"),
        insertion("one"),
        insertion("bad-2"),
        insertion("good-2"),
    ];
    let mut writer = Connection::Sqlite(hand);
    let before = counts(&mut writer).await.unwrap();
    let (mut jobs, answers): (Vec<Box<dyn Pending>>, Vec<_>) = group.into_iter().map(job).unzip();
    let counts = writer::transaction(&mut writer, &mut jobs).await.unwrap();
    jobs.into_iter().for_each(Pending::answer);
    let mut outcomes: Vec<Option<Outcome>> = Vec::new();
    for answer in answers {
        outcomes.push(answer.await.unwrap().ok());
    }
    let (made, refused) = (Some(Outcome::Changed(1)), None);
    assert_eq!(outcomes, [made, refused, Some(Outcome::Exists), refused, made]);
    assert_eq!(counts.unwrap().clients, before.clients + 2);
    let store = SqlStore::open(&path).await.unwrap();
    for (name, there) in [
        ("good-1", true),
        ("bad-1", false),
        ("bad-2", false),
        ("good-2", true),
    ] {
        assert_eq!(store.client(&id(name)).await.unwrap().is_some(), there, "{name}");
    }
    // The same through the store: the port's error, and the store goes on.
    let error = store.insert(client("bad-3")).await.unwrap_err();
    assert!(
        error
            .source()
            .unwrap()
            .source()
            .unwrap()
            .to_string()
            .contains("refused on purpose")
    );
    assert_eq!(store.insert(client("good-3")).await.unwrap(), Insertion::Inserted);
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_is_survived() {
    let (_folder, path) = prepared().await;
    let small = options(&path).pragma("max_page_count", "40");
    let feed = Arc::new(Feed::new(crate::feed::Counts::default()));
    let (jobs, queue) = mpsc::channel(10);
    let task = tokio::spawn(writer::run(
        Connection::Sqlite(small.connect().await.unwrap()),
        small,
        queue,
        Arc::clone(&feed),
    ));
    let write = async |change| {
        let (job, answer) = job(change);
        assert!(jobs.send(Work::Change(job)).await.is_ok());
        answer.await.unwrap()
    };
    assert_eq!(write(insertion("two")).await.unwrap(), Outcome::Changed(1));
    let large = Change::ReplaceRing {
        domain: "demo".to_owned(),
        expected: None,
        generation: 1,
        ring: "x".repeat(1_000_000),
        is_led: true,
    };
    let failure = write(large).await.unwrap_err();
    assert_eq!(failure.kind(), SqlErrorKind::Full);
    let text = Failure::Shared(failure).at(&Database::from(&path)).to_string();
    assert!(text.contains("the disk is full: free space"), "{text}");
    assert_eq!(write(insertion("three")).await.unwrap(), Outcome::Changed(1));
    drop(jobs);
    task.await.unwrap();
    let store = SqlStore::open(&path).await.unwrap();
    assert!(store.client(&id("two")).await.unwrap().is_some());
    assert!(store.client(&id("three")).await.unwrap().is_some());
    store.check_integrity().await.unwrap();
}

#[tokio::test]
async fn a_locked_database_is_told_from_a_broken_one() {
    let (_folder, path) = prepared().await;
    let mut holder = connect(&path).await;
    holder.execute("BEGIN IMMEDIATE").await.unwrap();
    let hasty = options(&path).busy_timeout(Duration::ZERO);
    let mut writer = Connection::Sqlite(hasty.connect().await.unwrap());
    let change = || insertion("two");
    let failure = writer::transaction(&mut writer, &mut [job(change()).0])
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), SqlErrorKind::Busy);
    holder.execute("COMMIT").await.unwrap();
    assert!(
        writer::transaction(&mut writer, &mut [job(change()).0])
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn the_file_and_its_companions_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (folder, path) = prepared().await;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let store = SqlStore::open(&path).await.unwrap();
    assert_eq!(store.insert(client("two")).await.unwrap(), Insertion::Inserted);
    let files = files(&folder);
    assert_eq!(files.len(), 3, "{files:?}");
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn migrations_are_counted_run_once_and_never_run_backwards() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let status = Migrations::status(&path).await.unwrap();
    assert_eq!((status.version, status.latest, status.pending.len()), (0, 6, 6));
    assert!(files(&folder).is_empty(), "a look makes no file");
    assert_eq!(
        SqlStore::open_current(&path).await.unwrap_err().kind(),
        SqlErrorKind::NoFile
    );
    fs::write(&path, "").unwrap();
    let error = SqlStore::open_current(&path).await.unwrap_err();
    assert_eq!(error.kind(), SqlErrorKind::SchemaOlder { found: 0 });
    assert!(error.to_string().contains("sealstoned db migrate"), "{error}");

    // Two at once: each step runs once.
    let (one, two) = tokio::join!(Migrations::run(&path), Migrations::run(&path));
    let mut ran = [one.unwrap().pending.len(), two.unwrap().pending.len()];
    ran.sort_unstable();
    assert_eq!(ran, [0, 6]);
    let store = SqlStore::open_current(&path).await.unwrap();
    assert!(store.status().await.unwrap().pending.is_empty());
    store.close().await;

    connect(&path)
        .await
        .execute("PRAGMA user_version = 7")
        .await
        .unwrap();
    for error in [
        SqlStore::open(&path).await.unwrap_err(),
        SqlStore::open_current(&path).await.unwrap_err(),
        Migrations::run(&path).await.unwrap_err(),
        Migrations::status(&path).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), SqlErrorKind::SchemaNewer { found: 7 });
        assert!(error.to_string().contains("run the newer program"), "{error}");
    }
}

#[tokio::test]
async fn what_is_not_our_database_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("text"), "This is no database. ".repeat(100)).unwrap();
    fs::create_dir(at("folder")).unwrap();
    let mut foreign = SqliteConnectOptions::new()
        .filename(at("foreign"))
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    foreign.execute("CREATE TABLE things (id)").await.unwrap();
    foreign.close().await.unwrap();
    let contents = |name: &str| fs::read(at(name)).unwrap();
    let (text, database) = (contents("text"), contents("foreign"));
    for (name, kind) in [
        ("text", SqlErrorKind::NotADatabase),
        ("folder", SqlErrorKind::NotADatabase),
        ("foreign", SqlErrorKind::NotOurs),
        ("nowhere/test.db", SqlErrorKind::NoFolder),
        ("text/test.db", SqlErrorKind::NoFolder),
    ] {
        let error = SqlStore::open(&at(name)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error:?}");
        assert!(
            error.to_string().starts_with(&at(name).display().to_string()),
            "{error}"
        );
        assert_eq!(error.database().to_string(), at(name).display().to_string());
    }
    assert_eq!((contents("text"), contents("foreign")), (text, database));
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let locked = folder.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    let outcome = SqlStore::open(&locked.join("test.db")).await;
    let superuser = fs::write(locked.join("probe"), "").is_ok();
    match outcome {
        Ok(_) => assert!(superuser, "only the superuser may write there"),
        Err(error) => assert_eq!(error.kind(), SqlErrorKind::Permission, "{error:?}"),
    }
    let read_only = Failure::Io(std::io::ErrorKind::ReadOnlyFilesystem.into()).at(&Database::from(&locked));
    assert_eq!(read_only.kind(), SqlErrorKind::Permission);
    assert!(
        read_only.to_string().contains("must be readable and writable"),
        "{read_only}"
    );
}

#[tokio::test]
async fn a_damaged_database_is_told() {
    let (folder, path) = prepared().await;
    let store = SqlStore::open(&path).await.unwrap();
    for number in 0..100 {
        assert_eq!(
            store.insert(client(&format!("client-{number}"))).await.unwrap(),
            Insertion::Inserted
        );
    }
    store.check_integrity().await.unwrap();
    store.close().await;
    assert_eq!(files(&folder).len(), 1, "closing leaves the one file");
    let mut bytes = fs::read(&path).unwrap();
    for byte in &mut bytes[3 * 4096..] {
        *byte = 0x5a;
    }
    fs::write(&path, bytes).unwrap();
    // Found when it is opened, or when it is checked; never taken for an empty table.
    let error = match SqlStore::open(&path).await {
        Err(error) => error,
        Ok(store) => {
            let read = store.client(&id("client-50")).await;
            assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
            store.check_integrity().await.unwrap_err()
        }
    };
    assert_eq!(error.kind(), SqlErrorKind::Corrupt, "{error:?}");
    assert!(
        error.to_string().contains("restore the file from a backup"),
        "{error}"
    );
}
