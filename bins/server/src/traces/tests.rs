use super::{Believed, RequestTraces as _, Standing, TRACEPARENT, metrics};
use http::{HeaderMap, HeaderName, HeaderValue};
use sealstone_telemetry::{TraceClock, Tracer, TracerSettings};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

const DOCUMENT: &str = include_str!("../../../../docs/reference/metrics.md");
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

#[derive(Debug)]
struct Stopped;

impl TraceClock for Stopped {
    fn wall(&self) -> Duration {
        Duration::from_secs(1_800_000_000)
    }

    fn ticks(&self) -> Duration {
        Duration::ZERO
    }
}

fn believed(networks: &[&str], sample_ratio: f64, follow_sampled_flag: bool) -> Believed {
    let settings = TracerSettings {
        sample_ratio,
        follow_sampled_flag,
        ..TracerSettings::default()
    };
    let entropy = |octets: &mut [u8]| {
        octets.fill(0x77);
        true
    };
    let (tracer, _outbox) = Tracer::new(settings, Box::new(Stopped), Box::new(entropy));
    Believed {
        tracer,
        networks: networks.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

/// A name, the networks that are named, who sends it, which headers, and whether it counts.
type Sent<'a> = (&'a str, &'a [&'a str], Option<&'a str>, &'a [&'a str], bool);

/// Whoever sends it: only who is in a network that was named has a say, and in one header that is one.
#[test]
fn hostile_headers_of_traces() {
    let good = format!("00-{TRACE}-{SPAN}-01");
    let own = "7".repeat(32);
    let inside = ["10.0.0.0/8"];
    let everything_else = [
        ("tracestate", "a=1,b=2".to_owned()),
        ("tracestate", "x".repeat(60_000)),
        ("tracestate", "=,=,,==;\u{7f}".replace('\u{7f}', "?")),
        (
            "baggage",
            "userId=alice,serverNode=DF%2028,isProduction=false".to_owned(),
        ),
        ("baggage", "k=".repeat(30_000)),
        ("b3", format!("{TRACE}-{SPAN}-d")),
        ("x-b3-traceid", TRACE.to_owned()),
        ("x-b3-sampled", "1".to_owned()),
        ("uber-trace-id", format!("{TRACE}:{SPAN}:0:3")),
        ("x-cloud-trace-context", format!("{TRACE}/1;o=1")),
    ];
    for (name, value) in everything_else {
        let believed = believed(&inside, 0.0, true);
        let mut headers = HeaderMap::new();
        let header = HeaderName::from_static(name);
        headers.insert(header, HeaderValue::from_str(&value).unwrap());
        let start = believed.begin(Some("10.1.2.3".parse().unwrap()), &headers);
        assert_eq!(
            (format!("{:032x}", start.trace_id), start.parent_id),
            (own.clone(), None),
            "{name}"
        );
        assert!(!start.is_sampled, "{name}");
    }
    let peers: [Sent<'_>; 12] = [
        ("a proxy of ours", &inside, Some("10.1.2.3"), &[&good], true),
        (
            "as a dual-stack socket names it",
            &inside,
            Some("::ffff:10.1.2.3"),
            &[&good],
            true,
        ),
        ("an outsider", &inside, Some("192.0.2.1"), &[&good], false),
        (
            "an outsider in IPv6",
            &inside,
            Some("2001:db8::1"),
            &[&good],
            false,
        ),
        ("nobody is named", &[], Some("10.1.2.3"), &[&good], false),
        (
            "nobody is named, this machine",
            &[],
            Some("127.0.0.1"),
            &[&good],
            false,
        ),
        ("no address", &inside, None, &[&good], false),
        ("two of them", &inside, Some("10.1.2.3"), &[&good, &good], false),
        (
            "a list in one",
            &inside,
            Some("10.1.2.3"),
            &[&format!("{good},{good}")],
            false,
        ),
        ("no traceparent", &inside, Some("10.1.2.3"), &["01"], false),
        ("octets", &inside, Some("10.1.2.3"), &["00-\u{e4}"], false),
        ("nothing", &inside, Some("10.1.2.3"), &[], false),
    ];
    for (name, networks, peer, values, taken) in peers {
        let peer = peer.map(|text| text.parse::<IpAddr>().unwrap());
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(TRACEPARENT, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let start = believed(networks, 0.0, true).begin(peer, &headers);
        let want = if taken { TRACE } else { own.as_str() };
        assert_eq!(format!("{:032x}", start.trace_id), want, "{name}");
        assert_eq!(start.parent_id.is_some(), taken, "{name}");
        assert_eq!(
            start.is_sampled, taken,
            "{name}: the flag of whom it is taken over from, of nobody else"
        );
        // Without the key that follows it, the flag is nobody's.
        let start = believed(networks, 0.0, false).begin(peer, &headers);
        assert!(!start.is_sampled, "{name}");
    }
}

/// Each name and outcome in the code has its row, and each row is in the code.
#[test]
fn every_metric_is_documented() {
    let mut text = String::new();
    metrics(&Standing::default(), &mut text);
    let names: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let section = DOCUMENT.split("## Traces\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: BTreeSet<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(rows, names);
    let outcomes = text
        .lines()
        .filter_map(|line| line.split("outcome=\"").nth(1)?.split('"').next());
    for outcome in outcomes {
        assert!(section.contains(&format!("`{outcome}`")), "{outcome}");
    }
}
