use std::sync::Mutex;

use http::Uri;
use rustls::RootCertStore;
use sealstone_https::{HttpsClient, PlainHttp, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::*;
use crate::ids::{SpanId, TraceId};
use crate::otlp::{Kind, Value};
use crate::queue::Queue;
use crate::{CollectorSettings, Service, Standing};

fn span(number: u8) -> FinishedSpan {
    FinishedSpan {
        trace: TraceId::new([1; 16]).unwrap(),
        span: SpanId::new([number; 8]).unwrap(),
        parent: None,
        name: format!("span {number}"),
        kind: Kind::Server,
        begin: Duration::from_nanos(1_800_000_000_000_000_001),
        end: Duration::from_nanos(1_800_000_000_000_000_002),
        attributes: vec![
            ("http.response.status_code", Value::Number(200)),
            ("http.route", Value::Text("/\"quoted\"".to_owned())),
            ("truth", Value::Truth(true)),
        ],
        is_error: false,
    }
}

/// A collector that answers each delivery with the next of these texts, the last one again and again, and keeps what it
/// was sent.
async fn collector(answers: &'static [&'static str]) -> (Collector, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Uri = format!("http://{}/v1/traces", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut turn = 0;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut octets = Vec::new();
            let body = loop {
                let mut some = [0; 4096];
                let count = stream.read(&mut some).await.unwrap();
                octets.extend_from_slice(&some[..count]);
                let text = String::from_utf8_lossy(&octets).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let length = head.to_ascii_lowercase();
                let length = length.split("content-length: ").nth(1).unwrap();
                let length: usize = length.lines().next().unwrap().parse().unwrap();
                if body.len() == length || count == 0 {
                    break format!("{head}\r\n\r\n{body}");
                }
            };
            kept.lock().unwrap().push(body);
            let answer = answers[turn.min(answers.len() - 1)];
            turn += 1;
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (reaching(url), seen)
}

fn reaching(url: Uri) -> Collector {
    let settings = Settings::trusting(RootCertStore::empty()).unwrap();
    let client = HttpsClient::new(settings.with_plain_http(PlainHttp::Loopback));
    let settings = CollectorSettings {
        url,
        bearer_file: None,
        service: Service::new("sealstoned", "0.1.0", [0xab; 16]),
    };
    Collector::new(client, settings).unwrap()
}

struct Running {
    queue: Queue,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(collector: Collector, room: usize) -> Self {
        let counters = Arc::new(Counters::default());
        let (spans, waiting) = mpsc::channel(room);
        let queue = Queue {
            spans,
            counters: Arc::clone(&counters),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let outbox = Outbox::new(waiting, counters);
        let task = tokio::spawn(outbox.deliver(collector, async { drop(stopped.await) }));
        Self { queue, stop, task }
    }

    async fn end(self) -> Standing {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
        self.queue.standing()
    }

    /// Until this holds; the test's own deadline ends it otherwise.
    async fn until(&self, holds: impl Fn(&Standing) -> bool) {
        while !holds(&self.queue.standing()) {
            sleep(Duration::from_millis(5)).await;
        }
    }
}

const TAKEN: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nretry-after: 0\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn what_is_gathered_arrives_as_the_protocol_has_it() {
    let (collector, seen) = collector(&[TAKEN]).await;
    let running = Running::start(collector, 16);
    running.queue.put(span(1));
    running.queue.put(span(2));
    let standing = running.end().await;
    assert_eq!(
        (standing.delivered, standing.failures, standing.waiting),
        (2, 0, 0)
    );
    let seen = seen.lock().unwrap();
    let (head, body) = seen[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    let got: serde_json::Value = serde_json::from_str(body).unwrap();
    let attribute = |key: &str, kind: &str, value: serde_json::Value| serde_json::json!({"key": key, "value": {kind: value}});
    let want = |number: u8| {
        serde_json::json!({
            "traceId": "01".repeat(16), "spanId": format!("{number:02x}").repeat(8), "flags": 1,
            "name": format!("span {number}"), "kind": 2,
            "startTimeUnixNano": "1800000000000000001", "endTimeUnixNano": "1800000000000000002",
            "attributes": [
                attribute("http.response.status_code", "intValue", "200".into()),
                attribute("http.route", "stringValue", "/\"quoted\"".into()),
                attribute("truth", "boolValue", true.into()),
            ],
            "status": {},
        })
    };
    let want = serde_json::json!({"resourceSpans": [{
        "resource": {"attributes": [
            attribute("service.name", "stringValue", "sealstoned".into()),
            attribute("service.version", "stringValue", "0.1.0".into()),
            attribute("service.instance.id", "stringValue", "abababab-abab-4bab-abab-abababababab".into()),
        ]},
        "scopeSpans": [{"scope": {"name": "sealstone", "version": "0.1.0"}, "spans": [want(1), want(2)]}],
    }]});
    assert_eq!(got, want);
}

/// A collector that is busy, and then not: what waits arrives, once.
#[tokio::test]
async fn what_is_not_taken_now_is_sent_again() {
    let (collector, seen) = collector(&[BUSY, "", BUSY, TAKEN]).await;
    let running = Running::start(collector, 16);
    running.queue.put(span(1));
    running.until(|standing| standing.delivered == 1).await;
    let standing = running.end().await;
    assert_eq!((standing.failures, standing.failing), (3, false), "{standing:?}");
    assert_eq!((standing.dropped_refused, standing.dropped_undelivered), (0, 0));
    assert_eq!(seen.lock().unwrap().len(), 4);
}

/// One that never takes anything: the tries end, the queue is bounded, and the end is not waited for.
#[tokio::test]
async fn a_collector_that_takes_nothing_costs_a_bounded_queue() {
    let (collector, seen) = collector(&[BUSY]).await;
    let running = Running::start(collector, 4);
    running.queue.put(span(1));
    running.until(|standing| standing.dropped_undelivered == 1).await;
    assert_eq!(seen.lock().unwrap().len(), usize::try_from(TRIES).unwrap());
    let standing = running.end().await;
    assert!(standing.failing);

    // Nobody listens at all.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/traces", gone.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(gone);
    let running = Running::start(reaching(url), 4);
    running.queue.put(span(1));
    running.until(|standing| standing.failures == 1).await;
    for number in 2..20 {
        running.queue.put(span(number));
    }
    let standing = running.queue.standing();
    assert_eq!(
        (standing.waiting, standing.dropped_queue_full),
        (4, 14),
        "{standing:?}"
    );
    let standing = running.end().await;
    assert_eq!(
        standing.dropped_undelivered + standing.dropped_queue_full,
        19,
        "{standing:?}"
    );
    assert_eq!(standing.delivered, 0);
}

/// What is refused for good is dropped and counted; what is claimed is believed no further than it can be.
#[tokio::test]
async fn refusals_and_lies() {
    let long: &'static str = String::leak(format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 70000\r\n\r\n{}",
        " ".repeat(70_000)
    ));
    for (name, answer, delivered, refused) in [
        (
            "bad request",
            "HTTP/1.1 400 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            0,
            1,
        ),
        (
            "not allowed in",
            "HTTP/1.1 401 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            0,
            1,
        ),
        (
            "not here",
            "HTTP/1.1 404 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            0,
            1,
        ),
        (
            "broken",
            "HTTP/1.1 500 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            0,
            1,
        ),
        (
            "elsewhere",
            "HTTP/1.1 307 There\r\nlocation: http://127.0.0.1:1/\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            0,
            1,
        ),
        ("a flood", long, 0, 1),
        (
            "no JSON",
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nOK",
            1,
            0,
        ),
        (
            "more than was sent",
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 40\r\n\r\n{\"partialSuccess\":{\"rejectedSpans\":999}}",
            0,
            1,
        ),
        (
            "less than nothing",
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 39\r\n\r\n{\"partialSuccess\":{\"rejectedSpans\":-9}}",
            1,
            0,
        ),
    ] {
        let answers: &'static [&'static str] = vec![answer].leak();
        let (collector, seen) = collector(answers).await;
        let running = Running::start(collector, 4);
        running.queue.put(span(1));
        let standing = running.end().await;
        assert_eq!(
            (standing.delivered, standing.dropped_refused),
            (delivered, refused),
            "{name}"
        );
        assert_eq!(seen.lock().unwrap().len(), 1, "{name}: never sent twice");
    }
}

/// A collector that accepts and says nothing: after the deadline it counts as failed, and the end comes all the same.
#[tokio::test(start_paused = true)]
async fn a_collector_that_hangs_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let running = Running::start(reaching(url), 4);
    running.queue.put(span(1));
    let (_held, _) = listener.accept().await.unwrap();
    running.until(|standing| standing.failures == 1).await;
    running.queue.put(span(2));
    let standing = running.end().await;
    assert_eq!(
        (standing.delivered, standing.dropped_undelivered),
        (0, 2),
        "{standing:?}"
    );
}

#[tokio::test]
async fn the_collectors_bearer_token_is_sent_and_shown_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bearer");
    std::fs::write(&file, "top-secret\n").unwrap();
    let (mut collector, seen) = collector(&[TAKEN]).await;
    collector.settings_mut().bearer_file = Some(file.clone());
    assert!(matches!(
        collector.deliver(&[span(1)]).await,
        Delivery::Taken { rejected: 0 }
    ));
    assert!(seen.lock().unwrap()[0].contains("authorization: Bearer top-secret\r\n"));
    for (name, text) in [("a line", "a\nb".to_owned()), ("too long", "x".repeat(20_000))] {
        std::fs::write(&file, text).unwrap();
        let Delivery::Later { why, .. } = collector.deliver(&[span(1)]).await else {
            panic!("{name}")
        };
        assert!(
            why.contains(&*file.to_string_lossy()) && !why.contains("xxx"),
            "{name}: {why}"
        );
    }
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(
        collector.deliver(&[span(1)]).await,
        Delivery::Later { .. }
    ));
    assert_eq!(seen.lock().unwrap().len(), 1);
}
