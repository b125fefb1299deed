//! `[traces]`: what is refused, and what is said of the rest.

use super::{accepted, refused};
use crate::harness::Setup;

const HERE: &str = "'http://127.0.0.1:4318/v1/traces'";

/// The keys and their values; words of the complaint.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn broken_values() {
    let cases: [Case<'_>; 16] = [
        (&[], &["traces.url", "missing"]),
        (&[("url", "'not an address'")], &["traces.url"]),
        (
            &[("url", "'https://collector.example:4318/v1/traces'")],
            &["traces.ca_file", "missing"],
        ),
        (
            &[("url", "'http://collector.example:4318/v1/traces'")],
            &["traces.url", "insecure_plaintext"],
        ),
        (
            &[("url", "'http://user:hush@127.0.0.1:4318/v1/traces'")],
            &["traces.url", "bearer_file"],
        ),
        (
            &[("url", "'http://127.0.0.1:4318/v1/traces?token=hush'")],
            &["traces.url", "bearer_file"],
        ),
        (
            &[("url", "'http://127.0.0.1:4318'")],
            &["traces.url", "/v1/traces"],
        ),
        (
            &[("url", HERE), ("ca_file", "'nowhere.pem'")],
            &["traces.ca_file", "nowhere.pem"],
        ),
        (&[("url", HERE), ("ca_file", "'pepper'")], &["traces.ca_file"]),
        (
            &[("url", HERE), ("bearer_file", "'nowhere'")],
            &["traces.bearer_file", "nowhere"],
        ),
        (
            &[("url", HERE), ("sample_ratio", "1.5")],
            &["traces.sample_ratio", "0 (nothing) to 1"],
        ),
        (
            &[("url", HERE), ("sample_ratio", "nan")],
            &["traces.sample_ratio"],
        ),
        (
            &[("url", HERE), ("queue_spans", "0")],
            &["traces.queue_spans", "65536"],
        ),
        (&[("url", HERE), ("service_name", "''")], &["traces.service_name"]),
        (
            &[("url", HERE), ("traceparent_networks", "['10.0.0.1/8']")],
            &["traces.traceparent_networks", "10.0.0.1/8"],
        ),
        (
            &[("url", HERE), ("follow_sampled_flag", "true")],
            &["traces.traceparent_networks"],
        ),
    ];
    for (keys, words) in cases {
        let mut setup = Setup::new();
        setup.set("traces", "max_traces_per_s", "50");
        for (key, value) in keys {
            setup.set("traces", key, value);
        }
        let said = refused(&setup, &[]);
        for word in words {
            assert!(said.contains(word), "{keys:?}: {said}");
        }
        assert!(
            !said.contains("hush") || keys[0].1.contains("hush") && !said.contains(":hush@"),
            "{said}"
        );
    }
    let mut setup = Setup::new();
    setup.set("traces", "url", HERE);
    setup.set("traces", "sample_ration", "1");
    let said = refused(&setup, &[]);
    assert!(said.contains("did you mean `sample_ratio`"), "{said}");
}

#[test]
fn what_is_traced_is_said() {
    let mut setup = Setup::new();
    assert!(!accepted(&setup, &[]).contains("traces"));
    setup.set("traces", "url", HERE);
    setup.set("traces", "sample_ratio", "0.25");
    let said = accepted(&setup, &[]);
    for words in [
        "traces     a share of 0.25 of all requests",
        "50 a second",
        "127.0.0.1:4318",
        "traceparent of nobody",
    ] {
        assert!(said.contains(words), "{said}");
    }
    setup.set("traces", "traceparent_networks", "['192.0.2.0/24']");
    let ca = setup.server_ca.pem();
    setup.write("collector.pem", ca);
    let by_tls = (
        "SEALSTONE__TRACES__URL",
        "https://collector.example:4318/v1/traces",
    );
    let ca = ("SEALSTONE__TRACES__CA_FILE", "collector.pem");
    let said = accepted(&setup, &[by_tls, ca]);
    assert!(
        said.contains("collector.example") && said.contains("traceparent of 192.0.2.0/24"),
        "{said}"
    );
    let plain = (
        "SEALSTONE__TRACES__URL",
        "http://collector.example:4318/v1/traces",
    );
    let dared = ("SEALSTONE__TRACES__INSECURE_PLAINTEXT", "true");
    accepted(&setup, &[plain, dared]);
}
