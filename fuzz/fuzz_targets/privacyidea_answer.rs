//! Answers of privacyIDEA: each body as each kind, with the status in the first octet.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_privacyidea::fuzzing;

fuzz_target!(|data: &[u8]| {
    let Some((status, body)) = data.split_first() else {
        return;
    };
    // Printable octets from `0`, so that seeds can be read: 200, 204, 302, 400, 401, 403, 500, 503.
    let statuses = [200, 204, 302, 400, 401, 403, 500, 503];
    fuzzing::answer(statuses[usize::from(status % 8)], body);
});
