use std::sync::atomic::AtomicU64;

use tracing::field::Empty;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::outbox::Outbox;
use crate::parent::TraceParent;
use crate::{TraceClock, Tracer, TracerSettings};

/// A clock that goes on by a millisecond whenever it is asked.
#[derive(Debug, Default)]
struct Steps(AtomicU64);

impl TraceClock for Steps {
    fn wall(&self) -> Duration {
        Duration::from_secs(1_800_000_000)
    }

    fn ticks(&self) -> Duration {
        Duration::from_millis(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn tracer(settings: TracerSettings) -> (Tracer, Outbox) {
    let drawn = AtomicU64::new(0);
    let entropy = move |octets: &mut [u8]| {
        let count = drawn.fetch_add(1, Ordering::Relaxed) + 1;
        octets.fill(u8::try_from(count % 255 + 1).unwrap());
        true
    };
    Tracer::new(settings, Box::<Steps>::default(), Box::new(entropy))
}

fn all() -> TracerSettings {
    TracerSettings {
        sample_ratio: 1.0,
        ..TracerSettings::default()
    }
}

/// What leaves after `work` was done under a subscriber of this tracer.
fn spans_of(settings: TracerSettings, work: impl FnOnce(&Tracer)) -> (Vec<FinishedSpan>, Tracer) {
    let (tracer, outbox) = tracer(settings);
    let subscriber = tracing_subscriber::registry().with(tracer.layer());
    tracing::subscriber::with_default(subscriber, || work(&tracer));
    (outbox.waiting(), tracer)
}

fn request(tracer: &Tracer, parent: Option<&str>) -> tracing::Span {
    let start = tracer.begin(parent.and_then(|text| TraceParent::parse(text).ok()));
    tracing::debug_span!(
        target: "sealstone_http::edge",
        "request",
        request.id = %"req-1",
        trace.id = %start.id(),
        trace.parent = start.parent().map(tracing::field::display),
        trace.sampled = start.sampled(),
        http.request.method = "POST",
        http.route = "/v4/oauth2/{domain_id}/token",
        client_secret = "open-sesame",
        status = Empty,
    )
}

fn texts(span: &FinishedSpan) -> Vec<String> {
    let of = |(name, value): &(&str, Value)| format!("{name}={value:?}");
    span.attributes.iter().map(of).collect()
}

#[test]
fn a_request_and_its_parts_are_one_trace() {
    let (spans, _) = spans_of(all(), |tracer| {
        let request = request(tracer, None);
        let entered = request.enter();
        {
            let part = tracing::debug_span!(target: "sealstone_keystone", "keystone", otel.kind = "client", http.request.method = "GET", http.response.status_code = Empty);
            part.record("http.response.status_code", 404_u16);
            let _inner = part.enter();
            let _statement = tracing::debug_span!(target: "sealstone_storage", "database", db.operation.name = "SELECT", error.type = "closed");
        }
        drop(entered);
        request.record("status", 503_u16);
    });
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["SELECT", "GET", "POST /v4/oauth2/{domain_id}/token"]);
    let [statement, call, request] = spans.as_slice() else {
        panic!()
    };
    assert_eq!(statement.parent, Some(call.span));
    assert_eq!(call.parent, Some(request.span));
    assert_eq!(request.parent, None);
    assert!(spans.iter().all(|span| span.trace == request.trace));
    assert_eq!(
        [statement.kind, call.kind, request.kind],
        [Kind::Internal, Kind::Client, Kind::Server]
    );
    assert!(spans.iter().all(|span| span.is_error && span.end > span.begin));
    assert!(texts(call).contains(&"error.type=Text(\"404\")".to_owned()));
    assert!(texts(request).contains(&"sealstone.request_id=Text(\"req-1\")".to_owned()));
    assert!(!format!("{spans:?}").contains("open-sesame"), "{spans:?}");
}

/// What is not asked for costs nothing that leaves: other crates' spans, spans outside a request, events.
#[test]
fn only_what_belongs_to_a_sampled_request_is_gathered() {
    let (spans, tracer) = spans_of(all(), |tracer| {
        let _alone = tracing::debug_span!(target: "sealstone_storage", "database").entered();
        tracing::error!(target: "sealstone_storage", "an event");
        let _entered = request(tracer, None).entered();
        let _other =
            tracing::error_span!(target: "sqlx::query", "query", db.query.text = "SELECT 1").entered();
        let _deep = tracing::trace_span!(target: "sealstone_storage", "detail").entered();
        let _through = tracing::debug_span!(target: "sealstone_storage", "database").entered();
    });
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["database", "POST /v4/oauth2/{domain_id}/token"]);
    assert_eq!(
        spans[0].parent,
        Some(spans[1].span),
        "through what is not gathered"
    );
    assert_eq!(tracer.standing().waiting, 0);

    let none = TracerSettings {
        sample_ratio: 0.0,
        ..TracerSettings::default()
    };
    let (spans, _) = spans_of(none, |tracer| {
        let _entered = request(tracer, None).entered();
        let _part = tracing::debug_span!(target: "sealstone_storage", "database").entered();
    });
    assert!(spans.is_empty());
}

#[test]
fn bounds_hold() {
    let (spans, tracer) = spans_of(all(), |tracer| {
        let _entered = request(tracer, None).entered();
        for _part in 0..500 {
            let _part = tracing::debug_span!(target: "sealstone_storage", "database", db.query.text = "x".repeat(5000));
        }
    });
    assert_eq!(spans.len(), 128);
    assert_eq!(tracer.standing().dropped_trace_full, 501 - 128);
    let Some((_, Value::Text(text))) = spans[0].attributes.first() else {
        panic!()
    };
    assert_eq!(text.len(), MAX_VALUE);

    let few = TracerSettings { queue: 2, ..all() };
    let (spans, tracer) = spans_of(few, |tracer| {
        for _request in 0..5 {
            request(tracer, None);
        }
    });
    assert_eq!((spans.len(), tracer.standing().dropped_queue_full), (2, 3));

    let slow = TracerSettings {
        max_traces_per_s: 3,
        ..all()
    };
    let (spans, tracer) = spans_of(slow, |tracer| {
        for _request in 0..10 {
            request(tracer, None);
        }
    });
    assert_eq!((spans.len(), tracer.standing().dropped_traces), (3, 7));
}

/// Who may name a trace chooses its id, and by that neither to be sampled nor to be left out.
#[test]
fn a_callers_trace_is_taken_over_and_decides_nothing() {
    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let sampled = format!("00-{ID}-00f067aa0ba902b7-01");
    let not = format!("00-{ID}-00f067aa0ba902b7-00");
    // As a sampler by the id's octets would take it for the least, and for the greatest.
    let chosen = format!("00-{ID}-00f067aa0ba902b7-01").replace("a3ce929d0e0e4736", "0000000000000000");
    let with = |ratio, follows| TracerSettings {
        sample_ratio: ratio,
        follow_sampled_flag: follows,
        ..TracerSettings::default()
    };
    for (name, settings, parent, want) in [
        ("everything, flag down", with(1.0, false), &not, true),
        ("everything, flag up", with(1.0, false), &sampled, true),
        ("nothing, flag up", with(0.0, false), &sampled, false),
        ("nothing, a chosen id", with(0.0, false), &chosen, false),
        ("everything, flag down and followed", with(1.0, true), &not, false),
        ("nothing, flag up and followed", with(0.0, true), &sampled, true),
    ] {
        let (spans, _) = spans_of(settings, |tracer| drop(request(tracer, Some(parent))));
        assert_eq!(spans.len(), usize::from(want), "{name}");
        if let [span] = spans.as_slice() {
            assert_eq!(span.trace.to_string(), ID, "{name}");
            assert_eq!(
                span.parent.map(|parent| parent.to_string()).as_deref(),
                Some("00f067aa0ba902b7")
            );
            assert_ne!(span.span.to_string(), "00f067aa0ba902b7");
        }
    }
    let flooded = TracerSettings {
        max_traces_per_s: 2,
        ..with(0.0, true)
    };
    let (spans, _) = spans_of(flooded, |tracer| {
        for _request in 0..9 {
            request(tracer, Some(&sampled));
        }
    });
    assert_eq!(spans.len(), 2, "the limit of a second holds for them too");
}

#[test]
fn without_entropy_nothing_is_traced() {
    let (tracer, outbox) = Tracer::new(all(), Box::<Steps>::default(), Box::new(|_octets| false));
    let subscriber = tracing_subscriber::registry().with(tracer.layer());
    tracing::subscriber::with_default(subscriber, || drop(request(&tracer, None)));
    assert!(outbox.waiting().is_empty());
}

/// What a thread's subscriber makes of a request while the handle holds this or that.
#[test]
fn another_tracer_takes_the_place_of_one_while_its_trace_goes_on() {
    let handle = TracerHandle::default();
    let subscriber = tracing_subscriber::registry().with(handle.layer());
    let (first, waiting_first) = tracer(all());
    let (second, waiting_second) = first.successor(
        all(),
        Box::<Steps>::default(),
        Box::new(|octets| {
            octets.fill(0xee);
            true
        }),
    );
    tracing::subscriber::with_default(subscriber, || {
        assert!(request(&first, None).is_disabled(), "nothing is made for nobody");
        handle.replace(Some(&first));
        let begun = request(&first, None);
        assert!(!begun.is_disabled());
        handle.replace(Some(&second));
        begun.in_scope(|| drop(tracing::debug_span!(target: "sealstone_storage", "part")));
        drop(request(&second, None));
        drop(begun);
        handle.replace(None);
        assert!(request(&second, None).is_disabled(), "and nothing any more");
    });
    let names =
        |outbox: Outbox| -> Vec<String> { outbox.waiting().iter().map(|span| span.name.clone()).collect() };
    let route = "POST /v4/oauth2/{domain_id}/token";
    assert_eq!(
        names(waiting_first),
        ["part", route],
        "a trace ends where it began"
    );
    assert_eq!(names(waiting_second), [route]);
    // What was counted is counted on.
    add(&first.0.queue.counters.refused, 3);
    assert_eq!(second.standing().dropped_refused, 3);
}
