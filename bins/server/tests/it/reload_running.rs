//! What is in use while connections stand, and a reload replaces all the same: limits of connections, rotation, traces.

use crate::harness::{Ask, Collector, Connection, GRANT, TOKEN, World, eventually, secret};
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

/// So long that nobody waits for it, and so short that a test does not either.
const LATE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_millis(100);

fn ask() -> Ask {
    Ask::post(TOKEN).basic("basic", &secret("basic")).form(GRANT)
}

async fn world() -> World {
    let world = World::start().await;
    world.register("basic", json!({})).await;
    world
}

async fn connected(world: &World) -> Connection {
    let mut connection = world.https().connect(world.public).await.unwrap();
    connection.send(ask()).await.token();
    connection
}

async fn reload(world: &mut World, section: &str, key: &str, value: &str) {
    world.setup.set(section, key, value);
    assert!(world.reload_written().await, "{section}.{key} = {value}");
}

#[tokio::test]
async fn fewer_connections_and_more_again() {
    let mut world = world().await;
    let mut first = connected(&world).await;
    let mut second = connected(&world).await;
    reload(&mut world, "limits", "max_connections", "1").await;
    first.send(ask()).await.token();
    second.send(ask()).await.token();
    // Nobody new, until both have ended.
    let (https, public) = (world.https(), world.public);
    let mut third = Box::pin(https.connect(public));
    assert!(timeout(SOON, &mut third).await.is_err());
    drop(first);
    assert!(timeout(SOON, &mut third).await.is_err());
    drop(second);
    let mut third = timeout(LATE, third).await.unwrap().unwrap();
    third.send(ask()).await.token();
    reload(&mut world, "limits", "max_connections", "8").await;
    let _fourth = connected(&world).await;
    third.send(ask()).await.token();
    world.end().await;
}

#[tokio::test]
async fn another_share_of_an_address() {
    let mut world = world().await;
    let mut first = connected(&world).await;
    reload(&mut world, "limits", "max_connections_per_address", "1").await;
    assert!(world.https().connect(world.public).await.is_err());
    first.send(ask()).await.token();
    assert!(
        world
            .https()
            .from("127.0.0.2")
            .connect(world.public)
            .await
            .is_ok()
    );
    reload(&mut world, "limits", "max_connections_per_address", "2").await;
    let _second = connected(&world).await;
    assert!(world.https().connect(world.public).await.is_err());
    world.end().await;
}

#[tokio::test]
async fn another_patience_with_idle_connections() {
    let mut world = world().await;
    let mut of_before = connected(&world).await;
    reload(&mut world, "limits", "idle_timeout_s", "1").await;
    let mut idle = connected(&world).await;
    eventually("the idle connection is closed", || async { idle.is_closed() }).await;
    assert!(idle.try_send(ask()).await.is_err());
    // The default is 30 s.
    of_before.send(ask()).await.token();
    world.end().await;
}

/// The trail is tended each second.
#[tokio::test]
async fn the_trail_is_rotated_by_other_measures() {
    let mut world = World::with(|setup| {
        setup.set("audit", "rotate_mib", "0");
        setup.set("audit", "rotate_h", "0");
    })
    .await;
    world.register("basic", json!({})).await;
    let folder = world.setup.path("");
    let rotated = || {
        let all = std::fs::read_dir(&folder).unwrap();
        let names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let of_trail = |name: &String| name.starts_with("audit.jsonl.0");
        names.filter(of_trail).count()
    };
    let mut connection = connected(&world).await;
    // Some 700 octets each.
    for _ in 0..1_600 {
        connection.send(ask()).await.token();
    }
    assert_eq!(rotated(), 0);
    world.setup.set("audit", "rotate_mib", "1");
    assert!(world.reload_written().await);
    // The reload itself is an event after which the file is looked at.
    eventually("the file is closed", || async { rotated() == 1 }).await;
    connection.send(ask()).await.token();
    world.end().await;
}

#[tokio::test]
async fn traces_come_and_go_and_go_elsewhere() {
    let mut world = World::with(|setup| setup.set("log", "level", "'info'")).await;
    world.register("basic", json!({})).await;
    let (one, other) = (Collector::start().await, Collector::start().await);
    let named = |name: &str| ask().header("x-request-id", name);
    let mut connection = world.https().connect(world.public).await.unwrap();
    connection.send(named("nobody-1")).await.token();
    assert!(!world.plain("/metrics").await.contains("sealstone_traces_"));

    world.setup.set("traces", "url", &format!("'{}'", one.url));
    reload(&mut world, "traces", "sample_ratio", "1").await;
    connection.send(named("one-1")).await.token();
    assert!(!one.trace_of("one-1").await.is_empty());
    assert!(
        world.process.log().contains("one-1") || world.plain("/metrics").await.contains("sealstone_traces_")
    );

    // Elsewhere; what was counted is counted on.
    reload(&mut world, "traces", "url", &format!("'{}'", other.url)).await;
    connection.send(named("other-1")).await.token();
    assert!(!other.trace_of("other-1").await.is_empty());
    let sent = |spans: Vec<crate::harness::Span>, id: &str| {
        let named = |span: &crate::harness::Span| span.says("sealstone.request_id").as_deref() == Some(id);
        spans.iter().filter(|span| named(span)).count()
    };
    assert_eq!(sent(one.spans(), "other-1"), 0);
    eventually("what was counted is counted on", || async {
        let metrics = world.plain("/metrics").await;
        let delivered = "sealstone_traces_spans_total{outcome=\"delivered\"} ";
        let delivered = metrics.lines().find_map(|line| line.strip_prefix(delivered));
        delivered.unwrap().parse::<usize>().unwrap() >= 2
    })
    .await;

    // Refused: as it was.
    world.setup.set("traces", "sample_ratio", "7");
    assert!(!world.reload_written().await);
    connection.send(named("other-2")).await.token();
    assert!(!other.trace_of("other-2").await.is_empty());

    world.setup.remove_section("traces");
    assert!(world.reload_written().await);
    connection.send(named("nobody-2")).await.token();
    assert!(!world.plain("/metrics").await.contains("sealstone_traces_"));
    world.end().await;
    for collector in [one, other] {
        for id in ["nobody-1", "nobody-2"] {
            assert_eq!(sent(collector.spans(), id), 0, "{id}");
        }
    }
}

#[tokio::test]
async fn reloads_are_counted_and_a_refused_one_is_seen() {
    let mut world = world().await;
    async fn value(world: &World, name: &str) -> u64 {
        let metrics = world.plain("/metrics").await;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} in {metrics}"))
            .parse()
            .unwrap()
    }
    let began = value(&world, "sealstone_start_time_seconds").await;
    let last = "sealstone_last_good_reload_time_seconds";
    assert_eq!(value(&world, last).await, began);
    let good = world.setup.toml();
    world
        .setup
        .write("sealstoned.toml", good.replace("127.0.0.1:0", "nowhere"));
    assert!(!world.reload().await);
    eventually("it is counted", || async {
        value(&world, "sealstone_reload_refused").await == 1
    })
    .await;
    assert_eq!(
        value(&world, "sealstone_reloads_total{outcome=\"refused\"}").await,
        1
    );
    assert_eq!(value(&world, last).await, began);
    reload(&mut world, "limits", "body_deadline_s", "9").await;
    eventually("it is in order again", || async {
        value(&world, "sealstone_reload_refused").await == 0
    })
    .await;
    assert_eq!(
        value(&world, "sealstone_reloads_total{outcome=\"loaded\"}").await,
        1
    );
    assert!(value(&world, last).await >= began);
    world.end().await;
}
