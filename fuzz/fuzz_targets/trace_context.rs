//! A `traceparent` header of whoever sends one, and what a collector of traces answers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_telemetry::{TraceParent, rejected_spans};

const SENT: usize = 512;

fuzz_target!(|data: &[u8]| {
    assert!(rejected_spans(data, SENT) <= SENT, "more than were sent");
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(parent) = TraceParent::parse(text) else {
        return;
    };
    assert!(text.is_ascii() && text.len() <= 256, "{text:?}");
    assert_ne!(parent.trace.number(), 0);
    assert_ne!(parent.span.number(), 0);
    // What is taken over is what was sent, and no more than that.
    let sampled = u8::from(parent.is_sampled);
    let printed = format!("00-{}-{}-{sampled:02x}", parent.trace, parent.span);
    assert_eq!(TraceParent::parse(&printed), Ok(parent));
    assert_eq!(text.get(3..52), printed.get(3..52), "{text:?}");
});
