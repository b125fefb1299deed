//! What HAProxy's runtime socket answers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_migrate::{parse_servers, parse_traffic};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(servers) = parse_servers(text) {
        assert!(
            text.starts_with("1\n") || text.starts_with("1\r\n"),
            "of version 1"
        );
        assert!(
            servers
                .iter()
                .all(|server| !server.name.is_empty() && text.contains(&server.name))
        );
    }
    if let Ok(traffic) = parse_traffic(text) {
        assert!(traffic.answers >= traffic.refused.max(traffic.failed));
    }
});
