//! Migrations, and databases that are not as they should be.

use std::{error::Error as _, time::Duration};

use sealstone_grants::code::CodeStore;
use sealstone_registry::{ClientStore, Replacement, StoreError};
use sealstone_storage::{Migrations, PostgresConfig, PostgresPassword, SqlErrorKind, SqlStore};
use sealstone_tokens::RevocationStore;

use super::{add_client, client, cluster, config};
use crate::fixtures::{add_domain, at, client_id, code, domain_id, hash};

const FIRST: &str = include_str!("../../../migrations/postgres/0001_all.sql");

async fn kind_of(url: &str) -> (SqlErrorKind, String) {
    let error = SqlStore::open(config(url)).await.unwrap_err();
    (error.kind(), error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_run_once_whoever_begins() {
    let Some(cluster) = cluster() else { return };
    let config = config(&cluster.database());
    let status = Migrations::status(config.clone()).await.unwrap();
    assert_eq!((status.version, status.latest, status.pending.len()), (0, 6, 6));
    let error = SqlStore::open_current(config.clone()).await.unwrap_err();
    assert_eq!(error.kind(), SqlErrorKind::SchemaOlder { found: 0 });
    assert!(error.to_string().contains("sealstoned db migrate"), "{error}");
    let mut nodes = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let config = config.clone();
        nodes.spawn(async move { Migrations::run(config).await.unwrap().pending.len() });
    }
    let mut ran = nodes.join_all().await;
    ran.sort_unstable();
    assert_eq!(ran, [0, 0, 0, 6], "one ran all steps, the others waited for it");
    let store = SqlStore::open_current(config).await.unwrap();
    assert!(store.status().await.unwrap().pending.is_empty());
    store.check_integrity().await.unwrap();
}

/// What the first version kept is there after the migration.
#[tokio::test]
async fn a_database_of_the_version_before_is_brought_up_to_date() {
    let Some(cluster) = cluster() else { return };
    let url = cluster.database();
    cluster.sql("test0", FIRST);
    let record = client("one").to_record().unwrap();
    cluster.sql(
        "test0",
        &format!(
            "INSERT INTO domains (id, record) VALUES ('demo', '{}');
             INSERT INTO clients (client_id, domain_id, version, record) VALUES ('one', 'demo', 1, '{record}');
             INSERT INTO revoked_tokens (domain_id, token_id, expires_at) VALUES ('demo', 'dead', 9000)",
            r#"{"id":"demo","name":"Demo","enabled":true}"#
        ),
    );
    assert_eq!(
        kind_of_current(&url).await,
        SqlErrorKind::SchemaOlder { found: 1 }
    );
    let store = SqlStore::open(config(&url)).await.unwrap();
    assert_eq!(
        *store.client(&client_id("one")).await.unwrap().unwrap(),
        client("one")
    );
    assert_eq!(crate::fixtures::revoked(&store, "demo").await, ["dead"]);
    store.insert_code(code(1)).await.unwrap();
}

async fn kind_of_current(url: &str) -> SqlErrorKind {
    SqlStore::open_current(config(url)).await.unwrap_err().kind()
}

/// A rolling upgrade: the next version's migration only adds, and the nodes of this one go on; one that takes something
/// away stops them with a reason.
#[tokio::test]
async fn a_later_schema_is_worked_with_as_far_as_it_says() {
    let Some(cluster) = cluster() else { return };
    let url = cluster.database();
    let running = SqlStore::open(config(&url)).await.unwrap();
    add_domain(&running, "demo").await;
    add_client(&running, "before").await;
    cluster.sql(
        "test0",
        "ALTER TABLE clients ADD COLUMN added TEXT NOT NULL DEFAULT 'x'; CREATE TABLE added (id BIGINT);
         CREATE INDEX added_index ON codes (forget_at, seq); UPDATE sealstone_schema SET version = 7",
    );
    add_client(&running, "during").await;
    assert!(running.client(&client_id("before")).await.unwrap().is_some());
    let restarted = SqlStore::open(config(&url)).await.unwrap();
    let status = restarted.status().await.unwrap();
    assert_eq!((status.version, status.latest, status.pending.len()), (7, 6, 0));
    add_client(&restarted, "after").await;

    cluster.sql("test0", "UPDATE sealstone_schema SET version = 7, oldest = 7");
    let (kind, text) = kind_of(&url).await;
    assert_eq!(kind, SqlErrorKind::SchemaNewer { found: 7 });
    assert!(text.contains("run the newer program"), "{text}");
    // The running node stops within a second: `hears` tells who balances the load.
    let mut hears = running.hears();
    let stopped = hears.wait_for(|hears| !hears);
    tokio::time::timeout(Duration::from_secs(1), stopped)
        .await
        .expect("within a second")
        .unwrap();
    let error = running.client(&client_id("before")).await.unwrap_err();
    assert!(
        error.source().unwrap().to_string().contains("schema version 7"),
        "{error:?}"
    );
}

/// While a rolling upgrade runs, a node of the schema before ends a client by its second alone: what this program knew of
/// versions no longer stands, until it ends the client itself.
#[tokio::test]
async fn o14_an_end_by_a_node_of_the_schema_before_is_one_by_its_second() {
    let Some(cluster) = cluster() else { return };
    let url = cluster.database();
    let store = SqlStore::open(config(&url)).await.unwrap();
    add_domain(&store, "demo").await;
    add_client(&store, "ci").await;
    let end = async || {
        let ended = store.ended_clients(&domain_id("demo"), at(1_000)).await.unwrap();
        ended.first().map(|ended| (ended.end.until, ended.end.version))
    };
    let set = async |enabled: bool, now: u64| {
        let before = store.client(&client_id("ci")).await.unwrap().unwrap();
        let after = before.with_enabled(enabled, at(now));
        assert_eq!(
            store.replace(before.version(), after).await.unwrap(),
            Replacement::Replaced
        );
    };
    set(false, 1_000).await;
    assert_eq!(end().await, Some((1_001, Some(2))));
    set(true, 1_000).await;
    cluster.sql(
        "test0",
        "INSERT INTO ended_clients (client_id, domain_id, until, forget_at) VALUES ('ci', 'demo', 1005, 4605)
         ON CONFLICT (domain_id, client_id) DO UPDATE SET until = excluded.until, forget_at = excluded.forget_at
         WHERE excluded.until > ended_clients.until",
    );
    assert_eq!(end().await, Some((1_005, None)));
    set(false, 1_002).await;
    assert_eq!(
        end().await,
        Some((1_005, Some(4))),
        "no second before the one that was told"
    );
}

#[tokio::test]
async fn what_is_not_our_database_is_refused_and_left_as_it_is() {
    let Some(cluster) = cluster() else { return };
    let url = cluster.database();
    cluster.sql("test0", "CREATE TABLE things (id BIGINT)");
    let (kind, text) = kind_of(&url).await;
    assert_eq!(kind, SqlErrorKind::NotOurs);
    assert!(text.contains("give an empty one of its own"), "{text}");
    assert_eq!(
        cluster.ask(
            "test0",
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ),
        "1"
    );

    for damage in [
        "UPDATE sealstone_schema SET version = -1",
        "UPDATE sealstone_schema SET version = 0, oldest = 0",
        "UPDATE sealstone_schema SET oldest = 9",
        "DELETE FROM sealstone_schema",
    ] {
        let url = cluster.database();
        let name = url.rsplit('/').next().unwrap().to_owned();
        SqlStore::open(config(&url)).await.unwrap().close().await;
        cluster.sql(&name, damage);
        assert_eq!(kind_of(&url).await.0, SqlErrorKind::NotOurs, "{damage}");
    }
    assert_eq!(kind_of(&cluster.url("nowhere")).await.0, SqlErrorKind::NoDatabase);
    let port = cluster.port();
    drop(cluster);
    let (kind, text) = kind_of(&format!("postgresql://sealstone@127.0.0.1:{port}/test0")).await;
    assert_eq!(kind, SqlErrorKind::Unreachable);
    assert!(text.contains("see whether it runs"), "{text}");
}

/// Truncated, swapped, missing: an error each, which names no content; never an absent record.
#[tokio::test]
async fn damaged_records_are_refused_and_not_shown() {
    let Some(cluster) = cluster() else { return };
    let url = cluster.database();
    let store = SqlStore::open(config(&url)).await.unwrap();
    add_domain(&store, "demo").await;
    for id in ["one", "two", "three"] {
        add_client(&store, id).await;
    }
    for number in [1, 2] {
        store.insert_code(code(number)).await.unwrap();
    }
    cluster.sql(
        "test0",
        "UPDATE clients SET record = left(record, 40) WHERE client_id = 'one';
         UPDATE clients SET record = (SELECT record FROM clients WHERE client_id = 'three') WHERE client_id = 'two';
         UPDATE codes SET record = (SELECT record FROM codes ORDER BY seq LIMIT 1);
         UPDATE codes SET produced = '{\"hush\": 1}' WHERE seq = 1",
    );
    for id in ["one", "two"] {
        let error = store.client(&client_id(id)).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{id}: {error:?}");
    }
    let list = store.list(&domain_id("demo"), None, 10).await;
    assert!(matches!(list, Err(StoreError::Corrupt { .. })));
    for number in [1, 2] {
        let shown = format!("{:?}", store.code(&hash(number)).await.unwrap_err());
        assert!(!shown.contains("hush"), "{shown}");
        if number == 1 {
            let spent = store.spend(&hash(number), at(1)).await.unwrap_err();
            assert!(!format!("{spent:?}").contains("hush"), "{spent:?}");
        }
    }
    cluster.sql("test0", "DROP TABLE codes");
    let error = store.code(&hash(1)).await.unwrap_err();
    assert!(format!("{error:?}").contains("Corrupt"), "{error:?}");
    assert!(store.client(&client_id("three")).await.unwrap().is_some());
}

/// Neither the log, nor an error, nor `Debug` says the password.
#[tokio::test]
async fn a_password_is_checked_and_never_shown() {
    let Some(cluster) = cluster() else { return };
    let url = cluster.database();
    cluster.sql(
        "test0",
        "CREATE ROLE guarded LOGIN PASSWORD 'right-one'; ALTER DATABASE test0 OWNER TO guarded",
    );
    let rules = cluster.data().join("pg_hba.conf");
    let trust = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(
        &rules,
        format!("host all guarded 127.0.0.1/32 scram-sha-256\n{trust}"),
    )
    .unwrap();
    cluster.sql("postgres", "SELECT pg_reload_conf()");
    let url = url.replace("sealstone@", "guarded@");
    let with = |password: &str| -> PostgresConfig {
        config(&url).with_password(PostgresPassword::new(password.to_owned().into()))
    };
    // The server reads its rules in its own time.
    let refused = loop {
        match SqlStore::open(with("wrong-one")).await {
            Err(error) => break error,
            Ok(store) => store.close().await,
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(refused.kind(), SqlErrorKind::Refused);
    assert!(refused.to_string().contains("password_file"), "{refused}");
    for shown in [
        format!("{refused:?}"),
        refused.to_string(),
        format!("{:?}", with("wrong-one")),
    ] {
        assert!(!shown.contains("wrong-one"), "{shown}");
    }
    let store = SqlStore::open(with("right-one")).await.unwrap();
    add_domain(&store, "demo").await;
    assert!(!cluster.log().contains("right-one"));
}
