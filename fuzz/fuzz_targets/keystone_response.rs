//! Answers of Keystone: bodies of each kind, and the texts of headers and members.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealstone_keystone::fuzzing;

fuzz_target!(|data: &[u8]| {
    fuzzing::answer(data);
    if let Ok(text) = std::str::from_utf8(data) {
        fuzzing::text(text);
    }
});
