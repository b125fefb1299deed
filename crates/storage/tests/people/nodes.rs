//! What several nodes on one PostgreSQL server may rely on.

mod lease;
mod outages;
mod plans;
mod schema;

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_registry::{
    Client, ClientRegistration, ClientSecretText, ClientStore, Insertion, Pepper, SecretSet,
};
use sealstone_storage::SqlStore;
use sealstone_testkit::PostgresCluster;
use tokio::time::timeout;

use crate::{
    cluster::{cluster, config},
    fixtures::{add_domain, client_id, domain_id},
};

fn client(id: &str) -> Client {
    let hash = ClientSecretText::from_random([1; 32]).hash(&Pepper::from_bytes([7; 32]));
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_000));
    let secrets = Some(SecretSet::new(hash, None));
    ClientRegistration::default()
        .into_client(domain_id("demo"), client_id(id), secrets, now)
        .unwrap()
}

async fn add_client(store: &SqlStore, id: &str) {
    assert_eq!(store.insert(client(id)).await.unwrap(), Insertion::Inserted);
}

/// Two nodes on one new database, with one domain.
async fn two_nodes(cluster: &PostgresCluster) -> [SqlStore; 2] {
    let config = config(&cluster.database());
    let nodes = [
        SqlStore::open(config.clone()).await.unwrap(),
        SqlStore::open(config).await.unwrap(),
    ];
    add_domain(&nodes[0], "demo").await;
    nodes
}

async fn hears_of_a_change(nodes: &[SqlStore; 2], id: &str) {
    let mut heard = nodes[1].client_changes();
    heard.mark_unchanged();
    add_client(&nodes[0], id).await;
    let within = timeout(Duration::from_secs(1), heard.changed()).await;
    within.expect("heard within a second").unwrap();
    assert!(nodes[1].client(&client_id(id)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_change_on_one_node_is_heard_on_the_others_within_a_second() {
    let Some(cluster) = cluster() else { return };
    let nodes = two_nodes(&cluster).await;
    for number in 0..5 {
        hears_of_a_change(&nodes, &format!("told-{number}")).await;
    }
    // What a connection broker between swallows: nobody is told, and the nodes ask.
    let database = nodes[0].database().to_string();
    let name = database.rsplit('/').next().unwrap().to_owned();
    cluster.sql(
        &name,
        "CREATE OR REPLACE FUNCTION sealstone_count_change() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN UPDATE change_counts SET clients = clients + 1; RETURN NULL; END $$",
    );
    for number in 0..3 {
        hears_of_a_change(&nodes, &format!("asked-{number}")).await;
    }
}

#[tokio::test]
async fn a_change_by_hand_is_heard_too() {
    let Some(cluster) = cluster() else { return };
    let [node, _other] = two_nodes(&cluster).await;
    add_client(&node, "one").await;
    let mut heard = node.client_changes();
    heard.mark_unchanged();
    cluster.sql("test0", "DELETE FROM clients WHERE client_id = 'one'");
    timeout(Duration::from_secs(1), heard.changed())
        .await
        .expect("heard")
        .unwrap();
    assert_eq!(node.client(&client_id("one")).await.unwrap(), None);
}

/// Who asked has gone: what was begun is made to its end or not at all, and the connection serves the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_given_up_leave_no_connection_behind() {
    let Some(cluster) = cluster() else { return };
    let config = config(&cluster.database()).with_connections(2).unwrap();
    let node = SqlStore::open(config).await.unwrap();
    add_domain(&node, "demo").await;
    for number in 0..200_u64 {
        let (node, id) = (node.clone(), format!("c-{number}"));
        let given_up = tokio::spawn(async move {
            drop(node.client(&client_id(&id)).await);
            drop(node.insert(client(&id)).await);
        });
        tokio::task::yield_now().await;
        if number % 3 != 0 {
            tokio::time::sleep(Duration::from_micros(number * 17)).await;
        }
        given_up.abort();
    }
    let free = timeout(Duration::from_secs(5), node.client(&client_id("c-1"))).await;
    free.expect("a connection is free").unwrap();
    add_client(&node, "last").await;
    let open = cluster.ask(
        "postgres",
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sealstone'",
    );
    assert!(open.parse::<u32>().unwrap() <= 4, "{open} connections");
}
