//! `[traces]`: requests as a collector sees them, and a collector that is not there.

use crate::harness::{Ask, Collector, GRANT, ISSUER, Setup, Span, TOKEN, World, secret, signal};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PROXY_SECRET: &str = "between-the-two-of-us-0123456789";
/// What a caller names: its trace and its span.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn traced(setup: &mut Setup, url: &str, more: &[(&str, &str)]) {
    setup.set("traces", "url", &format!("'{url}'"));
    setup.set("traces", "sample_ratio", "1");
    setup.set("log", "level", "'info'");
    for (key, value) in more {
        setup.set("traces", key, value);
    }
}

async fn world(collector: &Collector, more: &[(&str, &str)]) -> World {
    let world = World::with(|setup| traced(setup, &collector.url, more)).await;
    world
        .register("ci", json!({"token_endpoint_auth_method": "client_secret_basic"}))
        .await;
    world
}

/// A token request that names itself.
fn ask(id: &str) -> Ask {
    Ask::post(TOKEN)
        .basic("ci", &secret("ci"))
        .form(GRANT)
        .header("x-request-id", id)
}

/// What the admin listener answers.
async fn admin(world: &World, path: &str) -> String {
    let mut stream = TcpStream::connect(world.admin).await.unwrap();
    let ask = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

async fn metric(world: &World, name: &str) -> u64 {
    let text = admin(world, "/metrics").await;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} in {text}"))
        .parse()
        .unwrap()
}

/// The log's lines that name this request, as JSON.
fn lines_of(world: &World, id: &str) -> Vec<Value> {
    let log = world.process.log();
    let lines = log.lines().filter(|line| line.contains(id));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_token_request_is_one_trace_with_its_parts() {
    let collector = Collector::start().await;
    let world = world(&collector, &[]).await;
    let token = world.https().send(world.public, ask("first-1")).await.token();
    let trace = collector.trace_of("first-1").await;
    let request = trace.last().unwrap();
    assert_eq!(request.name, "POST /v4/oauth2/{domain_id}/token");
    assert_eq!(
        (request.kind, request.status.code, &request.parent_span_id),
        (2, None, &None)
    );
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/v4/oauth2/{domain_id}/token"),
        ("http.response.status_code", "200"),
        ("url.scheme", "https"),
        ("sealstone.domain.id", "demo"),
        ("sealstone.endpoint", "token"),
        ("sealstone.request_id", "first-1"),
    ] {
        assert_eq!(request.says(key).as_deref(), Some(value), "{key}");
    }
    // The client was not known yet: it is read from the database, within the request.
    let read = trace
        .iter()
        .find(|span| span.says("db.system.name").is_some())
        .unwrap();
    assert_eq!(read.parent_span_id.as_ref(), Some(&request.span_id));
    assert_eq!((read.kind, read.name.as_str()), (3, "SELECT"));
    assert!(read.says("db.query.text").unwrap().contains("$1"), "{read:?}");

    // Once the store has seen that its own change was the last, the client is remembered: there is nothing to wait for.
    let mut is_remembered = false;
    for number in 0..5 {
        let id = format!("again-{number}");
        world.https().send(world.public, ask(&id)).await.token();
        is_remembered |= collector.trace_of(&id).await.len() == 1;
    }
    assert!(is_remembered, "{:?}", collector.spans());

    // A refusal is the caller's fault, and no error of ours.
    let wrong = Ask::post(&format!("{TOKEN}?client_secret=in-the-query-1"))
        .basic("ci", "not-the-secret-1")
        .form(format!("{GRANT}&client_assertion=in-the-form-1"))
        .header("cookie", "__Host-session=in-the-cookie-1")
        .header("x-request-id", "third-1");
    assert_ne!(world.https().send(world.public, wrong).await.status, 200);
    let refused = collector.trace_of("third-1").await;
    assert_eq!(refused.last().unwrap().status.code, None);
    let unknown = Ask::get("/nothing/here-1?code=abc").header("x-request-id", "fourth-1");
    world.https().send(world.public, unknown).await;
    let unknown = collector.trace_of("fourth-1").await;
    assert_eq!(unknown.last().unwrap().name, "GET");

    // S: never a secret, whoever sent it and wherever.
    let text = collector.text();
    let parts = [
        secret("ci"),
        token.clone(),
        token.split('.').nth(2).unwrap().to_owned(),
    ];
    let sent = [
        "in-the-query-1",
        "not-the-secret-1",
        "in-the-form-1",
        "in-the-cookie-1",
        "here-1",
        "code=abc",
    ];
    for secret in parts.iter().map(String::as_str).chain(sent) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(metric(&world, "sealstone_traces_spans_total{outcome=\"delivered\"}").await >= 5);
    assert_eq!(metric(&world, "sealstone_traces_failing").await, 0);
    world.end().await;
}

/// What ends in the queue at the end of the process is delivered, and not lost.
#[tokio::test]
async fn what_is_left_is_delivered_at_the_end() {
    let collector = Collector::start().await;
    let world = world(&collector, &[]).await;
    for number in 0..20 {
        world
            .https()
            .send(world.public, ask(&format!("left-{number}")))
            .await
            .token();
    }
    world.end().await;
    let requests = collector.spans();
    let ids: Vec<_> = requests
        .iter()
        .filter_map(|span| span.says("sealstone.request_id"))
        .collect();
    assert_eq!(
        ids.iter().filter(|id| id.starts_with("left-")).count(),
        20,
        "{ids:?}"
    );
}

/// An outsider's `traceparent` is nothing; that of a network that was named is the trace, in the log too.
#[tokio::test]
async fn a_traceparent_counts_from_whom_the_configuration_says() {
    let collector = Collector::start().await;
    let outside = world(&collector, &[("traceparent_networks", "['10.0.0.0/8']")]).await;
    let asked = ask("outside-1")
        .header("traceparent", PARENT)
        .header("baggage", "user=alice-1");
    outside.https().send(outside.public, asked).await.token();
    let request = collector.trace_of("outside-1").await.pop().unwrap();
    assert_ne!(request.trace_id, TRACE);
    assert_eq!(request.parent_span_id, None);
    outside.end().await;

    let more = [
        ("traceparent_networks", "['127.0.0.0/8']"),
        ("sample_ratio", "0"),
        ("follow_sampled_flag", "true"),
    ];
    let inside = world(&collector, &more).await;
    // Something that is worth a line: a fault of ours within the request.
    let asked = ask("inside-1")
        .header("traceparent", PARENT)
        .header("tracestate", "vendor=state-1")
        .header("baggage", "user=alice-1");
    inside.https().send(inside.public, asked).await.token();
    let request = collector.trace_of("inside-1").await.pop().unwrap();
    assert_eq!(request.trace_id, TRACE);
    assert_eq!(request.parent_span_id.as_deref(), Some("00f067aa0ba902b7"));
    assert_ne!(request.span_id, "00f067aa0ba902b7");
    // Without the flag the share decides, and it is nothing.
    let unsampled = ask("inside-2").header("traceparent", PARENT.replace("-01", "-00"));
    inside.https().send(inside.public, unsampled).await.token();
    let two = [PARENT, PARENT]
        .iter()
        .fold(ask("inside-3"), |ask, one| ask.header("traceparent", one));
    inside.https().send(inside.public, two).await.token();
    let last = ask("inside-4").header("traceparent", PARENT.replace("902b7", "902b8"));
    inside.https().send(inside.public, last).await.token();
    collector.trace_of("inside-4").await;
    let ids: Vec<String> = collector
        .spans()
        .iter()
        .filter_map(|span: &Span| span.says("sealstone.request_id"))
        .collect();
    assert!(
        !ids.iter().any(|id| id == "inside-2" || id == "inside-3"),
        "{ids:?}"
    );
    let text = collector.text();
    assert!(!text.contains("state-1") && !text.contains("alice-1"), "{text}");
    inside.end().await;
}

/// Lines of the log name the trace of their request, at any level, and none where nothing is traced.
#[tokio::test]
async fn lines_of_the_log_name_their_trace() {
    let collector = Collector::start().await;
    let more = [("traceparent_networks", "['127.0.0.0/8']")];
    let mut world = World::with(|setup| {
        traced(setup, &collector.url, &more);
        setup.set("proxy", "trusted_networks", "['127.0.0.0/8']");
        setup.set("proxy", "form", "'rfc9440'");
        setup.write_private("proxy.secret", PROXY_SECRET);
        setup.set("proxy", "secret_header", "'x-proxy-secret'");
        setup.set("proxy", "secret_file", "'proxy.secret'");
    })
    .await;
    world
        .register("ci", json!({"token_endpoint_auth_method": "client_secret_basic"}))
        .await;
    // A proxy that forwards what is no certificate is worth a line.
    let wrong = |id: &str| {
        ask(id)
            .header("traceparent", PARENT)
            .header("x-proxy-secret", PROXY_SECRET)
            .header("client-cert", ":bm90IG9uZQ==:")
    };
    let refused = world.https().send(world.public, wrong("line-1")).await;
    refused.is_refused(400, "invalid_request");
    world
        .process
        .logged(|line| line.contains("line-1").then_some(()))
        .await;
    let lines = lines_of(&world, "line-1");
    assert_eq!(lines[0]["message"], "the forwarded certificate cannot be read");
    for line in &lines {
        assert_eq!(line["span"]["trace.id"], TRACE, "{line}");
        assert_eq!(line["span"]["request.id"], "line-1", "{line}");
    }
    // SIGHUP changes the level of the log, and not what is traced.
    world.setup.set("log", "level", "'error'");
    world.setup.write_config();
    let before = world.process.log_length();
    signal(world.process.id(), "HUP");
    world
        .process
        .logged_from(before, |line| line.contains("reloaded").then_some(()))
        .await;
    let refused = world.https().send(world.public, wrong("line-2")).await;
    refused.is_refused(400, "invalid_request");
    collector.trace_of("line-2").await;
    assert_eq!(lines_of(&world, "line-2"), Vec::<Value>::new());
    world.end().await;
}

/// A collector that is away, hangs or refuses costs a count, and nobody waits for it: neither requests nor the end.
#[tokio::test]
async fn a_collector_that_is_away_stops_nobody() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    drop(listener);
    let world = World::with(|setup| traced(setup, &url, &[("queue_spans", "8")])).await;
    world
        .register("ci", json!({"token_endpoint_auth_method": "client_secret_basic"}))
        .await;
    let told = |line: &str| line.contains("traces can't be delivered").then_some(());
    world.https().send(world.public, ask("away-1")).await.token();
    world.process.logged(told).await;
    for number in 0..40 {
        world
            .https()
            .send(world.public, ask(&format!("away-{number}")))
            .await
            .token();
    }
    assert!(metric(&world, "sealstone_traces_spans_total{outcome=\"queue_full\"}").await > 0);
    assert_eq!(metric(&world, "sealstone_traces_failing").await, 1);
    assert_eq!(
        metric(&world, "sealstone_traces_spans_total{outcome=\"delivered\"}").await,
        0
    );
    let ready = admin(&world, "/health/ready").await;
    assert!(
        ready.starts_with("HTTP/1.1 200 "),
        "no part that requests need: {ready}"
    );
    let told = world.process.log().matches("traces can't be delivered").count();
    assert_eq!(told, 1, "told once");
    world.end().await;
}

/// Without the section there is nothing: no metric, no span in the log, and nobody is asked.
#[tokio::test]
async fn without_the_section_nothing_is_traced() {
    let world = World::with(|setup| setup.set("log", "level", "'debug'")).await;
    world
        .register("ci", json!({"token_endpoint_auth_method": "client_secret_basic"}))
        .await;
    let asked = ask("none-1").header("traceparent", PARENT);
    world.https().send(world.public, asked).await.token();
    let text = admin(&world, "/metrics").await;
    assert!(!text.contains("sealstone_traces"), "{text}");
    assert!(!world.process.log().contains("trace."), "{}", world.process.log());
    let metadata = Ask::get(&format!("{ISSUER}/.well-known/openid-configuration"));
    assert_eq!(world.https().send(world.public, metadata).await.status, 200);
    world.end().await;
}
