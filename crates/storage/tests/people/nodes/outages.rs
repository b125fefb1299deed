//! What becomes of the changes and of the stores when the server goes.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use rustls_pki_types::UnixTime;
use sealstone_grants::code::{CodeState, CodeStore, Redeemed};
use sealstone_registry::ClientStore;
use sealstone_storage::{SqlErrorKind, SqlStore};
use sealstone_testkit::{CertificateSpec, ExtendedKeyUsage, PostgresCluster, TestCa};
use tokio::time::{sleep, timeout};

use super::{add_client, client, cluster, config, two_nodes};
use crate::fixtures::{at, client_id, code, hash, redemption};

/// How long a store may take until it works again after the server does: its longest pause, and a loaded machine.
const BACK: Duration = Duration::from_secs(10);

/// Tries until the store answers.
async fn works_again(store: &SqlStore) {
    let answers = async {
        while store.client(&client_id("nobody")).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(BACK, answers).await.expect("it works again");
}

/// Adds clients until told otherwise; gives those that were acknowledged.
fn writer(
    store: SqlStore,
    prefix: &'static str,
    mut stop: tokio::sync::watch::Receiver<bool>,
) -> tokio::task::JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut acknowledged = Vec::new();
        let mut number = 0_u32;
        while !*stop.borrow_and_update() {
            let id = format!("{prefix}-{number}");
            number += 1;
            match store.insert(client(&id)).await {
                Ok(_) => acknowledged.push(id),
                Err(_outage) => sleep(Duration::from_millis(10)).await,
            }
        }
        acknowledged
    })
}

/// A server that is killed in the middle of many changes loses none that it acknowledged, and the stores go on by
/// themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_server_loses_nothing_and_is_survived() {
    let Some(mut cluster) = cluster() else { return };
    let nodes = two_nodes(&cluster).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writers = [
        writer(nodes[0].clone(), "a", stopped.clone()),
        writer(nodes[1].clone(), "b", stopped),
    ];
    for round in 0..2 {
        sleep(Duration::from_millis(300)).await;
        let heard = nodes[0].changes();
        if round == 0 {
            cluster.kill();
        } else {
            cluster.stop();
        }
        assert!(
            nodes[0].client(&client_id("nobody")).await.is_err(),
            "an outage is an error"
        );
        let before = *heard.borrow();
        sleep(Duration::from_millis(1_000)).await;
        assert!(*heard.borrow() > before, "no cached record is trusted meanwhile");
        assert!(!*nodes[0].hears().borrow());
        cluster.resume();
        for node in &nodes {
            works_again(node).await;
        }
    }
    sleep(Duration::from_millis(300)).await;
    stop.send_replace(true);
    let mut all = 0;
    for written in writers {
        for id in written.await.unwrap() {
            all += 1;
            assert!(
                nodes[0].client(&client_id(&id)).await.unwrap().is_some(),
                "{id} is lost"
            );
        }
    }
    assert!(all > 20, "only {all} were written");
    let mut hears = nodes[1].hears();
    timeout(BACK, hears.wait_for(|hears| *hears))
        .await
        .unwrap()
        .unwrap();
}

/// The primary is lost, the replica takes over: with synchronous replication nothing acknowledged is lost, a code that
/// was spent stays spent, and the stores find the new primary by their list of hosts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fail_over_to_a_replica_loses_nothing() {
    if cluster().is_none() {
        return;
    }
    let mut primary = PostgresCluster::with(&["fsync=off", "wal_keep_size=64MB"]);
    let url = primary.database();
    let replica = primary.replica(&["fsync=off"]);
    // In the replica's configuration too, as where one file serves both.
    for server in [&primary, &replica] {
        server.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        server.sql("postgres", "SELECT pg_reload_conf()");
    }
    while primary.ask(
        "postgres",
        "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'",
    ) != "1"
    {
        sleep(Duration::from_millis(50)).await;
    }
    let both = url.replace(
        &format!("127.0.0.1:{}", primary.port()),
        &format!("127.0.0.1:{},127.0.0.1:{}", replica.port(), primary.port()),
    );
    let only_replica = replica.url("test0");
    let store = SqlStore::open(config(&both)).await.unwrap();
    crate::fixtures::add_domain(&store, "demo").await;
    store.insert_code(code(1)).await.unwrap();
    assert_eq!(
        store
            .redeem(&hash(1), &redemption(None), at(1_001))
            .await
            .unwrap(),
        Redeemed::Done
    );
    let refused = SqlStore::open(config(&only_replica)).await.unwrap_err();
    assert_eq!(refused.kind(), SqlErrorKind::ReadOnly, "{refused}");
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writing = writer(store.clone(), "w", stopped);
    sleep(Duration::from_millis(500)).await;
    primary.kill();
    replica.promote();
    works_again(&store).await;
    sleep(Duration::from_millis(300)).await;
    stop.send_replace(true);
    let written = writing.await.unwrap();
    assert!(written.len() > 10, "{}", written.len());
    for id in &written {
        assert!(
            store.client(&client_id(id)).await.unwrap().is_some(),
            "{id} is lost"
        );
    }
    let spent = store.code(&hash(1)).await.unwrap().unwrap();
    assert!(matches!(spent.state, CodeState::Spent(_)));
    let again = store
        .redeem(&hash(1), &redemption(None), at(1_002))
        .await
        .unwrap();
    assert!(matches!(again, Redeemed::Spent(_)), "{again:?}");
    add_client(&store, "after").await;
}

/// A node whose clock is off answers nothing, and goes on when it is set right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_clock_is_off_answers_nothing() {
    let Some(cluster) = cluster() else { return };
    let epoch = || {
        cluster.ask(
            "postgres",
            "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint",
        )
    };
    let shift = Arc::new(AtomicI64::new(0));
    let (start, begun) = (epoch().parse::<i64>().unwrap(), std::time::Instant::now());
    let clock = {
        let shift = Arc::clone(&shift);
        move || {
            let now =
                start + i64::try_from(begun.elapsed().as_secs()).unwrap() + shift.load(Ordering::Relaxed);
            UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap()))
        }
    };
    let config = config(&cluster.database()).with_clock(clock);
    let store = SqlStore::open(config).await.unwrap();
    crate::fixtures::add_domain(&store, "demo").await;
    for (off, side) in [(180, "ahead of"), (-180, "behind")] {
        shift.store(off, Ordering::Relaxed);
        let mut hears = store.hears();
        let stopped = timeout(Duration::from_secs(1), hears.wait_for(|hears| !hears)).await;
        drop(stopped.expect("within a second").unwrap());
        let error = store.insert(client("one")).await.unwrap_err();
        let shown = format!("{}", std::error::Error::source(&error).unwrap());
        assert!(shown.contains(side) && shown.contains("timedatectl"), "{shown}");
        assert!(store.client(&client_id("one")).await.is_err());
        shift.store(3, Ordering::Relaxed);
        works_again(&store).await;
    }
    add_client(&store, "one").await;
}

/// Across a network the server proves who it is; neither another's certificate nor plain text will do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_must_prove_its_name() {
    let Some(mut cluster) = cluster() else { return };
    let (ca, other) = (TestCa::new("Database CA"), TestCa::new("Another CA"));
    let spec = CertificateSpec::client("database")
        .usages(&[ExtendedKeyUsage::ServerAuth])
        .san_ip(IpAddr::from([127, 0, 0, 1]));
    let certificate = ca.issue(spec);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (ca, other) = (file("ca.pem", &ca.pem()), file("other.pem", &other.pem()));
    let url = cluster.database();
    let trusting = |path| config(&url).with_ca_file(path);
    let plain = SqlStore::open(trusting(&ca)).await.unwrap_err();
    assert_eq!(plain.kind(), SqlErrorKind::Tls, "{plain:?}");
    cluster.encrypt(&certificate.pem(), &certificate.key_pem());
    let store = SqlStore::open(trusting(&ca)).await.unwrap();
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE application_name = 'sealstone'";
    assert_eq!(cluster.ask("postgres", encrypted), "t");
    drop(store);
    let error = SqlStore::open(trusting(&other)).await.unwrap_err();
    assert_eq!(error.kind(), SqlErrorKind::Tls, "{error:?}");
    let elsewhere = config(&url.replace("127.0.0.1", "localhost")).with_ca_file(&ca);
    let error = SqlStore::open(elsewhere).await.unwrap_err();
    assert_eq!(error.kind(), SqlErrorKind::Tls, "{error:?}");
    assert!(error.to_string().contains("for this very host name"), "{error}");
}
